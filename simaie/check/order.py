"""One order of the steps of an execution for all executions that are equivalent to it.

Two executions are equivalent if swapping adjacent independent operations turns one into the other: then they have one
Mazurkiewicz trace, of which an exhaustive search runs only one execution. What a checker finds must not depend on which
one that is. A checker that judges by the order of dependent operations alone judges all of them alike; where it has a
choice of evidence (several races at one place, several cycles), it takes the first in the order that is made here.

Which steps are dependent is the matter of `simaie.predecessors`.
"""

from __future__ import annotations

from simaie.predecessors import predecessors
from simaie.trace import Trace

__all__ = ["canonical_places"]


def canonical_places(trace: Trace) -> list[int]:
    """The place of each step in an order that keeps dependent steps as they are, the same for equivalent traces.

    The actor with the first name goes on as far as it can, then the next, and so on, round after round.
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
