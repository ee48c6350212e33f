"""Whether the order of a graph has a cycle: then the memory model does not allow the graph."""

from __future__ import annotations

from simaie.host.graph.graph import Graph
from simaie.host.graph.order import all_predecessors, predecessors
from simaie.host.graph.worlds import ancestors, lifted

__all__ = ["allows_whole", "cyclic", "has_cycle"]


def cyclic(graph: Graph, event: int) -> bool:
    """Whether an event is ordered before itself."""
    if graph.pieces or graph.stops:
        return has_cycle(graph)
    events, seen = graph.events, 0
    left = predecessors(graph, events[event])
    while left:
        if left >> event & 1:
            return True
        number = left.bit_length() - 1
        seen |= 1 << number
        left |= predecessors(graph, events[number])
        left &= ~seen
    return False


def has_cycle(graph: Graph) -> bool:
    """Whether any event is ordered before itself."""
    if graph.stops:
        return lifted(graph) is None
    return ancestors(all_predecessors(graph), graph.mask) is None


def allows_whole(graph: Graph) -> bool:
    """Whether the model allows a graph with what is ordered only behind compare-and-swaps that wrote.

    As long as the graph grows, that does not count: a graph in which such a compare-and-swap fails grows out of one in
    which it writes, and may be allowed where that is not. In an allowed graph it counts from now on.
    """
    graph.whole = any(event.unsure & graph.mask for event in graph.events.values())
    if graph.whole and has_cycle(graph):
        graph.whole = False
        return False
    return True
