"""Grows a graph to its end: which vCPU goes on, and how that ends."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from simaie.engine.graph.held import was_noticed
from simaie.engine.graph.label import Label
from simaie.engine.graph.memo import GraphMemo
from simaie.engine.graph.stepper import State, Stepper
from simaie.engine.graph.world import can_stop, in_turn
from simaie.host.graph.graph import Graph
from simaie.op import Kind

__all__ = ["End", "Walk"]


class End(Enum):
    """How a walk ended."""

    DONE = 1  # no vCPU can go on: each has ended, or waits
    DEAD = 2  # no graph that the model allows has the events so far
    CUT = 3  # at the limit on events
    LEFT = 4  # before its end, since the search is over


class Walk(Stepper):
    """Grows one graph to its end along one way, and keeps the graphs that lead along the others.

    Args:
        memo: The memo.
        graph: The graph, which the walk changes.
        others: Takes the graphs of the other alternatives.
        limit: The number of events at most.
        enough: Asked before each operation: whether to leave the graph as it is.
    """

    def __init__(
        self,
        memo: GraphMemo,
        graph: Graph,
        others: Callable[[Graph], None],
        limit: int,
        enough: Callable[[], bool] = bool,
    ) -> None:
        super().__init__(memo, graph, others)
        self._limit, self._enough = limit, enough
        self._state = State.WENT

    def go(self) -> End:
        """Grow the graph to its end."""
        graph, vcpu = self.graph, 0
        if graph.pieces and (end := self._finish_operations()) is not None:
            return end
        if graph.stops and (end := self._finish_parts()) is not None:
            return end
        at, enough = graph.at, self._enough
        while vcpu < len(at):  # a SPAWN adds to them
            node = at[vcpu]
            if node is None or node.op is None:
                vcpu += 1
            else:
                if enough():
                    return End.LEFT
                if (end := self._step(vcpu)) is not None:
                    return end
                if self.released and not self._in_section(vcpu):
                    self.released, vcpu = False, 0
                elif self._state is not State.WENT:
                    vcpu += 1
            if vcpu == len(at):
                vcpu = self._held_up()
        return End.DONE

    def _step(self, vcpu: int) -> End | None:
        """Let a vCPU go on, and return how the walk ends, if it does."""
        self._state = State.WAITS if self._retries(vcpu) else self._advance(vcpu)
        if self._state is State.DEAD:
            return End.DEAD
        return End.CUT if len(self.graph.added) > self._limit else None

    def _retries(self, vcpu: int) -> bool:
        """Whether a vCPU tries again in vain. What it may do then it does in another graph, too, without that try."""
        node = self.graph.at[vcpu]
        if node is None or node.op is None:
            return False
        label: Label = node.label
        if label.retries or label.wait is None:
            return label.retries
        return label.tried is None or not was_noticed(self.graph, label, label.tried)

    def _finish_operations(self) -> End | None:
        """Finish the operations of several events of which the graph has some, before new ones; return how that ends.

        Otherwise a graph could be reached with the rest of them before other events, and after these. The rest of an
        operation that writes comes before that of one that reads from it: it has no other stores to read then. What its
        vCPU has to do again before it comes first.
        """
        for _, vcpu, last in sorted(self._begun()):
            node, self._state = self.graph.at[vcpu], State.WENT
            while self._state is State.WENT and node is not None and node.op is not None and node.label.number <= last:
                if (end := self._step(vcpu)) is not None:
                    return end
                node = self.graph.at[vcpu]
        return None

    def _begun(self) -> list[tuple[bool, int, int]]:
        """Return the operations of which the graph has some events: whether reads are missing, the vCPU, the number."""
        graph, width = self.graph, 2 * self._memo.layout.parts
        found: dict[int, tuple[bool, int, int]] = {}
        for number in sorted(graph.events):  # of a vCPU, the last operation counts
            event = graph.events[number]
            if event.siblings is not None and any(not graph.mask >> each & 1 for each in event.siblings):
                found[event.vcpu] = not event.writes, event.vcpu, event.index // width
        for label in self._labels():
            events = label.reads or label.stores
            if len(events) > 1 and any(graph.mask >> event.id & 1 for event in events):
                found.setdefault(label.vcpu, (False, label.vcpu, label.number))
        return list(found.values())

    # -- sections ---------------------------------------------------------------------------------

    def _in_section(self, vcpu: int) -> bool:
        node = self.graph.at[vcpu]
        return node is not None and node.op is not None and node.label.past.section >= 0

    def _finish_parts(self) -> End | None:
        """Finish the sections and instructions of which the graph has a part, before new ones; return how that ends.

        A part may rule out what new ones do, but no new ones rule out the rest of a part.
        """
        for label in in_turn(self.graph, [label for label in self._labels() if self._is_part(label)]):
            while True:
                if (end := self._step(label.vcpu)) is not None:
                    return end
                node = self.graph.at[label.vcpu]
                if self._state is not State.WENT or node is None or node.op is None or not node.label.inside:
                    break
        return None

    def _is_part(self, label: Label) -> bool:
        """Whether the graph has a part of the guest instruction that a vCPU is in, or has just begun."""
        return label.inside or any(self.graph.mask >> event.id & 1 for event in label.reads or label.stores)

    def _held_up(self) -> int:
        """Return the first vCPU that waited to stop the world, and need not any more; their number if there is none."""
        if self.graph.stops:
            for label in self._labels():
                event = label.fails if label.op.kind is Kind.BEGIN_EXCLUSIVE else None
                new = event is not None and not self.graph.mask >> event.id & 1
                if new and can_stop(label, self._labels(label.vcpu)):
                    return label.vcpu
        return len(self.graph.at)
