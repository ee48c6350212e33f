"""Optimal DPOR against the enumeration of all interleavings, on generated programs and under the real schemes.

For every program: the canonical forms of DPOR's executions are those of all interleavings (so that the outcomes agree
too), and each occurs once. A wait whose location nobody has read yet, and local choices of several vCPUs in a row,
may cost an execution that leads nowhere; these are counted, and nothing else may be.
"""

from __future__ import annotations

import pytest
from simaie_schedulers.dfs import DepthFirst
from simaie_schedulers.dpor.search import Dpor

from exhaustive.canonical import canonical
from exhaustive.generated import FAMILIES, program, under_scheme
from exhaustive.programs import Hypercalls
from exhaustive.searches import search
from exhaustive.sleep_sets import SleepSets
from simaie import Program, ins
from simaie.exploration.canonical import trace_digest
from simaie.machine import Machine
from simaie.op import Kind, Op
from simaie.schemes.native import Native

SIZES = [(2, 2), (2, 1, 1), (3, 2), (1, 1, 1, 1), (2, 2, 1), (3, 3), (4, 2)]
#: Where a wait or a choice may have to be tried in vain.
TRYING = {family for family, (_, kinds) in FAMILIES.items() if {"wait", "wait1", "choose", "spawn any"} & set(kinds)}
#: To `dpor` a store-conditional also writes the bytes that it only needs untouched: some classes are split.
SPLIT = {"reservation sets", "undefined exclusives"}


@pytest.mark.one_in(2)
@pytest.mark.parametrize("family", FAMILIES)
def test_dpor_visits_each_class_of_all_interleavings_once(family):
    assert _compared(family, range(len(SIZES)), limit=300) >= 1


@pytest.mark.soak
@pytest.mark.parametrize("family", FAMILIES)
def test_dpor_visits_each_class_of_all_interleavings_of_many_programs_once(family):
    assert _compared(family, range(3 * len(SIZES)), limit=1_000) >= 6


def _compared(family, seeds, limit):
    """How many programs had few enough interleavings to compare with."""
    compared = 0
    for seed in seeds:
        made = program(family, seed, SIZES[seed % len(SIZES)])
        found = _compare(made, Machine(Hypercalls), split=family in SPLIT, limit=limit)
        if found is not None:
            compared += 1
            assert found == 0 or family in TRYING
    return compared


@pytest.mark.parametrize(
    ("family", "seed", "sizes"),
    [
        ("world and waits", 234, (1, 1, 1, 1)),  # a wait that cannot be taken must not stand for anything else
        ("waits of several widths", 5024, (2, 2, 2)),  # and one that was tried must not make others redundant
        ("waits of several widths", 5396, (2, 2, 2)),
        ("threads that choose and lock", 130, (2, 2, 1)),  # a choice taken for another vCPU's
    ],
)
def test_dpor_visits_each_class_where_a_step_may_have_to_be_tried(family, seed, sizes):
    assert _compare(program(family, seed, sizes), Machine(Hypercalls)) is not None


@pytest.mark.parametrize(
    ("scheme", "isa"),
    [
        ("none", "x86"),
        ("none", "arm"),
        ("global-lock", "x86"),
        ("cas", "x86"),
        ("cas", "arm"),
        ("aie-v2", "x86"),
        ("aie-rfc", "arm"),
        ("aie-rfc", "x86"),
    ],
)
@pytest.mark.parametrize("limit", [250, pytest.param(1_000, marks=pytest.mark.soak)])
def test_dpor_visits_each_class_under_the_schemes(scheme, isa, limit):
    machine = Machine(scheme, address_bits=12)
    compared = [
        _compare(under_scheme(isa, seed, ((1, 1), (2, 1), (1, 1, 1))[seed % 3]), machine, limit=limit)
        for seed in range(6)
    ]
    assert len([wasted for wasted in compared if wasted is not None]) >= 2
    assert not any(compared)


