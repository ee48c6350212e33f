"""Traces of memo executions: what most callers ask for is known at once, the rest is made when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from simaie.check.needs import GOAL
from simaie.decision import Choice, Schedule, Switch
from simaie.engine.memo.node import Node
from simaie.engine.memo.story import story_of
from simaie.engine.record import unended
from simaie.engine.spin import Wait, granted
from simaie.guest.goals import merged_goals
from simaie.guest.program import Program
from simaie.host.ram import Endian
from simaie.op import Cell, Op, owner_of
from simaie.trace import Ending, Event, Fault, Instruction, Outcome, Trace

__all__ = ["LateSteps", "MemoTrace", "Origin", "Step", "cells_of", "operations_of", "performed", "wait_at"]

#: A step of a memo execution: the node to which it led, or an event whose instruction may be pending.
Step = Node | Event
#: What the rest of a trace is made of; see `MemoTrace`.
_Left: TypeAlias = (
    "tuple[Origin, Sequence[Step], frozenset[int], tuple[Node, ...], Sequence[int], Sequence[Choice], Mapping[str, Op]]"
)


class Origin(NamedTuple):
    """What all traces of one memo share: the program, the byte order of guest RAM, what the scheme promises."""

    program: Program
    endian: Endian
    promises: frozenset[str]


class LateSteps(Sequence[Node]):
    """Steps whose order is found when one is first asked for.

    Args:
        last: The last node of each vCPU.
        ordered: Returns all of them in order.
    """

    __slots__ = ("_found", "_last", "_ordered")

    def __init__(self, last: tuple[Node, ...], ordered: Callable[[], list[Node]]) -> None:
        self._last, self._ordered = last, ordered
        self._found: list[Node] | None = None

    def __len__(self) -> int:
        return sum(max(node.depth - 1, 0) for node in self._last)

    def __getitem__(self, number: Any) -> Any:
        return self._all()[number]

    def __iter__(self) -> Iterator[Node]:
        return iter(self._all())

    def _all(self) -> list[Node]:
        if self._found is None:
            self._found = self._ordered()
        return self._found


class MemoTrace(Trace):
    """A trace whose events, schedule, blocks and so on are made when one of them is first asked for.

    Args:
        origin: What all traces of the memo share.
        steps: The steps.
        waits: The indices of the steps that are waits before a look.
        last: The last node of each vCPU, in the order of arrival.
        switches: The steps that deviated from the default schedule.
        choices: The local choices that were not 0.
        waiting: The announced operation of each vCPU that has not ended.
        ending: How the execution ended; this and the following as in a `Trace`.
        outcome: The outcome.
        faults: The faults.
        accepted: The answer of the final check.
        refusal: Why the final check refused.
        occurred: What occurred (see `simaie.check.needs`).
        cycle: As in a `Trace`.
    """

    def __init__(
        self,
        origin: Origin,
        steps: Sequence[Step],
        waits: frozenset[int],
        last: tuple[Node, ...],
        switches: Sequence[int],
        choices: Sequence[Choice],
        waiting: Mapping[str, Op],
        ending: Ending,
        outcome: Outcome,
        faults: tuple[Fault, ...],
        accepted: bool | None,
        refusal: str,
        occurred: int,
        cycle: int | None = None,
    ) -> None:
        self.ending, self.outcome, self.faults = ending, outcome, faults
        self.accepted, self.refusal, self.cycle = accepted, refusal, cycle
        if occurred & GOAL:
            self.goals = merged_goals([node.goals for node in last])
        self.occurred = occurred
        self.deviations = len(switches)
        self._left: _Left | None = (origin, steps, waits, last, switches, choices, waiting)

    def __getattr__(self, name: str) -> Any:
        """Make the rest of the trace, if it has not been made."""
        left = self.__dict__.get("_left")
        if left is None or name.startswith("__"):
            raise AttributeError(name)
        self._complete(left)
        return getattr(self, name)

    def __len__(self) -> int:
        return len(self.events if self._left is None else self._left[1])

    def complete(self) -> Trace:
        """Make all of the trace, so that it needs no memo any more, and return it."""
        if self._left is not None:
            self._complete(self._left)
        return self

    def _complete(self, left: _Left) -> None:
        (program, endian, promises), steps, waits, last, switches, choices, waiting = left
        events = _finished(steps, waits, last)
        silent = [instruction for node in last for instruction in node.silent]
        self._left = None
        super().__init__(
            program=program.name,
            events=events,
            ending=self.ending,
            outcome=self.outcome,
            schedule=Schedule(tuple([Switch(step, events[step].actor) for step in switches]), tuple(choices)),
            waiting=waiting,
            faults=self.faults,
            promises=promises,
            accepted=self.accepted,
            refusal=self.refusal,
            blocks=tuple([block for node in last for block in node.blocks]),
            isa=program.isa,
            reservation_ends=tuple([end for node in last for end in node.reservation_ends]),
            endian=endian,
            frames=program.frames,
            cycle=self.cycle,
            obligations=unended(program, waiting, [node.obligations for node in last]),
            silent=sorted(silent, key=lambda instruction: (instruction.vcpu, instruction.number)),
        )

    def __reduce__(self) -> Any:
        """Pickle and copy it as an ordinary trace."""
        self.complete()
        return _ordinary, ({name: value for name, value in self.__dict__.items() if name in _STATE},)


_STATE = frozenset({
    "program", "events", "ending", "outcome", "schedule", "waiting", "faults", "promises", "accepted", "refusal",
    "blocks", "isa", "reservation_ends", "endian", "frames", "cycle", "graph",
    "goals", "obligations", "_silent",
})  # fmt: skip


def _ordinary(state: dict[str, Any]) -> Trace:
    made = Trace.__new__(Trace)
    made.__dict__.update(state)
    return made


def performed(steps: Sequence[Step]) -> list[Event]:
    """Return the events of `steps`, with instructions that may be pending although they have completed."""
    return [_event(step) if type(step) is Node else step for step in steps]  # type: ignore[misc]  # an Event


def wait_at(node: Node, steps: Sequence[Step]) -> Op:
    """Return the AWAIT for which `node`, to which the last of `steps` of its vCPU led, has to wait."""
    wait = node.wait
    assert wait is not None
    if node.tried is None:
        return wait
    return granted(Wait(wait, node.tried), node.root.name, performed(steps))


def operations_of(trace: Trace, but: set[Node]) -> list[Op]:
    """Return the operations of a trace, in any order; of a lazy one without making the rest of it.

    Args:
        trace: The trace.
        but: Nodes of the memo behind which the operations are known, and left out. Those of this trace are added.
    """
    left = trace.__dict__.get("_left")
    if left is None:
        return [event.op for event in trace.events]
    found: list[Op] = []
    for last in left[3]:
        node: Node | None = last
        while node is not None and node not in but:
            but.add(node)
            node = node.parent
            if node is not None and node.op is not None:
                found.append(node.op)
    return found


def cells_of(steps: Sequence[Step]) -> set[Cell]:
    """Return the cells that the operations of `steps` accessed."""
    return {cell for op in _operations(steps) if (cell := op.cell) is not None}


def _operations(steps: Sequence[Step]) -> list[Op]:
    found: list[Any] = [step.parent.op if type(step) is Node else step.op for step in steps]  # type: ignore[union-attr]
    return found


def _event(node: Node) -> Event:
    before = node.parent
    assert before is not None
    assert before.op is not None
    return Event(node.root.name, before.op, node.came, before.instruction)


def _finished(steps: Sequence[Step], waits: frozenset[int], last: Sequence[Node]) -> list[Event]:
    """Return the events of an execution, with the instructions' results."""
    stories = {node.root.name: story_of(node) for node in last}
    taken = dict.fromkeys(stories, 0)  # the number of edges so far, by vCPU
    found: list[Event] = []
    for number, step in enumerate(steps):
        if type(step) is Node:
            name, place = step.root.name, step.depth - 2
            taken[name] = place + 1
            found.append(stories[name].events[place])
            continue
        assert isinstance(step, Event)
        name = step.actor
        if name in taken and number not in waits:
            known = stories[name].events[taken[name]]
            taken[name] += 1
            # A buffered store, or the AWAIT that a PAUSE has become, is not the operation of the node.
            found.append(known if known.op is step.op else _with(step, known.instruction))
        else:  # a wait before a look, or a store that drains
            found.append(_with(step, stories[owner_of(name)].final(step.instruction)))
    return found


def _with(event: Event, instruction: Instruction | None) -> Event:
    return Event(event.actor, event.op, event.value, instruction)
