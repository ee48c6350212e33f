"""Which stores a read may read from, and where a store may go in coherence, by the accesses of their own vCPU."""

from __future__ import annotations

from collections.abc import Sequence

from simaie.host.graph.above import all_before, can_keep
from simaie.host.graph.consistency import cyclic
from simaie.host.graph.event import INITIAL, Event
from simaie.host.graph.graph import Graph, is_atomic, position

__all__ = ["first_unplaced", "highest", "lowest", "places_for", "sources_for"]


def lowest(graph: Graph, event: Event) -> int:
    """Return the lowest position that an event may read, and above which it may store."""
    found = -1
    for read in event.reads_before:
        if read.id in graph.source:
            found = max(found, position(graph, graph.source[read.id]))
    store = event.last_store
    if store is not None and store.id in graph.events:
        found = max(found, position(graph, store.id))
    return found


def highest(graph: Graph, event: Event, later: Sequence[Event]) -> int:
    """Return the highest position that an event may read, or at which it may be inserted.

    Args:
        graph: The graph.
        event: The event.
        later: The later events of its vCPU that the graph has.
    """
    found = len(graph.coherence.get(event.place, ())) - (not event.writes)
    for other in later:
        if other.place != event.place or other.index >> 1 == event.index >> 1:
            continue
        if other.writes:
            if other.id in graph.coherence[other.place]:
                number = position(graph, other.id)
                found = min(found, number if event.writes else number - 1)
        elif other.id in graph.source:
            found = min(found, position(graph, graph.source[other.id]))
    return found


def sources_for(graph: Graph, event: Event) -> list[int]:
    """Return the stores that a new read may read from, the oldest first; it is in the graph, without a source."""
    stores, later = graph.coherence.get(event.place, []), graph.later(event)
    low = lowest(graph, event)
    high = highest(graph, event, later) if later else len(stores) - 1
    found = [INITIAL] if low < 0 <= high + 1 else []
    found += stores[max(low, 0) : high + 1]
    newest = stores[-1] if stores else INITIAL
    if not later and can_keep(graph):
        return _sources(graph, event, stores, found)
    easy = not (later or graph.pieces or graph.stops)  # then nothing is ordered behind a read of the newest store
    good = []
    for store in found:
        graph.read_from(event.id, store)
        if (easy and store == newest) or not cyclic(graph, event.id):
            good.append(store)
        graph.unread(event.id)
    return good


def _sources(graph: Graph, event: Event, stores: Sequence[int], found: Sequence[int]) -> list[int]:
    """Return those stores of `found` that a new read may read from.

    All that comes behind it is the store after that which it reads.
    """
    if not stores or found == [stores[-1]]:
        return list(found)
    own = all_before(graph, event.order & graph.mask)
    good = []
    for store in found:
        before = own
        if store != INITIAL and graph.events[store].vcpu != event.vcpu:
            before |= all_before(graph, 1 << store)
        after = 0 if store == INITIAL else stores.index(store) + 1
        if after == len(stores) or not before >> stores[after] & 1:
            good.append(store)
    return good


def places_for(graph: Graph, event: Event, fed: int = -1) -> list[int]:
    """Return the positions in coherence at which a store may be inserted, the lowest first; it is in the graph.

    Args:
        graph: The graph.
        event: The store.
        fed: The read that reads from it, by id; -1 if none does.
    """
    stores, later = graph.stores_to(event.place), graph.later(event)
    low = lowest(graph, event)
    high = highest(graph, event, later) if later else len(stores)
    pairs = event.pair >= 0 or any(graph.events[store].pair >= 0 for store in stores)
    if not later and can_keep(graph):
        return _places(graph, event, stores, range(low + 1, high + 1), fed, pairs=pairs)
    also = [fed] if fed >= 0 else []
    if event.atomic and graph.model.one_operation:
        also.append(event.id - 1)
    hard = bool(later or also or graph.pieces or graph.stops)  # else nothing is ordered behind the newest store
    good = []
    for number in range(low + 1, high + 1):
        stores.insert(number, event.id)
        fits = not pairs or is_atomic(graph, event.place)
        if fits and (hard or number < len(stores) - 1):
            fits = not cyclic(graph, event.id) and not any(cyclic(graph, other) for other in also)
        if fits:
            good.append(number)
        del stores[number]
    return good


def _places(graph: Graph, event: Event, stores: list[int], found: range, fed: int, *, pairs: bool) -> list[int]:
    """Return those positions of `found` at which a new store may be inserted.

    All that comes behind it is the store after it, which also comes behind the read `fed`, and what that comes before.
    """
    before, before_fed, good = 0, 0, []
    if fed >= 0:
        before_fed = all_before(graph, (graph.events[fed].order | event.order) & graph.mask)
    for number in found:
        if number < len(stores) or fed >= 0:
            last = stores[number - 1] if number else INITIAL
            own = event.order | (1 << event.base + event.pair if event.pair >= 0 else 0)
            own |= graph.readers_of(last, event.place) | (1 << last if number else 0)
            before |= all_before(graph, own & graph.mask & ~(1 << event.id))
            if fed >= 0 and before >> fed & 1:
                break
            if number < len(stores) and (before | before_fed) >> stores[number] & 1:
                continue
        if pairs:
            stores.insert(number, event.id)
            fits = is_atomic(graph, event.place)
            del stores[number]
            if not fits:
                continue
        good.append(number)
    return good


def first_unplaced(trial: Graph, writes: Sequence[Event]) -> Event | None:
    """Add the writes of one operation, each in its newest place, and return the first that has none; None if all have.

    Args:
        trial: A graph that is thrown away afterwards.
        writes: The writes. If the graph has one of them, the following ones are not looked at.
    """
    for write in writes:
        if trial.mask >> write.id & 1:
            return None
        trial.add(write)
        places = places_for(trial, write)
        if not places:
            return write
        trial.insert(write, places[-1])
    return None
