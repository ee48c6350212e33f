"""The locations of a litmus test, the values that they hold, and their declared types.

Names of registers are canonical (as herd7 prints them), so two spellings of one register are one location.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

__all__ = [
    "Address", "CType", "CodeLabel", "Global", "InstructionWord", "Location", "RegisterOf", "Scalar",
    "SymbolicName", "Value",
]  # fmt: skip


class Global(msgspec.Struct, frozen=True, tag=True):
    """A memory location: `x`, `[x]`, or a cell of an array, `t[1]`."""

    name: str
    index: int | None = None

    @property
    def key(self) -> str:
        """The name under which a state lists the location."""
        return self.name if self.index is None else f"{self.name}[{self.index}]"


class RegisterOf(msgspec.Struct, frozen=True, tag=True):
    """A register of a thread, as in `0:X1`; the name of a symbolic one begins with `%`."""

    thread: int
    register: str

    @property
    def key(self) -> str:
        """The name under which a state lists the register."""
        return f"{self.thread}:{self.register}"


class SymbolicName(msgspec.Struct, frozen=True, tag=True):
    """A symbolic register `%x0` without a thread, in the initial state: that register of each thread that uses it."""

    name: str

    @property
    def key(self) -> str:
        """The name, as written."""
        return f"%{self.name}"


Location: TypeAlias = Global | RegisterOf | SymbolicName


class Address(msgspec.Struct, frozen=True, tag=True):
    """The address of a memory location (or of a cell of an array) as a value."""

    name: str
    index: int = 0

    def __str__(self) -> str:
        """Spell it as herd7 prints it."""
        return f"{self.name}[{self.index}]" if self.index else self.name


class CodeLabel(msgspec.Struct, frozen=True, tag=True):
    """The address of a label as a value, as in `P0:L1`."""

    thread: int
    label: str

    def __str__(self) -> str:
        """Spell it as herd7 prints it."""
        return f'label:"P{self.thread}:{self.label}"'


class InstructionWord(msgspec.Struct, frozen=True, tag=True):
    """The encoding of an instruction as a value, as in `instr:"B .+4"`."""

    text: str

    def __str__(self) -> str:
        """Spell it as herd7 prints it."""
        return f'instr:"{self.text}"'


Scalar: TypeAlias = int | Address | CodeLabel | InstructionWord
Value: TypeAlias = Scalar | tuple[Scalar, ...]


class CType(msgspec.Struct, frozen=True):
    """A declared type, as in `uint64_t`, `int*`, `int[2]`; `_Atomic` is accepted and recorded."""

    name: str = "int"
    pointer: bool = False
    count: int | None = None
    atomic: bool = False
