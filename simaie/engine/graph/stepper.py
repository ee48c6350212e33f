"""Performs the operations of vCPUs on a graph."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from simaie.dependence import STOPS
from simaie.engine.graph.attributes import ATOMICS
from simaie.engine.graph.growing import Growing
from simaie.engine.graph.held import is_held
from simaie.engine.graph.label import Label
from simaie.engine.graph.memo import GraphMemo
from simaie.engine.graph.world import can_stop, opening
from simaie.engine.memo.node import Node, key_of
from simaie.host.graph.bounds import first_unplaced, places_for
from simaie.host.graph.consistency import cyclic
from simaie.host.graph.event import Event
from simaie.host.graph.graph import Graph
from simaie.host.graph.revisit import revisits
from simaie.op import Kind

__all__ = ["State", "Stepper"]

_CONDITIONAL = Kind.STORE_CONDITIONAL


class State(Enum):
    """The result of an attempt to let a vCPU go on."""

    WENT = 1
    ENDED = 2
    WAITS = 3
    DEAD = 4


class Stepper(Growing):
    """Lets vCPUs perform operations, along one way, and keeps the graphs that lead along the others.

    Args:
        memo: The memo.
        graph: The graph, which grows.
        others: Takes the graphs of the other alternatives.

    Attributes:
        released: Whether a mutex was released for which another vCPU waited.
    """

    def __init__(self, memo: GraphMemo, graph: Graph, others: Callable[[Graph], None]) -> None:
        super().__init__(memo, graph, others)
        self.released = False

    # -- one operation ----------------------------------------------------------------------------

    def _advance(self, vcpu: int) -> State:
        node = self.graph.at[vcpu]
        if node is None or node.op is None:
            return State.ENDED
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

    def _go_on(self, vcpu: int, node: Node, result: Any) -> State:
        """Let a vCPU go on with the result of its operation."""
        self.graph.at[vcpu] = self.following(vcpu, node, result)
        return State.WENT

    def following(self, vcpu: int, node: Node, result: Any) -> Node:
        """Return the node behind a result."""
        key = result if result is None or type(result) is int else key_of(result)
        known = node.edges.get(key)
        return known if known is not None else self._memo.miss(self._memo.actors[vcpu], node, key, result)

    def _read(self, vcpu: int, node: Node, label: Label) -> State:
        graph = self.graph
        for event in label.reads:
            if graph.mask >> event.id & 1:
                if not self._again(event, label):
                    return State.DEAD
            elif not self._add_read(event, label, node):
                return State.DEAD
        value = self._value(label)
        if not self.lets_go_on(label, node, value):
            return State.WAITS
        if label.op.kind in ATOMICS or label.op.kind is Kind.UPDATE:
            write = label.write(value)
            held = self._is_held(label, write.events)
            if not held and not all(self._put_write(event, label) for event in write.events):
                return State.DEAD
            return self._go_on(vcpu, node, write.result)
        return self._go_on(vcpu, node, None if label.op is not node.op or label.op.kind is Kind.JOIN else value)

    def _is_held(self, label: Label, writes: tuple[Event, ...]) -> bool:
        """Whether an atomic operation of several pieces goes on without its write, which has no place.

        The piece that leaves no place to it is read from a store behind which another operation has written. If another
        of its pieces is fed later, it may not write, or come before that operation. Hence the graph without the write,
        in which its vCPU goes on: what that does next may be needed by the store that feeds a piece.
        """
        if len(label.reads) < 2 or not writes:
            return False
        graph = self.graph
        if is_held(graph, label):
            return True
        if first_unplaced(graph.copy(), writes) is not None:
            other = graph.copy()
            other.held |= sum(1 << read.id for read in label.reads)
            self._others(other)
        return False

    def _conditional(self, vcpu: int, node: Node, label: Label) -> State:
        graph, fails = self.graph, label.fails
        assert fails is not None
        known = graph.events.get(fails.id)
        if known is None:
            forced = graph.forced.get(fails.id)
            if forced is None:
                stored = graph.copy()
                self._offer(stored, label.stores[0])
            if forced:
                return self._went(self._put_all(label), vcpu, node, 1)
            graph.add(fails)
            return self._go_on(vcpu, node, 0)
        if known.choice == 0:
            graph.events[fails.id] = fails
            return self._go_on(vcpu, node, 0)
        return self._went(self._put_all(label), vcpu, node, 1)

    def _went(self, good: bool, vcpu: int, node: Node, result: Any) -> State:
        return self._go_on(vcpu, node, result) if good else State.DEAD

    def _offer(self, graph: Graph, event: Event) -> None:
        """Keep the graphs in which a store-conditional stores."""
        graph.add(event)
        for made, read, _ in revisits(graph, event):
            self._others(self._rewound(made, read))
        for place in places_for(graph, event):
            other = graph.copy()
            other.insert(event, place)
            self._others(other)

    def _store(self, vcpu: int, node: Node, label: Label) -> State:
        kind, event = label.op.kind, label.stores[0]
        if kind is Kind.UNLOCK and not self.graph.mask >> event.id & 1:
            return self._went(self._release(event), vcpu, node, None)
        if kind is Kind.STORE and len(label.stores) == 1:
            self._go_on(vcpu, node, None)  # first, so that no other graph has to
            return State.WENT if self._put_write(event, label) else State.DEAD
        if not self._put_all(label):
            return State.DEAD
        if kind is not Kind.SPAWN:
            return self._go_on(vcpu, node, None)
        number, start, handle = self._memo.child(node, event.id)
        at = self.graph.at
        while number >= len(at):
            at.append(None)
        at[number] = self.following(number, start, None)
        return self._go_on(vcpu, node, handle)

    def _put_all(self, label: Label) -> bool:
        return all(self._put_write(event, label) for event in label.stores)

    def _put_write(self, event: Event, label: Label) -> bool:
        return self._again(event, label) if self.graph.mask >> event.id & 1 else self._add_write(event)

    def _choose(self, vcpu: int, node: Node, label: Label) -> State:
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

    # -- sections and mutexes --------------------------------------------------------------------

    def _labels(self, but: int = -1) -> list[Label]:
        """Return the labels of the vCPUs that have not ended, without the one of that number."""
        at = self.graph.at
        return [node.label for vcpu, node in enumerate(at) if vcpu != but and node is not None and node.op is not None]

    def _stop(self, vcpu: int, node: Node, label: Label) -> State:
        """Begin a section, unless the vCPU has to wait for others to leave their instructions.

        It may also wait for ever, for one that is outside still; whether there is one shows at the end.
        """
        event = label.fails
        assert event is not None
        known = self.graph.events.get(event.id)
        if known is not None:
            if known.choice:
                return State.WAITS
            return self._went(self._again(event, label), vcpu, node, None)
        if not can_stop(label, self._labels(vcpu)):
            return State.WAITS
        if label.op.kind is Kind.BEGIN_EXCLUSIVE and label.layout.has_waits:
            other = self.graph.copy()
            other.add(opening(label, waits=True))
            self._others(other)
        self.graph.add(event)
        return self._go_on(vcpu, node, None)

    def _release(self, release: Event) -> bool:
        """Add the release of a mutex, and let the vCPU read it that waits for it first, if one does.

        Otherwise this graph would go on to its end with a vCPU that waits in vain (GenMC's revisit in place). The other
        vCPUs that wait come to their LOCK again. No other LOCK could read the release: the release needs all before it.
        """
        graph = self.graph
        waiting = graph.readers_of(release.taken, release.place) if release.taken >= 0 else 0
        if not waiting:
            return self._add_write(release)
        self.released = True
        first, *more = [read for read in graph.added if waiting >> read & 1]
        for read in more:
            graph.remove(graph.events[read])
        graph.add(release)
        places = places_for(graph, release)
        if not places:
            return False
        graph.insert(release, places[-1])
        graph.unread(first)
        graph.read_from(first, release.id)
        return not cyclic(graph, first) and self._advance(graph.events[first].vcpu) is not State.DEAD
