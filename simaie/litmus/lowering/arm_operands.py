"""Second operands and addresses of both Arm instruction sets: shifted, extended, with write-back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from simaie.litmus.instruction import (
    Immediate,
    Memory,
    Operand,
    Register,
    Shift,
    ShiftedImmediate,
    ShiftedRegister,
    Symbol,
    SymbolicRegister,
)
from simaie.litmus.lowering.builder import Builder, Value, mask
from simaie.litmus.lowering.operands import bits_of
from simaie.litmus.model import Arch

__all__ = ["NO_OFFSET", "Offsets", "Place", "most_shifted", "offsets", "place", "second"]

_SHIFTS = {"lsl": "shl", "lsr": "shr", "asr": "sar"}
_EXTENSIONS = {"uxtb": 8, "uxth": 16, "uxtw": 32, "uxtx": 64, "sxtb": 8, "sxth": 16, "sxtw": 32, "sxtx": 64}


def second(b: Builder, operand: Operand, bits: int) -> Value:
    """Return the unsigned value of a flexible second operand in an operation of `bits` bits."""
    match operand:
        case Register() | SymbolicRegister():
            return b.wrap(b.read(operand), bits) if bits_of(b, operand) > bits else b.read(operand)
        case Immediate(number):
            return number & mask(bits)
        case ShiftedImmediate(number, Shift("lsl", int(amount))):
            return number << amount & mask(bits)
        case ShiftedRegister(source, shift):
            return b.wrap(_shifted(b, b.read(source), shift, min(bits, bits_of(b, source))), bits)
        case Symbol():
            return b.location(operand)
        case _:
            raise b.misplaced(operand, "a register", "a constant", "a location")


def most_shifted(b: Builder, operation: str, bits: int) -> int:
    """Return the largest shift by a constant; on A32 a shift to the right may be 32."""
    return bits if b.test.arch is Arch.ARM and operation != "shl" else bits - 1


def _shifted(b: Builder, value: Value, shift: Shift, bits: int) -> Value:
    """Return `value` of `bits` bits, shifted or extended; the result may have more bits."""
    if not isinstance(shift.amount, int):
        raise b.unsupported("a shift by a register")
    if shift.kind in _EXTENSIONS:
        b.within(shift.amount, 0, 4)
        width = _EXTENSIONS[shift.kind]
        extended = b.signed(value, width) if shift.kind.startswith("s") else b.wrap(value, width)
        return b.alu("shl", extended, shift.amount) if shift.amount else extended
    if not shift.amount and shift.kind != "rrx":
        return value
    if shift.kind == "ror":
        b.within(shift.amount, 0, bits - 1)
        return b.alu("or", b.alu("shr", value, shift.amount), b.alu("shl", value, bits - shift.amount))
    if shift.kind not in _SHIFTS:
        raise b.unsupported("its shift")
    b.within(shift.amount, 0, most_shifted(b, _SHIFTS[shift.kind], bits))
    return b.alu(_SHIFTS[shift.kind], b.signed(value, bits) if shift.kind == "asr" else value, shift.amount)


class Place:
    """The place of an access; `done` performs the write-back, after the access and its result."""

    def __init__(self, b: Builder, address: Value, base: Operand | None = None, after: Value | None = None) -> None:
        self.address = address
        self._builder, self._base, self._after = b, base, after

    def done(self) -> None:
        """Write the base back, if the operand has write-back."""
        if self._after is not None and isinstance(self._base, Register | SymbolicRegister):
            self._builder.write(self._base, self._after)


class Offsets(NamedTuple):
    """The constant offsets that the address of an instruction can encode.

    Attributes:
        still: Offsets without write-back.
        moving: Offsets with write-back.
    """

    still: tuple[range, ...]
    moving: tuple[range, ...]

    def check(self, b: Builder, operand: Memory) -> None:
        """Raise LitmusError for an offset that the current instruction cannot encode."""
        allowed = self.still if operand.writeback == "none" else self.moving
        if not any(operand.displacement in each for each in allowed):
            raise b.out_of_range(operand.displacement, *map(_as_words, allowed))


def _as_words(numbers: range) -> str:
    steps = f" in steps of {numbers.step}" if numbers.step > 1 else ""
    return f"{numbers[0]} to {numbers[-1]}{steps}" if len(numbers) > 1 else str(numbers[0])


def offsets(still: Iterable[range], moving: Iterable[range] | None = None) -> Offsets:
    """Return the offsets of an instruction; those with write-back are the same by default."""
    one = tuple(still)
    return Offsets(one, one if moving is None else tuple(moving))


#: The offsets of an instruction whose address is only a register.
NO_OFFSET = offsets([range(1)])


def place(b: Builder, operand: Operand, allowed: Offsets = NO_OFFSET) -> Place:
    """Return the place of a memory operand, or of a bare register as in herd7.

    Args:
        b: The builder of the thread.
        operand: The operand.
        allowed: The offsets that the instruction can encode.

    Raises:
        LitmusError: The offset is not allowed.
    """
    if isinstance(operand, Register | SymbolicRegister):
        operand = Memory(operand)
    if not isinstance(operand, Memory) or operand.base is None:
        raise b.misplaced(operand, "a place in memory")
    allowed.check(b, operand)
    base = b.symbol(operand.base) if isinstance(operand.base, Symbol) else b.read(operand.base)
    if operand.writeback == "none":
        return Place(b, _sum(b, base, _offset(b, operand)))
    return _moved(b, operand, base, _offset(b, operand), before=operand.writeback == "pre")


def _moved(b: Builder, operand: Memory, base: Value, offset: Value, *, before: bool) -> Place:
    """Return a place with write-back; the new base is computed before the access, as a load may change the index."""
    after = _sum(b, base, offset)
    old = base if before else b.move(base, b.temporary())
    return Place(b, after if before else old, operand.base, after)


def _offset(b: Builder, operand: Memory) -> Value:
    if operand.index is None:
        return operand.displacement
    value = b.read(operand.index)
    if operand.shift is not None:
        value = _shifted(b, value, operand.shift, bits_of(b, operand.index))
    return b.alu("sub", 0, value) if operand.index_negative else value


def _sum(b: Builder, base: Value, offset: Value) -> Value:
    if offset == 0:
        return base
    return b.wrap(b.alu("add", base, offset), b.register_bits)
