"""Making a cycle of conflicts shorter, by the edges that the sparse conflict graph leaves out.

Only the few transactions of the cycle are looked at, all pairs of their accesses; a cycle too long for that stays as
it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from simaie.check.accesses import Access, late_reads
from simaie.check.conflict_graph import Graph, short_cycle
from simaie.check.transactions import Transactions
from simaie.dependence import locations, overlap

__all__ = ["shortened"]

#: Late reads by index: for each byte the index of the drain (see `simaie.check.accesses.Late`).
_Late = dict[int, dict[int, int]]

_LONGEST = 12
#: Pairs of accesses to look at.
_BUDGET = 20_000


def shortened(found: Transactions, graph: Graph, cycle: Sequence[int]) -> tuple[Sequence[int], Graph]:
    """A shortest cycle among the transactions of `cycle`, and a graph that has its edges."""
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
                full[before][after] = graph[before][after]  # by the order within the vCPU
    return short_cycle(full, sorted(cycle), found), full


def _direct(found: Transactions, late: _Late, before: Sequence[int], after: Sequence[int]) -> tuple[int, int] | None:
    """The steps of the first two accesses of different vCPUs that conflict in that order."""
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
    """Whether access `j`, `b`, comes too early to be after the late read `a` at any byte."""
    shared = range(max(a.address, b.address), min(a.address + a.width, b.address + b.width))
    return all(until.get(byte, -1) > j for byte in shared)
