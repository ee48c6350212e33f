"""Races of operations that block, or that a stopped world keeps back: which pairs may be swapped.

JACM 64(4) section 7 treats locks; the rest is ours:

* an UNLOCK never swaps with the LOCK that waits for it; the two LOCKs do;
* an AWAIT may go before any earlier write, provided that it is enabled there;
* a JOIN never goes before the exit that it waits for;
* nobody but a device moves into a stopped world, only before the world was stopped; and the world is stopped only
  before the first operation of an instruction of another vCPU, or before any step of a device.

An operation that waits may have waited for several things at once, and be enabled only before all of them. So every
place is named before which it might have gone; whether it would have been enabled there is asked later, when it
can be told (`simaie_schedulers.dpor.partial_state`). To ask for too much does no harm, to ask for too little loses
executions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simaie.op import Kind, Op
from simaie.trace import Event

if TYPE_CHECKING:
    from simaie_schedulers.dpor.happens_before import HappensBefore

__all__ = ["bits", "stops", "swappable", "waited_for"]


def swappable(order: HappensBefore, event: Event, near: int, past: int) -> list[int]:
    """The events that `event`, of a kind that never waits, races with. near: those that it conflicts with, and which do
    not happen before it by its actor alone. past: those that do."""
    found = []
    while near:
        latest = near.bit_length() - 1
        near &= ~order.past[latest]
        other = order.events[latest]
        if other.op.kind is Kind.END_EXCLUSIVE and event.actor not in order.unstoppable:
            stop = _stop_of(order, latest)
            if not past >> stop & 1:
                found.append(stop)
        elif not _waits_for_exit(event.op, other):
            found.append(latest)
    return found


def waited_for(order: HappensBefore, actor: str, op: Op, place: int, past: int) -> list[int] | None:
    """Before which events an operation that waits might have gone, latest first; None of one that never waits."""
    kind = op.kind
    if kind is Kind.LOCK:
        found = [i for i in bits(order.conflicts(place, False) & ~past) if order.events[i].op.kind is Kind.LOCK]
        if not order.world:
            return found[:1]
    elif kind is Kind.AWAIT:
        found = bits(order.conflicts(place, False) & ~past & ~order.world)
    elif kind is Kind.BEGIN_EXCLUSIVE:
        found = _instruction_starts(order, actor, past)
    else:
        return None
    return found + stops(order, actor, past)


def stops(order: HappensBefore, actor: str, past: int) -> list[int]:
    """Where somebody else stopped the world, latest first."""
    foreign = order.world & ~past & ~order.actors.get(actor, 0)
    return [index for index in bits(foreign) if order.events[index].op.kind is Kind.BEGIN_EXCLUSIVE]


def _instruction_starts(order: HappensBefore, actor: str, past: int) -> list[int]:
    """The first steps of the instructions of other vCPUs, and all steps of devices: the world may be stopped before."""
    events, found = order.events, []
    drains = 0
    for mask in order.buffers.drains.values():
        drains |= mask
    for index in bits(((1 << len(order.past)) - 1) & ~past & ~order.actors.get(actor, 0) & ~drains):
        before = order.previous(index)
        while before >= 0 and events[before].op.kind is Kind.CHOICE:
            before = order.previous(before)
        instruction = events[index].instruction
        within = instruction is not None and before >= 0 and events[before].instruction is instruction
        within = within and events[index].actor not in order.unstoppable  # which never keeps the world from stopping
        if not within and events[index].op.kind not in (Kind.CHOICE, Kind.BEGIN_EXCLUSIVE):
            found.append(index)
    return found


def _stop_of(order: HappensBefore, end: int) -> int:
    """The event that stopped the world, of the one that lets it go on."""
    index = end
    while order.events[index].op.kind is not Kind.BEGIN_EXCLUSIVE:
        index = order.previous(index)
    return index


def _waits_for_exit(op: Op, other: Event) -> bool:
    """Whether `op` joins the thread whose exit `other` is."""
    return op.kind is Kind.JOIN and other.op.kind is Kind.EXIT and other.actor == op.value.name


def bits(mask: int) -> list[int]:
    """The events of a mask, the latest first."""
    found = []
    while mask:
        latest = mask.bit_length() - 1
        found.append(latest)
        mask ^= 1 << latest
    return found
