"""A canonical order of the steps of an execution, the same for all equivalent executions.

Two executions are equivalent if swapping adjacent independent operations turns one into the other: they have the same
Mazurkiewicz trace, of which an exhaustive search runs only one execution. The findings of a checker must not depend on
which one that is. A checker that judges only by the order of dependent operations judges all of them alike. If it has a
choice of evidence (several races at one place, several cycles), it takes the first in the canonical order.

Dependent operations are conflicting operations (`simaie.op.conflict`), the steps of one actor, and what a vCPU's store
buffers order: a store enters a buffer before it drains; drains of overlapping stores keep the order in which the stores
entered; an operation that waits for the buffers comes after the drains; and no drain overtakes a store-store fence. A
vCPU's own load and its own drain are independent: the load finds the same value before and after.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

import msgspec

from simaie.barrier import Barrier, parse_barrier
from simaie.check.accesses import locations
from simaie.op import Kind, Op, Order, buffer_name, owner_of, waits_for_drain
from simaie.trace import Event, Trace

__all__ = ["canonical_places", "keeps_stores_apart", "predecessors"]

_WORLD = (Kind.BEGIN_EXCLUSIVE, Kind.END_EXCLUSIVE)
_THREADS = (Kind.SPAWN, Kind.JOIN, Kind.EXIT)


def canonical_places(trace: Trace) -> list[int]:
    """Return the place of each step in an order that preserves dependent steps and is the same for equivalent traces.

    The actor with the first name runs as long as it can, then the next, and so on, round after round.
    """
    before = predecessors(trace)
    queues: dict[str, list[int]] = {}
    for step, event in enumerate(trace.events):
        queues.setdefault(event.actor, []).append(step)
    waiting = [queue[::-1] for _, queue in sorted(queues.items())]
    places = [-1] * len(before)
    place = 0
    while waiting:
        for queue in waiting:
            while queue and all(places[earlier] >= 0 for earlier in before[queue[-1]]):
                places[queue.pop()] = place
                place += 1
        waiting = [queue for queue in waiting if queue]
    return places


def predecessors(trace: Trace) -> list[list[int]]:
    """Return for each step the steps of other actors that it must directly follow; its own actor's are implied."""
    return list(_Sweep(trace.events).run())


def keeps_stores_apart(op: Op) -> bool:
    """Whether stores of the vCPU after `op` drain only after those before it; `op` itself counts as after."""
    if op.kind is Kind.FENCE:
        return bool(parse_barrier(op.note) & Barrier.ST_ST)
    return op.kind is Kind.BUFFER and op.value.order is Order.RELEASE


class _Place(msgspec.Struct):
    """A location: its last write, that write's vCPU, the last write by another vCPU before (-1: none), reads since."""

    write: int = -1
    vcpu: str = ""
    foreign: int = -1
    readers: dict[str, int] = {}


class _Sweep:
    def __init__(self, events: list[Event]) -> None:
        self._events = events
        ranges = [part for event in events for part in event.op.places if part.width]
        self._locations = locations(ranges)
        self._places: dict[Hashable, _Place] = {}
        self._last: dict[str, int] = {}  # by actor
        self._spawned: dict[str, int] = {}
        self._world = -1
        self._reserved: dict[str, Op] = {}
        self._entries: dict[str, list[int]] = {}  # by buffer: the waiting stores
        self._drains: dict[str, dict[str, list[tuple[int, int]]]] = {}  # vCPU -> buffer -> entries and drains
        self._fences: dict[str, list[int]] = {}  # by vCPU

    def run(self) -> Iterator[list[int]]:
        for step, event in enumerate(self._events):
            actor, vcpu, op = event.actor, owner_of(event.actor), event.op
            after = []
            if actor not in self._last and vcpu in self._spawned:
                after.append(self._spawned[vcpu])
            if op.kind in _WORLD:
                after += self._last.values()
                self._world = step
            elif self._world >= 0:
                after.append(self._world)
            after += self._of_buffers(step, event, vcpu)
            for place in dict.fromkeys(self._places_of(actor, op)):
                after += self._at(place, step, actor, vcpu, event.wrote)
            if op.kind is Kind.SPAWN and event.value is not None:
                self._spawned[event.value.name] = step
            self._last[actor] = step
            yield after

    def _places_of(self, actor: str, op: Op) -> Iterator[Hashable]:
        if op.kind in _THREADS:
            yield _THREADS
        elif op.kind is Kind.LOAD_LINKED:
            self._reserved[actor] = op
        parts: Iterable[Op] = op.places
        if op.kind is Kind.STORE_CONDITIONAL and actor in self._reserved:
            parts = (op, self._reserved.pop(actor))  # writes to the reserved bytes decide whether it stores
        for part in parts:
            if part.cell is not None:
                yield part.cell
            elif part.width:
                yield from self._locations[part.address, part.width]

    def _at(self, name: Hashable, step: int, actor: str, vcpu: str, wrote: bool) -> Iterator[int]:
        """Yield the steps that a step at a place must follow, and record the step."""
        place = self._places.setdefault(name, _Place())
        if not wrote:
            write = place.foreign if place.vcpu == vcpu else place.write
            if write >= 0:
                yield write
            place.readers[actor] = step
            return
        if place.write >= 0:
            yield place.write
        own = {}
        for reader, at in place.readers.items():
            if owner_of(reader) == vcpu:
                own[reader] = at
            else:
                yield at
        if place.vcpu != vcpu:
            place.foreign = place.write
        place.write, place.vcpu, place.readers = step, vcpu, own

    # -- store buffers ----------------------------------------------------------------------------

    def _of_buffers(self, step: int, event: Event, vcpu: str) -> Iterator[int]:
        """Yield the steps that a step must follow because of its vCPU's store buffers, and record the step."""
        op = event.op
        if event.actor != vcpu:
            waiting = self._entries.get(event.actor)
            if waiting:
                entry = waiting.pop(0)
                yield entry
                yield from self._fenced(vcpu, event.actor, entry)
                self._drains.setdefault(vcpu, {}).setdefault(event.actor, []).append((entry, step))
            return
        if waits_for_drain(op):
            yield from [drained[-1][1] for drained in self._drains.get(vcpu, {}).values()]
        if keeps_stores_apart(op):
            self._fences.setdefault(vcpu, []).append(step)
        if op.kind is Kind.BUFFER:
            self._entries.setdefault(buffer_name(vcpu, op.note), []).append(step)

    def _fenced(self, vcpu: str, buffer: str, entry: int) -> Iterator[int]:
        """Yield the last drain of each other buffer whose store entered before a fence that precedes `entry`."""
        fence = max((step for step in self._fences.get(vcpu, ()) if step <= entry), default=-1)
        for other, drained in self._drains.get(vcpu, {}).items():
            if other != buffer:
                behind = [drain for entered, drain in drained if entered < fence]
                yield from behind[-1:]
