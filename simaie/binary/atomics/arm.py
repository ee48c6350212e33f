"""A32: exclusives, SWP, barriers and hints (Arm ARM DDI 0406C, A5.2.10 to A5.7.1, A8.8).

Those with acquire and release are of Armv8 (DDI 0487, F4.1.4).
"""

from __future__ import annotations

from simaie.binary.atomics.barriers import option_of
from simaie.binary.atomics.special import Address, Part, Special

__all__ = ["EXCLUSIVES", "ORDERED", "arm_register", "decode_arm"]

#: The load and the store by the bits `ex` and `ord` and the two above.
EXCLUSIVES = {12: ("lda", "stl"), 14: ("ldaex", "stlex"), 15: ("ldrex", "strex")}
#: Those that are not exclusive.
ORDERED = frozenset({"lda", "stl"})
_WIDTHS = (4, 8, 1, 2)  # by the field of LDREX and STREX
_HINTS = {0: "nop", 1: "yield_", 2: "wfe", 3: "wfi", 4: "sev", 5: "sevl"}


def arm_register(number: int) -> str:
    """Return the name of a core register in Sleigh."""
    return {13: "sp", 14: "lr", 15: "pc"}.get(number, f"r{number}")


def decode_arm(code: bytes) -> Special | None:
    """Return an atomic or ordering instruction at the begin of `code`; None for any other."""
    word = int.from_bytes(code[:4], "little")
    if word >> 28 == 15:
        return _unconditional(word)
    made = _exclusive(word) or _swap(word) or _hint(word) or _thread_pointer(word)
    return None if made is None else made._replace(condition=word >> 28)


def _unconditional(word: int) -> Special | None:
    if word & 0xFFFF_FF00 == 0xF57F_F000:
        return barrier_of(word >> 4 & 15, word & 15)
    if word & 0xFD70_F000 in (0xF550_F000, 0xF510_F000):  # PLD, PLDW
        return Special(4, "nop")
    return None


def barrier_of(kind: int, option: int) -> Special | None:
    """Return CLREX, DSB, DMB or ISB from the fields that A32 and T32 share."""
    if kind in (4, 5):
        return Special(4, "dsb" if kind == 4 else "dmb", plain=(option_of(option),))
    name = {1: "clrex", 2: "clrex", 6: "isb"}.get(kind)
    return Special(4, name) if name else None


def _exclusive(word: int) -> Special | None:
    if word & 0x0F80_00F0 != 0x0180_0090 or word >> 8 & 15 not in EXCLUSIVES:
        return None
    load, store = EXCLUSIVES[word >> 8 & 15]
    width = _WIDTHS[word >> 21 & 3]
    options = (("width", width),)
    address = Address((arm_register(word >> 16 & 15),))
    if load in ORDERED and width == 8:
        return None
    if word >> 20 & 1:
        return Special(4, load, address, options=options, into=registers(word >> 12 & 15, width))
    value, status = registers(word & 15, width), (Part(arm_register(word >> 12 & 15), 4),)
    return Special(4, store, address, (value,), options, into=() if store in ORDERED else status)


def registers(first: int, width: int) -> tuple[Part, ...]:
    """Return the register with an operand of `width` bytes, or the pair of registers with one of 8."""
    if width == 8:
        return Part(arm_register(first), 4), Part(arm_register(first + 1), 4)
    return (Part(arm_register(first), width),)


def _swap(word: int) -> Special | None:
    if word & 0x0FB0_0FF0 != 0x0100_0090:
        return None
    width = 1 if word >> 22 & 1 else 4
    value = (Part(arm_register(word & 15), width),)
    into = (Part(arm_register(word >> 12 & 15), 4),)
    return Special(4, "swp", Address((arm_register(word >> 16 & 15),)), (value,), (("width", width),), into=into)


def _hint(word: int) -> Special | None:
    if word & 0x0FFF_FF00 != 0x0320_F000 or word & 0xFF not in _HINTS:
        return None
    return Special(4, _HINTS[word & 0xFF])


def _thread_pointer(word: int) -> Special | None:
    if word & 0x0FFF_0FFF != 0x0E1D_0F70:  # MRC p15, 0, r, c13, c0, 3: TPIDRURO
        return None
    return Special(4, "thread", into=(Part(arm_register(word >> 12 & 15), 4),))
