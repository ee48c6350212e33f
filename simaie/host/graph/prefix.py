"""What must be in a graph for an event to be what it is.

There are two closures, since a store that a load of the same vCPU reads by forwarding passes on its value, but no
order: by order and reads-from of other vCPUs, and from there by what decides place, value and being of each event.
"""

from __future__ import annotations

from simaie.host.graph.event import INITIAL, members
from simaie.host.graph.graph import Graph

__all__ = ["prefix"]


def prefix(graph: Graph, event: int) -> tuple[int, int]:
    """Return the prefix of an event as masks: without, and with the whole of each atomic pair of which it has the read.

    Args:
        graph: The graph.
        event: The id of the event.
    """
    narrow = _labels(graph, _ordered(graph, event))
    wide = narrow
    while more := _writes_of_pairs(graph, wide):
        wide = _labels(graph, wide | more)
    return narrow, wide


def _ordered(graph: Graph, event: int) -> int:
    """Return what is before an event by local order and by what other vCPUs stored."""
    found, left, model = 0, 1 << event, graph.model
    while left:
        low = left & -left
        found |= low
        each = graph.events[low.bit_length() - 1]
        left |= each.order & graph.mask
        if not each.writes and each.place is not None:
            for read in each.siblings or (each.id,):
                store = graph.source.get(read, INITIAL)
                if store != INITIAL and graph.events[store].vcpu != each.vcpu:
                    left |= 1 << store
            if model.depends_on_source and each.id in graph.source:
                left |= model.by_source(graph, each) & graph.mask
        left &= ~found
    return found


def _labels(graph: Graph, events: int) -> int:
    """Return `events` with all on which their places, values and being depend."""
    found, left = 0, events
    while left:
        low = left & -left
        found |= low
        each = graph.events[low.bit_length() - 1]
        left |= each.label
        for sibling in each.siblings or ():
            left |= 1 << sibling & graph.mask
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
    for number in members(events & ~(events >> 1)):
        each = graph.events[number]
        if each.function is None or not graph.mask >> number + 1 & 1:
            continue
        write = graph.events[number + 1]
        if write.pair == each.index and write.place == each.place:
            found |= 1 << number + 1
    return found
