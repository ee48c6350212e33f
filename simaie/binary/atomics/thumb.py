"""T32: exclusives, barriers and hints (Arm ARM DDI 0406C, A6.3; of Armv8: DDI 0487, F3.1.18).

IT blocks are the translator's business.
"""

from __future__ import annotations

from simaie.binary.atomics.arm import EXCLUSIVES, ORDERED, arm_register, barrier_of, registers
from simaie.binary.atomics.special import Address, Part, Special

__all__ = ["decode_thumb"]

_HINTS = {0xBF00: "nop", 0xBF10: "yield_", 0xBF20: "wfe", 0xBF30: "wfi", 0xBF40: "sev", 0xBF50: "sevl"}
#: The size by the low bits of the op field; the high bits are those of the load and the store in A32.
_WIDTHS = (1, 2, 4, 8)
_KINDS = {1: 15, 2: 12, 3: 14}


def decode_thumb(code: bytes) -> Special | None:
    """Return an atomic or ordering instruction at the begin of `code`; None for any other."""
    high, low = int.from_bytes(code[:2], "little"), int.from_bytes(code[2:4], "little")
    if high in _HINTS:
        return Special(2, _HINTS[high])
    if high == 0xF3BF and low & 0xFF00 == 0x8F00:
        return barrier_of(low >> 4 & 15, low & 15)
    if high & 0xFFE0 == 0xE840:
        return _word(high, low)
    if high & 0xFFE0 == 0xE8C0 and low >> 6 & 3 in _KINDS:
        return _other(high, low)
    if high == 0xEE1D and low & 0x0FFF == 0x0F70:  # MRC p15, 0, r, c13, c0, 3: TPIDRURO
        return Special(4, "thread", into=(Part(arm_register(low >> 12), 4),))
    return None


def _word(high: int, low: int) -> Special | None:
    address = Address((arm_register(high & 15),), 4 * (low & 255))
    one, two = arm_register(low >> 12), arm_register(low >> 8 & 15)
    width = (("width", 4),)
    if high & 0x10:
        return Special(4, "ldrex", address, options=width, into=(Part(one, 4),)) if low >> 8 & 15 == 15 else None
    return Special(4, "strex", address, ((Part(one, 4),),), width, into=(Part(two, 4),))


def _other(high: int, low: int) -> Special | None:
    load, store = EXCLUSIVES[_KINDS[low >> 6 & 3]]
    width = _WIDTHS[low >> 4 & 3]
    if (load == "ldrex" and width == 4) or (load in ORDERED and width == 8):
        return None  # a table branch, or nothing
    address, options = Address((arm_register(high & 15),)), (("width", width),)
    operand = registers(low >> 12, width)
    if width == 8:
        operand = Part(arm_register(low >> 12), 4), Part(arm_register(low >> 8 & 15), 4)
    if high & 0x10:
        return Special(4, load, address, options=options, into=operand)
    status = () if store in ORDERED else (Part(arm_register(low & 15), 4),)
    return Special(4, store, address, (operand,), options, into=status)
