"""Stores that waited in a store buffer while later accesses of their own vCPU took effect."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from simaie.barrier import Barrier
from simaie.check.evidence import owner
from simaie.dependence import overlap
from simaie.op import Kind, owner_of
from simaie.predecessors import drains_of
from simaie.show.explain.context import NOTHING, Context
from simaie.show.explain.phrases import at, instruction_of, stored_value
from simaie.show.format import format_event, format_value
from simaie.trace import Trace

__all__ = ["Overtaking", "overtaken"]


class Overtaking(NamedTuple):
    """A store that took effect after a later access of its own vCPU.

    Attributes:
        event: What happened, without a full stop.
        why: Which barrier was missing.
        effect: A sentence on the access of another vCPU that it misled; may be empty.
        steps: The steps of all this, in order.
    """

    event: str
    why: str
    effect: str
    steps: tuple[int, ...]


def overtaken(trace: Trace, around: Context = NOTHING) -> Iterator[Overtaking]:
    """Yield each store that a later load or a later store of its own vCPU overtook."""
    if Kind.BUFFER not in trace.kinds:
        return
    entries = {drain: entry for entry, drain in drains_of(trace.events).items()}
    loads: dict[str, list[int]] = {}
    drained: dict[str, list[tuple[int, int]]] = {}  # by vCPU: the steps at which each store took effect and entered
    for step, event in enumerate(trace.events):
        vcpu = owner_of(event.actor)
        entered = entries.get(step)
        if entered is not None:
            every = [
                _overtaking(trace, entered, step, ahead, _why(order, around))
                for ahead, order in _ahead(trace, step, entered, loads.get(vcpu, []), drained.get(vcpu, []))
            ]
            yield from [each for each in every if each.effect][:1] or every[:1]
            drained.setdefault(vcpu, []).append((step, entered))
        elif event.reads_ram:
            loads.setdefault(vcpu, []).append(step)


def _overtaking(trace: Trace, entered: int, step: int, ahead: int, why: str) -> Overtaking:
    event = (
        f"{instruction_of(trace.events[step])} went into the store buffer first {at(entered)}, but took effect "
        f"{at(step)} only after its own later {format_event(trace.events[ahead])} {at(ahead)}"
    )
    met = _met(trace, ahead, step)
    effect = "" if met is None else _effect(trace, met)
    return Overtaking(event, why, effect, (entered, ahead, *([] if met is None else [met]), step))


def _ahead(
    trace: Trace, step: int, entered: int, loads: list[int], drained: list[tuple[int, int]]
) -> Iterator[tuple[int, Barrier]]:
    """Yield what took effect before an earlier store of the same vCPU, the one that drains at `step`.

    These are the latest such store and the first such load, each with the order that would have prevented it.
    """
    store = next((other for other, since in reversed(drained) if other > entered and since > entered), None)
    if store is not None:
        yield store, Barrier.ST_ST
    late, since_then = trace.events[step], loads[bisect_right(loads, entered) :]
    load = next((load for load in since_then if not overlap(trace.events[load].op, late.op)), None)
    if load is not None:
        yield load, Barrier.ST_LD


def _met(trace: Trace, ahead: int, step: int) -> int | None:
    """Return the first access of another vCPU to the bytes of the drain `step`, between `ahead` and it; or None."""
    late = trace.events[step]
    for meanwhile in range(ahead + 1, step):
        event = trace.events[meanwhile]
        touches = (event.reads_ram or event.writes_ram) and overlap(event.op, late.op)
        if touches and owner(event) != owner(late):
            return meanwhile
    return None


def _effect(trace: Trace, met: int) -> str:
    event = trace.events[met]
    if event.reads_ram:
        read = f"{instruction_of(event)} read {format_value(event.value)} {at(met)}"
        return f" Meanwhile {read}, and did not see it."
    return f" Meanwhile {instruction_of(event)} wrote {stored_value(event)} {at(met)}, which the late store overwrote."


def _why(order: Barrier, around: Context) -> str:
    """Return which barrier was missing there, and why the scheme did not emit it."""
    text = "No host barrier orders the two"
    if around.order & order and around.barriers in ("none", "guest"):
        emits = "no barriers" if around.barriers == "none" else "barriers for the guest's own fences only"
        return (
            f"{text}: {around.isa} promises this order ({order.text}) without a fence, the host ({around.host}) does "
            f"not keep it, and the scheme emits {emits} (barriers={around.barriers})."
        )
    if around.barriers == "none":
        return f"{text}: the scheme emits no barrier, not even for a fence of the guest (barriers=none)."
    if around.barriers == "guest":
        kept = "a store before a later load" if order is Barrier.ST_LD else "a store before a later store"
        return (
            f"{text}: the scheme emits barriers for the guest's own fences only (barriers=guest), and the guest has "
            f"no fence there that keeps {kept} ({order.text})."
        )
    return f"{text}."
