"""MIPS32: LL, SC, SYNC and PAUSE (MIPS Architecture for Programmers, volume II-A, MD00086)."""

from __future__ import annotations

from simaie.binary.atomics.special import Address, Part, Special

__all__ = ["decode_mips", "decode_mipsel"]

_NAMES = (
    "zero", "at", "v0", "v1", "a0", "a1", "a2", "a3", *(f"t{n}" for n in range(8)), *(f"s{n}" for n in range(8)),
    "t8", "t9", "k0", "k1", "gp", "sp", "s8", "ra",
)  # fmt: skip
_PAUSE = 0x0000_0140


def decode_mips(code: bytes) -> Special | None:
    """Return an atomic or ordering instruction at the begin of big-endian `code`; None for any other."""
    return _decode(int.from_bytes(code[:4], "big"))


def decode_mipsel(code: bytes) -> Special | None:
    """Return an atomic or ordering instruction at the begin of little-endian `code`; None for any other."""
    return _decode(int.from_bytes(code[:4], "little"))


def _decode(word: int) -> Special | None:
    opcode, register = word >> 26, word >> 16 & 31
    if opcode in (0x30, 0x38):
        base = word >> 21 & 31
        address = Address((_NAMES[base],) if base else (), (word & 0xFFFF ^ 0x8000) - 0x8000)
        into = (Part(_NAMES[register], 4),) if register else ()
        if opcode == 0x30:
            return Special(4, "ll", address, into=into)
        value = Part(_NAMES[register], 4) if register else Part("", 4, 0)
        return Special(4, "sc", address, ((value,),), into=into)
    if word & 0xFFFF_F83F == 0x0000_000F:
        return Special(4, "sync", plain=(word >> 6 & 31,))
    if word == _PAUSE:
        return Special(4, "pause")
    if word & 0xFFE0_FFFF == 0x7C00_E83B:  # RDHWR rt, $29: the thread pointer
        return Special(4, "thread", into=(Part(_NAMES[register], 4),))
    if opcode == 0x33:  # PREF
        return Special(4, "nop")
    return None
