"""Following a recorded execution in a program that has changed: decisions by operations of vCPUs, not by steps.

The recorded execution is cut into segments, in each of which one actor runs. A segment ends before an operation of its
actor, which is identified by its kind, its location, and the number of earlier operations with both (see
`simaie.replaying.shrink.relative_schedule`). An access that was inserted or removed therefore moves no other switch.
"""

from __future__ import annotations

from collections.abc import Sequence

from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.replaying.file import ReplayFile, Step
from simaie.replaying.shrink.relative_schedule import FollowSegments, segments_of
from simaie.replaying.shrink.turns import choice_values
from simaie.replaying.trace_record import trace_of
from simaie.trace import Trace

__all__ = ["FollowThen", "difference", "follower_of"]


class FollowThen(Scheduler):
    """Follow the segments of `inner`, and ask `then` after the last of them.

    Args:
        inner: The scheduler that follows.
        then: The scheduler that goes on.
    """

    def __init__(self, inner: FollowSegments, then: Scheduler) -> None:
        self._inner, self._then = inner, then

    def start(self, info: ExecutionInfo) -> None:
        """Begin with the first segment."""
        self._inner.start(info)
        self._then.start(info)

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the choice of the segments, or after them of the other scheduler."""
        chosen = self._inner.choose(offer)
        return self._then.choose(offer) if self._inner.is_over else chosen

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the recorded value, or after the segments that of the other scheduler."""
        value = self._inner.choose_value(offer, arity)
        return self._then.choose_value(offer, arity) if self._inner.is_over else value

    def finish(self, trace: Trace) -> None:
        """Do nothing: `then` has not chosen the whole execution, and there is no next one for which it would learn."""


def follower_of(record: ReplayFile) -> FollowSegments | None:
    """Return a scheduler that follows a recorded execution by operations; None if the file has no sound trace.

    An execution graph is no sequence of switches, so that its decisions are only followed by their numbers.
    """
    if record.trace is None:
        return None
    try:
        trace = trace_of(record.trace, record.program.name, record.schedule)
    except ValueError:  # the record contradicts itself
        return None
    if trace.graph is not None:
        return None
    return FollowSegments(*segments_of(trace.events), choice_values(trace))


def difference(recorded: Sequence[Step], now: Sequence[Step]) -> str:
    """Return where an execution differs first from the recorded one, and how; empty if it does not."""
    for number, (expected, got) in enumerate(zip(recorded, now, strict=False)):
        if (expected.actor, expected.op) != (got.actor, got.op):
            return f"step {number}: expected {expected}, got {got}"
    if len(recorded) == len(now):
        return ""
    number = min(len(recorded), len(now))
    if len(now) > number:
        return f"step {number}: expected the end of the execution, got {now[number]}"
    return f"step {number}: expected {recorded[number]}, got the end of the execution"
