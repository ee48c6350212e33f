"""Optimal DPOR against the enumeration of all interleavings, on programs in which features of guests meet.

Both searches must show the same of each program: how it ends, its outcomes, its faults, and with each of these the
kinds of findings that all checkers together make. Programs with too many interleavings are passed over; most are not.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence

import pytest
from simaie_schedulers.dfs import DepthFirst
from simaie_schedulers.dpor.search import Dpor

from exhaustive.combined import FEATURES, HOSTS, ISAS, SCHEMES, Case, combined
from exhaustive.searches import search
from simaie.check import CHECKERS, store_conditional_within
from simaie.trace import Ending, Trace

#: Programs that have few interleavings, in which all features meet, and how many one may have to be compared.
PROGRAMS = [
    10, 12, 13, 18, 23, 24, 25, 29, 32, 33, 42, 43, 45, 54, 55, 56, 58, 68, 69, 76, 84, 88, 89, 90, 94, 95, 99,
]  # fmt: skip
INTERLEAVINGS = 150
SOAK_PROGRAMS, SOAK_INTERLEAVINGS = 2_000, 600
ALL = (*CHECKERS.values(), store_conditional_within(1))
_ENDINGS = {Ending.FINISHED, Ending.DEADLOCK, Ending.LIVELOCK}


def test_dpor_shows_what_all_interleavings_show_where_features_meet():
    met = _compare_all(PROGRAMS, INTERLEAVINGS)
    assert {*FEATURES, *ISAS, *SCHEMES, *HOSTS} <= met.keys()
    assert {" ".join(pair) for pair in itertools.combinations(FEATURES, 2)} <= met.keys()


@pytest.mark.soak
def test_dpor_shows_what_all_interleavings_show_of_thousands():
    met = _compare_all(range(10_000, 10_000 + SOAK_PROGRAMS), SOAK_INTERLEAVINGS)
    assert {" ".join(each) for each in itertools.combinations(FEATURES, 2)} <= met.keys()
    assert {" ".join(each) for each in itertools.product(ISAS, SCHEMES, HOSTS)} <= met.keys()


def _compare_all(seeds: Sequence[int], limit: int) -> Counter[str]:
    """How many of the programs whose interleavings all were run have what, and which pairs of features.

    Most could be compared, and a good part of these show different things in different orders.
    """
    met: Counter[str] = Counter()
    several = compared = 0
    for seed in seeds:
        case = combined(seed)
        shown = _compare(case, limit)
        if shown is not None:
            compared += 1
            several += len(shown) > 1
            met.update(_names(case))
    assert compared > 0.6 * len(seeds)
    assert several > 0.3 * compared
    return met


def _compare(case: Case, limit: int) -> set[str] | None:
    """What both searches show; None if there are more than `limit` interleavings."""
    every = search(case.program, DepthFirst(), case.machine, limit)
    if every is None:
        return None
    scheduler = Dpor()
    some = search(case.program, scheduler, case.machine)
    assert some is not None
    assert scheduler.complete
    expected, found = _shown(every), _shown(trace for trace in some if trace.ending is not Ending.PRUNED)
    assert found == expected, (case.program, case.machine)
    return expected


def _shown(traces: Iterable[Trace]) -> set[str]:
    shown = set()
    for trace in traces:
        assert trace.ending in _ENDINGS, trace.program
        kinds = sorted({finding.kind for checker in ALL for finding in checker(trace)})
        faults = sorted((fault.vcpu, fault.message) for fault in trace.faults)
        shown.add(repr((trace.ending, trace.outcome, trace.accepted, faults, kinds)))
    return shown


def _names(case: Case) -> list[str]:
    """What the case has: each by itself, pairs of features, and instruction set, scheme and host together."""
    present = [feature for feature in FEATURES if feature in case.features]
    pairs = [" ".join(pair) for pair in itertools.combinations(present, 2)]
    return [*present, *pairs, case.isa, case.scheme, case.host, f"{case.isa} {case.scheme} {case.host}"]
