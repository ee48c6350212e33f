"""Which steps of an execution must stay in order: the direct predecessors of each, by the relation of `simaie.op`.

A step comes after the last conflicting accesses to the places that it touches, after the step before it of its own
vCPU, and, if it is its vCPU's first, after the SPAWN. A stop-the-world operation conflicts with everything. A drain
comes after the store entered the buffer, and before what waits for the buffer to be empty.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from simaie.op import Kind, Op, buffer_name, owner_of, waits_for_drain
from simaie.trace import Event, Trace

__all__ = ["Place", "causal_past", "places", "predecessors"]

Place = object
_WORLD = (Kind.BEGIN_EXCLUSIVE, Kind.END_EXCLUSIVE)
_THREADS = (Kind.SPAWN, Kind.JOIN, Kind.EXIT)


def places(op: Op) -> Iterator[Place]:
    """What an operation touches: a cell, aligned 8-byte blocks of RAM, the threads. Never finer than bytes."""
    if op.kind in _THREADS:
        yield "threads"
    for part in op.places:
        if part.cell is not None:
            yield part.cell
        elif part.width:
            yield from range(part.address >> 3, (part.address + part.width - 1 >> 3) + 1)


def predecessors(trace: Trace) -> list[set[int]]:
    """For each step, the steps that it must directly follow."""
    return list(_Sweep().over(trace.events))


def causal_past(before: list[set[int]], steps: Iterable[int]) -> set[int]:
    """`steps`, and all that has to come before any of them."""
    found: set[int] = set()
    pending = list(steps)
    while pending:
        step = pending.pop()
        if step not in found:
            found.add(step)
            pending.extend(before[step])
    return found


class _Sweep:
    def __init__(self) -> None:
        self._own: dict[str, int] = {}  # an actor's last step, or its SPAWN
        self._writes: dict[Place, int] = {}
        self._reads: dict[Place, set[int]] = {}  # since the last write
        self._world: int | None = None
        self._buffered: dict[str, deque[int]] = {}  # by buffer, the steps that filled it
        self._drained: dict[str, list[int]] = {}  # by vCPU, the drains so far

    def over(self, events: Iterable[Event]) -> Iterator[set[int]]:
        for step, event in enumerate(events):
            after = {self._own[event.actor]} if event.actor in self._own else set()
            if self._world is not None:
                after.add(self._world)
            if event.op.kind in _WORLD:
                after.update(self._own.values())
                self._world = step
            after.update(self._buffers(step, event))
            for place in places(event.op):
                after.update(self._at(place, step, event.wrote))
            self._own[event.actor] = step
            if event.op.kind is Kind.SPAWN and event.value is not None:
                self._own[event.value.name] = step
            yield after

    def _buffers(self, step: int, event: Event) -> Iterator[int]:
        owner = owner_of(event.actor)
        if event.op.kind is Kind.BUFFER:
            self._buffered.setdefault(buffer_name(owner, event.op.note), deque()).append(step)
        elif owner != event.actor:
            filled = self._buffered.get(event.actor)
            if filled:
                yield filled.popleft()
            self._drained.setdefault(owner, []).append(step)
        elif waits_for_drain(event.op):
            yield from self._drained.get(owner, ())

    def _at(self, place: Place, step: int, wrote: bool) -> Iterator[int]:
        if place in self._writes:
            yield self._writes[place]
        readers = self._reads.setdefault(place, set())
        if wrote:
            yield from sorted(readers)
            readers.clear()
            self._writes[place] = step
        else:
            readers.add(step)
