"""Shortening a cycle of conflicts, by the edges that the sparse conflict graph leaves out.

Only the few transactions of the cycle are examined, in all pairs of their accesses; a cycle too long for that is left
as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from simaie.check.accesses import Access, late_reads, locations
from simaie.check.conflict_graph import Graph, short_cycle
from simaie.check.transactions import Transactions

__all__ = ["shortened"]

#: Late reads by index: for each byte the index of the drain (see `simaie.check.accesses.Late`).
_Late = dict[int, dict[int, int]]

_LONGEST = 12
#: Most pairs of accesses to examine.
_BUDGET = 20_000


def shortened(found: Transactions, graph: Graph, cycle: Sequence[int]) -> tuple[Sequence[int], Graph]:
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
            if i < j and (a.writes or b.writes) and _share(a, b) and not (i in late and _is_early(late[i], j, a, b)):
                return a.step, b.step
    return None


def _share(a: Access, b: Access) -> bool:
    """Whether two accesses have a byte in common."""
    return a.address < b.address + b.width and b.address < a.address + a.width


def _is_early(until: dict[int, int], j: int, a: Access, b: Access) -> bool:
    """Whether access `b`, with index `j`, comes too early to follow the late read `a` at any byte."""
    shared = range(max(a.address, b.address), min(a.address + a.width, b.address + b.width))
    return all(until.get(byte, -1) > j for byte in shared)
