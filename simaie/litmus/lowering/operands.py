"""Operands of instructions, for all dialects: accessors that raise one kind of error for any wrong operand."""

from __future__ import annotations

from collections.abc import Callable

from simaie.litmus.instruction import (
    Immediate,
    Instruction,
    LabelRef,
    Memory,
    Operand,
    Register,
    Symbol,
    SymbolicRegister,
)
from simaie.litmus.lowering.builder import AnyRegister, Builder, Value

__all__ = [
    "Handler", "bits_of", "dispatch", "either_range", "immediate", "label", "memory", "no_operation", "of_vcpu",
    "operands", "register", "signed_range", "value",
]  # fmt: skip

Handler = Callable[[Builder, Instruction], None]


def signed_range(bits: int) -> tuple[int, int]:
    """Return the least and the greatest number of `bits` bits with a sign."""
    return -(1 << bits - 1), (1 << bits - 1) - 1


def either_range(bits: int) -> tuple[int, int]:
    """Return the least signed and the greatest unsigned number of `bits` bits: an assembler's range for a word."""
    return -(1 << bits - 1), (1 << bits) - 1


def dispatch(b: Builder, instruction: Instruction, handlers: dict[str, Handler]) -> None:
    """Lower an instruction by the handler of its mnemonic."""
    handler = handlers.get(instruction.mnemonic)
    if handler is None:
        raise b.unsupported(known=handlers)
    handler(b, instruction)


def operands(b: Builder, instruction: Instruction, *counts: int) -> tuple[Operand, ...]:
    """Return the operands; raise UnsupportedError if their number is not one of `counts`."""
    found = instruction.operands
    if len(found) not in counts:
        raise b.unsupported(f"it has {' or '.join(map(str, counts))} operands, not {len(found)}")
    return found


def register(b: Builder, operand: Operand) -> AnyRegister:
    """Return `operand` as a register; raise UnsupportedError if it is not one."""
    if isinstance(operand, Register | SymbolicRegister):
        return operand
    raise b.misplaced(operand, "a register")


def bits_of(b: Builder, operand: AnyRegister) -> int:
    """Return the width of a register in bits; a symbolic one is whole."""
    return operand.bits if isinstance(operand, Register) else b.register_bits


def immediate(b: Builder, operand: Operand, low: int, high: int) -> int:
    """Return the number of a constant operand, as written; raise LitmusError if it is out of range."""
    if isinstance(operand, Immediate):
        return b.within(operand.value, low, high)
    raise b.misplaced(operand, "a constant")


def memory(b: Builder, operand: Operand) -> Memory:
    """Return `operand` as a memory operand; raise UnsupportedError if it is not one."""
    if isinstance(operand, Memory):
        return operand
    raise b.misplaced(operand, "a place in memory")


def label(b: Builder, operand: Operand) -> str:
    """Return the label that `operand` names; raise UnsupportedError if it is not a label."""
    if isinstance(operand, LabelRef):
        return operand.name
    raise b.misplaced(operand, "a label")


def value(b: Builder, operand: Operand, low: int, high: int) -> Value:
    """Return the value of a register, of a constant in range, or the address of a location."""
    match operand:
        case Register() | SymbolicRegister():
            return b.read(operand)
        case Immediate(number):
            return b.within(number, low, high)
        case Symbol():
            return b.location(operand)
        case _:
            raise b.misplaced(operand, "a register", "a constant", "a location")


def of_vcpu(method: str) -> Handler:
    """Lower an instruction without operands to the vCPU's instruction `method`."""

    def lower(b: Builder, instruction: Instruction) -> None:
        operands(b, instruction, 0)
        b.emit(method)

    return lower


def no_operation(b: Builder, instruction: Instruction) -> None:
    """Lower NOP and the hints that have no effect here."""
    operands(b, instruction, 0)
