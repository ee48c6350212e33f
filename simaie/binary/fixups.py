"""The relocations of object files: what each stores, and in which field of an instruction.

Sources: the psABI of each machine: AAELF32 and AAELF64, System V ABIs of x86-64 and i386, RISC-V ELF psABI, OpenPOWER
ELFv2 ABI, MIPS psABI supplement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

__all__ = ["FIXUPS", "IGNORED", "Fixup"]


class Fixup(NamedTuple):
    """One type of relocation.

    Attributes:
        formula: What is computed of the symbol S, the addend A, the place P, the slot G of the symbol in the table of
            addresses, the begin T of this table (of the TOC, on POWER).
        width: The bytes that the field is in.
        put: Takes the old content and the value; returns the new content.
        addend: Takes the content; returns the addend, of a relocation that has none of its own.
    """

    formula: Callable[[int, int, int, int, int], int]
    width: int
    put: Callable[[int, int], int]
    addend: Callable[[int], int]


def _field(position: int, bits: int, shift: int = 0) -> Callable[[int, int], int]:
    mask = (1 << bits) - 1
    return lambda old, value: old & ~(mask << position) | (value >> shift & mask) << position


def _whole(old: int, value: int) -> int:
    return value


def _none(content: int) -> int:
    return 0


def _signed(bits: int, shift: int = 0) -> Callable[[int], int]:
    half = 1 << bits - 1
    return lambda content: ((content & 2 * half - 1 ^ half) - half) << shift


def _absolute(s: int, a: int, p: int, g: int, t: int) -> int:
    return s + a


def _relative(s: int, a: int, p: int, g: int, t: int) -> int:
    return s + a - p


def _slot_relative(s: int, a: int, p: int, g: int, t: int) -> int:
    return g + a - p


def _page(s: int, a: int, p: int, g: int, t: int) -> int:
    return (s + a & ~0xFFF) - (p & ~0xFFF)


def _slot_page(s: int, a: int, p: int, g: int, t: int) -> int:
    return (g + a & ~0xFFF) - (p & ~0xFFF)


def _slot(s: int, a: int, p: int, g: int, t: int) -> int:
    return g + a


def _from_table(s: int, a: int, p: int, g: int, t: int) -> int:
    return s + a - t


def _table_relative(s: int, a: int, p: int, g: int, t: int) -> int:
    return t + a - p


def _slot_in_table(s: int, a: int, p: int, g: int, t: int) -> int:
    return g + a - t


def _word(formula: Callable[[int, int, int, int, int], int], width: int = 4, *, in_place: bool = False) -> Fixup:
    return Fixup(formula, width, _whole, _signed(8 * width) if in_place else _none)


def _code(formula: Callable[[int, int, int, int, int], int], put: Callable[[int, int], int]) -> Fixup:
    return Fixup(formula, 4, put, _none)


# -- AArch64 ----------------------------------------------------------------------------------------------


def _adr(old: int, value: int) -> int:
    return old & 0x9F00_001F | (value & 3) << 29 | (value >> 2 & 0x7_FFFF) << 5


def _adrp(old: int, value: int) -> int:
    return _adr(old, value >> 12)


def _low12(shift: int) -> Callable[[int, int], int]:
    return lambda old, value: old & ~(0xFFF << 10) | ((value & 0xFFF) >> shift) << 10


_AARCH64 = {
    257: _word(_absolute, 8), 258: _word(_absolute), 260: _word(_relative, 8), 261: _word(_relative),
    274: _code(_relative, _adr), 275: _code(_page, _adrp), 276: _code(_page, _adrp), 277: _code(_absolute, _low12(0)),
    278: _code(_absolute, _low12(0)), 284: _code(_absolute, _low12(1)), 285: _code(_absolute, _low12(2)),
    286: _code(_absolute, _low12(3)), 299: _code(_absolute, _low12(4)), 279: _code(_relative, _field(5, 14, 2)),
    280: _code(_relative, _field(5, 19, 2)), 282: _code(_relative, _field(0, 26, 2)),
    283: _code(_relative, _field(0, 26, 2)), 311: _code(_slot_page, _adrp), 312: _code(_slot, _low12(3)),
}  # fmt: skip

# -- Arm --------------------------------------------------------------------------------------------------


def _branch(old: int, value: int) -> int:
    """A BL or B of A32; a BL to Thumb code becomes a BLX."""
    if value & 1 and old >> 24 == 0xEB:
        return 0xFA00_0000 | (value >> 1 & 1) << 24 | value >> 2 & 0xFF_FFFF
    return old & 0xFF00_0000 | value >> 2 & 0xFF_FFFF


def _branch_thumb(old: int, value: int) -> int:
    """A BL or B.W of T32, of which the first half is the low one; a BL to A32 code becomes a BLX."""
    low = old >> 16
    if not value & 1 and low & 0xD000 == 0xD000:
        low, value = low & ~0x1000, value + 2 & ~3
    sign = value >> 24 & 1
    bits = 1 ^ sign ^ value >> 23 & 1, 1 ^ sign ^ value >> 22 & 1
    high = old & 0xF800 | sign << 10 | value >> 12 & 0x3FF
    return high | (low & 0xD000 | bits[0] << 13 | bits[1] << 11 | value >> 1 & 0x7FF) << 16


def _addend_thumb(content: int) -> int:
    high, low = content & 0xFFFF, content >> 16
    sign = high >> 10 & 1
    bits = 1 ^ sign ^ low >> 13 & 1, 1 ^ sign ^ low >> 11 & 1
    value = sign << 24 | bits[0] << 23 | bits[1] << 22 | (high & 0x3FF) << 12 | (low & 0x7FF) << 1
    return (value ^ 1 << 24) - (1 << 24)


def _move(shift: int) -> Fixup:
    def put(old: int, value: int) -> int:
        part = value >> shift & 0xFFFF
        return old & 0xFFF0_F000 | (part >> 12) << 16 | part & 0xFFF

    return Fixup(_absolute, 4, put, lambda content: _signed(16)(content >> 4 & 0xF000 | content & 0xFFF))


def _move_thumb(shift: int) -> Fixup:
    def put(old: int, value: int) -> int:
        part = value >> shift & 0xFFFF
        high = old & 0xFBF0 | part >> 12 | (part >> 11 & 1) << 10
        return high | (old >> 16 & 0x8F00 | (part >> 8 & 7) << 12 | part & 0xFF) << 16

    def addend(content: int) -> int:
        high, low = content & 0xFFFF, content >> 16
        return _signed(16)((high & 15) << 12 | (high >> 10 & 1) << 11 | (low >> 12 & 7) << 8 | low & 0xFF)

    return Fixup(_absolute, 4, put, addend)


_CALL_ARM = Fixup(_relative, 4, _branch, _signed(24, 2))
_CALL_THUMB = Fixup(_relative, 4, _branch_thumb, _addend_thumb)
_ARM = {
    2: _word(_absolute, in_place=True), 38: _word(_absolute, in_place=True), 3: _word(_relative, in_place=True),
    1: _CALL_ARM, 28: _CALL_ARM, 29: _CALL_ARM, 43: _move(0), 44: _move(16), 10: _CALL_THUMB, 30: _CALL_THUMB,
    47: _move_thumb(0), 48: _move_thumb(16), 96: _word(_slot_relative, in_place=True),
    25: _word(_table_relative, in_place=True), 26: _word(_slot_in_table, in_place=True),
    24: _word(_from_table, in_place=True),
}  # fmt: skip

# -- x86 --------------------------------------------------------------------------------------------------

_X86_64 = {
    1: _word(_absolute, 8), 2: _word(_relative), 4: _word(_relative), 9: _word(_slot_relative), 10: _word(_absolute),
    11: _word(_absolute), 24: _word(_relative, 8), 41: _word(_slot_relative), 42: _word(_slot_relative),
}  # fmt: skip
_I386 = {
    1: _word(_absolute, in_place=True), 2: _word(_relative, in_place=True), 4: _word(_relative, in_place=True),
    3: _word(_slot_in_table, in_place=True), 43: _word(_slot_in_table, in_place=True),
    9: _word(_from_table, in_place=True), 10: _word(_table_relative, in_place=True),
}  # fmt: skip

# -- RISC-V -----------------------------------------------------------------------------------------------


def _upper(old: int, value: int) -> int:
    return old & 0xFFF | (value + 0x800 & 0xFFFF_F000)


def _lower_store(old: int, value: int) -> int:
    return old & 0x01FF_F07F | (value >> 5 & 0x7F) << 25 | (value & 0x1F) << 7


def _lower(old: int, value: int) -> int:
    return old & 0xF_FFFF | (value & 0xFFF) << 20


def _jump(old: int, value: int) -> int:
    bits = (value >> 20 & 1) << 31 | (value >> 1 & 0x3FF) << 21 | (value >> 11 & 1) << 20 | (value >> 12 & 0xFF) << 12
    return old & 0xFFF | bits


def _condition(old: int, value: int) -> int:
    bits = (value >> 12 & 1) << 31 | (value >> 5 & 0x3F) << 25 | (value >> 1 & 15) << 8 | (value >> 11 & 1) << 7
    return old & 0x01FF_F07F | bits


def _call(old: int, value: int) -> int:
    """An AUIPC and the JALR after it."""
    return _upper(old & 0xFFFF_FFFF, value) | _lower(old >> 32, value) << 32


def _short_jump(old: int, value: int) -> int:
    bits = (value >> 11 & 1) << 12 | (value >> 4 & 1) << 11 | (value >> 8 & 3) << 9 | (value >> 10 & 1) << 8
    bits |= (value >> 6 & 1) << 7 | (value >> 7 & 1) << 6 | (value >> 1 & 7) << 3 | (value >> 5 & 1) << 2
    return old & 0xE003 | bits


def _short_condition(old: int, value: int) -> int:
    bits = (value >> 8 & 1) << 12 | (value >> 3 & 3) << 10 | (value >> 6 & 3) << 5 | (value >> 1 & 3) << 3
    return old & 0xE383 | bits | (value >> 5 & 1) << 2


def _add(old: int, value: int) -> int:
    return old + value


def _subtract(old: int, value: int) -> int:
    return old - value


_RISCV = {
    1: _word(_absolute), 2: _word(_absolute, 8), 57: _word(_relative), 26: _code(_absolute, _upper),
    27: _code(_absolute, _lower), 28: _code(_absolute, _lower_store), 23: _code(_relative, _upper),
    20: _code(_slot_relative, _upper), 24: _code(_absolute, _lower), 25: _code(_absolute, _lower_store),
    16: _code(_relative, _condition), 17: _code(_relative, _jump), 18: Fixup(_relative, 8, _call, _none),
    19: Fixup(_relative, 8, _call, _none), 44: Fixup(_relative, 2, _short_condition, _none),
    45: Fixup(_relative, 2, _short_jump, _none), 35: Fixup(_absolute, 4, _add, _none),
    36: Fixup(_absolute, 8, _add, _none), 39: Fixup(_absolute, 4, _subtract, _none),
    40: Fixup(_absolute, 8, _subtract, _none),
}  # fmt: skip

# -- POWER and MIPS ---------------------------------------------------------------------------------------


def _half(shift: int, adjust: int = 0, mask: int = 0xFFFF) -> Callable[[int, int], int]:
    return lambda old, value: old & ~mask | (value + adjust >> shift) & mask


def _halves(formula: Callable[[int, int, int, int, int], int], *puts: Callable[[int, int], int]) -> list[Fixup]:
    return [Fixup(formula, 2, put, _none) for put in puts]


_HIGH_ADJUSTED = _half(16, 0x8000)
_PPC = {
    1: _word(_absolute), 38: _word(_absolute, 8), 26: _word(_relative), 44: _word(_relative, 8),
    10: _code(_relative, lambda old, value: old & ~0x3FF_FFFC | value & 0x3FF_FFFC),
    116: _code(_relative, lambda old, value: old & ~0x3FF_FFFC | value & 0x3FF_FFFC),
    11: _code(_relative, lambda old, value: old & ~0xFFFC | value & 0xFFFC),
    **dict(zip((47, 48, 49, 50, 63, 64), _halves(_from_table, _half(0), _half(0), _half(16), _HIGH_ADJUSTED,
                                                 _half(0, 0, 0xFFFC), _half(0, 0, 0xFFFC)), strict=True)),
    **dict(zip((249, 250, 251, 252), _halves(_relative, _half(0), _half(0), _half(16), _HIGH_ADJUSTED), strict=True)),
    **dict(zip((3, 4, 5, 6, 56, 57), _halves(_absolute, _half(0), _half(0), _half(16), _HIGH_ADJUSTED,
                                             _half(0, 0, 0xFFFC), _half(0, 0, 0xFFFC)), strict=True)),
}  # fmt: skip
_MIPS = {
    2: _word(_absolute, in_place=True),
    4: Fixup(_absolute, 4, _field(0, 26, 2), lambda content: (content & 0x3FF_FFFF) << 2),
    5: Fixup(_absolute, 4, _half(16, 0x8000), lambda content: (content & 0xFFFF) << 16),
    6: Fixup(_absolute, 4, _half(0), _signed(16)),
    10: Fixup(_relative, 4, _field(0, 16, 2), _signed(16, 2)),
}

#: Name of an ABI -> type of a relocation -> what it does.
FIXUPS: Mapping[str, Mapping[int, Fixup]] = {
    "arm": _ARM, "aarch64": _AARCH64, "x86-64": _X86_64, "i386": _I386, "riscv64": _RISCV, "ppc64le": _PPC,
    "mips": _MIPS, "mipsel": _MIPS, "mipsr6": _MIPS, "mipsr6el": _MIPS,
}  # fmt: skip
#: Name of an ABI -> types that say nothing here: marks for a linker that makes code shorter, and tables for unwinding.
IGNORED: Mapping[str, frozenset[int]] = {
    "arm": frozenset({0, 40, 42}), "riscv64": frozenset({0, 43, 51}), "ppc64le": frozenset({0, 109}),
}  # fmt: skip
