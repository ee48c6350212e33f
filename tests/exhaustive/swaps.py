"""Other executions of the same Mazurkiewicz trace, reached by swapping neighbours that are independent.

Independent is what `simaie.dependence.conflict` says of two operations as they were performed, for actors of different
vCPUs. A vCPU and its own store buffers keep the order that every execution has: a store enters a buffer before it
drains, what waits for the buffers comes after the drains, and drains that overlap, or have a store-store fence in
between, keep their order. All else of one vCPU's drains commutes with its own steps.

An LL/SC monitor may watch more bytes than an operation names, so LOAD_LINKED and STORE_CONDITIONAL are never moved
across a foreign write to RAM: that is fewer swaps, not wrong ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simaie_schedulers.scripted import Scripted

from exhaustive.searches import run
from simaie.barrier import Barrier
from simaie.dependence import conflict, waits_for_drain
from simaie.finding import Finding
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.op import Kind, Op, Order, owner_of, show
from simaie.prng import Random
from simaie.protocols import Checker
from simaie.trace import Event, Trace

_MONITORED = (Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL)

#: Kinds of finding that say in addition which vCPU held a mutex at that moment, which is a matter of position.
_OF_THE_MOMENT = {"unguarded-update"}

#: An event of a trace under a name that all equivalent traces share: its actor, and its number among the actor's.
Name = tuple[str, int]


def swapped(program: Program, machine: Machine, trace: Trace, random: Random, swaps: int) -> tuple[Trace, int]:
    """An execution of the class of `trace` that so many attempts to swap neighbours lead to, really run.

    Returns it with the number of swaps that succeeded. An AssertionError if it is no execution of the same class: then
    the dependence relation is wrong.
    """
    units = _units(trace)
    stores = _Stores(trace.events)
    done = 0
    for _ in range(swaps):
        if len(units) < 2:
            break
        at = random.below(len(units) - 1)
        first, second = units[at], units[at + 1]
        if not any(_are_ordered(trace.events, stores, a, b) for a in first for b in second):
            units[at : at + 2] = second, first
            done += 1
    return rerun(program, machine, trace, [step for unit in units for step in unit]), done


def rerun(program: Program, machine: Machine, trace: Trace, steps: Sequence[int]) -> Trace:
    """The execution that has the steps of `trace` in this order; AssertionError if there is none."""
    events = [trace.events[step] for step in steps]
    actors = [event.actor for event in events if event.op.kind is not Kind.CHOICE]
    choices = [event.value for event in events if event.op.kind is Kind.CHOICE and event.op.value > 1]
    again = run(program, Scripted(actors, choices=choices), machine)
    assert [_shape(event) for event in again.events] == [_shape(event) for event in events], program.name
    assert (again.ending, again.outcome, again.accepted) == (trace.ending, trace.outcome, trace.accepted), program.name
    return again


def named(trace: Trace, steps: Iterable[int]) -> list[Name]:
    """Those steps by the names that equivalent traces share."""
    names = list(_names(trace.events))
    return [names[step] for step in steps]


def judged(checker: Checker, trace: Trace) -> list[tuple[object, ...]]:
    """What a checker finds, such that equivalent traces are to give equal lists: all but the words of a message."""
    names = list(_names(trace.events))
    return sorted(_normal(finding, names) for finding in checker(trace))


def _normal(finding: Finding, names: Sequence[Name]) -> tuple[object, ...]:
    steps = tuple(sorted(names[step] for step in finding.steps))
    vcpus = () if finding.kind in _OF_THE_MOMENT else tuple(sorted(finding.vcpus))
    return finding.kind, str(finding.verdict), steps, tuple(sorted(finding.addresses)), vcpus


def _names(events: Iterable[Event]) -> Iterable[Name]:
    counts: dict[str, int] = {}
    for event in events:
        counts[event.actor] = counts.get(event.actor, -1) + 1
        yield event.actor, counts[event.actor]


def _shape(event: Event) -> tuple[object, ...]:
    instruction = event.instruction
    number = None if instruction is None else instruction.number
    return event.actor, event.op.kind, event.op.location, show(event.value), number


def _units(trace: Trace) -> list[list[int]]:
    """The steps, each with the local choices that are resolved as its actor goes on to its next one.

    Choices before the first step stay where they are.
    """
    units: list[list[int]] = []
    for step, event in enumerate(trace.events):
        if event.op.kind is Kind.CHOICE and units:
            units[-1].append(step)
        else:
            units.append([step])
    return units


def _are_ordered(events: Sequence[Event], stores: _Stores, first: int, second: int) -> bool:
    """Whether two neighbours have to stay in this order."""
    a, b = events[first], events[second]
    if Kind.CHOICE in (a.op.kind, b.op.kind):
        return a.actor == b.actor or first == 0
    if owner_of(a.actor) == owner_of(b.actor):
        return stores.are_ordered(first, second)
    if a.op.kind is Kind.SPAWN and owner_of(b.actor) == a.value.name:
        return True
    if any(_is_watched(x, y) for x, y in ((a, b), (b, a))):
        return True
    return conflict(a.op, a.wrote, b.op, b.wrote)


def _is_watched(a: Event, b: Event) -> bool:
    return a.op.kind in _MONITORED and b.writes_ram


class _Stores:
    """Which steps of one vCPU its store buffers keep in order."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        self._entry: dict[Op, int] = {}  # a buffered store -> the step at which it entered
        self._fences: list[tuple[str, int]] = []
        for step, event in enumerate(events):
            op = event.op
            if op.kind is Kind.BUFFER:
                self._entry[op.value] = step
            is_fence = op.kind is Kind.FENCE and op.orders & Barrier.ST_ST
            if is_fence or (op.kind is Kind.BUFFER and op.value.order is Order.RELEASE):
                self._fences.append((event.actor, step))

    def are_ordered(self, first: int, second: int) -> bool:
        a, b = self._events[first], self._events[second]
        if a.actor == b.actor:
            return True
        if owner_of(a.actor) == a.actor:  # a step of the vCPU, then a drain
            return waits_for_drain(a.op) or self._entry[b.op] == first
        if owner_of(b.actor) == b.actor:
            return waits_for_drain(b.op)
        return conflict(a.op, True, b.op, True) or self._is_fenced(owner_of(a.actor), a.op, b.op)

    def _is_fenced(self, vcpu: str, older: Op, younger: Op) -> bool:
        between = range(self._entry[older] + 1, self._entry[younger] + 1)
        return any(actor == vcpu and step in between for actor, step in self._fences)
