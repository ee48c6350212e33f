"""A litmus test as a value, the result of `parse`."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from simaie.litmus.instruction import Instruction
from simaie.litmus.location import CType, Location, Value
from simaie.litmus.proposition import Constant, Prop
from simaie.litmus.source import Position

__all__ = ["Arch", "Condition", "InitItem", "ListedLocation", "LitmusTest", "LitmusThread", "Quantifier", "Statement"]


class Arch(StrEnum):
    """The supported architectures, named as in the first word of a file."""

    X86 = "X86"
    X86_64 = "X86_64"
    ARM = "ARM"
    AARCH64 = "AArch64"
    RISCV = "RISCV"
    MIPS = "MIPS"
    PPC = "PPC"


class InitItem(msgspec.Struct, frozen=True):
    """One item of the initial state; no value means 0, no type means a 32-bit int."""

    location: Location
    type: CType | None
    value: Value | None
    position: Position


class Statement(msgspec.Struct, frozen=True):
    """A non-empty cell of the program table: labels, an instruction, or both."""

    labels: tuple[str, ...]
    instruction: Instruction | None
    position: Position


class LitmusThread(msgspec.Struct, frozen=True):
    """A column of the program table."""

    id: int
    statements: tuple[Statement, ...]


class Quantifier(StrEnum):
    """The quantifier of the proposition over the final states; NONE asks that `true` hold in all."""

    EXISTS = "exists"
    NOT_EXISTS = "~exists"
    FORALL = "forall"
    NONE = "none"


class Condition(msgspec.Struct, frozen=True):
    """The question that the test asks.

    Attributes:
        quantifier: The quantifier.
        prop: The proposition.
        keyword: The file's word for the quantifier (`final`, `not exists`, `` for a bare proposition).
        models: The quantifiers that a `with` clause defines for single models.
    """

    quantifier: Quantifier = Quantifier.NONE
    prop: Prop = Constant(True)
    keyword: str = ""
    models: tuple[tuple[str, Quantifier], ...] = ()


class ListedLocation(msgspec.Struct, frozen=True):
    """An item of the `locations` clause."""

    location: Location
    type: CType | None
    position: Position


class LitmusTest(msgspec.Struct, frozen=True):
    """A litmus test, as in the file and checked for consistency."""

    arch: Arch
    name: str
    doc: str
    metadata: tuple[tuple[str, str], ...]
    init: tuple[InitItem, ...]
    threads: tuple[LitmusThread, ...]
    locations: tuple[ListedLocation, ...]
    filter: Prop | None
    condition: Condition
    file: str = "<text>"
