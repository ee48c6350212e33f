"""The earlier steps of an execution on which each step depends, by the relation of `simaie.dependence`.

Dependent operations are conflicting operations, the steps of one actor, a SPAWN and the first step of what it starts,
and what a vCPU's store buffers order: a store enters a buffer before it drains; drains of overlapping stores keep the
order in which the stores entered; an operation that waits for the buffers comes after the drains; and no drain
overtakes a store-store fence. A vCPU's own load and its own drain are independent: the load finds the same value before
and after.

Two executions are equivalent if swapping adjacent independent operations turns one into the other. They have the same
predecessors, up to the numbers of the steps.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence

import msgspec

from simaie.dependence import (
    STOPS_WORLD,
    THREAD_KINDS,
    THREADS,
    TOUCHES_MORE,
    keeps_stores_apart,
    locations,
    waits_for_drain,
)
from simaie.op import Kind, Op, buffer_name, owner_of
from simaie.trace import Event

__all__ = ["causal_past", "drains_of", "predecessors"]

_LOAD_LINKED, _STORE_CONDITIONAL, _SPAWN, _BUFFER = (
    Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL, Kind.SPAWN, Kind.BUFFER,
)  # fmt: skip


def predecessors(events: Sequence[Event]) -> Iterator[list[int]]:
    """Yield for each step in turn the earlier steps that it directly follows; all other dependences follow from these.

    The previous step of its own actor is among them; a step may be listed more than once.
    """
    return _Sweep(events).run()


def causal_past(before: Sequence[Iterable[int]], steps: Iterable[int]) -> set[int]:
    """Return `steps` and all steps that come before any of them, by the predecessors `before` of each step."""
    found: set[int] = set()
    pending = list(steps)
    while pending:
        step = pending.pop()
        if step not in found:
            found.add(step)
            pending.extend(before[step])
    return found


def drains_of(events: Iterable[Event]) -> dict[int, int]:
    """Return the map from the step at which a store entered its buffer to the step of its drain, if it drained."""
    waiting: dict[str, list[int]] = {}
    found: dict[int, int] = {}
    for step, event in enumerate(events):
        actor = event.actor
        if event.op.kind is _BUFFER:
            waiting.setdefault(buffer_name(actor, event.op.buffer), []).append(step)
        elif waiting.get(actor) and owner_of(actor) != actor:
            found[waiting[actor].pop(0)] = step
    return found


def _ranges(events: Sequence[Event]) -> Iterable[Op]:
    """Return one operation for each range of RAM that any of `events` accesses."""
    found: dict[tuple[int, int], Op] = {}
    for event in events:
        op = event.op
        if op.kind in TOUCHES_MORE:
            found |= {(part.address, part.width): part for part in op.places if part.width}
        elif op.width:
            found[op.address, op.width] = op
    return found.values()


class _Place(msgspec.Struct):
    """The last accesses to a place, as numbers of steps; -1 if there was none.

    Attributes:
        write: The last write.
        vcpu: The vCPU of this write.
        foreign: The last write before it by another vCPU.
        readers: The last read of each actor since the last write.
    """

    write: int = -1
    vcpu: str = ""
    foreign: int = -1
    readers: dict[str, int] = {}


class _Sweep:
    """One pass over the events; see `predecessors`."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        self._locations = locations(_ranges(events))
        self._places: dict[Hashable, _Place] = {}
        self._last: dict[str, int] = {}  # by actor
        self._spawned: dict[str, int] = {}
        self._world = -1
        self._reserved: dict[str, Op] = {}

    def run(self) -> Iterator[list[int]]:
        buffered = any(event.op.kind is _BUFFER for event in self._events)
        buffers = _Buffers(self._events) if buffered else None
        last = self._last
        for step, event in enumerate(self._events):
            actor, op = event.actor, event.op
            vcpu = owner_of(actor) if buffered else actor
            previous = last.get(actor, -1)
            if previous < 0:
                previous = self._spawned.get(vcpu, -1)
            after = [previous] if previous >= 0 else []
            if op.kind in STOPS_WORLD:
                after += last.values()
                self._world = step
            elif self._world >= 0:
                after.append(self._world)
            if buffers is not None:
                after += buffers.before(step, event, vcpu)
            wrote = event.wrote
            for place in self._places_of(actor, op):
                self._touch(place, step, actor, vcpu, wrote, after)
            if op.kind is _SPAWN and event.value is not None:
                self._spawned[event.value.name] = step
            last[actor] = step
            yield after

    def _places_of(self, actor: str, op: Op) -> Iterable[Hashable]:
        """Return the cells and locations that an operation touches, each once."""
        if op.cell is not None:
            return (op.cell,)
        kind = op.kind
        if kind not in TOUCHES_MORE:
            if op.width:
                return self._locations[op.address, op.width]
            return (THREADS,) if kind in THREAD_KINDS else ()
        parts: Iterable[Op] = op.places
        if kind is _LOAD_LINKED:
            self._reserved[actor] = op
        elif kind is _STORE_CONDITIONAL:
            linked = self._reserved.pop(actor, None)
            if linked is not None and op.expected is None:  # writes to the reserved bytes decide whether it stores
                parts = (op, *linked.places)
        found: dict[Hashable, None] = {}
        for part in parts:
            if part.cell is not None:
                found[part.cell] = None
            elif part.width:
                found |= dict.fromkeys(self._locations[part.address, part.width])
        return found

    def _touch(self, name: Hashable, step: int, actor: str, vcpu: str, wrote: bool, after: list[int]) -> None:
        """Add to `after` the steps that a step at a place must follow, and record the step."""
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = _Place()
        if not wrote:
            write = place.foreign if place.vcpu == vcpu else place.write
            if write >= 0:
                after.append(write)
            place.readers[actor] = step
            return
        if place.write >= 0:
            after.append(place.write)
        own = {}
        for reader, at in place.readers.items():
            if reader == vcpu or owner_of(reader) == vcpu:
                own[reader] = at
            else:
                after.append(at)
        if place.vcpu != vcpu:
            place.foreign = place.write
        place.write, place.vcpu, place.readers = step, vcpu, own


class _Buffers:
    """The order that the store buffers of each vCPU impose."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._entries = {drain: entry for entry, drain in drains_of(events).items()}
        self._drains: dict[str, dict[str, list[tuple[int, int]]]] = {}  # vCPU -> buffer -> entries and drains
        self._fences: dict[str, list[int]] = {}  # by vCPU

    def before(self, step: int, event: Event, vcpu: str) -> list[int]:
        """Return the steps that a step must follow because of its vCPU's store buffers, and record the step."""
        if event.actor != vcpu:
            return self._before_drain(step, event.actor, vcpu)
        if keeps_stores_apart(event.op):
            self._fences.setdefault(vcpu, []).append(step)
        if waits_for_drain(event.op):
            return [drained[-1][1] for drained in self._drains.get(vcpu, {}).values()]
        return []

    def _before_drain(self, step: int, buffer: str, vcpu: str) -> list[int]:
        entry = self._entries.get(step)
        if entry is None:
            return []
        drains = self._drains.setdefault(vcpu, {})
        fence = max((fence for fence in self._fences.get(vcpu, ()) if fence <= entry), default=-1)
        found = [entry]
        for other, drained in drains.items():
            if other != buffer:
                found += [drain for entered, drain in drained if entered < fence][-1:]
        drains.setdefault(buffer, []).append((entry, step))
        return found
