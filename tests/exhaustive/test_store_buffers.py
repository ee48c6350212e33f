"""Exhaustive search on hosts with store buffers: exact counts, and every class of all interleavings exactly once."""

from __future__ import annotations

import pytest
from simaie_schedulers.dfs import DepthFirst
from simaie_schedulers.dpor.search import Dpor

from exhaustive import programs as p
from exhaustive.canonical import canonical
from exhaustive.generated import FAMILIES, program, under_scheme
from exhaustive.searches import explored, search
from simaie.exploration.canonical import trace_digest
from simaie.machine import Machine

#: Mazurkiewicz traces of stores, loads and drains. SB: each of the two loads goes before or after the other's drain,
#: 2 x 2. MP on PSO: the same of the two drains and the two loads. 2+2W on PSO: two orders at each place. IRIW, CoRR and
#: whatever has one store a vCPU, or only locked operations: as on SC.
COUNTS = [
    (p.sb(), 4, 4),
    (p.mp(), 3, 4),
    (p.lb(), 3, 3),
    (p.two_plus_two_w(), 3, 4),
    (p.iriw(), 15, 15),
    (p.corr1(), 36, 36),
    (p.inc(2), 4, 4),
    (p.inc(3), 36, 36),
    (p.ainc(3), 6, 6),
    (p.casrot(4), 14, 14),
    (p.readers(3), 8, 8),
    (p.popl14_example(), 5, 5),
    (p.dekker(), 11, 11),
]
SIZES = [(2, 2), (2, 1, 1), (3, 2), (1, 1, 1, 1), (2, 2, 1), (3, 3)]
SMALL = [(2, 2), (2, 1), (1, 1, 1), (2, 1)]
#: Where a wait or a choice may have to be tried in vain.
TRYING = {family for family, (_, kinds) in FAMILIES.items() if {"wait", "wait1", "choose", "spawn any"} & set(kinds)}
#: To `dpor` a store-conditional also writes the bytes that it only needs untouched: some classes are split.
SPLIT = {"reservation sets", "undefined exclusives"}


@pytest.mark.parametrize(("made", "tso", "pso"), COUNTS, ids=[made.name for made, _, _ in COUNTS])
def test_one_execution_is_run_of_each_trace(made, tso, pso):
    for host, count in (("tso", tso), ("pso", pso)):
        traces, scheduler = explored(made, Machine(p.Hypercalls, host=host))
        assert len(traces) == len({canonical(trace) for trace in traces}) == count, host
        assert scheduler.complete
        assert scheduler.statistics["sleep_set_blocked"] == scheduler.statistics["redundant"] == 0


@pytest.mark.parametrize("host", ["tso", "pso"])
@pytest.mark.parametrize("family", FAMILIES)
def test_dpor_visits_each_class_of_all_interleavings_once(family, host):
    assert _compared(family, host, SMALL, limit=200) >= 1


@pytest.mark.soak
@pytest.mark.parametrize("host", ["tso", "pso"])
@pytest.mark.parametrize("family", FAMILIES)
def test_dpor_visits_each_class_of_all_interleavings_of_larger_programs_once(family, host):
    assert _compared(family, host, SIZES, limit=1_500) >= 2


def _compared(family, host, sizes, limit):
    """How many programs had few enough interleavings to compare with."""
    compared = 0
    for seed, size in enumerate([(1, 1), (2, 1), (1, 1, 1), (2, 1)] if family == "devices" else sizes):
        made = program(family, seed, size)
        wasted = _compare(made, Machine(p.Hypercalls, host=host), limit, split=family in SPLIT)
        if wasted is not None:
            compared += 1
            assert wasted == 0 or family in TRYING
    return compared


@pytest.mark.parametrize(
    ("scheme", "isa"),
    [("none", "arm"), ("global-lock", "x86"), ("cas", "arm"), ("aie-v2", "x86"), ("aie-rfc", "arm"), ("native", "arm")],
)
@pytest.mark.parametrize("limit", [200, pytest.param(500, marks=pytest.mark.soak)])
def test_dpor_visits_each_class_under_the_schemes(scheme, isa, limit):
    machine = Machine(scheme, address_bits=12, host="pso")
    sizes = ((1, 1), (2, 1), (1, 1, 1))
    wasted = [_compare(under_scheme(isa, seed, sizes[seed % 3]), machine, limit=limit) for seed in range(6)]
    assert len([one for one in wasted if one is not None]) >= 2
    assert not any(wasted)


def _compare(made, machine, limit, *, split=False):
    """How many executions DPOR wasted; None if there are too many interleavings to compare with."""
    interleavings = search(made, DepthFirst(), machine, limit=limit)
    if interleavings is None:
        return None
    digests = {}
    for trace in interleavings:
        digests.setdefault(canonical(trace), set()).add(trace_digest(trace))
    assert all(len(same) == 1 for same in digests.values()), "the canonical digest tells equal traces apart"
    assert len(set.union(*digests.values())) == len(digests), "the canonical digest confuses traces"
    scheduler = Dpor()
    traces = search(made, scheduler, machine)
    got = [canonical(trace) for trace in traces if trace.ending != "pruned"]
    assert set(got) == set(digests), made.name
    assert scheduler.complete
    wasted = sum(scheduler.statistics[name] for name in ("sleep_set_blocked", "redundant", "infeasible"))
    if not split:
        assert len(traces) <= len(digests) + wasted, made.name
    return wasted


def test_a_drain_is_no_preemption():
    """SB breaks on TSO in the first round, without any preemption: one vCPU after the other, and late drains."""
    scheduler = DepthFirst(preemptions=1)
    traces = search(p.sb(), scheduler, Machine(host="tso"))
    without = traces[: scheduler.per_bound[0]]
    assert len(without) < len(traces)
    assert any(trace.outcome["0:r"] == trace.outcome["1:r"] == 0 for trace in without)


def test_within_one_preemption_all_outcomes_of_sb_show_since_drains_are_free():
    scheduler = DepthFirst(preemptions=1)
    traces = search(p.sb(), scheduler, Machine(host="tso"))
    assert scheduler.per_bound == [20, 50]
    assert len({trace.outcome for trace in traces}) == 4


@pytest.mark.parametrize("bound", ["preemptions", "delays"])
def test_bounded_rounds_add_up_to_all_interleavings(bound):
    everything = search(p.sb(), DepthFirst(), Machine(host="tso"))
    scheduler = DepthFirst(**{bound: 20})
    rounds = search(p.sb(), scheduler, Machine(host="tso"))
    assert scheduler.complete
    assert len({t.digest for t in rounds}) == len(rounds) == len(everything)
