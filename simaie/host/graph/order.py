"""Which events of a graph are ordered directly before an event: by the local order, by reads-from and by coherence."""

from __future__ import annotations

from simaie.host.graph.event import INITIAL, Event, members
from simaie.host.graph.graph import Graph, position

__all__ = ["all_predecessors", "observed", "predecessors"]


def observed(graph: Graph, event: Event) -> int:
    """Return what is ordered before an event by reads-from and coherence, as a mask of ids.

    Reads-from within one vCPU is no order: such a read may be forwarded. The other orders within a vCPU are among the
    local ones.
    """
    if event.writes:
        return _before_store(graph, event)
    store = graph.source.get(event.id)
    if store is None:
        return 0
    found = 0
    if store != INITIAL and graph.events[store].vcpu != event.vcpu:
        found = 1 << store
    if graph.model.depends_on_source:
        found |= graph.model.by_source(graph, event) | graph.model.by_sources(graph, event)
    return found


def _before_store(graph: Graph, event: Event) -> int:
    stores = graph.coherence.get(event.place, ())
    if event.id not in stores:
        return 0
    number = stores.index(event.id)
    before = stores[number - 1] if number else INITIAL
    readers = graph.readers_of(before, event.place)
    found = readers if before == INITIAL else readers | 1 << before
    if graph.pieces:
        found |= _hazards(graph, event, readers)
    found &= ~(1 << event.id)
    if event.pair >= 0:
        found |= 1 << event.base + event.pair
    return found


def _hazards(graph: Graph, event: Event, readers: int) -> int:
    """Return the reads of a place that precede one whose other piece read an older value than `event` stores."""
    found = 0
    for number in members(readers):
        read = graph.events.get(number)
        if read is None or read.vcpu == event.vcpu:
            continue
        for sibling in read.siblings or ():
            other = graph.events.get(sibling)
            if other is not None:
                for earlier in other.reads_before:
                    found |= 1 << earlier.id
    return found


def predecessors(graph: Graph, event: Event) -> int:
    """Return the events that are ordered directly before an event, as a mask of ids."""
    order = event.order | event.unsure if graph.whole else event.order
    if event.place is None:
        return order & graph.mask
    siblings = event.siblings
    if siblings is None:
        found = order | observed(graph, event)
        if event.atomic and not event.writes and graph.model.one_operation:
            found |= _before_write(graph, event) & ~(1 << event.id)
        return found & graph.mask
    found = order  # what one piece of an access observes comes before all its pieces
    own = 0
    for sibling in siblings:
        own |= 1 << sibling
        if graph.mask >> sibling & 1:
            each = graph.events[sibling]
            found |= observed(graph, each)
            if event.atomic and not event.writes and graph.model.one_operation:
                found |= _before_write(graph, each)
    return found & graph.mask & ~own


def _before_write(graph: Graph, read: Event) -> int:
    """Return the events before the write of the atomic instruction that has this read, as a mask."""
    write = graph.events.get(read.id + 1)
    if write is None or write.pair != read.index:
        return 0
    return write.order | (write.unsure if graph.whole else 0) | observed(graph, write)


def all_predecessors(graph: Graph) -> dict[int, int]:
    """Return, by the id of each event, the events that are ordered directly before it, as a mask."""
    before = {number: predecessors(graph, event) for number, event in graph.events.items()}
    if graph.pieces:
        for event in graph.events.values():
            if event.writes and (event.watched or event.claims):
                _keep_untouched(graph, before, event)
    return before


def _keep_untouched(graph: Graph, before: dict[int, int], event: Event) -> None:
    """Order the stores of other vCPUs before the load-linked or after the write of a store-conditional, its `event`.

    They are those to bytes that the store-conditional needs untouched, where it does not itself write what was read:
    there the order of stores says it already.
    """
    for read in event.watched:
        if read in graph.source:
            stores = graph.coherence.get(graph.events[read].place, [])
            for store in stores[position(graph, graph.source[read]) + 1 :]:
                if graph.events[store].vcpu != event.vcpu:
                    for part in graph.events[store].siblings or (store,):
                        if part in before:
                            before[part] |= 1 << event.id
    stores = graph.coherence.get(event.place, [])
    if event.claims and event.id in stores:
        for store in stores[: stores.index(event.id)]:
            if graph.events[store].vcpu != event.vcpu:
                for read in event.watched:
                    if read in before:
                        before[read] |= 1 << store
