"""Adds events to a graph: which stores a read could read, and where a write could go, are alternatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simaie.engine.graph.attributes import ATOMICS
from simaie.engine.graph.differs import differs, equal
from simaie.engine.graph.held import initial_value
from simaie.engine.graph.label import Label
from simaie.engine.graph.memo import GraphMemo
from simaie.engine.graph.rewind import rewound
from simaie.engine.memo.node import Node
from simaie.host.graph.bounds import places_for, sources_for
from simaie.host.graph.consistency import cyclic
from simaie.host.graph.event import INITIAL, Event, members
from simaie.host.graph.graph import Graph
from simaie.host.graph.revisit import revisits
from simaie.op import Kind

__all__ = ["WAITS", "Growing"]

#: Operations that wait for the value that they read.
WAITS = frozenset({Kind.LOCK, Kind.AWAIT, Kind.JOIN})


class Growing:
    """A graph to which events are added along one way, while the graphs that lead along the others are kept.

    Args:
        memo: The memo.
        graph: The graph, which grows.
        others: Takes the graphs of the other alternatives.
    """

    def __init__(self, memo: GraphMemo, graph: Graph, others: Callable[[Graph], None]) -> None:
        self._memo, self.graph, self._others = memo, graph, others

    # -- values -----------------------------------------------------------------------------------

    def _value(self, label: Label) -> Any:
        """Return what the operation of a label reads: of several places, the tuple of their values."""
        values = [self._read_value(event) for event in label.reads]
        if len(label.groups) == 1 and len(values) == 1:
            return values[0]
        layout = label.layout
        joined = [
            values[first] if len(pieces) == 1 else layout.joined(pieces, values[first : first + len(pieces)])
            for pieces, first in label.groups
        ]
        return tuple(joined) if label.op.kind is Kind.AWAIT and label.op.value is not None else joined[0]

    def _read_value(self, event: Event) -> Any:
        return self.stored(self.graph.source[event.id], event.place)

    def stored(self, store: int, place: Any) -> Any:
        """Return the value of a store to `place`, or its initial one."""
        return self.graph.events[store].value if store != INITIAL else initial_value(self._memo, place)

    def lets_go_on(self, label: Label, node: Node, value: Any) -> bool:
        """Whether the vCPU goes on if its operation reads `value`."""
        kind = label.op.kind
        if kind is Kind.LOCK:
            return value is None
        if kind is Kind.JOIN:
            return value is not None
        if kind is Kind.AWAIT:
            assert label.op.function is not None
            return bool(label.op.function.apply(value))
        wait = node.wait if label.wait is None else None
        if wait is not None and wait is not label.op:
            assert wait.function is not None
            return bool(wait.function.apply(value))
        return True

    # -- events -----------------------------------------------------------------------------------

    def _again(self, event: Event, label: Label) -> bool:
        """Take over the event that a vCPU comes to again; return whether the model still allows the graph.

        Raises:
            NondeterminismError: It is not what it was before, although what it depends on is.
        """
        graph = self.graph
        known = graph.events[event.id]
        if known is event:
            return True
        if (known.writes, known.place) != (event.writes, event.place) or not equal(known.value, event.value):
            raise differs(label, known, event)
        graph.replace(event)
        return not (event.order & ~known.order & graph.mask and cyclic(graph, event.id))

    def _add_read(self, event: Event, label: Label, node: Node) -> bool:
        """Add a read with one of the stores that it may read, if there is one; keep the graphs with the others."""
        graph = self.graph
        graph.add(event)
        good = sources_for(graph, event)
        if not good:
            return False
        if len(label.reads) == 1 and (label.op.kind in WAITS or node.wait is not None):
            good = self._worth(event, label, node, good)
        for store in good[:-1]:
            other = graph.copy()
            other.read_from(event.id, store)
            write = self._write_after_taken(other, event, label, store)
            if write is None:
                self._others(other)
            else:
                self._take_over(other, write)
        graph.read_from(event.id, good[-1])
        return True

    def _write_after_taken(self, graph: Graph, event: Event, label: Label, store: int) -> Event | None:
        """Return the write of an atomic operation that reads a store behind which another one has written; else None.

        Then it has no place in the order of stores: all that it can do is to feed an earlier read. Of an operation of
        several pieces, that shows only when all are read.
        """
        if label.op.kind not in ATOMICS or len(label.reads) > 1:
            return None
        writes = label.write(self.stored(store, event.place)).events
        if not writes or graph.mask >> writes[0].id & 1:
            return None
        for reader in members(graph.readers_of(store, event.place) & ~(1 << event.id)):
            other = graph.events.get(reader + 1)
            if other is not None and other.pair >= 0 and other.base + other.pair == reader:
                return writes[0]
        return None

    def _take_over(self, graph: Graph, write: Event) -> None:
        """Keep the graphs in which a write without a place feeds an earlier read."""
        graph.add(write)
        for made, read, _ in revisits(graph, write):
            self._others(self._rewound(made, read))

    def _worth(self, event: Event, label: Label, node: Node, good: list[int]) -> list[int]:
        """Return the stores that let a waiting vCPU go on, and the newest one.

        A read of an older store that does not would never be replaced: only the newest one is maximal.
        """
        older = [store for store in good[:-1] if self.lets_go_on(label, node, self.stored(store, event.place))]
        return [*older, good[-1]]

    def _add_write(self, event: Event) -> bool:
        graph = self.graph
        graph.add(event)
        for made, read, _ in revisits(graph, event):
            self._others(self._rewound(made, read))
        good = places_for(graph, event)
        if not good:
            return False
        for place in good[:-1]:
            other = graph.copy()
            other.insert(event, place)
            self._others(other)
        graph.insert(event, good[-1])
        return True

    def _rewound(self, graph: Graph, read: int) -> Graph:
        return rewound(self._memo, self.graph, graph, read)
