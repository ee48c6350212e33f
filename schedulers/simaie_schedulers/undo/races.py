"""The schedules that an event completes: what it may come before, and on which path that is found.

`simaie_schedulers.undo` says why each is found on one path only.
"""

from __future__ import annotations

from simaie.dependence import WRITES_IF_IT_SUCCEEDS
from simaie.op import BLOCKING, Kind
from simaie_schedulers.undo.flips import is_first
from simaie_schedulers.undo.path import Path, Schedule
from simaie_schedulers.undo.waits import completed

__all__ = ["alternatives", "comes_behind", "is_canonical", "reversals", "schedules"]

_MAY_WAIT = [kind in BLOCKING for kind in Kind]
_MAY_FAIL = [kind in WRITES_IF_IT_SUCCEEDS for kind in Kind]
_NEVER_WRITES = [kind is Kind.LOAD for kind in Kind]


def schedules(path: Path, immediate: int, any_uncertain: bool) -> list[Schedule]:
    """Return the schedules that the last event of the path completes; it is a default step or a head.

    Args:
        path: The path.
        immediate: Mask of the immediate predecessors of the event.
        any_uncertain: Whether an operation may have been uncertain.
    """
    kind = path.order.steps[len(path) - 1].kind
    certain = not (_MAY_WAIT[kind] or (path.state.mixed_sizes and _MAY_FAIL[kind]))
    found = reversals(path, immediate) if immediate and certain else []
    if any_uncertain:
        found += completed(path)
    return found


def reversals(path: Path, immediate: int) -> list[Schedule]:
    """Return the schedules that put the last event of the path, which is certain, before its immediate predecessors.

    Args:
        path: The path.
        immediate: Mask of the immediate predecessors.
    """
    found: list[Schedule] = []
    order = path.order
    immediate &= ~(path.scheduled | order.world)
    if not immediate:
        return found
    index = order.length - 1
    past, actor = order.past[index], order.actors[index]
    outside = path.heads & ~past
    if outside:
        immediate &= -1 << outside.bit_length()
    never_writes = _NEVER_WRITES[order.steps[index].kind]
    while immediate:
        earlier = immediate.bit_length() - 1
        immediate ^= 1 << earlier
        between = past & (-2 << earlier) & ~(1 << index)
        schedule = path.schedule(earlier, between, actor)
        decided = schedule.chain and never_writes and not schedule.may_flip
        if not decided or _comes_last(path, earlier, between, index):
            found.append(schedule)
    return found


def alternatives(path: Path) -> list[Schedule]:
    """Return the schedules that stand for the other values of the local choice that is the last event of the path."""
    index = len(path) - 1
    actor, arity = path.order.actors[index], path.order.steps[index].arity
    return [Schedule(index, -1, ((actor, value),), (), False, False) for value in range(1, arity)]


def is_canonical(path: Path, schedule: Schedule) -> bool:
    """Whether the last event of the path, the head of `schedule`, belongs behind the heads that are there already.

    Independent heads are ordered by their actors.
    """
    order = path.order
    last = order.length - 1
    if path.state.mixed_sizes and _MAY_FAIL[order.steps[last].kind] and not _is_as_planned(path, schedule):
        return False
    if schedule.may_flip:
        return is_first(path, schedule)
    return not schedule.chain or comes_behind(path, schedule.chain, order.actors[last], order.past[last])


def _is_as_planned(path: Path, schedule: Schedule) -> bool:
    """Whether the head conflicts with the default step, and all other steps of the schedule happen before the head."""
    order, index = path.order, len(path) - 1
    between = (2 << index) - (1 << schedule.at)
    return not between & ~order.past[index] and (order.steps[index].wrote or not schedule.before_read)


def _comes_last(path: Path, earlier: int, between: int, index: int) -> bool:
    """Whether a load, as the head of a schedule before event `earlier`, belongs behind the heads that are there."""
    order, chain = path.order, path.chains[earlier]
    past = order.before[index]
    between |= order.conflicts(order.steps[index].place, False) & (1 << earlier) - (1 << chain[0])
    while between:
        low = between & -between
        between ^= low
        past |= order.past[low.bit_length() - 1]
    return comes_behind(path, chain, order.actors[index], past)


def comes_behind(path: Path, chain: tuple[int, ...], actor: int, past: int) -> bool:
    """Whether an operation of `actor` belongs behind the heads of `chain`; `past` is what happens before it."""
    actors = path.order.actors
    for head in reversed(chain):
        if past >> head & 1:
            return True
        if actors[head] > actor:
            return False
    return True
