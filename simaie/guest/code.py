"""Programs as data: lists of instructions, which can be generated, shrunk, saved and loaded.

    [ins("label", "again"), ins("ldrex", X, into="r1"), ins("reg_add", "r1", 1, into="r2"),
     ins("strex", X, "r2", into="r3"), ins("cbnz", "r3", "again")]

An instruction names a method of the vCPU, or one of the few register instructions below that only move values about.
An argument that is a string names a register, whose value at the end goes into the outcome if it was ever written.
Registers start at 0 and hold 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from simaie.errors import GuestError, UnknownNameError, UsageError
from simaie.guest.cpu import Cpu

__all__ = ["LOCAL", "Code", "Ins", "ins", "run_code"]

Operand = int | str

_MASK64 = (1 << 64) - 1
#: A guest loop without any memory access would run for ever: after so many local instructions it is stopped.
_LOCAL_LIMIT = 10_000

_ALU: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "eq": lambda a, b: int(a == b),
    "ne": lambda a, b: int(a != b),
    "lt": lambda a, b: int(a < b),
}
#: Register instructions: moves, arithmetic, labels and branches. `cbz r label` branches if r is 0, `cbnz` if not.
LOCAL = frozenset({*("reg_" + name for name in _ALU), "mov", "label", "branch", "cbz", "cbnz", "observe"})


class Ins(msgspec.Struct, frozen=True):
    """One instruction of a program as data: ``Ins(name, *arguments, into=register)``."""

    name: str
    args: tuple[Operand, ...] = ()
    into: str | None = None
    options: tuple[tuple[str, int | str], ...] = ()

    def __str__(self) -> str:
        shown = [a if isinstance(a, str) else hex(a) if a > 255 else str(a) for a in self.args]
        shown += [f"{name}={value}" for name, value in self.options]
        target = f"{self.into} = " if self.into else ""
        return f"{target}{self.name} {', '.join(shown)}".rstrip()


def ins(name: str, *args: Operand, into: str | None = None, **options: int | str) -> Ins:
    """``ins("ldrex", X, into="r1", width=4)``: the instruction as data."""
    return Ins(name, args, into, tuple(sorted(options.items())))


class Code(Sequence[Ins]):
    """A checked list of instructions: every name exists in the ISA, every label that is branched to is there."""

    def __init__(self, instructions: Sequence[Ins], cpu_class: type[Cpu], where: str) -> None:
        self.instructions = tuple(instructions)
        self.labels: dict[str, int] = {}
        known = {*cpu_class.instruction_names(), *LOCAL}
        for index, item in enumerate(self.instructions):
            if not isinstance(item, Ins):
                raise UsageError(f"{where}: item {index} is {item!r}, not an instruction (simaie.ins)")
            if item.name not in known:
                raise UnknownNameError(f"instruction in {where}, item {index}:", item.name, known)
            if item.name == "label":
                self._add_label(item, index, where)
        for index, item in enumerate(self.instructions):
            if item.name in ("branch", "cbz", "cbnz") and item.args[-1:] != () and item.args[-1] not in self.labels:
                raise UsageError(f"{where}, item {index}: no label {item.args[-1]!r} to branch to")

    def _add_label(self, item: Ins, index: int, where: str) -> None:
        if len(item.args) != 1 or not isinstance(item.args[0], str):
            raise UsageError(f"{where}, item {index}: a label has one argument, its name")
        if item.args[0] in self.labels:
            raise UsageError(f"{where}, item {index}: the label {item.args[0]!r} stands twice")
        self.labels[item.args[0]] = index

    def __len__(self) -> int:
        return len(self.instructions)

    def __getitem__(self, index: Any) -> Any:
        return self.instructions[index]

    def __iter__(self) -> Iterator[Ins]:
        return iter(self.instructions)


async def run_code(code: Any, cpu: Any) -> None:
    """Run a list of instructions on `cpu`; the registers written become observations."""
    await _Interpreter(code, cpu).run()


class _Interpreter:
    def __init__(self, code: Code, cpu: Any) -> None:
        self._code, self._cpu = code, cpu
        self._registers: dict[str, int] = {}
        self._position = 0

    def guest_state(self) -> tuple[int, dict[str, int]]:
        """All that what follows depends on: the position behind the instruction in execution, and the registers."""
        return self._position, self._registers

    @property
    def where(self) -> str:
        """The instruction in execution, as a message shows it."""
        return f"item {self._position - 1}"

    async def run(self) -> None:
        position, local_run = 0, 0
        while position < len(self._code):
            item = self._code[position]
            position += 1
            if item.name in LOCAL:
                local_run += 1
                if local_run > _LOCAL_LIMIT:
                    where = f"item {position - 1}"
                    raise GuestError(
                        f"vCPU {self._cpu.name} ran {_LOCAL_LIMIT} register instructions in a row without touching "
                        f"memory ({where}): no other vCPU could ever step",
                        vcpu=self._cpu.name,
                        where=where,
                    )
                position = self._local(item, position)
                continue
            local_run = 0
            self._position = position
            method = getattr(self._cpu, item.name)
            result = await method(*(self._value(a) for a in item.args), **dict(item.options))
            if item.into is not None:
                self._set(item.into, result)

    def _local(self, item: Ins, following: int) -> int:
        """Carry out a register instruction; returns where to go on."""
        name, args = item.name, item.args
        if name == "branch":
            return self._code.labels[str(args[0])]
        if name in ("cbz", "cbnz"):
            taken = (self._value(args[0]) == 0) == (name == "cbz")
            return self._code.labels[str(args[1])] if taken else following
        if name == "mov" and item.into is not None:
            self._set(item.into, self._value(args[0]))
        elif name.startswith("reg_") and item.into is not None:
            self._set(item.into, _ALU[name[4:]](self._value(args[0]), self._value(args[1])))
        return following

    def _value(self, operand: Operand) -> int:
        return self._registers.get(operand, 0) if isinstance(operand, str) else operand

    def _set(self, register: str, value: Any) -> None:
        self._registers[register] = int(value) & _MASK64
        self._cpu.observe(register, self._registers[register])
