"""RISC-V: LR, SC, AMOs, fences and hints (RISC-V Instruction Set Manual, volume I, A, Zacas, Zawrs, Zihintpause)."""

from __future__ import annotations

from simaie.binary.atomics.special import Address, Part, Special

__all__ = ["decode_riscv"]

_NAMES = (
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", *(f"a{n}" for n in range(8)),
    *(f"s{n}" for n in range(2, 12)), "t3", "t4", "t5", "t6",
)  # fmt: skip
_AMOS = {0: "add", 1: "swap", 4: "xor", 8: "or", 12: "and", 16: "min", 20: "max", 24: "minu", 28: "maxu"}
_LR, _SC, _COMPARE = 2, 3, 5
_WAITS = {0x00D0_0073: "wrs_nto", 0x01D0_0073: "wrs_sto", 0x1050_0073: "wfi"}  # Zawrs; volume II for WFI
_PAUSE = 0x0100_000F


def decode_riscv(code: bytes) -> Special | None:
    """Return an atomic or ordering instruction at the begin of `code`; None for any other."""
    word = int.from_bytes(code[:4], "little")
    if word in _WAITS:
        return Special(4, _WAITS[word])
    function = word >> 12 & 7
    if word & 127 == 0x2F and word >> 27 == _COMPARE and function in (2, 3, 4):
        return _compare_and_swap(word, 1 << function)
    if word & 127 == 0x2F and function in (2, 3):
        return _atomic(word, 1 << function)
    if word & 127 == 0x0F:
        return _fence(word) if function == 0 else Special(4, "fence_i") if function == 1 else None
    return None


def _atomic(word: int, width: int) -> Special | None:
    address = Address((_NAMES[word >> 15 & 31],))
    number, source = word >> 7 & 31, word >> 20 & 31
    into = () if number == 0 else (Part(_NAMES[number], 8),)
    value = Part(_NAMES[source], width) if source else Part("", width, 0)
    options = ("width", width), ("aq", word >> 26 & 1), ("rl", word >> 25 & 1)
    kind = word >> 27
    if kind == _LR:
        return Special(4, "lr", address, options=options, into=into) if source == 0 else None
    name = "sc" if kind == _SC else f"amo{_AMOS[kind]}" if kind in _AMOS else ""
    return Special(4, name, address, ((value,),), options, into=into) if name else None


def _compare_and_swap(word: int, width: int) -> Special | None:
    """Decode AMOCAS; that of 16 bytes has pairs of registers, the even one for the low half, and X0 for zeros."""
    number, source = word >> 7 & 31, word >> 20 & 31
    if width == 16 and (number | source) & 1:
        return None
    expected, new = (_registers(first, width) for first in (number, source))
    options = ("width", width), ("aq", word >> 26 & 1), ("rl", word >> 25 & 1)
    into = () if number == 0 else tuple(part._replace(width=8) for part in expected)
    return Special(4, "amocas", Address((_NAMES[word >> 15 & 31],)), (expected, new), options, into=into)


def _registers(first: int, width: int) -> tuple[Part, ...]:
    if first == 0:
        return (Part("", width, 0),)
    return tuple(Part(_NAMES[first + number], min(width, 8)) for number in range(max(width // 8, 1)))


def _fence(word: int) -> Special:
    if word == _PAUSE:
        return Special(4, "pause")
    if word >> 28 == 8:
        return Special(4, "fence_tso")
    before, after = _letters(word >> 24 & 15), _letters(word >> 20 & 15)
    return Special(4, "fence", plain=(before, after)) if before and after else Special(4, "nop")


def _letters(bits: int) -> str:
    return "".join(letter for letter, bit in zip("iorw", (8, 4, 2, 1), strict=True) if bits & bit)