SCHEMES = [
    (scheme, isa)
    for scheme in ("none", "native", "global-lock", "cas", "aie-v2", "aie-rfc")
    for isa in ("x86", "arm")
    if (scheme, isa) not in {("global-lock", "arm"), ("aie-v2", "arm")}  # which have no LL/SC
]


@pytest.mark.one_in(11)
@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
@pytest.mark.parametrize(("scheme", "isa"), SCHEMES)
def test_dpor_visits_each_class_of_two_to_four_vcpus_under_every_scheme_on_every_host(scheme, isa, host):
    """Of four vCPUs there are too many interleavings; a search by sleep sets alone sees the same classes."""
    machine = Machine(scheme, address_bits=12, host=host)
    compared = []
    for seed, sizes in enumerate([(1, 1, 1, 1), (1, 1, 1, 1), (2, 1, 1, 1), (1, 1), (2, 1), (1, 1, 1), (2, 1, 1)]):
        made = under_scheme(isa, seed, sizes)
        begun = search(made, SleepSets(), machine, limit=500)
        if begun is None:
            continue
        expected = {canonical(trace) for trace in begun if trace.ending != "pruned"}
        scheduler = Dpor()
        traces = search(made, scheduler, machine)
        assert len(traces) == len(expected)
        assert {canonical(trace) for trace in traces} == expected
        assert scheduler.complete
        compared.append(len(sizes))
    assert len(compared) >= 3
    assert 4 in compared


@pytest.mark.parametrize("host", ["sc", "pso"])
@pytest.mark.parametrize("family", FAMILIES)
def test_sleep_sets_alone_miss_no_class_of_all_interleavings(family, host):
    """So that they may stand in for them."""
    made, machine = program(family, 1, (2, 1)), Machine(Hypercalls, host=host)
    interleavings = search(made, DepthFirst(), machine, limit=1_500)
    begun = search(made, SleepSets(), machine)
    assert interleavings is not None
    assert {canonical(trace) for trace in interleavings} == {canonical(t) for t in begun if t.ending != "pruned"}


class Silent(Native):
    """Its exclusives are operations that do not say what they watch, as those of another scheme might be."""

    def load_linked(self, cpu, address, width):
        return Op(Kind.LOAD_LINKED, None, address, width)

    async def store_conditional(self, cpu, address, width, value):
        return bool(await Op(Kind.STORE_CONDITIONAL, None, address, width, value))


@pytest.mark.parametrize("host", ["sc", "tso"])
def test_a_store_conditional_rests_on_all_that_was_load_linked(host):
    """Also where the operation does not say so: the store to the half that it does not store to decides over it."""
    code = [ins("ldxr", 0x100, width=8), ins("stxr", 0x100, 1, into="failed")]
    made = Program("halves", isa="aarch64", threads=[code, [ins("str_", 0x104, 1)]], init={0x100: (0, 8)})
    machine = Machine(Silent, host=host)
    everything = search(made, DepthFirst(), machine)
    traces = search(made, Dpor(), machine)
    assert {trace.outcome for trace in traces} == {trace.outcome for trace in everything}
    assert {trace.outcome["0:failed"] for trace in traces} == {0, 1}
    digests = {(trace_digest(trace), trace.outcome) for trace in everything}
    assert len({digest for digest, _ in digests}) == len(digests) > 1


def _compare(made, machine, *, split=False, limit=1_000):
    """How many executions DPOR wasted; None if there are too many interleavings to compare with."""
    interleavings = search(made, DepthFirst(), machine, limit=limit)
    if interleavings is None:
        return None
    expected = {canonical(trace) for trace in interleavings}
    scheduler = Dpor()
    traces = search(made, scheduler, machine)
    got = [canonical(trace) for trace in traces if trace.ending != "pruned"]
    statistics = scheduler.statistics
    assert set(got) == expected, made.name
    assert scheduler.complete
    wasted = sum(statistics[name] for name in ("sleep_set_blocked", "redundant", "infeasible"))
    assert len(traces) >= len(expected)
    if not split:
        assert len(traces) <= len(expected) + wasted, made.name
    return wasted
