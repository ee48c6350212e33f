"""Schedules whose segments end before a certain operation of a vCPU, not after a number of steps.

The number of operations of an instruction depends on the schedule: the first vCPU makes a node of a tree, the next one
finds it there and takes fewer steps. If a segment is a number of steps, it ends in the wrong place as soon as an
instruction of another vCPU is left out. If a segment names the operation where it ends, it still ends in the right
place, and a vCPU that lost one segment catches up in its next.

An operation is identified by its kind, its location, and the number of earlier operations of its vCPU with both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from simaie.op import Kind, Op
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.replaying.shrink.turns import Choices
from simaie.trace import Event

__all__ = ["FollowSegments", "ProgramPoints", "Segment", "segments_of"]

_Mark: TypeAlias = tuple[Hashable, ...]
#: By actor: the 0-based position of each of its operations in the execution.
ProgramPoints: TypeAlias = dict[str, dict[_Mark, int]]


class Segment(NamedTuple):
    """`actor` runs until its next operation is number `until` of its program points, or a later one."""

    actor: str
    until: int


def segments_of(events: Iterable[Event]) -> tuple[list[Segment], ProgramPoints]:
    """Return the segments of `events` (all events of an execution, or some), and the program points of all actors."""
    points: ProgramPoints = {}
    counts: dict[str, Counter[_Mark]] = {}
    segments: list[Segment] = []
    for event in events:
        if event.op.kind is Kind.CHOICE:
            continue
        seen = counts.setdefault(event.actor, Counter())
        like = _like(event.op)
        mine = points.setdefault(event.actor, {})
        mine[*like, seen[like]] = len(mine)
        seen[like] += 1
        segment = Segment(event.actor, len(mine))
        if segments and segments[-1].actor == event.actor:
            segments[-1] = segment
        else:
            segments.append(segment)
    return segments, points


def _like(op: Op) -> _Mark:
    return op.kind, op.location


class FollowSegments(Scheduler):
    """Follow `segments` while they apply, then the default choice. A segment ends early if its actor is disabled."""

    def __init__(self, segments: Sequence[Segment], points: ProgramPoints, choices: Choices) -> None:
        self._segments, self._points, self._choices = segments, points, choices

    def start(self, info: ExecutionInfo) -> None:
        """Go back to the first segment."""
        self._position, self._asked = 0, 0
        self._done: dict[str, Counter[_Mark]] = {}

    @property
    def is_over(self) -> bool:
        """Whether no segment is left."""
        return self._position >= len(self._segments)

    def choose(self, offer: Offer) -> Candidate:
        """Return the actor of the first segment that has not ended yet; the default after the last."""
        chosen = self._next_in_segment(offer) or offer.default
        self._done.setdefault(chosen.name, Counter())[_like(chosen.op)] += 1
        return chosen

    def _next_in_segment(self, offer: Offer) -> Candidate | None:
        while self._position < len(self._segments):
            segment = self._segments[self._position]
            for candidate in offer.candidates:
                if candidate.name == segment.actor and not self._arrived(candidate, segment):
                    return candidate
            self._position += 1
        return None

    def _arrived(self, candidate: Candidate, segment: Segment) -> bool:
        like = _like(candidate.op)
        before = self._done.setdefault(candidate.name, Counter())[like]
        place = self._points.get(candidate.name, {}).get((*like, before))
        return place is not None and place >= segment.until

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the next recorded value if it is below `arity`; else 0."""
        number, self._asked = self._asked, self._asked + 1
        return self._choices[number] if number < len(self._choices) and self._choices[number] < arity else 0
