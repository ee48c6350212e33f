"""What the load/store dialects share: taking operands apart, and one complaint about any that should not be there."""

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
    """The least and the greatest number of `bits` bits with a sign."""
    return -(1 << bits - 1), (1 << bits - 1) - 1


def either_range(bits: int) -> tuple[int, int]:
    """From the least signed to the greatest unsigned number of `bits` bits: what an assembler takes for a word."""
    return -(1 << bits - 1), (1 << bits) - 1


def dispatch(b: Builder, instruction: Instruction, handlers: dict[str, Handler]) -> None:
    """Lower an instruction by the handler of its mnemonic."""
    handler = handlers.get(instruction.mnemonic)
    if handler is None:
        raise b.unsupported(known=handlers)
    handler(b, instruction)


def operands(b: Builder, instruction: Instruction, *counts: int) -> tuple[Operand, ...]:
    """The operands, if there are as many as one of `counts`."""
    found = instruction.operands
    if len(found) not in counts:
        raise b.unsupported(f"it has {' or '.join(map(str, counts))} operands, not {len(found)}")
    return found


def register(b: Builder, operand: Operand) -> AnyRegister:
    """`operand` if it is a register."""
    if isinstance(operand, Register | SymbolicRegister):
        return operand
    raise b.misplaced(operand, "a register")


def bits_of(b: Builder, operand: AnyRegister) -> int:
    """The width of a register; a symbolic one is whole."""
    return operand.bits if isinstance(operand, Register) else b.register_bits


def immediate(b: Builder, operand: Operand, low: int, high: int) -> int:
    """The number that `operand` is, as written; LitmusError if it is not in the range that the instruction holds."""
    if isinstance(operand, Immediate):
        return b.within(operand.value, low, high)
    raise b.misplaced(operand, "a constant")


def memory(b: Builder, operand: Operand) -> Memory:
    """`operand` if it is one in memory."""
    if isinstance(operand, Memory):
        return operand
    raise b.misplaced(operand, "a place in memory")


def label(b: Builder, operand: Operand) -> str:
    """The label that `operand` is."""
    if isinstance(operand, LabelRef):
        return operand.name
    raise b.misplaced(operand, "a label")


def value(b: Builder, operand: Operand, low: int, high: int) -> Value:
    """The value of a register, a constant in the range that the instruction holds, or the address of a location."""
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
    """An instruction without operands that the vCPU has."""

    def lower(b: Builder, instruction: Instruction) -> None:
        operands(b, instruction, 0)
        b.emit(method)

    return lower


def no_operation(b: Builder, instruction: Instruction) -> None:
    """NOP and the hints that nothing here heeds."""
    operands(b, instruction, 0)
