"""A canonical order of the steps of an execution, the same for all equivalent executions.

Two executions are equivalent if swapping adjacent independent operations turns one into the other: they have the same
Mazurkiewicz trace, of which an exhaustive search runs only one execution. The findings of a checker must not depend on
which one that is. A checker that judges only by the order of dependent operations judges all of them alike. If it has a
choice of evidence (several races at one place, several cycles), it takes the first in the canonical order.

Which steps are dependent is defined in `simaie.predecessors`.
"""

from __future__ import annotations

from simaie.predecessors import predecessors
from simaie.trace import Trace

__all__ = ["canonical_places"]


def canonical_places(trace: Trace) -> list[int]:
    """Return the place of each step in an order that preserves dependent steps and is the same for equivalent traces.

    The actor with the first name runs as long as it can, then the next, and so on, round after round.
    """
    before = list(predecessors(trace.events))
    queues: dict[str, list[int]] = {}
    for step, event in enumerate(trace.events):
        queues.setdefault(event.actor, []).append(step)
    waiting = [queue[::-1] for _, queue in sorted(queues.items())]
    places = [-1] * len(before)
    place = 0
    while waiting:
        for queue in waiting:
            while queue and all(places[earlier] >= 0 for earlier in before[queue[-1]]):
                places[queue.pop()] = place
                place += 1
        waiting = [queue for queue in waiting if queue]
    return places
