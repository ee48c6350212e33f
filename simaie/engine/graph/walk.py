"""Grows a graph to its end: what is not certain about each event is an alternative."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from simaie.dependence import STOPS
from simaie.engine.graph.differs import differs, equal
from simaie.engine.graph.label import ATOMICS, Label
from simaie.engine.graph.memo import GraphMemo
from simaie.engine.graph.rewind import rewound
from simaie.engine.graph.world import can_stop, in_turn, opening
from simaie.engine.memo.node import Node, key_of
from simaie.host.graph.bounds import places_for, sources_for
from simaie.host.graph.consistency import cyclic
from simaie.host.graph.event import INITIAL, Event, members
from simaie.host.graph.graph import Graph
from simaie.host.graph.revisit import revisits
from simaie.op import Kind

__all__ = ["End", "Walk", "initial_value"]

_WAITS = frozenset({Kind.LOCK, Kind.AWAIT, Kind.JOIN})
_CONDITIONAL = Kind.STORE_CONDITIONAL


class End(Enum):
    """How a walk ended."""

    DONE = 1  # no vCPU can go on: each has ended, or waits
    DEAD = 2  # no graph that the model allows has the events so far
    CUT = 3  # at the limit on events


class _State(Enum):
    """The result of an attempt to let a vCPU go on."""

    WENT = 1
    ENDED = 2
    WAITS = 3
    DEAD = 4


class Walk:
    """Grows one graph to its end along one way, and keeps the graphs that lead along the others.

    Args:
        memo: The memo.
        graph: The graph, which the walk changes.
        others: Takes the graphs of the other alternatives.
        limit: The number of events at most.
    """

    def __init__(self, memo: GraphMemo, graph: Graph, others: Callable[[Graph], None], limit: int) -> None:
        self._memo, self.graph, self._others, self._limit = memo, graph, others, limit
        self._released = False  # a mutex for which another vCPU waited
        self._state = _State.WENT

    def go(self) -> End:
        """Grow the graph to its end."""
        graph, vcpu = self.graph, 0
        if not self._take_mutexes():
            return End.DEAD
        if graph.stops and (end := self._finish_parts()) is not None:
            return end
        while vcpu < len(graph.at):  # a SPAWN adds to them
            if (end := self._step(vcpu)) is not None:
                return end
            if self._released and not self._in_section(vcpu):
                self._released, vcpu = False, 0
            elif self._state is not _State.WENT:
                vcpu += 1
            if vcpu == len(graph.at):
                vcpu = self._held_up()
        return End.DONE

    def _step(self, vcpu: int) -> End | None:
        """Let a vCPU go on, and return how the walk ends, if it does."""
        self._state = _State.WAITS if self._retries(vcpu) else self._advance(vcpu)
        if self._state is _State.DEAD:
            return End.DEAD
        return End.CUT if len(self.graph.added) > self._limit else None

    def _retries(self, vcpu: int) -> bool:
        """Whether a vCPU tries again in vain. What it may do then it does in another graph, too, without that try."""
        node = self.graph.at[vcpu]
        return node is not None and node.op is not None and node.label.retries

    # -- sections ---------------------------------------------------------------------------------

    def _in_section(self, vcpu: int) -> bool:
        node = self.graph.at[vcpu]
        return node is not None and node.op is not None and node.label.past.section >= 0

    def _labels(self, but: int = -1) -> list[Label]:
        """Return the labels of the vCPUs that have not ended, without the one of that number."""
        at = self.graph.at
        return [node.label for vcpu, node in enumerate(at) if vcpu != but and node is not None and node.op is not None]

    def _finish_parts(self) -> End | None:
        """Finish the sections and instructions of which the graph has a part, before new ones; return how that ends.

        A part may rule out what new ones do, but no new ones rule out the rest of a part.
        """
        for label in in_turn(self.graph, [label for label in self._labels() if self._is_part(label)]):
            while True:
                if (end := self._step(label.vcpu)) is not None:
                    return end
                node = self.graph.at[label.vcpu]
                if self._state is not _State.WENT or node is None or node.op is None or not node.label.inside:
                    break
        return None

    def _is_part(self, label: Label) -> bool:
        """Whether the graph has a part of the guest instruction that a vCPU is in, or has just begun."""
        return label.inside or any(self.graph.mask >> event.id & 1 for event in label.reads or label.stores)

    def _stop(self, vcpu: int, node: Node, label: Label) -> _State:
        """Begin a section, unless the vCPU has to wait for others to leave their instructions.

        It may also wait for ever, for one that is outside still; whether there is one shows at the end.
        """
        event = label.fails
        assert event is not None
        known = self.graph.events.get(event.id)
        if known is not None:
            if known.choice:
                return _State.WAITS
            return self._went(self._again(event, label), vcpu, node, None)
        if not can_stop(label, self._labels(vcpu)):
            return _State.WAITS
        if label.op.kind is Kind.BEGIN_EXCLUSIVE and label.layout.has_waits:
            other = self.graph.copy()
            other.add(opening(label, waits=True))
            self._others(other)
        self.graph.add(event)
        return self._go_on(vcpu, node, None)

    def _held_up(self) -> int:
        """Return the first vCPU that waited to stop the world, and need not any more; their number if there is none."""
        if self.graph.stops:
            for label in self._labels():
                event = label.fails if label.op.kind is Kind.BEGIN_EXCLUSIVE else None
                new = event is not None and not self.graph.mask >> event.id & 1
                if new and can_stop(label, self._labels(label.vcpu)):
                    return label.vcpu
        return len(self.graph.at)

    # -- mutexes ----------------------------------------------------------------------------------

    def _release(self, release: Event) -> bool:
        """Add the release of a mutex, and let the vCPU read it that waits for it first, if one does.

        Otherwise this graph would go on to its end with a vCPU that waits in vain (GenMC's revisit in place). The other
        vCPUs that wait come to their LOCK again. No other LOCK could read the release: the release needs all before it.
        """
        graph = self.graph
        waiting = graph.readers_of(release.taken, release.place) if release.taken >= 0 else 0
        if not waiting:
            return self._add_write(release)
        self._released = True
        first, *more = [read for read in graph.added if waiting >> read & 1]
        for read in more:
            graph.remove(graph.events[read])
        graph.add(release)
        places = places_for(graph, release)
        if not places:
            return False
        graph.stores_to(release.place).insert(places[-1], release.id)
        graph.unread(first)
        graph.read_from(first, release.id)
        return not cyclic(graph, first) and self._advance(graph.events[first].vcpu) is not _State.DEAD

    def _take_mutexes(self) -> bool:
        """Let each vCPU take the mutex that its LOCK found free, if the graph has that, before another one takes it."""
        for vcpu, node in enumerate(self.graph.at):
            if node is None or node.op is None or node.label.op.kind is not Kind.LOCK:
                continue
            if self.graph.mask >> node.label.reads[0].id & 1 and self._advance(vcpu) is _State.DEAD:
                return False
        return True

    # -- one operation ----------------------------------------------------------------------------

    def _advance(self, vcpu: int) -> _State:
        node = self.graph.at[vcpu]
        if node is None or node.op is None:
            return _State.ENDED
        label: Label = node.label
        kind = label.op.kind
        if label.reads:
            return self._read(vcpu, node, label)
        if kind is _CONDITIONAL and label.stores:
            return self._conditional(vcpu, node, label)
        if label.stores:
            return self._store(vcpu, node, label)
        if kind is Kind.CHOICE:
            return self._choose(vcpu, node, label)
        if kind in STOPS:
            return self._stop(vcpu, node, label)
        return self._go_on(vcpu, node, 0 if kind is _CONDITIONAL else None)

    def _go_on(self, vcpu: int, node: Node, result: Any) -> _State:
        """Let a vCPU go on with the result of its operation."""
        self.graph.at[vcpu] = self.following(vcpu, node, result)
        return _State.WENT

    def following(self, vcpu: int, node: Node, result: Any) -> Node:
        """Return the node behind a result."""
        key = result if result is None or type(result) is int else key_of(result)
        known = node.edges.get(key)
        return known if known is not None else self._memo.miss(self._memo.actors[vcpu], node, key, result)

    def _read(self, vcpu: int, node: Node, label: Label) -> _State:
        graph = self.graph
        for event in label.reads:
            if graph.mask >> event.id & 1:
                if not self._again(event, label):
                    return _State.DEAD
            else:
                state = self._add_read(event, label, node)
                if state is not None:
                    return state
        value = self._value(label)
        if not self.lets_go_on(label, node, value):
            return _State.WAITS
        if label.op.kind in ATOMICS or label.op.kind is Kind.UPDATE:
            write = label.write(value)
            if write.event is not None and not self._put_write(write.event, label):
                return _State.DEAD
            return self._go_on(vcpu, node, write.result)
        return self._go_on(vcpu, node, None if label.op is not node.op or label.op.kind is Kind.JOIN else value)

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
        wait = node.wait
        if wait is not None and wait is not label.op and wait.value is None and wait.location == label.op.location:
            assert wait.function is not None
            return bool(wait.function.apply(value))
        return True

    def _conditional(self, vcpu: int, node: Node, label: Label) -> _State:
        graph, fails = self.graph, label.fails
        assert fails is not None
        known = graph.events.get(fails.id)
        if known is None:
            forced = graph.forced.get(fails.id)
            if forced is None:
                stored = graph.copy()
                self._offer(stored, label.stores[0])
            if forced:
                return self._went(self._add_write(label.stores[0]), vcpu, node, 1)
            graph.add(fails)
            return self._go_on(vcpu, node, 0)
        if known.choice == 0:
            graph.events[fails.id] = fails
            return self._go_on(vcpu, node, 0)
        return self._went(self._again(label.stores[0], label), vcpu, node, 1)

    def _went(self, good: bool, vcpu: int, node: Node, result: Any) -> _State:
        return self._go_on(vcpu, node, result) if good else _State.DEAD

    def _offer(self, graph: Graph, event: Event) -> None:
        """Keep the graphs in which a store-conditional stores."""
        graph.add(event)
        for made, read, _ in revisits(graph, event):
            self._others(self._rewound(made, read))
        for place in places_for(graph, event):
            other = graph.copy()
            other.stores_to(event.place).insert(place, event.id)
            self._others(other)

    def _store(self, vcpu: int, node: Node, label: Label) -> _State:
        if label.op.kind is Kind.UNLOCK and not self.graph.mask >> label.stores[0].id & 1:
            return self._went(self._release(label.stores[0]), vcpu, node, None)
        if not all(self._put_write(event, label) for event in label.stores):
            return _State.DEAD
        if label.op.kind is not Kind.SPAWN:
            return self._go_on(vcpu, node, None)
        number, start, handle = self._memo.child(node, label.stores[0].id)
        at = self.graph.at
        while number >= len(at):
            at.append(None)
        at[number] = self.following(number, start, None)
        return self._go_on(vcpu, node, handle)

    def _put_write(self, event: Event, label: Label) -> bool:
        return self._again(event, label) if self.graph.mask >> event.id & 1 else self._add_write(event)

    def _choose(self, vcpu: int, node: Node, label: Label) -> _State:
        graph, first = self.graph, label.fails
        assert first is not None
        known = graph.events.get(first.id)
        if known is None:
            for value in range(1, label.op.value):
                other = graph.copy()
                other.add(label.chosen(value))
                self._others(other)
            graph.add(first)
            return self._go_on(vcpu, node, 0)
        graph.events[first.id] = label.chosen(known.choice)
        return self._go_on(vcpu, node, known.choice)

    # -- events -------------------------------------------------------------------------------------

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

    def _add_read(self, event: Event, label: Label, node: Node) -> _State | None:
        """Add a read with one of the stores that it may read, and keep the graphs with the others."""
        graph = self.graph
        graph.add(event)
        good = sources_for(graph, event)
        if not good:
            return _State.DEAD
        if len(label.reads) == 1 and (label.op.kind in _WAITS or node.wait is not None):
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
        return None

    def _write_after_taken(self, graph: Graph, event: Event, label: Label, store: int) -> Event | None:
        """Return the write of an atomic operation that reads a store behind which another one has written; else None.

        Then it has no place in the order of stores: all that it can do is to feed an earlier read.
        """
        if label.op.kind not in ATOMICS:
            return None
        write = label.write(self.stored(store, event.place)).event
        if write is None or graph.mask >> write.id & 1:
            return None
        for reader in members(graph.readers_of(store, event.place) & ~(1 << event.id)):
            other = graph.events.get(reader + 1)
            if other is not None and other.pair >= 0 and other.base + other.pair == reader:
                return write
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
            other.stores_to(event.place).insert(place, event.id)
            self._others(other)
        graph.stores_to(event.place).insert(good[-1], event.id)
        return True

    def _rewound(self, graph: Graph, read: int) -> Graph:
        return rewound(self._memo, self.graph, graph, read)


def initial_value(memo: GraphMemo, place: Any) -> Any:
    """Return the value of a place before the first step."""
    if type(place) is not tuple:
        return place.initial
    return memo.beginning.read(*place) if type(place[0]) is int else None
