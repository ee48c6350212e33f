"""Programs as data: lists of instructions, which can be generated, shrunk, saved and loaded.

    [ins("label", "again"), ins("ldrex", X, into="r1"), ins("reg_add", "r1", 1, into="r2"),
     ins("strex", X, "r2", into="r3"), ins("cbnz", "r3", "again")]

An instruction names a method of the vCPU or one of the few register instructions below, which only move values. An
argument that is a string names a register. If a register is ever written, its final value is part of the outcome,
unless its name begins with a dot: such a register is internal to the program, and `observe` can show it. Registers
start at 0 and hold 64 bits, unsigned. Only one whose name begins with two dots holds 128: the result of an instruction
that loads a pair, or ``reg_join low, high``, to store one; ``reg_and`` and ``reg_shr`` take it apart.

`Code` resolves names once, to indices in a list that holds registers and constants, because the interpretation of a
program is most of the cost of exploring it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, cast

import msgspec

from simaie.arguments import is_integer, require_instance, require_text
from simaie.errors import GuestError, UnknownNameError, UsageError
from simaie.guest.cpu import Cpu
from simaie.guest.operands import Operand, Row, number_refusal, rows_of
from simaie.guest.running import RestartPoint, RolledBack, Runner
from simaie.host.loaded import LOADED, joined, lift, select

__all__ = [
    "ALU", "BRANCHES", "COUNTER", "LOCAL", "Code", "Ins", "Interpreter", "ins", "instructions_of", "refusal",
    "run_code",
]  # fmt: skip

_MASK64, _MASK128 = (1 << 64) - 1, (1 << 128) - 1
_JOIN_NAME = "reg_join"
#: Prefix of the name of a register that only counts the rounds of a loop in order to cut it.
COUNTER = "..rounds "
#: Prefix of the names of registers that hold 128 bits.
_PAIR = ".."
#: Maximum number of local instructions in a row: a guest loop without any memory access would run forever.
_LOCAL_LIMIT = 100_000


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _sign_extend(value: int, bits: int) -> int:
    if not 1 <= bits < 64:
        return value
    half = 1 << bits - 1
    return (value & 2 * half - 1 ^ half) - half


#: ``reg_NAME a, b``: both operands unsigned and of 64 bits, and the result wraps. The result of a shift by 64 or more
#: is 0 (`sar`: the sign). `sext` extends the sign of the lowest `b` bits, for `b` from 1 to 63. The result of a
#: comparison is 0 or 1; `slt` and `sle` compare signed numbers.
ALU: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << b if b < 64 else 0,
    "shr": lambda a, b: a >> b,
    "sar": lambda a, b: _signed(a) >> b,
    "sext": _sign_extend,
    "eq": lambda a, b: int(a == b),
    "ne": lambda a, b: int(a != b),
    "lt": lambda a, b: int(a < b),
    "le": lambda a, b: int(a <= b),
    "slt": lambda a, b: int(_signed(a) < _signed(b)),
    "sle": lambda a, b: int(_signed(a) <= _signed(b)),
}
#: Register instructions: moves, arithmetic, labels and branches. ``reg_join a, b`` is ``a + (b << 64)``. `cbz r label`
#: branches if r is 0, `cbnz` if not; ``select c, a, b`` is a if c is not 0, else b; ``ins("observe", r, into=name)``
#: puts r into the outcome as `name`; `spawn label` starts a thread that runs the same list from the label on, with a
#: copy of the registers, like clone(); `exit` ends the thread.
LOCAL = frozenset({*("reg_" + name for name in ALU), _JOIN_NAME, "mov", "select", "label", "branch", "cbz", "cbnz",
                   "observe", "spawn", "exit"})  # fmt: skip
_ARGUMENTS = {"mov": 1, "select": 3, "label": 1, "branch": 1, "cbz": 2, "cbnz": 2, "observe": 1, "spawn": 1, "exit": 0}
#: The instructions whose last argument is a label.
BRANCHES = frozenset({"branch", "cbz", "cbnz", "spawn"})


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
        compiler = _Compiler(self.labels, len(self.instructions))
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
    count = 2 if item.name.startswith("reg_") else _ARGUMENTS[item.name]
    if len(item.args) != count:
        return f"it has {count} arguments, not {len(item.args)}"
    if item.options:
        return f"it has no option {item.options[0][0]!r}"
    if (item.name in BRANCHES or item.name == "label") and not isinstance(item.args[-1], str):
        return "a label is a text"
    if item.name == _JOIN_NAME and item.into is not None and not item.into.startswith(_PAIR):
        return f"its result has 128 bits, which only a register whose name begins with {_PAIR!r} holds"
    if item.into is not None and (item.name in BRANCHES or item.name in ("label", "exit")):
        return "it has no result for a register"
    return ""


#: The first item of a step. The other items: indices of operands, index of the result (0 if unwanted), and the name
#: under which the result is observed, or None.
_CALL, _ALU, _MOVE, _SELECT, _OBSERVE, _JUMP, _IF_ZERO, _IF_NOT_ZERO, _NOTHING, _SPAWN, _JOIN = range(11)


class _Compiler:
    """Assigns an index to each register and constant, and a step to each instruction; index 0 takes dropped results."""

    def __init__(self, labels: dict[str, int], end: int) -> None:
        self._labels, self._end = labels, end
        self.initial: list[int] = [0]
        self._places: dict[tuple[Operand, bool], int] = {}

    @property
    def counters(self) -> frozenset[int]:
        """The indices of registers whose names begin with `COUNTER`."""
        named = ((name, place) for (name, _), place in self._places.items() if isinstance(name, str))
        return frozenset(place for name, place in named if name.startswith(COUNTER))

    def step(self, item: Ins) -> tuple[Any, ...]:
        name, args, target = item.name, item.args, item.into
        into = 0 if target is None else self._place(target)
        seen = None if target is None or target.startswith(".") else target
        if name not in LOCAL:
            mask = _MASK128 if target is not None and target.startswith(_PAIR) else _MASK64
            return _CALL, name, [self._place(a, wrapped=False) for a in args], dict(item.options), into, seen, mask
        if name == "label":
            return (_NOTHING,)
        if name in ("branch", "spawn"):
            return _JUMP if name == "branch" else _SPAWN, self._labels[str(args[0])]
        if name == "exit":
            return _JUMP, self._end
        if name in BRANCHES:
            return _IF_ZERO if name == "cbz" else _IF_NOT_ZERO, self._place(args[0]), self._labels[str(args[1])]
        places = [self._place(a) for a in args]
        if name == "observe":
            return _OBSERVE, places[0], target or str(args[0])
        if name == "mov":
            return _MOVE, places[0], into, seen
        if name == "select":
            return _SELECT, *places, into, seen
        if name == _JOIN_NAME:
            return _JOIN, *places, into, seen
        return _ALU, ALU[name[4:]], *places, into, seen

    def _place(self, operand: Operand, *, wrapped: bool = True) -> int:
        """Return the index of `operand`; a constant argument of a vCPU instruction is not wrapped."""
        key = operand, wrapped or isinstance(operand, str)
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = len(self.initial)
            self.initial.append(0 if isinstance(operand, str) else operand & _MASK64 if wrapped else operand)
        return place


async def run_code(code: Any, cpu: Any) -> None:
    """Run a list of instructions on `cpu`; the written registers become observations."""
    await Interpreter(code, cpu).run()


class _Child:
    """The thread that a `spawn` starts: `code` from a label on, with a copy of the current registers."""

    def __init__(self, code: Code, position: int, registers: list[int]) -> None:
        self.name = str(code[position].args[0])  # of the label, for traces
        self._code, self._position, self._registers = code, position, registers.copy()

    async def __call__(self, cpu: Any) -> None:
        await Interpreter(self._code, cpu, self._position, self._registers).run()


class Interpreter(Runner):
    """Runs a list of instructions on a vCPU.

    Args:
        code: The instructions.
        cpu: The vCPU.
        position: Index of the first instruction to run.
        registers: Initial values of registers and constants; None for those of `code`.
    """

    def __init__(self, code: Code, cpu: Any, position: int = 0, registers: list[int] | None = None) -> None:
        self._code, self._cpu = code, cpu
        self._registers = (registers or code.registers).copy()
        self._position = position

    def guest_state(self) -> tuple[int, list[int]]:
        """Return the state on which the rest of the run depends: the next position, and the registers.

        Registers that only count the rounds of a loop in order to cut it are zeroed.
        """
        registers, counters = self._registers, self._code.counters
        if counters:
            registers = [0 if place in counters else value for place, value in enumerate(registers)]
        return self._position, registers

    @property
    def position(self) -> int:
        """The position after the instruction in execution."""
        return self._position

    @property
    def in_loop(self) -> bool:
        """Whether the instruction in execution lies between a label and a branch back to it."""
        return any(first < self._position <= last for first, last in self._code.loops)

    @property
    def where(self) -> str:
        """The instruction in execution, as a message shows it."""
        return f"item {self._position - 1}"

    async def run(self) -> None:
        """Run to the end of the list."""
        cpu, steps, registers = self._cpu, self._code.steps, self._registers
        cpu.runner = self
        position, local_run, end = self._position, 0, len(self._code.steps)
        while position < end:
            step = steps[position]
            position += 1
            if step[0] != _CALL:
                if step[0] == _SPAWN:
                    self._position, local_run = position, 0
                    await cpu.spawn(_Child(self._code, step[1], registers))
                    continue
                local_run += 1
                if local_run > _LOCAL_LIMIT:
                    self._endless(position - 1)
                position = self._local(step, position)
                continue
            _, name, places, options, into, seen, mask = step
            local_run = 0
            self._position = position
            cpu.drops = not into
            try:
                result = await getattr(cpu, name)(*[registers[place] for place in places], **options)
            except RolledBack as back:
                position = self._take_back(back.point)
                continue
            if into:
                value = lift(int, result) & mask if type(result) is LOADED else int(result) & mask
                registers[into] = value
                if seen is not None:
                    cpu.observe(seen, value)

    def restart_point(self) -> RestartPoint:
        """Return the state before the instruction in execution."""
        return RestartPoint(self._position - 1, tuple(self._registers), tuple(self._cpu.observations.items()))

    def _take_back(self, point: RestartPoint) -> int:
        """Restore an earlier state, and return its position; the instruction in execution has no effect."""
        self._registers[:] = point.registers
        self._cpu.abandon_instruction(point.observations)
        return point.position

    def _local(self, step: tuple[Any, ...], following: int) -> int:
        """Execute a register instruction; return the position of the next instruction."""
        registers, kind = self._registers, step[0]
        if kind == _ALU:
            one, other = registers[step[2]], registers[step[3]]
            if type(one) is LOADED or type(other) is LOADED:
                value = joined(step[1], one, other, _MASK64)
            else:
                value = step[1](one, other) & _MASK64
        elif kind == _MOVE:
            value = registers[step[1]]
        elif kind == _SELECT:
            value = select(registers[step[1]], registers[step[2]], registers[step[3]])
        elif kind == _JOIN:
            value = registers[step[1]] & _MASK64 | (registers[step[2]] & _MASK64) << 64
        elif kind == _OBSERVE:
            self._cpu.observe(step[2], registers[step[1]])
            return following
        elif kind == _NOTHING:
            return following
        elif kind == _JUMP or bool(registers[step[1]]) == (kind == _IF_NOT_ZERO):
            target: int = step[-1]
            return target
        else:
            return following
        registers[step[-2]] = value
        if step[-1] is not None:
            self._cpu.observe(step[-1], value)
        return following

    def _endless(self, item: int) -> None:
        where = f"item {item}"
        raise GuestError(
            f"vCPU {self._cpu.name} ran {_LOCAL_LIMIT} register instructions in a row without touching "
            f"memory ({where}): no other vCPU could ever step",
            vcpu=self._cpu.name,
            where=where,
        )
