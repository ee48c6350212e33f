"""Whether the order of a graph has a cycle: then the memory model does not allow the graph."""

from __future__ import annotations

from simaie.host.graph.graph import Graph
from simaie.host.graph.order import all_predecessors, predecessors
from simaie.host.graph.worlds import ancestors, lifted

__all__ = ["cyclic", "has_cycle"]


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
