"""Traces made by hand, event by event, for checkers to judge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from simaie_schedulers.random_walk import RandomWalk

from simaie.decision import Schedule
from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.finding import Finding
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.op import Function, Kind, Op
from simaie.prng import derive
from simaie.protocols import Checker, ExecutionInfo
from simaie.trace import PENDING, AccessKind, Ending, Event, Instruction, Outcome, Trace

X, Y = 0x1000, 0x2000


class Tape:
    """Records events; `begin` opens an instruction of a vCPU, its operations go to the latest one it opened."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._open: dict[str, Instruction] = {}
        self._count: dict[str, int] = {}
        self._buffered: dict[str, list[tuple[Op, Instruction | None]]] = {}

    def begin(
        self, vcpu: str, access: AccessKind, mnemonic: str = "", address: int = X, width: int = 4, *, cut: bool = False
    ) -> Tape:
        """`cut`: the instruction never completes."""
        number = self._count.get(vcpu, 0)
        self._count[vcpu] = number + 1
        name = mnemonic or access.value
        self._open[vcpu] = Instruction(vcpu, number, name, access, address, width, PENDING if cut else None)
        return self

    def op(self, vcpu: str, op: Op, value: Any = None) -> Tape:
        self.events.append(Event(vcpu, op, value, self._open.get(vcpu)))
        return self

    def load(self, vcpu: str, value: int = 0, address: int = X, width: int = 4) -> Tape:
        return self.op(vcpu, Op(Kind.LOAD, None, address, width), value)

    def store(self, vcpu: str, value: int = 1, address: int = X, width: int = 4) -> Tape:
        return self.op(vcpu, Op(Kind.STORE, None, address, width, value))

    def cas(self, vcpu: str, expected: int, new: int, seen: int, address: int = X, width: int = 4) -> Tape:
        return self.op(vcpu, Op(Kind.CAS, None, address, width, new, expected), seen)

    def fetch(self, vcpu: str, seen: int = 0, address: int = X, width: int = 4) -> Tape:
        return self.op(vcpu, Op(Kind.FETCH, None, address, width, function=Function("inc", lambda v: v + 1)), seen)

    def plain_store(self, vcpu: str, value: int = 1, address: int = X, width: int = 4) -> Tape:
        """A whole plain store instruction."""
        return self.begin(vcpu, AccessKind.STORE, "str", address, width).store(vcpu, value, address, width)

    def buffer(self, vcpu: str, value: int = 1, address: int = X, width: int = 4) -> Tape:
        """A store enters the vCPU's only store buffer."""
        store = Op(Kind.STORE, None, address, width, value)
        self._buffered.setdefault(vcpu, []).append((store, self._open.get(vcpu)))
        return self.op(vcpu, Op(Kind.BUFFER, value=store))

    def drain(self, vcpu: str) -> Tape:
        """The oldest store in the buffer of `vcpu` drains."""
        store, instruction = self._buffered[vcpu].pop(0)
        self.events.append(Event(f"{vcpu}~", store, None, instruction))
        return self

    def lock(self, vcpu: str, mutex: Any) -> Tape:
        return self.op(vcpu, mutex.lock())

    def unlock(self, vcpu: str, mutex: Any) -> Tape:
        return self.op(vcpu, mutex.unlock())

    def trace(self, ending: Ending = Ending.FINISHED, **fields: Any) -> Trace:
        return Trace(
            **{
                "program": "handmade",
                "events": self.events,
                "ending": ending,
                "outcome": Outcome(),
                "schedule": Schedule(),
                "waiting": {},
                **fields,
            }
        )


def kinds(findings: Iterable[Finding]) -> list[str]:
    return [finding.kind for finding in findings]


def run(threads: Sequence[Any], scheme: Any, *, isa: str = "arm", seed: int = 0, **options: Any) -> Trace:
    """One execution under a random walk. `options` are the program's."""
    program = Program("test", isa=isa, threads=threads, **options)
    info = ExecutionInfo(derive(7, seed), seed, len(threads))
    return run_inline(Execution(program, Machine(scheme), RandomWalk(), info))


def found(checker: Checker, threads: Sequence[Any], scheme: Any, *, executions: int = 100, **options: Any) -> int:
    """How many of so many random executions the checker complains about."""
    return sum(bool(list(checker(run(threads, scheme, seed=seed, **options)))) for seed in range(executions))
