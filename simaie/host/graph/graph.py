"""Execution graphs: events, which store each read reads from, in which order stores take effect; and their order."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from simaie.host.graph.event import INITIAL, Event, members
from simaie.host.graph.model import Model

__all__ = ["Graph", "is_atomic", "position"]


class Graph:
    """An execution graph, which may still grow.

    Attributes:
        model: The memory model.
        events: The events by id; `mask` has them as bits.
        source: The store that each read reads from, by ids.
        coherence: The stores to each place, by id, in the order in which they take effect.
        added: The ids in the order in which the events were added.
        readers: The reads of each store, as a mask; those of an initial value by its place.
        forced: The results that store-conditionals must have when they are added again.
        at: By vCPU, where it stands; the graph only keeps it.
        pieces: Whether some accesses are several events, or a store-conditional needs bytes untouched that it does not
            write itself. Then an order may be missing that no path through the newest event shows.
        stops: Whether there are stopped worlds or indivisible sections, which order more (`simaie.host.graph.worlds`).
        both: The reads of operations that may write, too, as a mask; it may have ids of which there is no event.
        held: The reads of atomic operations of several pieces whose write has no place, as a mask. They lack it until
            one of the reads is fed by another store; a graph in which they lack it at the end is no execution.
        whole: Whether the graph has ended, so that `Event.unsure` counts, too.
        closures: What `simaie.host.graph.prefix` has found out about some of the events.
        above: What is ordered before some of the events, directly or not, as `simaie.host.graph.above` found out.
    """

    __slots__ = (
        "above", "added", "at", "both", "closures", "coherence", "events", "forced", "held", "mask", "model", "pieces",
        "readers", "source", "stops", "whole",
    )  # fmt: skip

    def __init__(self, model: Model, at: list[Any], *, pieces: bool = False, stops: bool = False) -> None:
        self.model, self.at, self.pieces, self.stops = model, at, pieces, stops
        self.events: dict[int, Event] = {}
        self.source: dict[int, int] = {}
        self.coherence: dict[Hashable, list[int]] = {}
        self.added: list[int] = []
        self.readers: dict[Hashable, int] = {}
        self.forced: dict[int, int] = {}
        self.closures: dict[int, tuple[int, int]] = {}
        self.above: dict[int, int] = {}
        self.mask = self.both = self.held = 0
        self.whole = False

    def copy(self) -> Graph:
        """Return a copy that grows on its own."""
        made = Graph.__new__(Graph)
        made.model, made.pieces, made.stops = self.model, self.pieces, self.stops
        made.mask, made.both, made.held, made.whole = self.mask, self.both, self.held, self.whole
        made.closures, made.above = self.closures.copy(), self.above.copy()
        made.at, made.added = self.at[:], self.added[:]
        made.events, made.source = self.events.copy(), self.source.copy()
        made.coherence = {place: stores[:] for place, stores in self.coherence.items()}
        made.readers, made.forced = self.readers.copy(), self.forced.copy()
        return made

    def add(self, event: Event) -> None:
        """Add an event, without a source or a place in coherence yet.

        Later events of its vCPU that are there already stop being ordered behind it: whether they are is known when
        they come again.
        """
        number = event.id
        self.events[number] = event
        self.added.append(number)
        bit = 1 << number
        self.mask |= bit
        self.both = self.both & ~bit if event.function is None else self.both | bit
        for later in self.later(event):
            self._forget_all()
            if later.order & bit:
                self.events[later.id] = later.without(bit)

    def replace(self, event: Event) -> None:
        """Put an event in the place of the one that has its id, whose order or dependencies may have changed."""
        self.events[event.id] = event
        self._forget_all()

    def later(self, event: Event) -> list[Event]:
        """Return the events of its vCPU that come after `event` in the program and are in the graph already."""
        above = self.mask >> event.base + event.index + 1
        if not above:
            return []
        stride = event.stride - event.index - 1
        above &= (1 << stride) - 1
        return [self.events[event.id + 1 + index] for index in members(above)]

    def read_from(self, read: int, store: int) -> None:
        """Let the event `read` read from `store`."""
        self.source[read] = store
        place = self.events[read].place
        key: Hashable = store if store != INITIAL else place
        self.readers[key] = self.readers.get(key, 0) | 1 << read
        stores = self.coherence.get(place)
        if self.above and stores and stores[-1] != store:
            self.forget(stores[0 if store == INITIAL else stores.index(store) + 1])  # is ordered behind the read

    def unread(self, read: int) -> None:
        """Take back `read_from`."""
        self.forget(read)
        store = self.source.pop(read)
        self.readers[store if store != INITIAL else self.events[read].place] &= ~(1 << read)

    def remove(self, event: Event) -> None:
        """Take back the read that is `event`, behind which nothing is ordered."""
        self.unread(event.id)
        del self.events[event.id]
        self.added.remove(event.id)
        self.mask &= ~(1 << event.id)

    def readers_of(self, store: int, place: Hashable) -> int:
        """Return the reads of a store to `place`, or of its initial value, as a mask."""
        return self.readers.get(store if store != INITIAL else place, 0)

    def stores_to(self, place: Hashable) -> list[int]:
        """Return the stores to a place in coherence order; the list may be changed."""
        found = self.coherence.get(place)
        if found is None:
            found = self.coherence[place] = []
        return found

    def insert(self, store: Event, number: int) -> None:
        """Insert a store of the graph at a position of the coherence order of its place."""
        stores = self.stores_to(store.place)
        if number < len(stores):
            self.forget(stores[number])
        stores.insert(number, store.id)

    def forget(self, event: int) -> None:
        """Forget what is ordered before an event, as something else is now or was, and before all behind it."""
        if self.above:
            self.above = {
                number: before
                for number, before in self.above.items()
                if number != event and not before >> event & 1
            }  # fmt: skip

    def _forget_all(self) -> None:
        self.closures.clear()
        self.above.clear()


def position(graph: Graph, store: int) -> int:
    """Return the position of a store in its coherence order; -1 for an initial value."""
    return -1 if store == INITIAL else graph.coherence[graph.events[store].place].index(store)


def is_atomic(graph: Graph, place: Hashable) -> bool:
    """Whether no store of another vCPU lies between the read and the write of an atomic pair."""
    stores = graph.coherence[place]
    for number, store in enumerate(stores):
        event = graph.events[store]
        if event.pair < 0:
            continue
        first = position(graph, graph.source[event.base + event.pair])
        if first >= number:
            return False
        if any(graph.events[other].vcpu != event.vcpu for other in stores[first + 1 : number]):
            return False
    return True
