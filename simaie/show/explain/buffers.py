"""Stores that waited in a store buffer while later accesses of their own vCPU took effect."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator

from simaie.op import Kind, buffer_name, owner_of
from simaie.show.explain.phrases import at, instruction_of, said
from simaie.show.words import is_drain
from simaie.trace import Event, Trace

__all__ = ["overtaken"]


def overtaken(trace: Trace) -> Iterator[str]:
    """A sentence for each store that a later load, or a later store, of its own vCPU has overtaken."""
    if Kind.BUFFER not in trace.kinds:
        return
    waiting: dict[str, deque[int]] = {}
    loads: dict[str, list[int]] = {}
    drained: dict[str, list[tuple[int, int]]] = {}  # by vCPU: when it took effect, and when it entered
    for step, event in enumerate(trace.events):
        vcpu = owner_of(event.actor)
        if event.op.kind is Kind.BUFFER:
            waiting.setdefault(buffer_name(vcpu, event.op.note), deque()).append(step)
        elif is_drain(event) and waiting.get(event.actor):
            entered = waiting[event.actor].popleft()
            yield from _told(trace, step, entered, loads.get(vcpu, []), drained.get(vcpu, []))
            drained.setdefault(vcpu, []).append((step, entered))
        elif event.reads_ram:
            loads.setdefault(vcpu, []).append(step)


def _told(
    trace: Trace, step: int, entered: int, loads: list[int], drained: list[tuple[int, int]]
) -> Iterator[str]:
    event = trace.events[step]
    waited = f"{instruction_of(event)} waited in the store buffer {at(entered)} and took effect {at(step)} only after"
    later = (load for load in loads[bisect_right(loads, entered) :] if not _overlap(trace.events[load], event))
    load = next(later, None)
    if load is not None:
        yield f"{waited} {said(trace, load)}: no barrier of the host between the two."
    ahead = next((other for other, since in reversed(drained) if other > entered and since > entered), None)
    if ahead is not None:
        yield (
            f"{waited} {instruction_of(trace.events[ahead])}, which comes later in the program {at(ahead)}: no "
            "barrier of the host between the two."
        )


def _overlap(a: Event, b: Event) -> bool:
    return a.op.address < b.op.address + b.op.width and b.op.address < a.op.address + a.op.width
