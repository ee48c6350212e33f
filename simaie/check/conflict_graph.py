"""The conflict graph of transactions, and a short cycle in it.

There is an edge T -> U where an access of T conflicts with a later one of U, another vCPU's, and where T has ended
before U of the same vCPU begins. The execution is conflict serializable iff the graph has no cycle (K. P. Eswaran, J.
N. Gray, R. A. Lorie, I. L. Traiger, "The Notions of Consistency and Predicate Locks in a Database System", CACM 1976);
that the order within a vCPU counts is as in C. Flanagan, S. N. Freund, J. Yi, "Velodrome", PLDI 2008.

Only edges from the last write of a location and from the reads since are made: the others follow from these. So there
are at most two edges for each access to a location, and everything here is linear in the trace; the length of the
cycle that is found is the least there is among those of a few dozen starting points.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from simaie.check.accesses import locations
from simaie.check.transactions import Transactions

__all__ = ["Graph", "components", "conflict_graph", "short_cycle"]

#: successors: number of a transaction -> for each that follows, the steps of the two operations.
Graph = list[dict[int, tuple[int, int]]]

#: Starting points from which a shortest cycle is looked for.
_STARTS = 32


def conflict_graph(found: Transactions) -> Graph:
    """The edges, each with the steps of two operations that are its reason."""
    graph: Graph = [{} for _ in found.all]
    vcpus = [transaction.vcpu for transaction in found.all]
    places = locations(found.accesses)
    writers: dict[int, tuple[int, int]] = {}  # location -> transaction and step of the last write
    readers: dict[int, dict[int, int]] = {}  # location -> transaction -> step, of the reads since
    order = ProgramOrder(found)
    for index, access in enumerate(found.accesses):
        me, step = found.of[index], access.step
        for before in order.enter(index):
            graph[before].setdefault(me, (found.accesses[found.all[before].last].step, step))
        for location in places[access.address, access.width]:
            writer, at = writers.get(location, (me, step))
            if vcpus[writer] != vcpus[me]:
                graph[writer].setdefault(me, (at, step))
            if not access.writes:
                readers.setdefault(location, {}).setdefault(me, step)
                continue
            for reader, at in readers.pop(location, {}).items():
                if vcpus[reader] != vcpus[me]:
                    graph[reader].setdefault(me, (at, step))
            writers[location] = me, step
        order.leave(index)
    return graph


class ProgramOrder:
    """Sweeps over the accesses; says which transactions of its vCPU directly precede one that begins."""

    def __init__(self, found: Transactions) -> None:
        self._found = found
        self._latest: dict[str, list[int]] = {}  # those ended that no other one which has ended follows

    def enter(self, index: int) -> Sequence[int]:
        """The predecessors of the transaction that begins at access `index`; none if it has begun already."""
        transaction = self._found.all[self._found.of[index]]
        return self._latest.get(transaction.vcpu, ()) if transaction.first == index else ()

    def leave(self, index: int) -> None:
        """Access `index` has happened."""
        me = self._found.of[index]
        transaction = self._found.all[me]
        if transaction.last == index:
            before = self._latest.get(transaction.vcpu, ())
            self._latest[transaction.vcpu] = [
                *(other for other in before if self._found.all[other].last > transaction.first),
                me,
            ]


def components(graph: Graph) -> list[list[int]]:
    """The strongly connected components of two or more transactions."""
    return sorted(_Tarjan(graph).found)


class _Tarjan:
    """R. Tarjan, "Depth-First Search and Linear Graph Algorithms", 1972; without recursion."""

    def __init__(self, graph: Graph) -> None:
        self.found: list[list[int]] = []
        self._graph = graph
        self._index: dict[int, int] = {}
        self._low: dict[int, int] = {}
        self._stack: list[int] = []
        self._on_stack: set[int] = set()
        self._work: list[tuple[int, Iterator[int]]] = []
        for root in range(len(graph)):
            if graph[root] and root not in self._index:
                self._enter(root)
                while self._work:
                    self._advance()

    def _enter(self, node: int) -> None:
        self._index[node] = self._low[node] = len(self._index)
        self._stack.append(node)
        self._on_stack.add(node)
        self._work.append((node, iter(self._graph[node])))

    def _advance(self) -> None:
        node, successors = self._work[-1]
        low, index = self._low, self._index
        for following in successors:
            if following not in index:
                return self._enter(following)
            if following in self._on_stack:
                low[node] = min(low[node], index[following])
        self._work.pop()
        if self._work:
            below = self._work[-1][0]
            low[below] = min(low[below], low[node])
        if low[node] == index[node]:
            self._close(node)
        return None

    def _close(self, node: int) -> None:
        """`node` is the first of its component, which lies above it on the stack."""
        component: list[int] = []
        while not component or component[-1] != node:
            component.append(self._stack.pop())
            self._on_stack.remove(component[-1])
        if len(component) > 1:
            self.found.append(sorted(component))


def short_cycle(graph: Graph, component: Sequence[int], found: Transactions) -> list[int]:
    """Transactions of a cycle in `component`, each followed by the next and the last by the first."""
    inside = set(component)
    # In time every edge points forward: so every cycle has a transaction into which another one falls.
    starts = (member for member in component if found.all[member].interrupted)
    best: list[int] = []
    for start in islice(starts, _STARTS):
        cycle = _cycle_through(start, graph, inside, len(best) - 1 if best else len(component))
        if cycle:
            best = cycle
        if len(best) == 2:
            break
    return best


def _cycle_through(start: int, graph: Graph, inside: set[int], longest: int) -> list[int]:
    """The shortest cycle through `start` of at most `longest` transactions; empty if there is none."""
    came_from = {start: start}
    level = [start]
    for _ in range(longest):
        following: list[int] = []
        for node in level:
            if start in graph[node]:
                return _path(node, start, came_from)
            for other in graph[node]:
                if other in inside and other not in came_from:
                    came_from[other] = node
                    following.append(other)
        level = following
    return []


def _path(node: int, start: int, came_from: dict[int, int]) -> list[int]:
    path = [node]
    while path[-1] != start:
        path.append(came_from[path[-1]])
    return path[::-1]
