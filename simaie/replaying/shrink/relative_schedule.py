"""A schedule by landmarks: each turn ends before a certain operation of its vCPU, instead of after so many steps.

What a vCPU does on its way depends on what others did before it: who comes first makes the node of a tree, who comes
later finds it, and takes fewer steps. A turn told by its number of steps then ends in the wrong place once another
vCPU's instruction has been left out; one told by where it ends does not. And a vCPU that lost a turn makes up for it in
its next.

An operation is told by its kind, its place, and how often its vCPU has done the like before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from simaie.op import Kind, Op
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.replaying.shrink.turns import Choices
from simaie.trace import Event

__all__ = ["FollowSegments", "Segment", "Way", "legs_of"]

_Mark: TypeAlias = tuple[Hashable, ...]
#: By actor: the place of each of its operations on its way.
Way: TypeAlias = dict[str, dict[_Mark, int]]


class Segment(NamedTuple):
    """`actor` goes on until its next operation is number `until` on its way, or one behind that."""

    actor: str
    until: int


def legs_of(events: Iterable[Event]) -> tuple[list[Segment], Way]:
    """The turns of `events`, which are those of an execution or some of them, and everybody's way through them."""
    way: Way = {}
    counts: dict[str, Counter[_Mark]] = {}
    legs: list[Segment] = []
    for event in events:
        if event.op.kind is Kind.CHOICE:
            continue
        seen = counts.setdefault(event.actor, Counter())
        like = _like(event.op)
        mine = way.setdefault(event.actor, {})
        mine[*like, seen[like]] = len(mine)
        seen[like] += 1
        leg = Segment(event.actor, len(mine))
        if legs and legs[-1].actor == event.actor:
            legs[-1] = leg
        else:
            legs.append(leg)
    return legs, way


def _like(op: Op) -> _Mark:
    return op.kind, op.location


class FollowSegments(Scheduler):
    """Goes `legs` along `way` as far as they fit: one ends early if its actor cannot go on. Then the default."""

    def __init__(self, legs: Sequence[Segment], way: Way, choices: Choices) -> None:
        self._legs, self._way, self._choices = legs, way, choices

    def start(self, info: ExecutionInfo) -> None:
        """Back to the first leg."""
        self._position, self._asked = 0, 0
        self._done: dict[str, Counter[_Mark]] = {}

    def choose(self, offer: Offer) -> Candidate:
        """Who has not yet come to the end of his leg."""
        chosen = self._on_leg(offer) or offer.default
        self._done.setdefault(chosen.name, Counter())[_like(chosen.op)] += 1
        return chosen

    def _on_leg(self, offer: Offer) -> Candidate | None:
        while self._position < len(self._legs):
            leg = self._legs[self._position]
            for candidate in offer.candidates:
                if candidate.name == leg.actor and not self._arrived(candidate, leg):
                    return candidate
            self._position += 1
        return None

    def _arrived(self, candidate: Candidate, leg: Segment) -> bool:
        like = _like(candidate.op)
        before = self._done.setdefault(candidate.name, Counter())[like]
        place = self._way.get(candidate.name, {}).get((*like, before))
        return place is not None and place >= leg.until

    def choose_value(self, offer: Offer, arity: int) -> int:
        """The next value, if there is one and it can be chosen here."""
        number, self._asked = self._asked, self._asked + 1
        return self._choices[number] if number < len(self._choices) and self._choices[number] < arity else 0
