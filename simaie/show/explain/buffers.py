"""Stores that waited in a store buffer while later accesses of their own vCPU took effect."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator

from simaie.barrier import Barrier
from simaie.op import Kind, buffer_name, owner_of
from simaie.show.explain.around import NOTHING, Around
from simaie.show.explain.phrases import at, instruction_of
from simaie.show.words import event_words, is_drain
from simaie.trace import Event, Trace

__all__ = ["overtaken"]


def overtaken(trace: Trace, around: Around = NOTHING) -> Iterator[tuple[str, str]]:
    """For each store that a later load, or a later store, of its own vCPU has overtaken: what happened, and why."""
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
            for text, order in _told(trace, step, entered, loads.get(vcpu, []), drained.get(vcpu, [])):
                yield f"{text}.", _why(order, around)
            drained.setdefault(vcpu, []).append((step, entered))
        elif event.reads_ram:
            loads.setdefault(vcpu, []).append(step)


def _told(
    trace: Trace, step: int, entered: int, loads: list[int], drained: list[tuple[int, int]]
) -> Iterator[tuple[str, Barrier]]:
    event = trace.events[step]
    waited = (
        f"{instruction_of(event)} went into the store buffer first {at(entered)}, but took effect {at(step)} only after"
    )
    later = (load for load in loads[bisect_right(loads, entered) :] if not _overlap(trace.events[load], event))
    load = next(later, None)
    if load is not None:
        yield f"{waited} its own later {event_words(trace.events[load])} {at(load)}", Barrier.ST_LD
    ahead = next((other for other, since in reversed(drained) if other > entered and since > entered), None)
    if ahead is not None:
        yield (
            f"{waited} its own later {event_words(trace.events[ahead])} {at(ahead)}",
            Barrier.ST_ST,
        )


def _why(order: Barrier, around: Around) -> str:
    """Which barrier was missing there, and why the scheme emitted none."""
    text = "There is no barrier of the host in between"
    if around.order & order and around.barriers in ("none", "guest"):
        emits = "no barriers" if around.barriers == "none" else "barriers for the guest's own fences only"
        return (
            f"{text}: {around.isa} promises this order ({order.text}) without a fence, the host ({around.host}) does "
            f"not keep it, and the scheme emits {emits} (barriers={around.barriers})."
        )
    if around.barriers == "none":
        return f"{text}: the scheme emits none, not even for a fence of the guest's own (barriers=none)."
    if around.barriers == "guest":
        return f"{text}: the scheme emits one where the guest has a fence, which orders {order.text} nowhere there."
    return f"{text}."


def _overlap(a: Event, b: Event) -> bool:
    return a.op.address < b.op.address + b.op.width and b.op.address < a.op.address + a.op.width
