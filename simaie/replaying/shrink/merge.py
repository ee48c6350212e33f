"""The passes that merge two turns of one vCPU, and that shift the border between two turns.

Guarantee, if the budget suffices: no turn can be moved next to the next turn of the same vCPU, and no border between
two turns can be moved by up to `FURTHEST` steps, such as to the start or the end of the guest instruction that it
divides.
"""

from __future__ import annotations

from simaie.replaying.shrink.state import ShrinkState
from simaie.replaying.shrink.turns import Turn, choice_values, turns_of

__all__ = ["merge_turns", "shift_borders"]

#: The largest distance by which a border is moved, in steps.
FURTHEST = 8


def merge_turns(state: ShrinkState) -> None:
    """Merge turns of one vCPU by moving the later one forward or the earlier one back."""
    position = 0
    while position < len(turns := turns_of(state.best.trace)):
        later = next((i for i in range(position + 1, len(turns)) if turns[i].actor == turns[position].actor), None)
        if later is None or not _together(state, turns, position, later):
            position += 1


def _together(state: ShrinkState, turns: list[Turn], first: int, second: int) -> bool:
    between, choices = turns[first + 1 : second], choice_values(state.best.trace)
    pulled = [*turns[: first + 1], turns[second], *between, *turns[second + 1 :]]
    pushed = [*turns[:first], *between, turns[first], *turns[second:]]
    return state.try_turns(pulled, choices) or state.try_turns(pushed, choices)


def shift_borders(state: ShrinkState) -> None:
    """Move the borders between turns, so that a vCPU does more in one turn and less in its next one, or vice versa."""
    for position in range(len(turns_of(state.best.trace))):
        for by in (*range(1, FURTHEST + 1), *range(-1, -FURTHEST - 1, -1)):
            turns = turns_of(state.best.trace)
            if position >= len(turns):
                return
            longer = Turn(turns[position].actor, turns[position].steps + by)
            if longer.steps > 0:
                rest = turns[position + 1 :]
                state.try_turns([*turns[:position], longer, *rest], choice_values(state.best.trace))
