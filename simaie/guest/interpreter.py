"""Runs programs as data: a list of instructions becomes a list of steps, which a vCPU interprets.

Names are resolved once, to indices in a list that holds registers and constants, because the interpretation of a
program is most of the cost of exploring it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simaie.errors import GuestError
from simaie.guest.operands import Operand
from simaie.guest.register_instructions import ALU, BRANCHES, COUNTER, JOIN, LOCAL, PAIR
from simaie.guest.running import RestartPoint, RolledBack, Runner
from simaie.host.loaded import LOADED, joined, lift, select

if TYPE_CHECKING:
    from simaie.guest.code import Code, Ins

__all__ = ["Child", "Compiler", "Interpreter", "run_code"]

#: The first item of a step. The other items: indices of operands, index of the result (0 if unwanted), and the name
#: under which the result is observed, or None.
_CALL, _ALU, _MOVE, _SELECT, _OBSERVE, _JUMP, _IF_ZERO, _IF_NOT_ZERO, _NOTHING, _SPAWN, _JOIN = range(11)

_MASK64, _MASK128 = (1 << 64) - 1, (1 << 128) - 1
#: Maximum number of local instructions in a row: a guest loop without any memory access would run forever.
_LOCAL_LIMIT = 100_000


class Compiler:
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
        """Return the step of an instruction: what it does, then its operands and its result as indices."""
        name, args, target = item.name, item.args, item.into
        into = 0 if target is None else self._place(target)
        seen = None if target is None or target.startswith(".") else target
        if name not in LOCAL:
            mask = _MASK128 if target is not None and target.startswith(PAIR) else _MASK64
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
        if name == JOIN:
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


class Child:
    """The thread that a `spawn` starts: a list of instructions from a label on, with a copy of the registers."""

    def __init__(self, code: Code, position: int, registers: list[int]) -> None:
        self.name = str(code[position].args[0])  # of the label, for traces
        self._code, self._position, self._registers = code, position, registers.copy()

    async def __call__(self, cpu: Any) -> None:
        """Run the thread on `cpu`."""
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
                    await cpu.spawn(Child(self._code, step[1], registers))
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
