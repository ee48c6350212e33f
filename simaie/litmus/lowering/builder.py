"""The builder of a thread, used by the dialects: registers, temporaries, addresses, labels, and all errors.

A value is an `Operand`: a known integer, or the name of a hidden register. Arithmetic on known integers is done at
once.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property, lru_cache

from simaie.guest.code import Ins, ins
from simaie.guest.register_instructions import ALU
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
from simaie.litmus.model import LitmusTest, LitmusThread, Statement

__all__ = ["AnyRegister", "Builder", "Value", "mask"]

Value = int | str
AnyRegister = Register | SymbolicRegister

_MASK64 = (1 << 64) - 1
#: The instructions without a condition that read a flag.
_FLAG_READERS = frozenset({"adc", "sbb", "mrs"})


def mask(bits: int) -> int:
    """Return the largest unsigned number of `bits` bits."""
    return (1 << bits) - 1


@lru_cache(maxsize=8192)
def _made(name: str, args: tuple[Value, ...], into: str | None, options: tuple[tuple[str, int | str], ...]) -> Ins:
    """Return an instruction of a program, which many tests have."""
    return ins(name, *args, into=into, **dict(options))


class Builder:
    """Builds the code of one thread.

    Args:
        test: The litmus test.
        thread: The thread.
        layout: Addresses of the test's locations.
        register_bits: Width of a whole register in bits.
        zero: Registers that always hold 0.
        opaque: Registers that exist but are not simulated.
        displacement: The least and the greatest constant offset of an address; None if it depends on the instruction.
    """

    def __init__(
        self,
        test: LitmusTest,
        thread: LitmusThread,
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
        self.code.append(_made(name, args, into, tuple(options.items())))

    def call(self, name: str, *args: Value, **options: int | str) -> str:
        """Append an instruction of the vCPU; return the temporary with its result."""
        into = self.temporary()
        self.emit(name, *args, into=into, **options)
        return into

    def alu(self, operation: str, a: Value, b: Value, into: str | None = None) -> Value:
        """Compute ``a operation b`` on 64 bits and return its value.

        Args:
            operation: A key of `simaie.guest.register_instructions.ALU`.
            a: The first operand.
            b: The second operand.
            into: The hidden register for the result; None for a new temporary.
        """
        if isinstance(a, int) and isinstance(b, int):
            result = ALU[operation](a & _MASK64, b & _MASK64) & _MASK64
            return result if into is None else self.move(result, into)
        into = into or self.temporary()
        self.emit("reg_" + operation, a, b, into=into)
        return into

    def join(self, low: Value, high: Value, bits: int) -> Value:
        """Return a pair of values of `bits` bits as one number; the pair of two of 64 is for an instruction only."""
        if isinstance(low, int) and isinstance(high, int):
            return low | high << bits
        if bits < 64:
            return self.alu("or", low, self.alu("shl", high, bits))
        into = self.temporary()
        self.emit("reg_join", low, high, into=into)
        return into

    def halves(self, pair: Value, bits: int) -> tuple[Value, Value]:
        """Return the low and the high half of a pair of values of `bits` bits."""
        return self.alu("and", pair, mask(bits)), self.alu("shr", pair, bits)

    def wrap(self, value: Value, bits: int) -> Value:
        """Return `value` modulo 2^bits."""
        return value if bits >= 64 and isinstance(value, str) else self.alu("and", value, mask(bits))

    def signed(self, value: Value, bits: int) -> Value:
        """Return the lowest `bits` bits of `value`, sign-extended to 64."""
        return value if bits >= 64 and isinstance(value, str) else self.alu("sext", value, bits)

    def move(self, value: Value, into: str) -> str:
        """Copy a value into a hidden register, and return the register."""
        self.emit("mov", value, into=into)
        return into

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """Return `a` if the condition is not 0, else `b`."""
        if isinstance(condition, int):
            return a if condition else b
        into = self.temporary()
        self.emit("select", condition, a, b, into=into)
        return into

    # -- registers ----------------------------------------------------------------------------

    def temporary(self) -> str:
        """Return an unused hidden register."""
        self._temporaries += 1
        return f"..{self._temporaries}"

    def flag(self, name: str) -> str:
        """Return the hidden register of a condition flag."""
        return f"..flag {name}"

    def variable(self, register: AnyRegister) -> str:
        """Return the hidden register that holds a whole architectural (or symbolic) one."""
        if isinstance(register, SymbolicRegister):
            return f".%{register.name}"
        if register.name in self._opaque:
            raise self.unsupported(f"its register {register.name}")
        return f".{register.name}"

    def read(self, register: AnyRegister) -> Value:
        """Return the value of a register, or of the part that the operand names."""
        variable = self.variable(register)
        if isinstance(register, SymbolicRegister):
            return variable
        if register.name in self._zero:
            return 0
        value: Value = variable
        if register.shift:
            value = self.alu("shr", value, register.shift)
        return value if register.bits >= self.register_bits else self.wrap(value, register.bits)

    def is_zero(self, register: AnyRegister) -> bool:
        """Whether a register always holds 0, and drops what is written to it."""
        return isinstance(register, Register) and register.name in self._zero

    def write(self, register: AnyRegister, value: Value) -> None:
        """Set a register; a 32-bit part clears the rest, as on x86-64 and AArch64, and a narrower part keeps it."""
        if self.is_zero(register):
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
        """Return the address of a location."""
        return self.layout.address(Address(symbol.name))

    def location(self, symbol: Symbol) -> int:
        """Return the address of a location that is an operand by itself; an undeclared name is an error."""
        if symbol.name not in self.layout.declared:
            raise self.misplaced(symbol, "a register", "a constant", "a location of the test")
        return self.symbol(symbol)

    def address(self, memory: Memory) -> Value:
        """Return base + displacement + index * scale, modulo the register width.

        Shifts and write-back are left to the dialect.
        """
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
        """Define a label here: one of the test, or one of `fresh_label`."""
        self.emit("label", name)

    def fresh_label(self) -> str:
        """Return an unused name of a label."""
        self._labels += 1
        return f"..{self._labels}"

    def branch(self, label: str) -> None:
        """Branch to a label."""
        self.emit("branch", label)

    def branch_if(self, condition: Value, label: str) -> None:
        """Branch to a label if the condition is not 0."""
        self.emit("cbnz", condition, label)

    def branch_unless(self, condition: Value, label: str) -> None:
        """Branch to a label if the condition is 0."""
        self.emit("cbz", condition, label)

    # -- constants ----------------------------------------------------------------------------

    def within(self, number: int, low: int, high: int) -> int:
        """Return `number`, a constant of the current instruction; raise LitmusError if it is out of range."""
        if not low <= number <= high:
            raise self.out_of_range(number, f"{low} to {high}")
        return number

    def out_of_range(self, number: int, *allowed: str) -> LitmusError:
        """Return the error for a constant that the current instruction cannot encode."""
        instruction = self._at_hand
        problem = f"the constant {number} does not fit in {quoted(instruction.written)}"
        return LitmusError(self.test.file, instruction.position, problem, allowed)

    # -- errors -------------------------------------------------------------------------------

    def unsupported(self, what: str = "", known: Iterable[str] = ()) -> UnsupportedError:
        """Return the error for an unsupported instruction, the current one.

        Args:
            what: The unsupported part.
            known: Mnemonics from which to suggest a similar one.
        """
        instruction = self._at_hand
        why = f" ({what})" if what else nearest(instruction.mnemonic, known)
        problem = f"unsupported instruction {quoted(instruction.written)} of {self.test.arch}{why}"
        return UnsupportedError(self.test.file, instruction.position, problem)

    def misplaced(self, operand: Operand, *expected: str) -> UnsupportedError:
        """Return the error for an operand of the current instruction of the wrong kind."""
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
        """All instructions of the thread."""
        return tuple(s.instruction for s in self.thread.statements if s.instruction is not None)

    @cached_property
    def looks_at_flags(self) -> bool:
        """Whether any instruction has a condition or reads a flag; only then are flags kept."""
        return any(
            each.condition is not None
            or each.mnemonic in _FLAG_READERS
            or any(isinstance(operand, ConditionCode) for operand in each.operands)
            for each in self.instructions
        )
