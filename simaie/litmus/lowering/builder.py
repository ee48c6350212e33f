"""What a dialect builds a thread with: registers, temporaries, addresses, labels, and one place for every complaint.

A value is an `Operand`: an integer that is known, or the name of a hidden register. Arithmetic on known integers is
done here and now.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from simaie.guest.code import ALU, Ins, ins
from simaie.litmus.errors import LitmusError, nearest, quoted
from simaie.litmus.instruction import (
    ConditionCode,
    Instruction,
    LabelRef,
    Memory,
    Operand,
    Register,
    Symbol,
    SymbolicRegister,
)
from simaie.litmus.location import Address
from simaie.litmus.lowering.errors import UnsupportedError
from simaie.litmus.lowering.layout import Layout
from simaie.litmus.model import LitmusTest, Statement, Thread

__all__ = ["AnyRegister", "Builder", "Value", "mask"]

Value = int | str
AnyRegister = Register | SymbolicRegister

_MASK64 = (1 << 64) - 1


def mask(bits: int) -> int:
    """The largest unsigned number of `bits` bits."""
    return (1 << bits) - 1


class Builder:
    """One thread in the making; its dialect says what its registers are (see `Dialect`)."""

    def __init__(
        self,
        test: LitmusTest,
        thread: Thread,
        layout: Layout,
        *,
        register_bits: int,
        zero: frozenset[str] = frozenset(),
        opaque: frozenset[str] = frozenset(),
        displacement: tuple[int, int] | None = None,
    ) -> None:
        self.test, self.thread, self.layout = test, thread, layout
        self._displacement = displacement
        self.register_bits, self._zero, self._opaque = register_bits, zero, opaque
        self.code: list[Ins] = []
        self.statement: Statement | None = None
        self._temporaries = self._labels = 0

    # -- instructions -------------------------------------------------------------------------

    def emit(self, name: str, *args: Value, into: str | None = None, **options: int | str) -> None:
        """Append one instruction of the program."""
        self.code.append(ins(name, *args, into=into, **options))

    def call(self, name: str, *args: Value, **options: int | str) -> str:
        """Append an instruction of the vCPU; returns the temporary that gets its result."""
        into = self.temporary()
        self.emit(name, *args, into=into, **options)
        return into

    def alu(self, operation: str, a: Value, b: Value, into: str | None = None) -> Value:
        """``a operation b``, of 64 bits (see `simaie.guest.code.ALU`), in a new temporary or in `into`."""
        if isinstance(a, int) and isinstance(b, int):
            result = ALU[operation](a & _MASK64, b & _MASK64) & _MASK64
            return result if into is None else self.move(result, into)
        into = into or self.temporary()
        self.emit("reg_" + operation, a, b, into=into)
        return into

    def wrap(self, value: Value, bits: int) -> Value:
        """`value` modulo 2^bits."""
        return value if bits >= 64 and isinstance(value, str) else self.alu("and", value, mask(bits))

    def signed(self, value: Value, bits: int) -> Value:
        """The lowest `bits` bits of `value`, their sign extended to 64."""
        return value if bits >= 64 and isinstance(value, str) else self.alu("sext", value, bits)

    def move(self, value: Value, into: str) -> str:
        """Copy a value into a hidden register."""
        self.emit("mov", value, into=into)
        return into

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """`a` if the condition is not 0, else `b`."""
        if isinstance(condition, int):
            return a if condition else b
        into = self.temporary()
        self.emit("select", condition, a, b, into=into)
        return into

    # -- registers ----------------------------------------------------------------------------

    def temporary(self) -> str:
        """A hidden register that nobody has used."""
        self._temporaries += 1
        return f"..{self._temporaries}"

    def flag(self, name: str) -> str:
        """The hidden register of a condition flag."""
        return f"..flag {name}"

    def variable(self, register: AnyRegister) -> str:
        """The hidden register that holds a whole architectural (or symbolic) one."""
        if isinstance(register, SymbolicRegister):
            return f".%{register.name}"
        if register.name in self._opaque:
            raise self.unsupported(f"its register {register.name}")
        return f".{register.name}"

    def read(self, register: AnyRegister) -> Value:
        """The value of a register, or of the part of it that the operand names."""
        variable = self.variable(register)
        if isinstance(register, SymbolicRegister):
            return variable
        if register.name in self._zero:
            return 0
        value: Value = variable
        if register.shift:
            value = self.alu("shr", value, register.shift)
        return value if register.bits >= self.register_bits else self.wrap(value, register.bits)

    def write(self, register: AnyRegister, value: Value) -> None:
        """Set a register. A part of 32 bits clears the rest, as on x86-64 and AArch64; a narrower part leaves it."""
        if isinstance(register, Register) and register.name in self._zero:
            return
        variable = self.variable(register)
        bits = self.register_bits if isinstance(register, SymbolicRegister) else register.bits
        if bits >= 32:
            self.move(self.wrap(value, bits), variable)
            return
        assert isinstance(register, Register)
        part = self.alu("shl", self.wrap(value, bits), register.shift)
        rest = self.alu("and", variable, ~(mask(bits) << register.shift) & _MASK64)
        self.alu("or", rest, part, variable)

    # -- memory -------------------------------------------------------------------------------

    def symbol(self, symbol: Symbol) -> int:
        """The address of a location."""
        return self.layout.address(Address(symbol.name))

    def location(self, symbol: Symbol) -> int:
        """The address of a location that is an operand by itself; what else the test does not name is a slip."""
        if symbol.name not in self.layout.declared:
            raise self.misplaced(symbol, "a register", "a constant", "a location of the test")
        return self.symbol(symbol)

    def address(self, memory: Memory) -> Value:
        """Base + displacement + index * scale, modulo the register width; shifts and write-back are the dialect's."""
        if memory.shift is not None or memory.index_negative or memory.writeback != "none":
            raise self.unsupported("this form of address")
        if self._displacement is not None:
            self.within(memory.displacement, *self._displacement)
        total: Value = memory.displacement & _MASK64
        if isinstance(memory.base, Symbol):
            total = self.alu("add", self.symbol(memory.base), total)
        elif memory.base is not None:
            base = self.read(memory.base)
            total = base if total == 0 else self.alu("add", base, total)
        if memory.index is not None:
            total = self.alu("add", total, self.alu("mul", self.read(memory.index), memory.scale))
        return total if memory.displacement >= 0 and memory.index is None else self.wrap(total, self.register_bits)

    # -- control ------------------------------------------------------------------------------

    def label(self, name: str) -> None:
        """Define a label here; those of the test have their names, `fresh_label` gives others."""
        self.emit("label", name)

    def fresh_label(self) -> str:
        """The name of a label that nobody has used."""
        self._labels += 1
        return f"..{self._labels}"

    def branch(self, label: str) -> None:
        """Go on at a label."""
        self.emit("branch", label)

    def branch_if(self, condition: Value, label: str) -> None:
        """Go on at a label if the condition is not 0."""
        self.emit("cbnz", condition, label)

    def branch_unless(self, condition: Value, label: str) -> None:
        """Go on at a label if the condition is 0."""
        self.emit("cbz", condition, label)

    # -- constants ----------------------------------------------------------------------------

    def within(self, number: int, low: int, high: int) -> int:
        """`number`, a constant of the instruction at hand; LitmusError if the instruction has no room for it."""
        if not low <= number <= high:
            raise self.out_of_range(number, f"{low} to {high}")
        return number

    def out_of_range(self, number: int, *allowed: str) -> LitmusError:
        """The error to raise for a constant that the instruction at hand cannot hold."""
        instruction = self._at_hand
        problem = f"the constant {number} does not fit in {quoted(instruction.written)}"
        return LitmusError(self.test.file, instruction.position, problem, allowed)

    # -- complaints ---------------------------------------------------------------------------

    def unsupported(self, what: str = "", known: Iterable[str] = ()) -> UnsupportedError:
        """The error to raise for the instruction at hand. what: which part of it. known: mnemonics to suggest from."""
        instruction = self._at_hand
        why = f" ({what})" if what else nearest(instruction.mnemonic, known)
        problem = f"unsupported instruction {quoted(instruction.written)} of {self.test.arch}{why}"
        return UnsupportedError(self.test.file, instruction.position, problem)

    def misplaced(self, operand: Operand, *expected: str) -> UnsupportedError:
        """The error to raise for an operand of the instruction at hand that should be something else."""
        instruction = self._at_hand
        named = f" {quoted(operand.name)}" if isinstance(operand, Symbol | LabelRef | Register) else ""
        problem = f"unsupported operand{named} of {quoted(instruction.written)}"
        return UnsupportedError(self.test.file, instruction.position, problem, expected)

    @property
    def _at_hand(self) -> Instruction:
        assert self.statement is not None
        assert self.statement.instruction is not None
        return self.statement.instruction

    # -- the thread as a whole ----------------------------------------------------------------

    @cached_property
    def instructions(self) -> tuple[Instruction, ...]:
        """All of its instructions."""
        return tuple(s.instruction for s in self.thread.statements if s.instruction is not None)

    @cached_property
    def looks_at_flags(self) -> bool:
        """Whether any instruction has a condition: only then are flags worth keeping."""
        return any(
            each.condition is not None or any(isinstance(operand, ConditionCode) for operand in each.operands)
            for each in self.instructions
        )
