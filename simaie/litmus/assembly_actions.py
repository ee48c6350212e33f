"""The values that the rules of the assembly grammars build; a rule of one name means the same in every dialect."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from lark import Token, v_args

from simaie.litmus.errors import PositionedError, quoted
from simaie.litmus.instruction import (
    ConditionCode,
    FenceOption,
    Immediate,
    LabelRef,
    Memory,
    Operand,
    Register,
    RegisterList,
    Shift,
    ShiftedImmediate,
    ShiftedRegister,
    Symbol,
    SymbolicRegister,
)
from simaie.litmus.memory_actions import MemoryActions
from simaie.litmus.model import Arch
from simaie.litmus.parsing import integer, place
from simaie.litmus.registers import find_register, registers_of
from simaie.litmus.source import Position

__all__ = ["AssemblyActions", "Line"]

_Base: TypeAlias = Register | SymbolicRegister
_CELL_START = Position(1, 1)
_ARM_IN_ORDER = tuple(registers_of(Arch.ARM)[f"r{n}"] for n in range(16))


class Line(NamedTuple):
    """A cell as read: the mnemonic as written, with each bare word among the operands still a `LabelRef`."""

    labels: tuple[str, ...]
    prefixes: tuple[str, ...]
    word: str
    operands: tuple[Operand, ...]


class _Prefix(str):
    """A prefix of an instruction, as a type distinct from operands."""


@v_args(inline=True)
class AssemblyActions(MemoryActions):
    """The actions of one dialect."""

    def __init__(self, arch: Arch) -> None:
        """Create the actions of the architecture, whose registers they look up."""
        super().__init__()
        self._arch = arch

    # Lines

    def line(self, *parts: str | Line) -> Line:
        """Return the instruction with the labels before it."""
        labels = tuple(part for part in parts if isinstance(part, str))
        last = parts[-1] if parts else None
        return last._replace(labels=labels) if isinstance(last, Line) else Line(labels, (), "", ())

    def label(self, word: Token) -> str:
        """Return the name of a label, as in `L0:`."""
        return str(word)

    def prefix(self, word: Token) -> _Prefix:
        """Return a prefix, such as `lock`."""
        return _Prefix(word.lower())

    def instruction(self, *parts: Any) -> Line:
        """Return prefixes, mnemonic and operands; a shift belongs to the operand before it."""
        prefixes = tuple(str(part) for part in parts if isinstance(part, _Prefix))
        word, *rest = parts[len(prefixes) :]
        operands: list[Operand] = []
        for part in rest:
            if isinstance(part, Shift):
                operands[-1] = _shifted(operands[-1], part)
            else:
                operands.append(part)
        return Line((), prefixes, str(word), tuple(operands))

    # Operands

    def register(self, word: Token) -> Register:
        """Return the register with any of its spellings."""
        register = find_register(self._arch, word)
        if register is None:
            raise PositionedError(place(word), f"{quoted(word)} is no register of {self._arch}", ["a register"])
        return register

    def symbolic(self, word: Token) -> SymbolicRegister:
        """Return a symbolic register, as in `%x0`."""
        return SymbolicRegister(word[1:])

    def immediate(self, number: Token) -> Immediate:
        """Return a constant, as in `#1`, `$1` or `1`."""
        return Immediate(integer(number))

    def symbol(self, word: Token) -> Symbol:
        """Return a symbol, the address of a memory location."""
        return Symbol(str(word))

    def bare_name(self, word: Token) -> LabelRef:
        """Return a bare word as a label; the mnemonic later decides whether it is one."""
        return LabelRef(str(word))

    def condition(self, word: Token) -> ConditionCode:
        """Return a condition code, as the `EQ` of `CSEL`."""
        return ConditionCode(word.lower())

    def fence_option(self, word: Token) -> FenceOption:
        """Return the option of a fence, as the `SY` of `DMB SY`."""
        return FenceOption(word.lower())

    def shift(self, kind: Token, amount: Token | _Base | None = None) -> Shift:
        """Return a shift or extension, as in `LSL #2`, `SXTW`, `LSL R3`."""
        value = integer(amount) if isinstance(amount, Token) else amount
        return Shift(kind.lower(), 0 if value is None else value)

    def run(self, first: _Base, last: _Base | None = None) -> tuple[_Base, ...]:
        """Return the registers of `R1` or `R1-R3` in a list of registers."""
        if last is None:
            return (first,)
        names = [register.name for register in _ARM_IN_ORDER]
        found = _ARM_IN_ORDER[names.index(first.name) : names.index(last.name) + 1]
        if not found:
            raise PositionedError(_CELL_START, f"the range {first.name}-{last.name} is empty", ["the lower one first"])
        return found

    def register_list(self, *runs: tuple[_Base, ...]) -> RegisterList:
        """Return a list of registers, as in `{R1,R2}`."""
        return RegisterList(tuple(register for run in runs for register in run))

    def updated(self, base: _Base) -> Memory:
        """Return the base of a multiple transfer that updates it, as in `R0!`."""
        return Memory(base, writeback="post")


def _shifted(operand: Operand, shift: Shift) -> Operand:
    match operand:
        case Register() | SymbolicRegister():
            return ShiftedRegister(operand, shift)
        case Immediate(value):
            return ShiftedImmediate(value, shift)
        case _:
            raise PositionedError(
                _CELL_START, "a shift after what cannot be shifted", ["a register or constant before it"]
            )
