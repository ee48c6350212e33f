"""The pass that removes turns, in chunks from half of them down to single ones (delta debugging).

A. Zeller, R. Hildebrandt, "Simplifying and isolating failure-inducing input", TSE 28(2), 2002.

A vCPU runs the operations of a removed turn in its next turn, or later. Guarantee, if the budget suffices: none of the
remaining turns can be removed, and none can be merged into an endless turn before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from simaie.replaying.shrink.relative_schedule import segments_of
from simaie.replaying.shrink.state import ShrinkState
from simaie.replaying.shrink.turns import Turn, choice_values, turns_of

__all__ = ["drop_choices", "drop_turns"]

_FOR_EVER = 1 << 40  # more steps than any execution has


def drop_turns(state: ShrinkState) -> None:
    """Remove turns from the best execution."""
    _drop_tail(state)
    size = max(1, len(turns_of(state.best.trace)) // 2)
    while True:
        if not _drop_chunks(state, size) and size == 1:
            break
        size = max(1, min(size // 2, len(turns_of(state.best.trace)) // 2))
    _run_on(state)


def _drop_tail(state: ShrinkState) -> None:
    """Replace everything after some turn by the default, by bisection, because a prefix is usually enough."""
    low, high = 0, len(turns_of(state.best.trace))
    turns, choices = turns_of(state.best.trace), choice_values(state.best.trace)
    while low < high:
        middle = (low + high) // 2
        if state.try_turns(turns[:middle], choices):
            high = middle
        else:
            low = middle + 1


def _drop_chunks(state: ShrinkState, size: int) -> bool:
    """Try to remove each chunk once, from the end, and return whether a chunk was removed."""
    dropped = False
    position = len(turns_of(state.best.trace))
    while position > 0:
        turns = turns_of(state.best.trace)
        position = min(position, len(turns))
        start = max(0, position - size)
        if _try_without(state, turns, start, position):
            dropped = True
        position = start
    return dropped


def _try_without(state: ShrinkState, turns: Sequence[Turn], start: int, end: int) -> bool:
    """Try to remove turns: as segments, so that a vCPU catches up in its next one, and then as numbers of steps."""
    choices = choice_values(state.best.trace)
    segments, points = segments_of(state.best.trace.events)
    if state.try_segments([*segments[:start], *segments[end:]], points, choices):
        return True
    return state.try_turns([*turns[:start], *turns[end:]], choices)


def _run_on(state: ShrinkState) -> None:
    """Try to let each turn run for as long as its vCPU can."""
    position = 0
    while position < len(turns := turns_of(state.best.trace)):
        longer = Turn(turns[position].actor, _FOR_EVER)
        if not state.try_turns([*turns[:position], longer, *turns[position + 1 :]], choice_values(state.best.trace)):
            position += 1


def drop_choices(state: ShrinkState) -> None:
    """Set local choices to 0: all at once, then one by one."""
    if not any(choice_values(state.best.trace)) or state.try_turns(turns_of(state.best.trace), ()):
        return
    for number in range(len(choice_values(state.best.trace))):
        choices = choice_values(state.best.trace)
        if number < len(choices) and choices[number]:
            state.try_turns(turns_of(state.best.trace), (*choices[:number], 0, *choices[number + 1 :]))
