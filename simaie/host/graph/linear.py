"""An order in which the events of a graph take effect one by one, on one memory that all vCPUs share.

Each model here is multi-copy atomic, so that there is one: a load finds the newest store in that order, or an older
store of its own vCPU that has yet to take effect.
"""

from __future__ import annotations

from simaie.host.graph.event import INITIAL, Event, members
from simaie.host.graph.graph import Graph
from simaie.host.graph.order import all_predecessors
from simaie.host.graph.worlds import lifted, turns

__all__ = ["linear", "source_in"]


def linear(graph: Graph) -> list[int]:
    """Return the ids of the events of a consistent graph in an order in which they take effect.

    Where there is a choice, no event overtakes an earlier one of its vCPU, and the running vCPU goes on.
    """
    if not graph.stops:
        return _extend(graph, all_predecessors(graph), graph.mask, [])
    ordered = lifted(graph)
    assert ordered is not None  # a consistent graph has no cycle
    found: list[int] = []
    for turn in turns(graph, ordered):
        _extend(graph, ordered, turn, found)
    return found


def _extend(graph: Graph, before: dict[int, int], left: int, found: list[int]) -> list[int]:
    """Append the events `left` to those `found` that have taken effect, and return these."""
    running = graph.events[found[-1]].base if found else 0
    while left:
        own = left >> running
        number = running + (own & -own).bit_length() - 1
        if not own or not _goes_on(graph, before, left, number, running):
            number = _next(graph, before, left, running)
        left = _append(graph, before, left, found, number)
        running = graph.events[number].base
    return found


def _append(graph: Graph, before: dict[int, int], left: int, found: list[int], number: int) -> int:
    """Append an event, then the pieces of its operation that wait for nothing else. Return the events that are left."""
    found.append(number)
    left &= ~(1 << number)
    siblings = graph.events[number].siblings
    if siblings is not None:
        rest = [each for first in siblings for each in (first & ~1, first | 1) if left >> each & 1]
        while ready := [each for each in rest if not before[each] & left]:
            found += ready
            for each in ready:
                left &= ~(1 << each)
                rest.remove(each)
    return left


def _goes_on(graph: Graph, before: dict[int, int], left: int, number: int, running: int) -> bool:
    """Whether the next event of the running vCPU, whose first id is `running`, overtakes none and waits for none."""
    event = graph.events[number]
    return event.base == running and not before[number] & left and not _is_parted(event, before, left)


def _is_parted(event: Event, before: dict[int, int], left: int) -> bool:
    """Whether the write of the same operation could not follow a read at once."""
    write = event.id + 1
    if event.writes or not left >> write & 1:
        return False
    own = 1 << event.id if event.siblings is None else sum(1 << each for each in event.siblings)
    return bool(before[write] & left & ~own)


def _next(graph: Graph, before: dict[int, int], left: int, running: int) -> int:
    """Return the event that overtakes the fewest of its vCPU, of those behind which nothing is ordered that is left.

    Read and write of an operation follow each other if they can.
    """
    best, least = -1, (True, len(before) + 1, True, 0)
    for number in members(left):
        if before[number] & left:
            continue
        event = graph.events[number]
        overtaken = (left >> event.base & (1 << event.index) - 1).bit_count()
        rank = _is_parted(event, before, left), overtaken, event.base != running, event.vcpu
        if rank < least:
            best, least = number, rank
    assert best >= 0  # a consistent graph has no cycle
    return best


def source_in(graph: Graph, order: list[int], number: int) -> int:
    """Return the store that a read finds in an `order` of the events, by id.

    Args:
        graph: The graph.
        order: All events.
        number: The index of the read in `order`.
    """
    read = graph.events[order[number]]
    found = INITIAL
    for other in order[:number]:
        event = graph.events[other]
        if event.writes and event.place == read.place:
            found = other
    for other in order[number + 1 :]:
        event = graph.events[other]
        if event.writes and event.place == read.place and event.vcpu == read.vcpu and event.index < read.index:
            found = other
    return found
