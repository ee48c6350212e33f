"""DPOR by undo visits each Mazurkiewicz trace once: held against all interleavings of generated programs."""

from __future__ import annotations

import pytest
from simaie_schedulers.undo.search import UndoSearch

from exhaustive.explicit_state import canonical, every_trace
from exhaustive.small_programs import FAMILIES, fib, generated, inc, indexer, lastzero, readers

#: Programs with more interleavings are left out: their enumeration is slow.
MOST = 200

COUNTS = [
    *[(inc, n, count) for n, count in ((2, 4), (3, 36), (4, 576))],
    *[(fib, n, count) for n, count in ((1, 3), (2, 19))],
    *[(readers, n, 2**n) for n in (1, 2, 3, 8)],
    (lastzero, 5, 64),
    (indexer, 12, 8),
]
LARGE = [(inc, 5, 14_400), (fib, 5, 8_953), (readers, 13, 8_192), (lastzero, 10, 3_328), (indexer, 15, 4_096)]


def visited(state, **options):
    """Return the search, and the canonical forms of the executions that it visits."""
    search = UndoSearch(state, **options)
    return search, [canonical(state) for state in search]


@pytest.mark.parametrize(("program", "size", "count"), COUNTS)
@pytest.mark.parametrize("keep", [0, 10_000])
def test_the_counts_of_the_literature(program, size, count, keep):
    search, traces = visited(program(size), keep=keep)
    assert len(traces) == len(set(traces)) == search.executions == count
    assert search.redundant == 0
    assert search.reversals == count - 1 + search.infeasible


@pytest.mark.soak
@pytest.mark.parametrize(("program", "size", "count"), LARGE)
def test_the_large_programs_of_the_literature(program, size, count):
    search = UndoSearch(program(size))
    while search.advance():
        pass
    assert search.executions == count
    assert search.redundant == search.infeasible == 0
    assert search.peak_kept <= 512


def compare(family, seeds, **options):
    """Hold the search against all interleavings; return how many programs were compared."""
    compared = 0
    for seed in seeds:
        wanted = every_trace(generated(family, seed), MOST)
        if wanted is None:
            continue
        search, traces = visited(generated(family, seed), **options)
        assert set(traces) == wanted, (family, seed)
        assert len(traces) == len(wanted), (family, seed)
        assert search.redundant == 0, (family, seed)
        compared += 1
    return compared


#: Seeds of which every family makes programs that are small enough.
SMALL = (8, 10, 13, 14, 20)


@pytest.mark.parametrize("seeds", [SMALL, pytest.param(range(64), marks=pytest.mark.soak)], ids=len)
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_trace_is_visited_exactly_once(family, seeds):
    assert compare(family, seeds) >= 2


@pytest.mark.parametrize(
    ("family", "seed"),
    [("wide atomics", 277), ("wide atomics", 970), ("wide exchanges", 984), ("wide exchanges", 1268)],
)
def test_programs_whose_compare_and_swaps_change_between_reads_and_writes(family, seed):
    """Few programs need `simaie_schedulers.undo.flips`, or the check of what happens before an uncertain head."""
    assert compare(family, [seed]) == 1


@pytest.mark.parametrize("family", ["plain", "waits", "world and waits", "choices", "threads", "waits for either"])
def test_schedules_that_are_explored_at_once_change_nothing(family):
    assert compare(family, range(100, 112), keep=0) >= 3
    assert compare(family, range(100, 112), keep=3) >= 3


@pytest.mark.soak
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_trace_of_many_programs(family):
    assert compare(family, range(1_000, 2_000)) >= 100
    assert compare(family, range(2_000, 2_200), keep=2) >= 20
