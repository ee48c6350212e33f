"""Schedules as lists of turns: vCPU 0 takes 4 steps, then vCPU 1 takes 2, and so on; after the last turn by default.

A sparse schedule counts the steps of the complete execution, while a turn counts those of its own actor. So a turn can
be removed, moved or merged, and the other turns keep their meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from simaie.op import Kind
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.trace import Trace

__all__ = ["Choices", "InTurns", "Turn", "choice_values", "joined", "turns_of"]

#: The values of the local choices in the order in which they are made; 0 after the end. A scheduler does not know which
#: vCPU makes a choice, so that the values cannot be ordered by vCPU.
Choices: TypeAlias = tuple[int, ...]


class Turn(NamedTuple):
    """A number of steps that an actor takes in a row, or fewer if it is disabled before."""

    actor: str
    steps: int


def turns_of(trace: Trace) -> list[Turn]:
    """Return the turns of an execution; a local choice is no step, because it is no scheduling point."""
    return joined(Turn(event.actor, 1) for event in trace.events if event.op.kind is not Kind.CHOICE)


def joined(turns: Iterable[Turn]) -> list[Turn]:
    """Return the same turns, with adjacent turns of one actor merged and empty turns left out."""
    found: list[Turn] = []
    for turn in turns:
        if turn.steps < 1:
            continue
        if found and found[-1].actor == turn.actor:
            found[-1] = Turn(turn.actor, found[-1].steps + turn.steps)
        else:
            found.append(turn)
    return found


def choice_values(trace: Trace) -> Choices:
    """Return the values of the local choices of an execution."""
    return tuple(event.value for event in trace.events if event.op.kind is Kind.CHOICE)


class InTurns(Scheduler):
    """A scheduler that follows `turns` while they apply, and then the default.

    A turn ends early if its actor is disabled, and is skipped if its actor does not exist.
    """

    def __init__(self, turns: Sequence[Turn], choices: Choices) -> None:
        self._turns, self._choices = turns, choices

    def start(self, info: ExecutionInfo) -> None:
        """Go back to the first turn."""
        self._position, self._taken = 0, 0
        self._asked = 0

    def choose(self, offer: Offer) -> Candidate:
        """Return the actor of the current turn; the default after the last one."""
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
        """Return the next recorded value if it is below `arity`; else 0."""
        number, self._asked = self._asked, self._asked + 1
        return self._choices[number] if number < len(self._choices) and self._choices[number] < arity else 0
