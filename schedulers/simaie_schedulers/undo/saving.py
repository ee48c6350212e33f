"""The path of a search as plain values, from which another search goes on, perhaps in another process.

The values are lists, numbers and truth values, so that they can be stored as JSON or MessagePack. Reading them runs no
code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simaie.errors import UsageError
from simaie_schedulers.undo.path import Decision, Schedule, Unsettled

__all__ = ["decisions_of", "values_of"]


def values_of(decisions: Sequence[Decision]) -> list[Any]:
    """Return decisions as lists, for `decisions_of`; the schedules that wait there must not be given away."""
    return [[*decision[:4], list(decision.chain), [_saved(each) for each in decision.waiting],
             None if decision.unsettled is None else list(decision.unsettled)] for decision in decisions]  # fmt: skip


def _saved(schedule: Schedule) -> list[Any]:
    moves = [list(move) for move in schedule.moves]
    return [schedule.at, schedule.actor, moves, list(schedule.chain), schedule.may_flip, schedule.before_read]


def decisions_of(values: Any) -> list[Decision]:
    """Return the decisions that `values_of` wrote.

    Raises:
        UsageError: The values have another form.
    """
    try:
        return [_decision(each) for each in values]
    except (TypeError, ValueError) as error:
        raise UsageError(f"not the state of a search: {error}") from error


def _decision(values: Any) -> Decision:
    actor, choice, scheduled, head, chain, waiting, unsettled = values
    return Decision(
        int(actor), int(choice), bool(scheduled), bool(head), _numbers(chain), [_schedule(each) for each in waiting],
        None if unsettled is None else _unsettled(unsettled),
    )  # fmt: skip


def _schedule(values: Any) -> Schedule:
    at, actor, moves, chain, may_flip, before_read = values
    steps = tuple([(int(mover), int(choice)) for mover, choice in moves])
    return Schedule(int(at), int(actor), steps, _numbers(chain), bool(may_flip), bool(before_read))


def _unsettled(values: Any) -> Unsettled:
    actor, place, chain = values
    return Unsettled(int(actor), int(place), _numbers(chain))


def _numbers(values: Any) -> tuple[int, ...]:
    return tuple([int(each) for each in values])
