"""Default steps that their schedule has disabled, and the executions that belong to the class of another head.

Normally a default step is performed right after the schedule before it. Then no event can come in between that would
have been a better head, that is, one of a lesser actor. But the head may disable a wait for several places. The wait
then stays open until an independent write to another of these places comes, perhaps by a lesser actor. Such an
execution belongs to the class of that write, and is visited there. Here it is only counted: its races lead to
executions that are visited.

A wait for one place may have independent heads too: read-modify-writes of it that commute. A lock has none, and an
operation of another kind is never disabled.
"""

from __future__ import annotations

from simaie_schedulers.undo.order import bits
from simaie_schedulers.undo.path import Path, Unsettled
from simaie_schedulers.undo.races import comes_behind

__all__ = ["is_settled"]


def is_settled(path: Path, unsettled: Unsettled) -> bool:
    """Whether an execution belongs to the class of the chain of an unsettled step.

    Args:
        path: The path, at the end of the execution.
        unsettled: The step.
    """
    order = path.order
    since = -2 << unsettled.chain[-1]
    performed = order.own.get(unsettled.actor, 0) & since
    if performed:
        since &= (performed & -performed) - 1
    writes = order.conflicts(unsettled.place, False) & ~order.world & since
    return all(comes_behind(path, unsettled.chain, order.actors[w], order.past[w]) for w in bits(writes))
