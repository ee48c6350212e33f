"""Operands of x86, in Intel order: reads, writes, and the method of the vCPU that an instruction uses."""

from __future__ import annotations

from collections.abc import Callable

from simaie.litmus.instruction import Immediate, Instruction, Memory, Operand, Register, Symbol
from simaie.litmus.lowering.builder import Builder, Value, mask
from simaie.litmus.lowering.operands import either_range, signed_range

__all__ = [
    "Handler", "Operands", "constant", "is_locked", "method_name", "one_operand", "read", "two_operands", "write",
]  # fmt: skip

Operands = tuple[Operand, ...]
#: Lowers an instruction with its operands in Intel order and the width of the operation, in bits.
Handler = Callable[[Builder, Instruction, Operands, int], None]


def read(b: Builder, operand: Operand, bits: int) -> Value:
    """Return the value of a register, a constant, an address or a memory operand, which is loaded."""
    match operand:
        case Register():
            return b.read(operand)
        case Immediate(number):
            return constant(b, number, bits)
        case Symbol():
            return b.location(operand)
        case Memory():
            return b.call("load", b.address(operand), width=bits // 8)
        case _:
            raise b.misplaced(operand, "a register", "a constant", "a place in memory")


def constant(b: Builder, number: int, bits: int, *, whole: bool = False) -> int:
    """Return an unsigned constant of an operation of `bits` bits; unless `whole`, 64 bits have a signed 32-bit one.

    Args:
        b: The builder of the thread.
        number: The constant, as written.
        bits: Width of the operation in bits.
        whole: Whether a 64-bit operation has a 64-bit constant.
    """
    if bits == 64 and not whole:
        signed = number - (1 << 64) if number >= 1 << 63 else number
        b.within(signed, *signed_range(32))
    return b.within(number, *either_range(bits)) & mask(bits)


def write(b: Builder, operand: Operand, value: Value, bits: int) -> None:
    """Write `value`, modulo the width, to a register or to memory."""
    match operand:
        case Register():
            b.write(operand, value)
        case Memory():
            b.emit("store", b.address(operand), b.wrap(value, bits), width=bits // 8)
        case _:
            raise b.misplaced(operand, "a register", "a place in memory")


def two_operands(b: Builder, operands: Operands) -> tuple[Operand, Operand]:
    """Return the destination and the source, at most one of them in memory."""
    if len(operands) != 2:
        raise b.unsupported("it has two operands")
    if isinstance(operands[0], Memory) and isinstance(operands[1], Memory):
        raise b.unsupported("two operands in memory")
    return operands[0], operands[1]


def one_operand(b: Builder, operands: Operands) -> Operand:
    """Return the only operand."""
    if len(operands) != 1:
        raise b.unsupported("it has one operand")
    return operands[0]


def is_locked(instruction: Instruction) -> bool:
    """Whether the instruction has the LOCK prefix."""
    return "lock" in instruction.prefixes


def method_name(plain: str, instruction: Instruction) -> str:
    """Return the name of the vCPU's instruction: `plain`, or its form with LOCK."""
    method = _METHODS.get(plain, plain)
    return "lock_" + method if is_locked(instruction) else method


_METHODS = {"and": "and_", "or": "or_", "not": "not_"}
