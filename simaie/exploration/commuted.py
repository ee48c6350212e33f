"""Orders of the steps of an execution that are equivalent to the order in which they ran.

If adjacent operations that do not conflict (see `simaie.dependence.conflict`) are swapped, every vCPU receives the same
results. It must then act in the same way, unless vCPUs share state without operations. A search up to commutation runs
one order of each class of equivalent executions. With such shared state it would miss what happens in the other orders.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from simaie.op import Kind, owner_of
from simaie.predecessors import predecessors
from simaie.trace import STUCK, Ending, Event, Trace

__all__ = ["orders"]

#: The longest trace, in events, that is reordered.
_MOST_EVENTS = 250
#: Kinds whose effect depends on more than `conflict` decides: reservations and store buffers.
_NOT_REORDERED = frozenset({Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL, Kind.CLEAR_RESERVATION, Kind.BUFFER})
_WHOLE = STUCK | {Ending.FINISHED}


def orders(trace: Trace) -> Iterator[list[str]]:
    """Yield at most two orders of the actors' steps that are equivalent to that of `trace` and differ from it.

    The first order runs the actors that began last as early as it can. The second changes the actor at every step if
    it can.
    """
    events = [event for event in trace.events if event.op.kind is not Kind.CHOICE]
    if trace.ending not in _WHOLE or len(events) > _MOST_EVENTS or trace.kinds & _NOT_REORDERED:
        return
    before = list(predecessors(events))
    tried = [[event.actor for event in events]]
    for alternating in (False, True):
        order = _ordered(events, before, alternating=alternating)
        if order not in tried:
            tried.append(order)
            yield order


def _ordered(events: Sequence[Event], before: Sequence[Sequence[int]], *, alternating: bool) -> list[str]:
    queues: dict[str, deque[int]] = {}
    for index, event in enumerate(events):
        queues.setdefault(owner_of(event.actor), deque()).append(index)
    preference = list(reversed(queues))
    done: set[int] = set()
    order: list[str] = []
    while len(order) < len(events):
        name = next(name for name in preference if queues[name] and done.issuperset(before[queues[name][0]]))
        done.add(queues[name].popleft())
        order.append(name)
        if alternating:
            preference.remove(name)
            preference.append(name)
    return order
