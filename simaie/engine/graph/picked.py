"""Grows one graph by decisions: which vCPU goes on, which store a load reads, where a store goes, and what it feeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from simaie.dependence import STOPS
from simaie.engine.graph.attributes import ATOMICS
from simaie.engine.graph.growing import WAITS
from simaie.engine.graph.held import has_changed, was_noticed
from simaie.engine.graph.label import Label
from simaie.engine.graph.memo import GraphMemo
from simaie.engine.graph.stepper import State
from simaie.engine.graph.walk import End, Walk
from simaie.engine.graph.world import can_stop, is_indivisible
from simaie.engine.memo.node import Node
from simaie.host.graph.bounds import first_unplaced, places_for, sources_for
from simaie.host.graph.event import INITIAL, Event, members
from simaie.host.graph.graph import Graph
from simaie.host.graph.revisit import NOTHING, Revisit, revisits
from simaie.op import Kind, Op

__all__ = ["Alternatives", "PickedWalk"]

#: What a decision is about: an event, and its alternatives, the default first. These are the ids of the stores that a
#: read may read from; or of a store its positions in coherence, and then the earlier loads that it may feed.
Alternatives = Sequence[Any]


class _Rewound(Exception):
    """A store feeds an earlier load: the walk goes on with another graph."""


class PickedWalk(Walk):
    """A walk along one way, which callers choose.

    The default of each decision leads to an execution that sequential consistency has, too: a load reads the newest
    store, and a store becomes the newest one.

    Args:
        memo: The memo.
        graph: The graph, without events.
        pick: Returns the index of one of several alternatives.
        choose: Returns the vCPU that goes on, by number; -1 to end the walk.
    """

    def __init__(
        self,
        memo: GraphMemo,
        graph: Graph,
        pick: Callable[[Event, Alternatives], int],
        choose: Callable[[list[int]], int],
        limit: int,
    ) -> None:
        super().__init__(memo, graph, _never, limit)
        self._pick_one, self._choose_one = pick, choose

    def go(self) -> End:
        """Grow the graph until no vCPU can go on."""
        while True:
            candidates = self._candidates()
            if not candidates:
                return End.DONE
            vcpu = self._choose_one(candidates)
            if vcpu < 0 or len(self.graph.added) > self._limit:
                return End.CUT
            try:
                state = self._advance(vcpu)
            except _Rewound as rewound:
                (self.graph,) = rewound.args
                continue
            if state is State.DEAD:
                return End.DEAD

    # -- who can go on -------------------------------------------------------------------------------

    def _candidates(self) -> list[int]:
        """Return the vCPUs that can go on, after all have done what needs no decision."""
        found = []
        vcpu = 0
        while vcpu < len(self.graph.at):
            while self._is_settled(vcpu) and self._advance(vcpu) is State.WENT:
                pass
            vcpu += 1
        labels = [node.label for node in self.graph.at if node is not None and node.op is not None]
        owner = next((label for label in labels if label.past.section >= 0), None)
        for label in labels:
            if owner is not None and label is not owner and (label.group >= 0 or is_indivisible(owner)):
                continue
            if self._can_go_on(label, [other for other in labels if other is not label]):
                found.append(label.vcpu)
        return sorted(found)

    def _is_settled(self, vcpu: int) -> bool:
        """Whether the next operation of a vCPU makes no event, or only such as the graph has already."""
        node = self.graph.at[vcpu]
        if node is None or node.op is None:
            return False
        label: Label = node.label
        if label.fails is not None:
            return bool(self.graph.mask >> label.fails.id & 1)
        events = label.reads or label.stores
        if not all(self.graph.mask >> event.id & 1 for event in events):
            return False
        if label.op.kind in ATOMICS or label.op.kind is Kind.UPDATE:
            writes = label.write(self._value(label)).events
            return bool(writes) and all(self.graph.mask >> write.id & 1 for write in writes)
        return True

    def _can_go_on(self, label: Label, others: list[Label]) -> bool:
        """Whether the next operation of a vCPU is not to wait; `others` are those of the other vCPUs."""
        node = self.graph.at[label.vcpu]
        if label.wait is not None and not self._may_repeat(label, label.wait):
            return False
        if label.op.kind in STOPS:
            return can_stop(label, others)
        if label.op.kind not in WAITS and (node.wait is None or label.wait is not None):
            return True
        if len(label.reads) > 1:
            return self.lets_go_on(label, node, self._newest(label))
        event = label.reads[0]
        if self.graph.mask >> event.id & 1:
            return self.lets_go_on(label, node, self._value(label))
        trial = self.graph.copy()
        trial.add(event)
        return bool(self._open(trial, event, label, node))

    def _may_repeat(self, label: Label, wait: Op) -> bool:
        """Whether a vCPU that made a round of a loop in vain may make another one."""
        if label.tried is not None and was_noticed(self.graph, label, label.tried):
            return True
        return has_changed(self._memo, self.graph, wait)

    def _newest(self, label: Label) -> Any:
        """Return what an operation reads in memory as it is now."""
        trial = Walk(self._memo, self.graph.copy(), _never, self._limit)
        for event in label.reads:
            if not trial.graph.mask >> event.id & 1:
                trial.graph.add(event)
                stores = trial.graph.stores_to(event.place)
                trial.graph.read_from(event.id, stores[-1] if stores else INITIAL)
        return trial._value(label)

    def _open(self, graph: Graph, event: Event, label: Label, node: Node) -> list[int]:
        """Return the stores that a read may read and then go on, the oldest first."""
        found = sources_for(graph, event)
        if label.op.kind in ATOMICS and not self._may_fail(graph, label, event):
            found = [store for store in found if not self._is_taken(graph, store, event)]
        if len(label.reads) == 1 and (label.op.kind in WAITS or node.wait is not None):
            found = [store for store in found if self.lets_go_on(label, node, self.stored(store, event.place))]
        return found

    def _may_fail(self, graph: Graph, label: Label, event: Event) -> bool:
        """Whether an operation that reads in pieces may write nothing because of another piece than `event`."""
        for other in label.reads:
            if other is not event and other.function is not None:
                known = other.id in graph.source
                stores = [graph.source[other.id]] if known else [INITIAL, *graph.coherence.get(other.place, ())]
                if any(other.function(self.stored(store, other.place)) is NOTHING for store in stores):
                    return True
        return False

    def _is_taken(self, graph: Graph, store: int, event: Event) -> bool:
        """Whether another atomic operation has written right after a store, and this one would write, too.

        It may still be read if the other one had to come before this one: then the write of this one feeds the other.
        """
        assert event.function is not None
        if event.function(self.stored(store, event.place)) is NOTHING:
            return False
        for reader in members(graph.readers_of(store, event.place)):
            write = graph.events.get(reader + 1)
            if write is not None and write.pair >= 0 and write.base + write.pair == reader and reader != event.id:
                return not self._came_before(graph, event) >> reader & 1
        return False

    # -- the decisions -----------------------------------------------------------------------------

    def _pick(self, event: Event, alternatives: Alternatives) -> Any:
        number = 0 if len(alternatives) == 1 else self._pick_one(event, alternatives)
        return alternatives[number]

    def _add_read(self, event: Event, label: Label, node: Node) -> bool:
        graph = self.graph
        graph.add(event)
        good = self._open(graph, event, label, node) if len(label.groups) == 1 else sources_for(graph, event)
        if not good:
            return False
        good.reverse()
        graph.read_from(event.id, self._pick(event, good))
        return True

    def _add_write(self, event: Event) -> bool:
        graph = self.graph
        graph.add(event)
        places = places_for(graph, event)
        places.reverse()
        fed = self._fed(graph, event)
        if not places and not fed:
            return False
        picked = self._pick(event, [*places, *fed])
        if type(picked) is int:
            graph.insert(event, picked)
            return True
        made, read, _ = picked
        raise _Rewound(self._rewound(made, read))

    def _fed(self, graph: Graph, event: Event) -> list[Revisit]:
        """Return the graphs in which a store feeds a load that had to come before it; others can wait for it."""
        past = self._came_before(graph, event)
        if not any(graph.events[read].place == event.place for read in members(past) if read in graph.source):
            return []
        return [each for each in revisits(graph, event, everything=True) if past >> each[1] & 1]

    @staticmethod
    def _came_before(graph: Graph, event: Event) -> int:
        """Return the events from which program order and reads-from lead to `event`."""
        found, left = 0, 1 << event.id
        while left:
            low = left & -left
            found |= low
            each = graph.events[low.bit_length() - 1]
            left |= graph.mask & ((1 << each.index) - 1 << each.base)
            store = graph.source.get(each.id, INITIAL)
            if store != INITIAL:
                left |= 1 << store
            left &= ~found
        return found

    def _conditional(self, vcpu: int, node: Node, label: Label) -> State:
        graph, fails = self.graph, label.fails
        assert fails is not None
        if graph.mask >> fails.id & 1:
            return super()._conditional(vcpu, node, label)
        forced = graph.forced.get(fails.id)
        if forced is None:
            forced = self._pick(label.stores[0], self._results(label))
        if forced:
            return self._went(all(self._add_write(event) for event in label.stores), vcpu, node, 1)
        graph.add(fails)
        return self._go_on(vcpu, node, 0)

    def _results(self, label: Label) -> Alternatives:
        """Return the results that a store-conditional may have, the default first."""
        trial = self.graph.copy()
        unplaced = first_unplaced(trial, label.stores)
        if unplaced is None:
            return (1, 0)
        return (0, 1) if self._fed(trial, unplaced) else (0,)

    def _choose(self, vcpu: int, node: Node, label: Label) -> State:
        graph, first = self.graph, label.fails
        assert first is not None
        if graph.mask >> first.id & 1:
            return super()._choose(vcpu, node, label)
        value = self._pick(first, range(label.op.value))
        graph.add(label.chosen(value))
        return self._go_on(vcpu, node, value)


def _never(graph: Graph) -> None:
    """Take no graph: there are no other ways."""
