"""What must be in a graph for an event to be what it is.

There are two closures, since a store that a load of the same vCPU reads by forwarding passes on its value, but no
order: by order and reads-from of other vCPUs, and from there by what decides place, value and being of each event.
"""

from __future__ import annotations

from simaie.host.graph.event import INITIAL, Event, members
from simaie.host.graph.graph import Graph
from simaie.host.graph.worlds import section_with

__all__ = ["prefix"]


def prefix(graph: Graph, event: int) -> tuple[int, int]:
    """Return the prefix of an event as masks: without, and with the whole of each atomic pair of which it has the read.

    Args:
        graph: The graph.
        event: The id of the event.
    """
    narrow = wide = _narrow(graph, event)
    while more := _writes_of_pairs(graph, wide):
        wide = _with_labels(graph, more, wide)
    return narrow, wide


def _narrow(graph: Graph, event: int) -> int:
    """Return the prefix of an event; what the graph knows of those before it is not worked out again."""
    closures = graph.closures
    ordered = narrow = new = 0
    left = 1 << event
    while left:
        number = left.bit_length() - 1  # the last one of a vCPU tells most
        known = closures.get(number)
        if known is None:
            ordered |= 1 << number
            new |= 1 << number
            left |= _before(graph, graph.events[number])
        else:
            ordered |= known[0]
            narrow |= known[1]
        left &= ~ordered
    narrow = _with_labels(graph, new, narrow)
    if not (graph.pieces or graph.stops):  # of several events that belong together, some may still be missing
        closures[event] = ordered, narrow
    return narrow


def _before(graph: Graph, event: Event) -> int:
    """Return what is directly before an event by local order, and by what another vCPU stored."""
    found = event.order & graph.mask
    if not event.writes and event.place is not None:
        for read in event.siblings or (event.id,):
            store = graph.source.get(read, INITIAL)
            if store != INITIAL and graph.events[store].vcpu != event.vcpu:
                found |= 1 << store
        if graph.model.depends_on_source and event.id in graph.source:
            found |= graph.model.by_source(graph, event) & graph.mask
    return found


def _with_labels(graph: Graph, events: int, found: int) -> int:
    """Return `found`, and `events` with all on which their places, values and being depend.

    Args:
        graph: The graph.
        events: Some events.
        found: Events of which all that they depend on is among them.
    """
    left = events & ~found
    while left:
        low = left & -left
        found |= low
        each = graph.events[low.bit_length() - 1]
        left |= each.label
        for sibling in each.siblings or ():
            left |= 1 << sibling & graph.mask
        if graph.stops:
            left |= section_with(graph, each)
        if each.place is not None:
            if each.pair >= 0:
                left |= 1 << each.base + each.pair
            if not each.writes:
                store = graph.source.get(each.id, INITIAL)
                if store != INITIAL:
                    left |= 1 << store
        left &= ~found
    return found


def _writes_of_pairs(graph: Graph, events: int) -> int:
    """Return the writes of atomic operations of which only the read is among `events`: they have no other place."""
    found = 0
    for number in members(events & graph.both & ~(events >> 1) & graph.mask >> 1):
        each, write = graph.events[number], graph.events[number + 1]
        if write.pair == each.index and write.place == each.place:
            found |= 1 << number + 1
    return found
