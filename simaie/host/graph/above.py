"""What is ordered before events of a graph, directly or not; the graph keeps it as long as it stays the same."""

from __future__ import annotations

from simaie.host.graph.graph import Graph
from simaie.host.graph.order import predecessors

__all__ = ["all_before", "can_keep"]


def can_keep(graph: Graph) -> bool:
    """Whether `all_before` may be asked: each order is among the predecessors of one event, and depends on it alone."""
    model = graph.model
    return not (graph.pieces or graph.stops or model.one_operation or model.depends_on_source)


def all_before(graph: Graph, events: int) -> int:
    """Return some events of a graph without cycles and all that are ordered before them, as a mask.

    Args:
        graph: The graph, of which `can_keep` holds.
        events: The events, as a mask. All reads among them and before them have a source, and all writes a place.
    """
    above, found, left = graph.above, 0, events
    while left:
        number = left.bit_length() - 1  # the last one of a vCPU has most before it
        known = above.get(number)
        if known is None:
            known = _before(graph, number)
        found |= known | 1 << number
        left &= ~found
    return found


def _before(graph: Graph, event: int) -> int:
    """Return what is ordered before an event; note it for all events on the way, too."""
    above, events = graph.above, graph.events
    direct: dict[int, int] = {}
    path = [event]
    while path:
        number = path[-1]
        found = direct.get(number)
        if found is None:
            found = direct[number] = predecessors(graph, events[number])
        left = result = found
        while left:
            latest = left.bit_length() - 1
            known = above.get(latest)
            if known is None:
                path.append(latest)
                break
            result |= known
            left &= ~(known | 1 << latest)
        else:
            above[number] = result
            path.pop()
    return above[event]
