"""Schedules whose head is an operation that waits: it may be disabled after the step that it is to come before.

A lock, a wait for a value, a join or a stop of the world is not executed after the default step p if p disables it. So
its schedule is completed not by itself but by the last of the events D before it (or by p, if D is empty). D is known
from the path: it consists of what happens before the operation by its actor, and of the earlier events that conflict
with the operation but not with p. Accesses to the very place of p all conflict with p, so these events exist only if
the operation touches more places than p, or stops the world.

An operation that stops the world conflicts with everything, and is enabled where every other vCPU is between two guest
instructions: each such set of events is a D of its own.

Whether the operation is enabled after D is not computed: the search tries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from simaie.dependence import RELEASES
from simaie.op import Kind
from simaie_schedulers.dpor.locations import WORLD
from simaie_schedulers.undo.order import bits
from simaie_schedulers.undo.path import Path, Schedule

__all__ = ["completed"]

_RELEASES = [kind in RELEASES for kind in Kind]
_STOP = Kind.BEGIN_EXCLUSIVE

#: The least admissible set of events that contains a given one; None if the path has none.
_Closure = Callable[[int], int | None]


def completed(path: Path) -> list[Schedule]:
    """Return the schedules of waiting operations that the last event of the path completes."""
    order, index = path.order, len(path) - 1
    event = order.steps[index]
    found: list[Schedule] = []
    for actor in path.state.waiters():
        announced = actor in (order.actors[index], event.child)
        place = path.state.waiting_place(actor)
        if place == WORLD:
            if announced or not order.choices >> index & 1:
                found += _stops(path, actor, announced)
        else:
            found += _accesses(path, actor, place, announced)
    return found


def _accesses(path: Path, actor: int, place: int, announced: bool) -> list[Schedule]:
    """Return the schedules of a lock, a join or a wait for a value."""
    order, index = path.order, len(path) - 1
    writes = order.conflicts(place, False) & ~order.world
    if not announced and not writes >> index & 1:
        return []
    before = order.past_of_next(actor)
    candidates = writes & ~before & ~path.scheduled
    if not announced:
        candidates &= ~order.past[index] | 1 << index
    several = len(path.state.overlaps[place]) > 1
    found = []
    while candidates:
        earlier = candidates.bit_length() - 1
        candidates ^= 1 << earlier
        if _RELEASES[order.steps[earlier].kind]:
            continue
        after = -2 << earlier
        least = before & after
        if not announced and earlier != index:
            least |= order.past[index] & after
        independent = [w for w in bits(writes & after & ~least) if not order.past[w] >> earlier & 1] if several else []
        for between in _unions(least, independent, lambda event, after=after: order.past[event] & after):  # type: ignore[misc]
            if not path.heads & after & ~between:
                found.append(path.schedule(earlier, between, actor))
    return found


def _stops(path: Path, actor: int, announced: bool) -> list[Schedule]:
    """Return the schedules of an operation that stops the world."""
    order, index = path.order, len(path) - 1
    before = order.past_of_next(actor)
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
    """Return the events of `mask` after `earlier`, and those that bring every vCPU to the end of its instruction.

    Returns:
        A mask; None if an instruction does not end, or ends only after the event `earlier`.
    """
    order = path.order
    prefix, after = (1 << earlier) - 1, -2 << earlier
    mask = mask & after
    ended = False
    while not ended:
        ended = True
        for actor, own in order.own.items():
            done = own & (mask | prefix)
            if actor == stopper or not done or not order.steps[done.bit_length() - 1].inside:
                continue
            rest = own >> done.bit_length() << done.bit_length()
            following = (rest & -rest).bit_length() - 1
            if following < 0 or order.past[following] >> earlier & 1:
                return None
            mask |= order.past[following] & after
            ended = False
    return mask


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
