"""The conflict graph of transactions, and a short cycle in it.

There is an edge T -> U if an access of T conflicts with a later one of U, or if T comes before U on the same vCPU
(`simaie.check.own_order`). The execution is conflict serializable iff the graph has no cycle (K. P. Eswaran, J. N.
Gray, R. A. Lorie, I. L. Traiger, "The Notions of Consistency and Predicate Locks in a Database System", CACM 1976). The
order within a vCPU counts as in C. Flanagan, S. N. Freund, J. Yi, "Velodrome", PLDI 2008.

A load that its vCPU's own store buffer answers is late (`simaie.check.accesses`): it conflicts with the foreign writes
before it looked and with those after its store drained. That it reads from its own vCPU's store is no edge, since the
load may come before the drain. So every edge points forward in time, in this execution and in all equivalent ones,
which have the same graph.

Only edges from the last write of a location and from the reads since are created; the others follow from these. So
there are at most two edges for each access to a location, and everything here is linear in the trace. The cycle found
is the shortest among those through a few dozen starting points. The edges that were left out may shorten that cycle:
they are then examined among the few transactions of the cycle, in all pairs of their accesses; a cycle too long for
that is left as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from simaie.check.accesses import Access, Late, late_reads
from simaie.check.own_order import own_order
from simaie.check.transactions import Transactions
from simaie.dependence import locations, overlap

__all__ = ["Graph", "components", "conflict_graph", "short_cycle", "shorten_cycle"]

#: Number of a transaction -> for each successor, the steps of the two conflicting operations.
Graph = list[dict[int, tuple[int, int]]]

#: Number of starting points from which to search for a shortest cycle.
_STARTS = 32


def conflict_graph(found: Transactions) -> Graph:
    """Return the conflict graph, each edge with the steps of two operations that are its reason."""
    return _Edges(found).graph


class _Writes(msgspec.Struct):
    """The last write of a location, and the last write by another vCPU before it: (transaction, step), or None."""

    last: tuple[int, int] | None = None
    foreign: tuple[int, int] | None = None


class _Edges:
    """Builds the edges in one sweep over the accesses."""

    def __init__(self, found: Transactions) -> None:
        self.graph: Graph = [{} for _ in found.all]
        self._found = found
        self._vcpus = [transaction.vcpu for transaction in found.all]
        self._writes: dict[int, _Writes] = {}  # by location
        self._readers: dict[int, dict[int, int]] = {}  # location -> transaction -> step, of the reads since
        places = locations(found.accesses)
        late = late_reads(found.accesses, places)
        before = own_order(found.trace, found.accesses, found.of, self._vcpus)
        for index, access in enumerate(found.accesses):
            me = found.of[index]
            if found.all[me].first == index:
                for earlier in before[me]:
                    step = found.accesses[found.all[earlier].last].step
                    self.graph[earlier].setdefault(me, (step, access.step))
            for location in places[access.address, access.width]:
                self._touch(index, location, late)
            for read, location in late.due.get(index, ()):
                self._readers.setdefault(location, {})[found.of[read]] = found.accesses[read].step

    def _touch(self, index: int, location: int, late: Late) -> None:
        """Add edges from conflicting accesses at the location, and record this access."""
        me, access = self._found.of[index], self._found.accesses[index]
        vcpu, step = self._vcpus[me], access.step
        writes = self._writes.get(location)
        if writes is None:
            writes = self._writes[location] = _Writes()
        last = writes.last
        mine = last is not None and self._vcpus[last[0]] == vcpu
        if not access.writes:
            self._follow(me, step, (writes.foreign if mine else last,))
            if (index, location) not in late.reads:
                self._readers.setdefault(location, {})[me] = step
            return
        self._follow(me, step, (last,))
        self._follow(me, step, self._readers.pop(location, {}).items())
        if not mine:
            writes.foreign = last
        writes.last = me, step

    def _follow(self, me: int, step: int, earlier: Iterable[tuple[int, int] | None]) -> None:
        for one in earlier:
            if one is not None and one[0] != me:
                self.graph[one[0]].setdefault(me, (one[1], step))


def components(graph: Sequence[Collection[int]]) -> list[list[int]]:
    """Return the strongly connected components of two or more nodes, given the successors of each node."""
    return sorted(_Tarjan(graph).found)


class _Tarjan:
    """R. Tarjan, "Depth-First Search and Linear Graph Algorithms", 1972; without recursion."""

    def __init__(self, graph: Sequence[Collection[int]]) -> None:
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
        """Record the component whose first node is `node`; the others lie above it on the stack."""
        component: list[int] = []
        while not component or component[-1] != node:
            component.append(self._stack.pop())
            self._on_stack.remove(component[-1])
        if len(component) > 1:
            self.found.append(sorted(component))


def short_cycle(graph: Graph, component: Sequence[int], found: Transactions) -> list[int]:
    """Return a short cycle in `component`, each transaction followed by the next and the last by the first.

    Args:
        graph: The conflict graph.
        component: Numbers of the transactions of a strongly connected component.
        found: The transactions.
    """
    inside = set(component)
    # Every edge points forward in time, so every cycle contains a transaction that another one interrupts.
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
    """Return the shortest cycle through `start` of at most `longest` transactions; empty if there is no such cycle."""
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


#: Late reads by index: for each byte the index of the drain (see `simaie.check.accesses.Late`).
_Late = dict[int, dict[int, int]]

_LONGEST = 12
#: Maximum number of pairs of accesses to examine.
_BUDGET = 20_000


def shorten_cycle(found: Transactions, graph: Graph, cycle: Sequence[int]) -> tuple[Sequence[int], Graph]:
    """Return a shortest cycle among the transactions of `cycle`, and a graph with its edges.

    Args:
        found: The transactions.
        graph: The conflict graph.
        cycle: Numbers of the transactions of a cycle.
    """
    mine = {
        member: [i for i in range(found.all[member].first, found.all[member].last + 1) if found.of[i] == member]
        for member in cycle[:_LONGEST]
    }
    if len(cycle) > _LONGEST or sum(map(len, mine.values())) ** 2 > _BUDGET:
        return cycle, graph
    full: Graph = [{} for _ in graph]
    late = late_reads(found.accesses, locations(found.accesses)).until
    for before in cycle:
        for after in cycle:
            reason = _direct(found, late, mine[before], mine[after]) if before != after else None
            if reason is not None:
                full[before][after] = reason
            elif after in graph[before]:
                full[before][after] = graph[before][after]  # the order within the vCPU
    return short_cycle(full, sorted(cycle), found), full


def _direct(found: Transactions, late: _Late, before: Sequence[int], after: Sequence[int]) -> tuple[int, int] | None:
    """Return the steps of the first two accesses of different vCPUs that conflict in that order, or None."""
    if found.all[found.of[before[0]]].vcpu == found.all[found.of[after[0]]].vcpu:
        return None
    for i in before:
        a = found.accesses[i]
        for j in after:
            b = found.accesses[j]
            if i < j and (a.writes or b.writes) and overlap(a, b) and not (i in late and _is_early(late[i], j, a, b)):
                return a.step, b.step
    return None


def _is_early(until: dict[int, int], j: int, a: Access, b: Access) -> bool:
    """Whether access `b`, with index `j`, comes too early to follow the late read `a` at any byte."""
    shared = range(max(a.address, b.address), min(a.address + a.width, b.address + b.width))
    return all(until.get(byte, -1) > j for byte in shared)
