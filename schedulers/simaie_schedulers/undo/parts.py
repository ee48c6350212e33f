"""Parts of a search by undo, which other searches explore while this one goes on.

A part is a schedule that waits at a node of the path: everything that lies below it. Another search, on a state of its
own, goes to the node and explores the part. On the way it finds schedules for nodes nearer to the start, which it does
not explore but returns. When the turn of the part comes, this search takes the result in: it lets the schedules wait
at their nodes, and goes to where the other search stopped. So all executions keep their order, which is that of a
search that explores everything itself.

A part may be returned unfinished, and be continued by yet another search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from simaie_schedulers.undo.path import Decision, Path, Schedule

__all__ = ["Found", "Given", "Part", "Sizes", "kept_in", "together", "waiting_part"]


class Part(NamedTuple):
    """A part of a search: a path to a node, and where to go on from there.

    Attributes:
        prefix: The path to the node.
        schedule: The schedule that waits there; ignored if there is a `rest`.
        rest: The path from the node to where an earlier search of this part stopped, at the end of an execution.
        below: The number of schedules that earlier searches of this part have returned.
    """

    prefix: tuple[Decision, ...]
    schedule: Schedule
    rest: tuple[Decision, ...] = ()
    below: int = 0


class Found(NamedTuple):
    """The result of a search of a part.

    Attributes:
        below: The schedules for nodes of the prefix, in the order in which they were found.
        rest: The path from the node to the end of an execution that was not visited; empty if nothing is left.
        peak_kept: The largest number of schedules of the part that were kept at one time.
        peak_length: The length of the longest execution.
        executions: The number of executions visited; the other counts are as in
            `simaie_schedulers.undo.search.UndoSearch`.
        redundant: See there.
        reversals: See there.
        infeasible: See there.
    """

    below: tuple[Schedule, ...]
    rest: tuple[Decision, ...]
    peak_kept: int
    peak_length: int
    executions: int
    redundant: int
    reversals: int
    infeasible: int

    def following(self, part: Part) -> Part:
        """Return the rest of `part`, which this search has not explored."""
        return part._replace(rest=self.rest, below=part.below + len(self.below))


class Given(NamedTuple):
    """A schedule that was given away, in the list of those that wait; the caller has numbered it."""

    number: int
    schedule: Schedule


def together(found: Sequence[Found]) -> Found:
    """Return the result of several searches of one part, each of which continued the one before it."""
    last = found[-1]
    return Found(
        tuple([schedule for each in found for schedule in each.below]),
        last.rest,
        max(each.peak_kept for each in found),
        max(each.peak_length for each in found),
        sum(each.executions for each in found),
        sum(each.redundant for each in found),
        sum(each.reversals for each in found),
        sum(each.infeasible for each in found),
    )


class Sizes:
    """How many executions lie below a waiting schedule, estimated from those at the same depth that are explored."""

    def __init__(self) -> None:
        self._taken: dict[int, int] = {}  # by depth, the executions when a schedule was taken there last
        self._before: dict[int, int] = {}  # by depth, the executions between the last two

    def take(self, depth: int, executions: int) -> None:
        """Note that a schedule is taken after as many executions."""
        self._before[depth] = executions - self._taken.get(depth, 0)
        self._taken[depth] = executions

    def of(self, depth: int, executions: int) -> int:
        """Return the estimate after that many executions. Unfinished work counts at least its executions so far."""
        return max(self._before.get(depth, 0), executions - self._taken.get(depth, 0))


def waiting_part(path: Path, number: int, is_worth: Callable[[int], bool]) -> Part | None:
    """Return the waiting schedule whose turn comes first as a part, and mark it as given; None if there is none.

    Args:
        path: The path.
        number: The number of the part.
        is_worth: Whether schedules at a depth are worth giving away.
    """
    for depth in range(len(path) - 1, -1, -1):
        waiting = path.waiting[depth] or []
        for place in range(len(waiting) - 1, -1, -1):
            schedule = waiting[place]
            if not isinstance(schedule, Given):
                if not is_worth(depth):
                    break
                waiting[place] = Given(number, schedule)
                return Part(tuple([path.decision(step)._replace(waiting=[]) for step in range(depth)]), schedule)
    return None


def kept_in(decisions: Sequence[Decision]) -> int:
    """Return the number of schedules that wait at the nodes of a path."""
    return sum(len(decision.waiting) for decision in decisions)
