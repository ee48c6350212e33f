"""MIPS32: LL, SC, LLWP, SCWP, SYNC and PAUSE (MIPS Architecture for Programmers, volume II-A, MD00086).

Release 6 has other encodings of LL, SC and PREF, and it alone has LLWP and SCWP. Of two words, the first register has
the one at the lower address, as in QEMU.
"""

from __future__ import annotations

from simaie.binary.atomics.special import Address, Part, Special

__all__ = ["decode_mips", "decode_mips_release_6", "decode_mipsel", "decode_mipsel_release_6"]

_NAMES = (
    "zero", "at", "v0", "v1", "a0", "a1", "a2", "a3", *(f"t{n}" for n in range(8)), *(f"s{n}" for n in range(8)),
    "t8", "t9", "k0", "k1", "gp", "sp", "s8", "ra",
)  # fmt: skip
_PAUSE = 0x0000_0140
_PREFETCH, _SPECIAL3 = 0x33, 0x1F
_LL_OF_RELEASE_6, _SC_OF_RELEASE_6, _PREFETCH_OF_RELEASE_6 = 0x36, 0x26, 0x35  # functions of SPECIAL3


def decode_mips(code: bytes) -> Special | None:
    """Return an atomic or ordering instruction at the begin of big-endian `code`; None for any other."""
    return _before_release_6(int.from_bytes(code[:4], "big"))


def decode_mipsel(code: bytes) -> Special | None:
    """Return an atomic or ordering instruction at the begin of little-endian `code`; None for any other."""
    return _before_release_6(int.from_bytes(code[:4], "little"))


def decode_mips_release_6(code: bytes) -> Special | None:
    """As `decode_mips`, for code of Release 6."""
    return _of_release_6(int.from_bytes(code[:4], "big"), big=True)


def decode_mipsel_release_6(code: bytes) -> Special | None:
    """As `decode_mipsel`, for code of Release 6."""
    return _of_release_6(int.from_bytes(code[:4], "little"), big=False)


def _before_release_6(word: int) -> Special | None:
    opcode = word >> 26
    if opcode in (0x30, 0x38):
        return _linked(word, (word & 0xFFFF ^ 0x8000) - 0x8000, loads=opcode == 0x30)
    return Special(4, "nop") if opcode == _PREFETCH else _of_all(word)


def _of_release_6(word: int, *, big: bool) -> Special | None:
    if word >> 26 == _SPECIAL3 and word & 63 in (_LL_OF_RELEASE_6, _SC_OF_RELEASE_6):
        return _linked_of_release_6(word, big=big)
    if word >> 26 == _SPECIAL3 and word & 63 == _PREFETCH_OF_RELEASE_6:
        return Special(4, "nop")
    return _of_all(word)


def _of_all(word: int) -> Special | None:
    if word & 0xFFFF_F83F == 0x0000_000F:
        return Special(4, "sync", plain=(word >> 6 & 31,))
    if word == _PAUSE:
        return Special(4, "pause")
    if word & 0xFFE0_FFFF == 0x7C00_E83B:  # RDHWR rt, $29: the thread pointer
        return Special(4, "thread", into=(Part(_NAMES[word >> 16 & 31], 4),))
    return None


def _linked_of_release_6(word: int, *, big: bool) -> Special | None:
    """Decode LL and SC with an offset of nine bits, LLWP and SCWP."""
    loads = word & 63 == _LL_OF_RELEASE_6
    if not word >> 6 & 1:
        return _linked(word, (word >> 7 & 511 ^ 256) - 256, loads=loads)
    if word >> 7 & 15:
        return None
    first, second = _part(word >> 16 & 31), _part(word >> 11 & 31)
    pair = (second, first) if big else (first, second)
    if loads:
        return Special(4, "llwp", _address(word, 0), into=pair)
    return Special(4, "scwp", _address(word, 0), (pair,), into=(first,))


def _linked(word: int, offset: int, *, loads: bool) -> Special:
    address, register = _address(word, offset), _part(word >> 16 & 31)
    into = (register,) if register.register else ()
    return Special(4, "ll", address, into=into) if loads else Special(4, "sc", address, ((register,),), into=into)


def _address(word: int, offset: int) -> Address:
    base = word >> 21 & 31
    return Address((_NAMES[base],) if base else (), offset)


def _part(number: int) -> Part:
    """Return a register as a value or a target; the constant 0 for the register that is always zero."""
    return Part(_NAMES[number], 4) if number else Part("", 4, 0)
