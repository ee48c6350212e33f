"""POWER: LARX, STCX, atomic memory operations, LQ, STQ, SYNC and its kinds, EIEIO, ISYNC (Power ISA)."""

from __future__ import annotations

from simaie.binary.atomics.special import Address, Part, Special

__all__ = ["decode_ppc"]

_LOADS = {20: ("lwarx", 4), 84: ("ldarx", 8), 52: ("lbarx", 1), 116: ("lharx", 2)}
_STORES = {150: ("stwcx", 4), 214: ("stdcx", 8), 694: ("stbcx", 1), 726: ("sthcx", 2)}
_LOAD_PAIR, _STORE_PAIR = 276, 182  # LQARX, STQCX.
#: LWAT, LDAT, STWAT and STDAT -> width.
_FETCHES = {582: ("lwat", 4), 614: ("ldat", 8)}
_APPLIES = {710: ("stwat", 4), 742: ("stdat", 8)}
_LAST_OF_FETCHES, _LAST_OF_APPLIES, _SWAP_NOT_EQUAL = 8, 7, 16  # function codes; other ones access two words
_ISYNC = 0x4C00_012C
_CACHE_HINTS = frozenset({278, 246})  # DCBT, DCBTST
_EQ = 1  # the bit of EQ in a field of CR


def decode_ppc(code: bytes) -> Special | None:
    """Return an atomic or ordering instruction at the begin of `code`; None for any other."""
    word = int.from_bytes(code[:4], "little")
    if word == _ISYNC:
        return Special(4, "isync")
    if word >> 26 in (56, 62):
        return _quadword(word)
    if word >> 26 != 31:
        return None
    extended = word >> 1 & 1023
    if extended in _LOADS or extended in _STORES:
        return _reserved(word, extended)
    if extended in (_LOAD_PAIR, _STORE_PAIR) and not word >> 21 & 1:
        return _reserved_pair(word, extended)
    if extended in _FETCHES or extended in _APPLIES:
        return _operation(word, extended)
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


def _operation(word: int, extended: int) -> Special | None:
    """Decode LWAT and its like, whose operands are in the registers after that of the result."""
    first, base, function = word >> 21 & 31, word >> 16 & 31, word >> 11 & 31
    address, options = Address((f"r{base}",) if base else ()), (("function", function),)
    if extended in _APPLIES:
        name, width = _APPLIES[extended]
        if function > _LAST_OF_APPLIES:
            return None
        return Special(4, name, address, ((Part(f"r{first}", width),),), options)
    name, width = _FETCHES[extended]
    into = (Part(f"r{first}", 8),)
    if function <= _LAST_OF_FETCHES and first < 31:
        return Special(4, name, address, ((Part(f"r{first + 1}", width),),), options, into=into)
    if function != _SWAP_NOT_EQUAL or first > 29:
        return None
    compared = (("compare", Part(f"r{first + 1}", width)),)
    return Special(4, name, address, ((Part(f"r{first + 2}", width),),), options, named=compared, into=into)


def _quadword(word: int) -> Special | None:
    """Decode LQ and STQ, whose even register is the high half."""
    first, base, loads = word >> 21 & 31, word >> 16 & 31, word >> 26 == 56
    low, scale = (word & 15, 15) if loads else (word & 3, 3)
    if first & 1 or low != (0 if loads else 2) or (loads and first == base):
        return None  # invalid forms: an odd register, and a load over its own base
    offset = (word & 0xFFFF & ~scale ^ 0x8000) - 0x8000
    address = Address((f"r{base}",) if base else (), offset)
    pair = Part(f"r{first + 1}", 8), Part(f"r{first}", 8)
    return Special(4, "lq", address, into=pair) if loads else Special(4, "stq", address, (pair,))


def _address(word: int) -> Address:
    base, index = word >> 16 & 31, word >> 11 & 31
    return Address((*((f"r{base}",) if base else ()), f"r{index}"))
