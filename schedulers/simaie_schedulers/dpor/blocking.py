"""Races of operations that block, or that a stopped world delays: which pairs may be swapped.

Locks are treated as in JACM 64(4) section 7; the other rules are this project's:

* an UNLOCK never swaps with the LOCK that waits for it; the two LOCKs swap;
* an AWAIT may move before any earlier write, provided that it is enabled there;
* a JOIN never moves before the exit that it waits for;
* in a stopped world only devices run, so any other operation can only move before the stop; a stop only moves before
  the first operation of an instruction of another vCPU, or before any step of a device;
* an indivisible section begins anywhere: BEGIN_SECTION never waits, and no operation moves into a section.

A waiting operation may have waited for several things at once, and may be enabled only before all of them. Therefore
every event before which it might have run is returned. Whether it would have been enabled there is determined later
(`simaie_schedulers.dpor.partial_state`). Returning too many events is harmless; returning too few loses executions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simaie.dependence import STOPS
from simaie.op import Kind, Op
from simaie.trace import Event

if TYPE_CHECKING:
    from simaie_schedulers.dpor.happens_before import HappensBefore

__all__ = ["bits", "stops", "swappable", "waited_for"]


def swappable(order: HappensBefore, event: Event, near: int, past: int) -> list[int]:
    """Return the events with which `event`, of a kind that never waits, races.

    Args:
        order: Happens-before relation of the execution.
        event: The later event.
        near: Mask of the events that it conflicts with, without those that happen before it by its actor alone.
        past: Mask of the events that happen before it by its actor alone.
    """
    found = []
    while near:
        latest = near.bit_length() - 1
        near &= ~order.past[latest]
        other = order.events[latest]
        if delays(other.op.kind, event.op.kind, event.actor in order.unstoppable):
            stop = _stop_of(order, latest)
            if not past >> stop & 1:
                found.append(stop)
        elif not _waits_for_exit(event.op, other):
            found.append(latest)
    return found


def waited_for(order: HappensBefore, actor: str, op: Op, place: int, past: int) -> list[int] | None:
    """Return the events before which a waiting operation might have run, latest first.

    Args:
        order: Happens-before relation of the execution.
        actor: Name of the actor that waits.
        op: The operation.
        place: Number of its place.
        past: Mask of the events that happen before it.

    Returns:
        Indices of events; None if the operation never waits.
    """
    kind = op.kind
    if kind is Kind.LOCK:
        found = [i for i in bits(order.conflicts(place, False) & ~past) if order.events[i].op.kind is Kind.LOCK]
        if not order.world:
            return found[:1]
    elif kind is Kind.AWAIT:
        stopped = 0 if actor in order.unstoppable else order.world  # a device goes on in a stopped world
        found = bits(order.conflicts(place, False) & ~past & ~stopped)
    elif kind is Kind.BEGIN_EXCLUSIVE:
        found = _instruction_starts(order, actor, past)
    else:
        return None
    return found + stops(order, actor, past)


def stops(order: HappensBefore, actor: str, past: int) -> list[int]:
    """Return the events at which other actors stopped the world, latest first.

    Args:
        order: Happens-before relation of the execution.
        actor: Name of the actor.
        past: Mask of the events to exclude.
    """
    foreign = order.world & ~past & ~order.actors.get(actor, 0)
    return [index for index in bits(foreign) if order.events[index].op.kind in STOPS]


def _instruction_starts(order: HappensBefore, actor: str, past: int) -> list[int]:
    """Return the events before which the world may be stopped.

    These are the first steps of the instructions of other vCPUs, and all steps of devices.
    """
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
        within = within and events[index].actor not in order.unstoppable  # a device never delays a stop
        if not within and events[index].op.kind not in (Kind.CHOICE, Kind.BEGIN_EXCLUSIVE):
            found.append(index)
    return found


def delays(end: Kind, kind: Kind, is_device: bool) -> bool:
    """Whether an operation of kind `kind` has to wait for one of kind `end`.

    A device goes on in a stopped world, but it does not stop the world again, and it does nothing in a section.
    """
    return end is Kind.END_SECTION or (end is Kind.END_EXCLUSIVE and (kind in STOPS or not is_device))


def _stop_of(order: HappensBefore, end: int) -> int:
    """Return the event that stopped the world, for the event `end` that resumed it."""
    index = end
    while order.events[index].op.kind not in STOPS:
        index = order.previous(index)
    return index


def _waits_for_exit(op: Op, other: Event) -> bool:
    """Whether `op` joins the thread whose exit is `other`."""
    return op.kind is Kind.JOIN and other.op.kind is Kind.EXIT and other.actor == op.value.name


def bits(mask: int) -> list[int]:
    """Return the indices of the events in a mask, latest first."""
    found = []
    while mask:
        latest = mask.bit_length() - 1
        found.append(latest)
        mask ^= 1 << latest
    return found
