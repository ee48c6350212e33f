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
        uncertain: Whether the searches so far may have met an uncertain operation. If they have met none, there is none
            in the prefix, the schedule and the rest.
    """

    prefix: tuple[Decision, ...]
    schedule: Schedule
    rest: tuple[Decision, ...] = ()
    below: int = 0
    uncertain: bool = True


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
        uncertain: Whether it may have met an uncertain operation.
    """

    below: tuple[Schedule, ...]
    rest: tuple[Decision, ...]
    peak_kept: int
    peak_length: int
    executions: int
    redundant: int
    reversals: int
    infeasible: int
    uncertain: bool

    def following(self, part: Part) -> Part:
        """Return the rest of `part`, which this search has not explored."""
        return part._replace(rest=self.rest, below=part.below + len(self.below), uncertain=self.uncertain)


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
        any(each.uncertain for each in found),
    )


class Sizes:
    """How many executions lie below a waiting schedule: as many as below the last one at its depth that is explored."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}  # by depth
        self._open: list[tuple[int, int]] = []  # depth and the executions before it, of schedules that are explored now

    def take(self, depth: int, executions: int) -> None:
        """Note that a schedule is taken after as many executions."""
        while self._open and self._open[-1][0] >= depth:
            explored, before = self._open.pop()
            self._known[explored] = executions - before
        self._open.append((depth, executions))

    def of(self, depth: int) -> int:
        """Return the estimate for a schedule; 0 as long as none at its depth is explored."""
        return self._known.get(depth, 0)


def waiting_part(path: Path, number: int, is_worth: Callable[[int], bool]) -> Part | None:
    """Return a waiting schedule as a part, and mark it as given; None if there is none.

    The schedule is one at the least depth, where the parts are the largest, and its turn comes first there.

    Args:
        path: The path.
        number: The number of the part.
        is_worth: Whether schedules at a depth are worth giving away.
    """
    for depth, waiting in enumerate(path.waiting[: len(path)]):
        if not waiting or not is_worth(depth):
            continue
        for place in range(len(waiting) - 1, -1, -1):
            schedule = waiting[place]
            if not isinstance(schedule, Given):
                waiting[place] = Given(number, schedule)
                return Part(tuple([path.decision(step)._replace(waiting=[]) for step in range(depth)]), schedule)
    return None


def kept_in(decisions: Sequence[Decision]) -> int:
    """Return the number of schedules that wait at the nodes of a path."""
    return sum(len(decision.waiting) for decision in decisions)
