"""POWER: LARX, STCX, SYNC and its kinds, EIEIO, ISYNC (Power ISA, book II, chapter 4)."""

from __future__ import annotations

from simaie.binary.atomics.special import Address, Part, Special

__all__ = ["decode_ppc"]

_LOADS = {20: ("lwarx", 4), 84: ("ldarx", 8), 52: ("lbarx", 1), 116: ("lharx", 2)}
_STORES = {150: ("stwcx", 4), 214: ("stdcx", 8), 694: ("stbcx", 1), 726: ("sthcx", 2)}
_LOAD_PAIR, _STORE_PAIR = 276, 182  # LQARX, STQCX.
_ISYNC = 0x4C00_012C
_CACHE_HINTS = frozenset({278, 246})  # DCBT, DCBTST
_EQ = 1  # the bit of EQ in a field of CR


def decode_ppc(code: bytes) -> Special | None:
    """Return an atomic or ordering instruction at the begin of `code`; None for any other."""
    word = int.from_bytes(code[:4], "little")
    if word == _ISYNC:
        return Special(4, "isync")
    if word >> 26 != 31:
        return None
    extended = word >> 1 & 1023
    if extended in _LOADS or extended in _STORES:
        return _reserved(word, extended)
    if extended in (_LOAD_PAIR, _STORE_PAIR) and not word >> 21 & 1:
        return _reserved_pair(word, extended)
    if extended == 598:
        return Special(4, "lwsync" if word >> 21 & 3 == 1 else "sync")
    if extended == 854:
        return Special(4, "eieio")
    return Special(4, "nop") if extended in _CACHE_HINTS else None


def _reserved(word: int, extended: int) -> Special:
    register, address = f"r{word >> 21 & 31}", _address(word)
    if extended in _LOADS:
        return Special(4, _LOADS[extended][0], address, into=(Part(register, 8),))
    name, width = _STORES[extended]
    return Special(4, name, address, ((Part(register, width),),), into=(Part("cr0", 1),), shift=_EQ)


def _reserved_pair(word: int, extended: int) -> Special:
    """Decode LQARX and STQCX., whose even register is the high half."""
    first, address = word >> 21 & 31, _address(word)
    pair = Part(f"r{first + 1}", 8), Part(f"r{first}", 8)
    if extended == _LOAD_PAIR:
        return Special(4, "lqarx", address, into=pair)
    return Special(4, "stqcx", address, (pair,), into=(Part("cr0", 1),), shift=_EQ)


def _address(word: int) -> Address:
    base, index = word >> 16 & 31, word >> 11 & 31
    return Address((*((f"r{base}",) if base else ()), f"r{index}"))
