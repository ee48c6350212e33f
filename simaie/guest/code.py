"""Programs as data: lists of instructions, which can be generated, shrunk, saved and loaded.

    [ins("label", "again"), ins("ldrex", X, into="r1"), ins("reg_add", "r1", 1, into="r2"),
     ins("strex", X, "r2", into="r3"), ins("cbnz", "r3", "again")]

An instruction names a method of the vCPU or one of the few register instructions below, which only move values. An
argument that is a string names a register. If a register is ever written, its final value is part of the outcome,
unless its name begins with a dot: such a register is internal to the program, and `observe` can show it. Registers
start at 0 and hold 64 bits, unsigned. Only one whose name begins with two dots holds 128: the result of an instruction
that loads a pair, or ``reg_join low, high``, to store one; ``reg_and`` and ``reg_shr`` take it apart.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, cast

import msgspec

from simaie.arguments import is_integer, require_instance, require_text
from simaie.errors import UnknownNameError, UsageError
from simaie.guest.cpu import Cpu
from simaie.guest.interpreter import Compiler
from simaie.guest.operands import Operand, Row, number_refusal, rows_of
from simaie.guest.register_instructions import ARGUMENTS, BRANCHES, JOIN, LOCAL, PAIR

__all__ = ["Code", "Ins", "ins", "instructions_of", "refusal"]


class Ins(msgspec.Struct, frozen=True):
    """One instruction of a program as data.

    Attributes:
        name: A method of the vCPU, or a register instruction.
        args: Constants and names of registers.
        into: The register for the result; None to drop it.
        options: Keyword arguments of the method, sorted by name.

    Raises:
        UsageError: An operand, register or option is of another type.
    """

    name: str
    args: tuple[Operand, ...] = ()
    into: str | None = None
    options: tuple[tuple[str, int | str], ...] = ()

    def __post_init__(self) -> None:
        require_text("the name of an instruction", self.name)
        for index, operand in enumerate(require_instance(f"args of {self.name!r}", self.args, tuple, "a tuple")):
            if not isinstance(operand, str) and not is_integer(operand):
                raise UsageError(
                    f"operand {index} of {self.name!r} must be an integer or the name of a register, not {operand!r}"
                )
        if self.into is not None:
            require_text(f"into of {self.name!r}", self.into)
        for pair in require_instance(f"options of {self.name!r}", self.options, tuple, "a tuple"):
            if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
                raise UsageError(f"an option of {self.name!r} must be a pair (name, value), not {pair!r}")

    def __str__(self) -> str:
        shown = [a if isinstance(a, str) else hex(a) if a > 255 else str(a) for a in self.args]
        shown += [f"{name}={value}" for name, value in self.options]
        target = f"{self.into} = " if self.into else ""
        return f"{target}{self.name} {', '.join(shown)}".rstrip()


def ins(name: str, *args: Operand, into: str | None = None, **options: int | str) -> Ins:
    """Return an instruction as data, as in ``ins("ldrex", X, into="r1", width=4)``.

    Args:
        name: A method of the vCPU, or a register instruction.
        *args: Constants and names of registers.
        into: The register for the result; None to drop it.
        **options: Keyword arguments of the method.
    """
    return Ins(name, args, into, tuple(sorted(options.items())))


class Code(Sequence[Ins]):
    """A checked list of instructions: every name exists in the instruction set, and every branch has its label.

    Args:
        instructions: The instructions.
        cpu_class: The vCPU class of the instruction set.
        where: Names the list in messages.

    Raises:
        UsageError: An item is not an instruction, has the wrong arguments, or lacks its label.
        UnknownNameError: The instruction set has no such instruction.
    """

    def __init__(self, instructions: Sequence[Ins], cpu_class: type[Cpu], where: str) -> None:
        self.instructions = tuple(instructions)
        self._made_of = cpu_class, where
        self.labels: dict[str, int] = {}
        known = instructions_of(cpu_class)
        for index, item in enumerate(self.instructions):
            if not isinstance(item, Ins):
                raise UsageError(f"{where}: item {index} is {item!r}, not an instruction (simaie.ins)")
            if item.name not in known:
                raise UnknownNameError(f"instruction in {where}, item {index}:", item.name, known)
            if why := _refusal(item, cpu_class):
                raise UsageError(f"{where}, item {index}: {item.name}: {why}")
            if item.name == "label":
                self._add_label(item, index, where)
        for index, item in enumerate(self.instructions):
            if item.name in BRANCHES and item.args[-1] not in self.labels:
                raise UsageError(f"{where}, item {index}: no label {item.args[-1]!r} to branch to")
        compiler = Compiler(self.labels, len(self.instructions))
        self.steps = [compiler.step(item) for item in self.instructions]
        #: The initial values of registers and constants; the steps hold indices into this list.
        self.registers = compiler.initial
        #: The indices of registers that only count rounds.
        self.counters = compiler.counters
        #: The positions of the label and the branch, of each backward branch.
        self.loops = [(self.labels[str(item.args[-1])], index) for index, item in enumerate(self.instructions)
                      if item.name in BRANCHES and self.labels[str(item.args[-1])] <= index]  # fmt: skip

    def _add_label(self, item: Ins, index: int, where: str) -> None:
        label = str(item.args[0])
        if label in self.labels:
            raise UsageError(f"{where}, item {index}: the label {label!r} is defined twice")
        self.labels[label] = index

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.instructions, *self._made_of)

    def __len__(self) -> int:
        return len(self.instructions)

    def __getitem__(self, index: Any) -> Any:
        return self.instructions[index]

    def __iter__(self) -> Iterator[Ins]:
        return iter(self.instructions)


def instructions_of(cpu_class: type[Cpu]) -> Mapping[str, Row | None]:
    """Return the instructions that a list for `cpu_class` can have, each with its operands.

    Register instructions have no row: `refusal` knows them.
    """
    return _instructions_of(cast(Hashable, cpu_class))  # mypy takes the class's __hash__ for that of its objects


@cache
def _instructions_of(cpu_class: Any) -> Mapping[str, Row | None]:
    return {**rows_of(cpu_class), **dict.fromkeys(sorted(LOCAL))}


def _refusal(item: Ins, cpu_class: type[Cpu]) -> str:
    """Return `refusal`, which is kept if no other instruction equals this one, such as one with True in place of 1."""
    if item.options or (item.into is not None and type(item.into) is not str):
        return refusal(item, instructions_of(cpu_class))
    return _known_refusal(item, cast(Hashable, cpu_class))


@lru_cache(maxsize=8192)
def _known_refusal(item: Ins, cpu_class: Any) -> str:
    return refusal(item, instructions_of(cpu_class))


def refusal(item: Ins, known: Mapping[str, Row | None]) -> str:
    """Return why `item`, whose name is one of `known`, cannot have its operands; empty if it can."""
    for value in (*item.args, *(value for _, value in item.options)):
        if type(value) is not str and (why := number_refusal(value)):
            return why
    if item.into is not None and not isinstance(item.into, str):
        return f"the register for its result must be a string, not {item.into!r}"
    row = known[item.name]
    return _local_refusal(item) if row is None else row.refusal(item.args, item.options, item.into)


def _local_refusal(item: Ins) -> str:
    count = 2 if item.name.startswith("reg_") else ARGUMENTS[item.name]
    if len(item.args) != count:
        return f"it has {count} arguments, not {len(item.args)}"
    if item.options:
        return f"it has no option {item.options[0][0]!r}"
    if (item.name in BRANCHES or item.name == "label") and not isinstance(item.args[-1], str):
        return "a label is a text"
    if item.name == JOIN and item.into is not None and not item.into.startswith(PAIR):
        return f"its result has 128 bits, which only a register whose name begins with {PAIR!r} holds"
    if item.into is not None and (item.name in BRANCHES or item.name in ("label", "exit")):
        return "it has no result for a register"
    return ""
