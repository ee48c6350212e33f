"""Revisits: a new store feeds an earlier read, and what was added since goes, unless the store needs it.

Each graph is reached once: a revisit is taken only from the one graph in which all that goes was added as it would be
without what comes later (TruSt's maximality).

A LOCK that finds its mutex taken reads the store that took it, and waits. Once the release is there, it reads that.
This is no alternative, and the rules here take both for the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simaie.host.graph.bounds import first_unplaced, highest, lowest, places_for, sources_for
from simaie.host.graph.event import INITIAL, Event, members
from simaie.host.graph.graph import Graph, position
from simaie.host.graph.prefix import prefix

__all__ = ["NOTHING", "Revisit", "revisits"]

#: What the function of a read-modify-write returns if it does not write.
NOTHING: Final = object()

#: A new graph, the read that was revisited, and the position of the store in coherence.
Revisit = tuple[Graph, int, int]


def revisits(graph: Graph, store: Event, *, everything: bool = False) -> Iterator[Revisit]:
    """Yield a graph for each earlier read that can as well read from `store`, and each place of the store there.

    Args:
        graph: The graph, in which the store is, but not in coherence.
        store: The store.
        everything: Whether to yield the graphs that another way leads to, too.
    """
    readers = graph.readers_of(INITIAL, store.place)
    for other in graph.coherence.get(store.place, ()):
        readers |= graph.readers_of(other, store.place)
    if not readers:
        return
    narrow, wide = prefix(graph, store.id)
    readers &= ~narrow
    if not readers:
        return
    stamps = {number: stamp for stamp, number in enumerate(graph.added)}
    for read in sorted(members(readers), key=stamps.__getitem__):
        needed = narrow if wide >> read & 1 else wide
        stamp = stamps[read]
        kept = [number for number in graph.added if stamps[number] <= stamp or needed >> number & 1]
        gone = [number for number in graph.added if stamps[number] > stamp and not needed >> number & 1]
        told = 0
        for number in kept:
            told |= graph.events[number].status
        if not everything:
            maximal = _Maximal(graph, read, needed, stamps, told)
            if not all(maximal(number) for number in (*gone, read)):
                continue
        made = _restricted(graph, kept, gone, read, told)
        if made is None:
            continue
        made.read_from(read, store.id)
        made.above = _still_before(graph, made, read)
        for number in _places(made, store, made.events[read]):
            each = made.copy()
            each.insert(store, number)
            each.forget(store.id)
            yield each, read, number


def _restricted(graph: Graph, kept: list[int], gone: list[int], read: int, told: int) -> Graph | None:
    """Return the graph of the events `kept`, without a source for `read`; None if a kept read loses its source.

    told: the store-conditionals of whose results a kept event depends: they must have them again.
    """
    made = Graph(graph.model, graph.at[:], pieces=graph.pieces, stops=graph.stops)
    if told or graph.forced:
        made.forced = {sc: value for sc, value in graph.forced.items() if sc not in kept and told >> sc & 1}
        for number in gone:
            if told >> number & 1:
                made.forced[number] = graph.events[number].choice
    made.added = kept
    events = graph.events
    made.events = {number: events[number] for number in kept}
    mask = 0
    for number in kept:
        mask |= 1 << number
    made.mask, made.both, made.held = mask, graph.both, graph.held & mask & ~(1 << read)
    lost = 1 << read | ~mask
    made.closures = {number: known for number, known in graph.closures.items() if not known[1] & lost}
    made.coherence = {
        place: [store for store in stores if mask >> store & 1] for place, stores in graph.coherence.items()
    }
    for number in kept:
        store = graph.source.get(number)
        if store is None or number == read:
            continue
        if store != INITIAL and not mask >> store & 1:
            store = events[store].taken  # a LOCK waits again, as before the release of the mutex was there
            if store < 0 or not mask >> store & 1:
                return None
        made.read_from(number, store)
    return made


def _still_before(graph: Graph, made: Graph, read: int) -> dict[int, int]:
    """Return what is kept in `graph` of the order, and is so in `made`, of whose events only `read` has changed."""
    lost = 1 << read | graph.mask & ~made.mask
    if not graph.above or any(made.source[each] != graph.source[each] for each in made.source if each != read):
        return {}
    return {number: before for number, before in graph.above.items() if not (before | 1 << number) & lost}


def _places(graph: Graph, store: Event, read: Event) -> list[int]:
    """Return the positions of `store` at which `read` may read from it."""
    low, later = lowest(graph, read), graph.later(read)
    found = []
    for number in places_for(graph, store, read.id):
        if number > low and (not later or number <= _highest_with(graph, store, number, read, later)):
            found.append(number)
    return found


def _highest_with(graph: Graph, store: Event, number: int, read: Event, later: list[Event]) -> int:
    """Return the highest position that `read` may read once `store` is at position `number`."""
    stores = graph.stores_to(store.place)
    stores.insert(number, store.id)
    found = highest(graph, read, later)
    del stores[number]
    return found


class _Maximal:
    """Whether an event was added as if only what was there before, and the prefix of a store, were there."""

    def __init__(self, graph: Graph, read: int, needed: int, stamps: dict[int, int], told: int) -> None:
        self._graph, self._read, self._needed, self._stamps, self._told = graph, read, needed, stamps, told

    def __call__(self, number: int) -> bool:
        graph, needed = self._graph, self._needed
        event = graph.events[number]
        if event.choice == 0:
            return True
        if event.choice > 0 and (event.place is None or not (self._told >> number & 1 or self._has_begun(event))):
            return False
        if event.place is None:
            return True
        if event.writes:
            if any(self._is_read_before(number, reader) for reader in members(graph.readers.get(number, 0))):
                return False
            if event.choice < 0 and event.pair >= 0 and needed >> event.base + event.pair & 1:
                return True  # its place is next to what its own read, which stays, reads from
            top = number
        else:
            top = graph.source[number]
            if top != INITIAL and not self._previous(top, number):
                top = self._waited_for(number, top)
                if top == INITIAL or not self._previous(top, number):
                    return False
        stores = graph.coherence.get(event.place, [])
        newer = [store for store in stores[position(graph, top) + 1 :] if self._previous(store, number)]
        if not newer or self._none_is_open(event, stores, newer):
            return True
        return (graph.stops or graph.pieces) and self._is_last_choice(event)

    def _has_begun(self, event: Event) -> bool:
        """Whether another piece of a store-conditional was there before, so that the rest of it stored, too."""
        return any(sibling < event.id and self._previous(sibling, self._read) for sibling in event.siblings or ())

    def _is_last_choice(self, event: Event) -> bool:
        """Whether the order rules out, in the graph of that time, all newer stores or places for a read or write.

        Sections and accesses of several events order more than the rules above know.
        """
        graph, number = self._graph, event.id
        kept = [other for other in graph.added if other != number and self._previous(other, number)]
        gone = [other for other in graph.added if other != number and not self._previous(other, number)]
        then = _restricted(graph, kept, gone, number, self._told)
        if then is None:
            return False
        then.add(event)
        if not event.writes:
            return sources_for(then, event)[-1:] == [graph.source[number]]
        before = graph.coherence[event.place][: position(graph, number)]
        own = sum(then.mask >> store & 1 for store in before)
        places = places_for(then, event)
        rest = [graph.events[each] for each in event.siblings or () if each > number and each in graph.events]
        while rest and places and places[-1] != own:
            trial = then.copy()
            trial.insert(event, places[-1])
            if first_unplaced(trial, rest) is None:
                break
            places.pop()  # it leaves no place to the other pieces
        return places[-1:] == [own]

    def _waited_for(self, read: int, store: int) -> int:
        """Return what a LOCK read that waited for the release `store`, which it reads now; -1 for other reads."""
        return self._graph.events[store].taken if self._stamps[store] > self._stamps[read] else INITIAL

    def _is_read_before(self, store: int, read: int) -> bool:
        """Whether `read` already read from the store `store` at the time at which that was added.

        A LOCK that waited for the release `store` did not. If it was there before what took the mutex, then it is not
        maximal itself, or loses its source.
        """
        return self._waited_for(read, store) == INITIAL and self._previous(read, store)

    def _previous(self, other: int, number: int) -> bool:
        return self._stamps[other] <= self._stamps[number] or bool(self._needed >> other & 1)

    def _none_is_open(self, event: Event, stores: list[int], newer: list[int]) -> bool:
        """Whether later accesses of the own vCPU that stay, or atomicity, rule all the `newer` stores out."""
        bound, write_bound = self._bounds(event, len(stores))
        if event.function is None and event.writes:
            return self._no_place(event, stores, newer, bound)
        if event.function is None:
            if self._must_store(event):
                bound = min(bound, write_bound)
            return all(stores.index(store) >= bound for store in newer)
        for store in newer:
            number = stores.index(store)
            writes = event.function(self._graph.events[store].value) is not NOTHING
            if number < bound and (not writes or number < write_bound):
                return False
        return True

    def _must_store(self, event: Event) -> bool:
        """Whether an event is a load-linked whose store-conditional stores, as events that stay were told."""
        return any(other.pair == event.index and self._told >> other.id & 1 for other in self._graph.later(event))

    def _bounds(self, event: Event, most: int) -> tuple[int, int]:
        """Return the positions that an event must stay below, and that its own write must."""
        graph = self._graph
        bound = write_bound = most
        for other in graph.later(event):
            if (
                other.place != event.place
                or other.index >> 1 == event.index >> 1
                or not self._needed >> other.id & 1
                or other.choice == 0
            ):
                continue
            at = position(graph, other.id if other.writes else graph.source[other.id])
            bound = min(bound, at if other.writes else at + (not event.writes))
            write_bound = min(write_bound, at)
        return bound, write_bound

    def _no_place(self, event: Event, stores: list[int], newer: list[int], bound: int) -> bool:
        graph = self._graph
        for place, store in enumerate(newer):
            if stores.index(store) >= bound:
                return True
            after = graph.events[newer[place + 1]] if place + 1 < len(newer) else None
            if after is None or after.pair < 0 or after.vcpu == event.vcpu:
                return False
            if graph.source.get(after.base + after.pair) != store:
                return False  # it may go between, which no atomic pair forbids
        return True
