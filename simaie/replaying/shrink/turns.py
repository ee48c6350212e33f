"""A schedule as turns: vCPU 0 takes 4 steps, then vCPU 1 takes 2, ...; what is not said goes by the default.

Where a sparse schedule counts steps of the whole execution, a turn counts its own vCPU's. So a turn can be taken out,
moved or joined with another, and the others still mean what they meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from simaie.op import Kind
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.trace import Trace

__all__ = ["Choices", "InTurns", "Turn", "choices_of", "joined", "turns_of"]

#: The values of the local choices in the order in which they are asked; 0 after the end. A scheduler is not told whose
#: choice it is, so it cannot be kept by vCPU.
Choices: TypeAlias = tuple[int, ...]


class Turn(NamedTuple):
    """`actor` takes `steps` steps in a row, or as many of them as it can."""

    actor: str
    steps: int


def turns_of(trace: Trace) -> list[Turn]:
    """The turns of an execution. A local choice is no step: nobody can be scheduled there."""
    return joined(Turn(event.actor, 1) for event in trace.events if event.op.kind is not Kind.CHOICE)


def joined(turns: Iterable[Turn]) -> list[Turn]:
    """The same turns, with neighbours of one actor made one and empty ones left out."""
    found: list[Turn] = []
    for turn in turns:
        if turn.steps < 1:
            continue
        if found and found[-1].actor == turn.actor:
            found[-1] = Turn(turn.actor, found[-1].steps + turn.steps)
        else:
            found.append(turn)
    return found


def choices_of(trace: Trace) -> Choices:
    """How the local choices of an execution were resolved."""
    return tuple(event.value for event in trace.events if event.op.kind is Kind.CHOICE)


class InTurns(Scheduler):
    """Follows `turns` as far as they fit: a turn ends early if its actor cannot go on, and is passed over if it is not
    there at all. After the last one, the default."""

    def __init__(self, turns: Sequence[Turn], choices: Choices) -> None:
        self._turns, self._choices = turns, choices

    def start(self, info: ExecutionInfo) -> None:
        """Back to the first turn."""
        self._position, self._taken = 0, 0
        self._asked = 0

    def choose(self, offer: Offer) -> Candidate:
        """Who has the turn."""
        while self._position < len(self._turns):
            turn = self._turns[self._position]
            if self._taken < turn.steps:
                for candidate in offer.candidates:
                    if candidate.name == turn.actor:
                        self._taken += 1
                        return candidate
            self._position, self._taken = self._position + 1, 0
        return offer.default

    def choose_value(self, offer: Offer, arity: int) -> int:
        """The next value, if there is one and it can be chosen here."""
        number, self._asked = self._asked, self._asked + 1
        return self._choices[number] if number < len(self._choices) and self._choices[number] < arity else 0
