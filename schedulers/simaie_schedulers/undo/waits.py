"""Schedules with an uncertain head: the default step after it, performed first, may disable it or make it a read.

A lock, a wait for a value, a join or a stop of the world is not executed after the default step p if p disables it. So
its schedule is completed not by itself but by the last of the events D before it (or by p, if D is empty). D is known
from the path: it consists of what happens before the operation by its actor, and of the earlier events that conflict
with the operation but not with p. Accesses to the very place of p all conflict with p, but for read-modify-writes that
commute with p, and accesses of p's own vCPU, whose writes and drains come before or after p in every execution. So
these events exist only if the operation touches more places than p or stops the world, or if there
are such read-modify-writes.

A compare-and-swap or store-conditional that shares only some of its bytes with p may write before p and fail after it.
Accesses to its other bytes then belong to D or not, which its execution after p does not tell. So it is treated alike,
also where it is performed before D is complete.

An operation that stops the world conflicts with everything, and is enabled where every other vCPU is between two guest
instructions: each such set of events is a D of its own.

Whether the operation is enabled after D, or writes, is not computed: the search tries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from simaie.dependence import RELEASES, WRITES_IF_IT_SUCCEEDS
from simaie.locations import WORLD
from simaie.op import Kind
from simaie_schedulers.undo.order import bits
from simaie_schedulers.undo.path import Path, Schedule

__all__ = ["completed"]

_RELEASES = [kind in RELEASES for kind in Kind]
_STOP = Kind.BEGIN_EXCLUSIVE

#: The least admissible set of events that contains a given one; None if the path has none.
_Closure = Callable[[int], int | None]


class _Uncertain(NamedTuple):
    """An operation that others may disable, or change from a write to a read.

    before: Mask of what happens before it by its vCPU alone. siblings: Mask of its vCPU's other steps. may_write:
    Whether it may write. announced: Whether the last event of the path made it ready, but for what others do.
    performed: Its event; -1 if it is not performed yet.
    """

    actor: int
    place: int
    before: int
    siblings: int
    may_write: bool
    announced: bool
    performed: int


def completed(path: Path) -> list[Schedule]:
    """Return the schedules of uncertain operations that the last event of the path completes."""
    order, state, index = path.order, path.state, len(path) - 1
    found: list[Schedule] = []
    for actor in state.uncertain():
        preceding, siblings = state.buffered(actor) if state.has_buffers else (0, 0)
        before = order.past_of_next(actor, preceding)
        announced = before >> index & 1 == 1
        place = state.uncertain_place(actor)
        if place == WORLD:
            if announced or not order.choices >> index & 1:
                found += _stops(path, actor, before, announced)
        else:
            may_write = state.uncertain_writes(actor)
            _accesses(path, found, _Uncertain(actor, place, before, siblings, may_write, announced, -1))
    if state.mixed_sizes:
        _performed(path, found)
    return found


def _performed(path: Path, found: list[Schedule]) -> None:
    """Add the schedules of operations that were performed before the last event, and might come after it."""
    order, state, index = path.order, path.state, len(path) - 1
    for at in bits((1 << index) - 1 & ~order.past[index] & ~path.scheduled):
        step, actor = order.steps[at], order.actors[at]
        if step.kind in WRITES_IF_IT_SUCCEEDS:
            siblings = state.buffered(actor)[1] if state.has_buffers else 0
            _accesses(path, found, _Uncertain(actor, step.place, order.before[at], siblings, True, False, at))


def _accesses(path: Path, found: list[Schedule], uncertain: _Uncertain) -> None:
    """Add the schedules of an operation that is uncertain because of the value at its place."""
    order, index = path.order, len(path) - 1
    near = order.conflicts(uncertain.place, uncertain.may_write) & ~order.world & ~uncertain.siblings
    if not uncertain.announced and not near >> index & 1:
        return
    candidates = near & ~uncertain.before & ~path.scheduled
    if not uncertain.announced:
        candidates &= ~order.past[index] | 1 << index
    if uncertain.performed >= 0:
        candidates &= (1 << uncertain.performed) - 1
    place = uncertain.place
    several = path.state.mixed_sizes or len(path.state.overlaps[place]) > 1 or place in order.families
    for earlier in bits(candidates):
        if not _RELEASES[order.steps[earlier].kind]:
            _add(path, found, uncertain, earlier, near if several else 0)


def _add(path: Path, found: list[Schedule], uncertain: _Uncertain, earlier: int, near: int) -> None:
    """Add the schedules that put an uncertain operation before the step `earlier`.

    Args:
        path: The path.
        found: The list to extend.
        uncertain: The operation.
        earlier: Index of the default step.
        near: Mask of the events that may happen before the operation and not before the step.
    """
    order, index = path.order, len(path) - 1
    after = -2 << earlier
    least = uncertain.before & after
    if not uncertain.announced and earlier != index:
        least |= order.past[index] & after
    own = (1 << uncertain.performed) if uncertain.performed >= 0 else 0
    excluded = own | 1 << earlier
    independent = [event for event in bits(near & after & ~least) if not order.past[event] & excluded]
    for between in _unions(least, independent, lambda event: order.past[event] & after):
        if not path.heads & after & ~between:
            found.append(path.schedule(earlier, between, uncertain.actor))


def _stops(path: Path, actor: int, before: int, announced: bool) -> list[Schedule]:
    """Return the schedules of an operation that stops the world; `before` is what happens before it by its vCPU."""
    order, index = path.order, len(path) - 1
    if not announced:
        before |= order.past[index] & ~(1 << index)
    candidates = ((2 << index) - 1) & ~before & ~path.scheduled & ~order.choices & ~order.own.get(actor, 0)
    found = []
    for earlier in bits(candidates):
        if not _may_follow_a_stop(path, earlier):
            continue
        after = -2 << earlier
        heads = path.heads & after & ~order.choices
        least = before | 1 << index
        for head in bits(heads):
            least |= order.past[head]
        if earlier != index and least >> earlier & 1:
            continue

        def closed(event: int, earlier: int = earlier) -> int | None:
            return _to_boundaries(path, actor, earlier, order.past[event])

        start = _to_boundaries(path, actor, earlier, least)
        if start is None:
            continue
        rest = bits(((1 << len(path)) - 1) & after & ~start & ~order.choices)
        independent = [event for event in rest if not order.past[event] >> earlier & 1]
        for between in _unions(start, independent, closed):
            if not path.heads & after & ~between:
                found.append(path.schedule(earlier, between, actor))
    return found


def _may_follow_a_stop(path: Path, earlier: int) -> bool:
    """Whether the world might have been stopped right before the event `earlier`, as far as its own actor knows."""
    order = path.order
    prefix = (1 << earlier) - 1
    stops = order.world & prefix
    if stops and order.steps[stops.bit_length() - 1].kind is _STOP:
        return False
    if _RELEASES[order.steps[earlier].kind] and order.world >> earlier & 1:
        return False
    own = order.own[order.actors[earlier]] & prefix
    return not (own and order.steps[own.bit_length() - 1].inside)


def _to_boundaries(path: Path, stopper: int, earlier: int, mask: int) -> int | None:
    """Return the events of `mask` after `earlier`, and those that let the world be stopped after them.

    These bring every vCPU to the end of its instruction, and drain every store buffer.

    Returns:
        A mask; None if an instruction does not end, or ends only after the event `earlier`.
    """
    order = path.order
    prefix, after = (1 << earlier) - 1, -2 << earlier
    mask = mask & after
    while True:
        missing = _unfinished(path, stopper, mask | prefix)
        if missing is None:
            return mask
        rest = order.own.get(missing, 0) & ~(mask | prefix)
        following = (rest & -rest).bit_length() - 1
        if following < 0 or order.past[following] >> earlier & 1:
            return None
        mask |= order.past[following] & after


def _unfinished(path: Path, stopper: int, mask: int) -> int | None:
    """Return an actor that has to go on after the events of `mask` before the world can be stopped; None if none."""
    order = path.order
    for actor, own in order.own.items():
        done = own & mask
        if actor != stopper and done and order.steps[done.bit_length() - 1].inside:
            return actor
    if path.state.has_buffers:
        entered: dict[int, int] = {}
        for event in bits(mask):
            buffer = order.steps[event].buffer
            if buffer >= 0:
                entered[buffer] = entered.get(buffer, 0) + 1
        for buffer, count in entered.items():
            if count > (order.own.get(buffer, 0) & mask).bit_count():
                return buffer
    return None


def _unions(least: int, events: list[int], closed: _Closure) -> Iterator[int]:
    """Yield every set that consists of `least` and the closures of some of `events`, each set once.

    Args:
        least: Mask of the events that every set contains.
        events: Events that a set may contain.
        closed: Returns the least admissible set with an event.
    """
    stack = [(least, 0, 0)]
    while stack:
        chosen, excluded, position = stack.pop()
        while position < len(events):
            event = events[position]
            position += 1
            if chosen >> event & 1:
                continue
            closure = closed(event)
            if closure is not None and not closure & excluded:
                stack.append((chosen | closure, excluded, position))
            excluded |= 1 << event
        yield chosen
