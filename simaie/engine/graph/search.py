"""The search that visits each graph of a program once: TruSt's algorithm, with the prefix of HMC.

A graph that is not finished waits on a stack. The one on top grows to its end along one way, and the other ways go on
the stack: the other stores that a load could read, the other places of a store, and the earlier loads that a store can
feed. The vCPUs are followed along the memo, so that code of guests and schemes runs only where it was never before.

Deviations from TruSt: the prefix follows dependencies and not the program, a vCPU that waits lets others go first, and
store-conditionals are told again what they were told (`Graph.forced`). Tests compare the graphs with those of other
searches; they have not been proved to be all, nor to come once. A graph that comes twice costs time, and no verdict.
A failed store-conditional stays where the store would stay, so that it is not tried once more
(`simaie.engine.graph.after`). Known to come twice are two graphs of one program of some 900 generated ones (seed 1548
of `tests/unit/test_graph_compares.py`): a store needs the read of an atomic operation, whose write depends on another
read that is fed later. Two ways lead there, of which one keeps that write.

The algorithm needs a model that allows more the fewer events there are. An order that is there only if a
compare-and-swap writes breaks that: fed by another store, it fails and orders nothing. So the search leaves such orders
out (`Event.unsure`), and what it finds is held against them at the end (`simaie.host.graph.consistency.allows_whole`).
Likewise an atomic operation of several pieces whose write has no place goes on without it, until another store feeds
one of its reads (`Graph.held`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simaie.engine.actor import Actor
from simaie.engine.graph.again import Outline
from simaie.engine.graph.held import lacks_write
from simaie.engine.graph.layout import MOST_EVENTS, BeginAnew, Layout
from simaie.engine.graph.memo import GraphMemo
from simaie.engine.graph.trace import ending_of, trace_of
from simaie.engine.graph.walk import End, Walk
from simaie.engine.memo.execution import first_actors
from simaie.engine.memo.shared import SharedState
from simaie.errors import SimaieError
from simaie.guest.program import Program
from simaie.host.graph.consistency import allows_whole
from simaie.host.graph.graph import Graph
from simaie.machine import Machine
from simaie.trace import Ending, Trace

__all__ = ["GraphSearch", "SearchCounts"]


class SearchCounts:
    """What a search of graphs has done.

    Attributes:
        finished: The number of graphs in which all vCPUs ended.
        stuck: The number of graphs in which vCPUs wait for ever.
        blocked: The number of graphs in which vCPUs wait for what they could have seen; these are no executions.
        dead: The number of ways that ended where the model allows no graph.
        cut: The number of graphs that the limit on steps cut.
    """

    __slots__ = ("blocked", "cut", "dead", "finished", "stuck")

    def __init__(self) -> None:
        self.finished = self.stuck = self.blocked = self.dead = self.cut = 0


class GraphSearch:
    """The graphs of a program on a machine.

    Args:
        program: The program.
        machine: The machine, whose host memory is a `simaie.host.graph.memory.GraphMemory`.
        enough: Asked before each way to grow a graph, and each operation: whether to stop before the next finished
            graph.

    Attributes:
        exhausted: Whether no graph is left.
        counts: What the search has done.
        graph: The graph that was found last, with its ending; None before the first.
        began_anew: The number of times that the search began anew, because it learnt more about sizes and lengths.
    """

    def __init__(self, program: Program, machine: Machine, enough: Callable[[], bool] = bool) -> None:
        self._enough = enough
        self._program, self._machine = program, machine
        self._layout = Layout(machine.endian)
        self.exhausted = False
        self.counts = SearchCounts()
        self.graph: tuple[Graph, Ending] | None = None
        self.began_anew = 0
        self._stack: list[Graph] = []
        self._begin()

    def _begin(self) -> None:
        self.counts = SearchCounts()
        self._memo = memo = GraphMemo(self._program, self._machine, SharedState(self._program), self._layout)
        self._stack.clear()
        for actor in first_actors(memo):
            memo.enter(actor)
        self._stack.append(Graph(memo.model, [], pieces=self._layout.has_pieces, stops=self._layout.has_sections))

    @property
    def actors(self) -> Sequence[Actor]:
        """The vCPUs of all graphs so far."""
        return self._memo.actors

    @property
    def steps(self) -> int:
        """The number of operations that were run for the first time."""
        return self._memo.misses

    def advance(self) -> bool:
        """Find the next finished graph; return False if none is left, or the search stopped before it.

        Raises:
            BeginAnew: The search has begun anew, and all graphs so far come again.
            SimaieError: The guest or the scheme raised, or its Python state prevents the search.
        """
        stack, limit = self._stack, min(self._machine.limits.steps, MOST_EVENTS)
        while stack:
            if self._enough():
                self.graph = None
                return False
            walk = Walk(self._memo, stack.pop(), stack.append, limit, self._enough)
            try:
                self._start(walk)
                end = walk.go()
            except BeginAnew:
                self._memo.close()
                self._begin()
                self.began_anew += 1
                raise
            except SimaieError:
                if allows_whole(walk.graph):
                    raise
                end = End.DEAD  # the guest or the scheme need not be ready for it
            self._memo.require_sound()
            if end is End.LEFT:
                stack.append(walk.graph)
                self.graph = None
                return False
            if self._is_execution(walk.graph, end):
                return True
        self.graph = None
        self.exhausted = True
        return False

    def _start(self, walk: Walk) -> None:
        """Let each vCPU of a new graph come to its first operation."""
        if not walk.graph.at:
            for vcpu, actor in enumerate(list(self._memo.actors)):
                walk.graph.at.append(walk.following(vcpu, actor.start, None))

    def _is_execution(self, graph: Graph, end: End) -> bool:
        counts = self.counts
        if end is End.DEAD or (self._layout.has_unsure and not allows_whole(graph)):
            counts.dead += 1
            return False
        if lacks_write(graph):
            counts.blocked += 1
            return False
        if end is End.CUT:
            counts.cut += 1
            self.graph = graph, Ending.STEP_LIMIT
            return True
        ending = ending_of(self._memo, graph)
        if ending is None:
            counts.blocked += 1
            return False
        if ending is Ending.FINISHED:
            counts.finished += 1
        else:
            counts.stuck += 1
        self.graph = graph, ending
        return True

    def trace(self) -> Trace:
        """Return the trace of the graph that was found last."""
        assert self.graph is not None
        return trace_of(self._memo, *self.graph)

    def outline(self, graph: Graph) -> Outline:
        """Return a graph that was found, in a form for other memos."""
        return Outline(self._memo, graph)

    def profile(self, actors: Sequence[str]) -> Mapping[str, Any]:
        """Return nothing: the search begins at its first graph only."""
        return {}

    def abandon(self) -> None:
        """End the search."""
        self._stack.clear()

    def close(self) -> None:
        """Close the coroutines."""
        self._memo.close()
