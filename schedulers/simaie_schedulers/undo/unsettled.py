"""Default steps that their schedule has disabled, while independent heads could still come before them.

Normally a default step is performed right after the schedule before it. Then no event can come between that would have
been the better head, the one of the lesser actor. But a wait for several places may be disabled by its head, and then
it stays open until an independent write to another of these places comes, maybe of a lesser actor. Such an execution
belongs to the class of that write, and is visited there. It is not visited here, only counted: its races lead to
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
    """Whether the execution at whose end the path is belongs to the class of the chain of an unsettled step.

    Args:
        path: The path.
        unsettled: The step.
    """
    order = path.order
    since = -2 << unsettled.chain[-1]
    performed = order.own.get(unsettled.actor, 0) & since
    if performed:
        since &= (performed & -performed) - 1
    writes = order.conflicts(unsettled.place, False) & ~order.world & since
    return all(comes_behind(path, unsettled.chain, order.actors[w], order.past[w]) for w in bits(writes))
