"""Searches by undo over a memo see what optimal DPOR sees that runs each execution from its start."""

from __future__ import annotations

import pytest
from simaie_schedulers.dpor.search import Dpor

from exhaustive import programs as p
from exhaustive.canonical import canonical
from exhaustive.generated import FAMILIES, program, under_scheme
from exhaustive.programs import Hypercalls
from exhaustive.searches import search
from simaie.exploration.engines import Engines, StartAgain
from simaie.machine import Machine

SIZES = [(2, 2), (2, 1, 1), (3, 2), (1, 1, 1, 1), (2, 2, 1), (3, 3), (4, 2)]
#: What a search by undo cannot do, and the families of programs that may need it (an exclusive may fail by choice).
CHOICE = "a guest makes a local choice"
NOT_UNDONE = {
    family: CHOICE
    for family, (isa, kinds) in FAMILIES.items()
    if isa != "x86" or {"choose", "if odd choose", "spawn any"} & set(kinds)
}
NEVER_UNDONE = {"devices"}


def undone(made, machine, limit=20_000):
    """Return the traces of a search by undo and its scheduler, or why it is not possible."""
    engines, scheduler = Engines(made, machine), Dpor()
    traces = []
    try:
        while not scheduler.exhausted and len(traces) < limit:
            traces.append(engines.run(engines.make(scheduler, len(traces)), len(traces)))
    except StartAgain:
        return engines.why_not_undone, scheduler
    finally:
        engines.close()
    assert engines.undone in (0, len(traces))
    return traces if engines.undone else "", scheduler


def compare(made, machine, limit=3_000):
    """Hold both searches against each other; return why the search by undo was not possible, None if it was."""
    traces, scheduler = undone(made, machine)
    if isinstance(traces, str):
        return traces
    reference = Dpor()
    wanted = search(made, reference, machine, limit)
    assert wanted is not None, made.name
    wanted = [trace for trace in wanted if trace.ending != "pruned"]
    assert sorted(map(repr, map(canonical, traces))) == sorted(map(repr, map(canonical, wanted))), made.name
    assert sorted(map(_seen, traces)) == sorted(map(_seen, wanted)), made.name
    assert scheduler.complete
    assert scheduler.statistics["redundant"] == 0
    return None


def _seen(trace):
    faults = [(fault.vcpu, fault.message, fault.kind) for fault in trace.faults]
    waiting = sorted((name, str(op)) for name, op in trace.waiting.items())
    return repr((trace.ending, trace.outcome, trace.accepted, trace.refusal, sorted(faults), waiting))


def assert_alike(family, seeds, machine, sizes=SIZES):
    """Compare programs of a family."""
    compared = 0
    for seed in seeds:
        why_not = compare(program(family, seed, sizes[seed % len(sizes)]), machine)
        if why_not is None:
            compared += 1
        elif family not in NEVER_UNDONE:
            assert why_not == NOT_UNDONE.get(family), (family, seed)
    assert family in NEVER_UNDONE or family in NOT_UNDONE or compared == len(seeds), family


@pytest.mark.parametrize("seeds", [range(3), pytest.param(range(3, 10), marks=pytest.mark.soak)], ids=len)
@pytest.mark.parametrize("family", FAMILIES)
def test_generated_programs(family, seeds):
    assert_alike(family, seeds, Machine(Hypercalls))


@pytest.mark.soak
@pytest.mark.parametrize("family", FAMILIES)
def test_many_generated_programs(family):
    assert_alike(family, range(100, 200), Machine(Hypercalls))


@pytest.mark.parametrize("family", FAMILIES)
def test_store_buffers(family):
    assert_alike(family, range(2), Machine(Hypercalls, host="tso"), [(2, 1), (1, 1, 1)])


@pytest.mark.soak
@pytest.mark.parametrize("family", FAMILIES)
def test_store_buffers_of_many_generated_programs(family):
    assert_alike(family, range(40), Machine(Hypercalls, host="tso"), [(2, 2), (2, 1), (1, 1, 1), (3, 1), (2, 3)])


@pytest.mark.parametrize("isa", ["x86", "arm"])
@pytest.mark.parametrize("scheme", ["none", "native", "global-lock", "cas", "aie-v2", "aie-rfc"])
def test_the_schemes(scheme, isa):
    if isa == "arm" and scheme in ("global-lock", "aie-v2"):
        pytest.skip("the scheme has no LL/SC")
    machine, compared = Machine(scheme, address_bits=12), 0
    for seed, sizes in enumerate([(1, 1), (2, 1), (1, 1, 1), (2, 2), (1, 1, 1), (2, 1)]):
        why_not = compare(under_scheme(isa, seed, sizes), machine)
        assert why_not in (None, CHOICE if scheme == "native" else None), (scheme, isa, seed)
        compared += why_not is None
    assert compared >= 2


@pytest.mark.parametrize(
    ("made", "count"),
    [
        (p.sb(), 3), (p.mp(), 3), (p.lb(), 3), (p.two_plus_two_w(), 3), (p.iriw(), 15), (p.corr1(), 36), (p.inc(3), 36),
        (p.ainc(4), 24), (p.binc(2), 4), (p.casrot(4), 14), (p.readers(8), 256), (p.lastzero(5), 64),
        (p.fib_bench(2, checker=False), 19), (p.fib_bench(2), 140), (p.indexer(12), 8), (p.filesystem(16), 8),
        (p.dekker(), 3), (p.popl14_example(), 5), (p.combination_lock_1(), 6), (p.sleeping_races_6(), 10),
    ],
    ids=lambda value: getattr(value, "name", value),
)  # fmt: skip
def test_the_counts_of_the_literature(made, count):
    traces, scheduler = undone(made, Machine(Hypercalls))
    assert len(traces) == count
    assert scheduler.statistics["redundant"] == 0


@pytest.mark.soak
@pytest.mark.parametrize(
    ("made", "count"),
    [
        (p.inc(5), 14_400), (p.fib_bench(5, checker=False), 8_953), (p.readers(13), 8_192), (p.lastzero(10), 3_328),
        (p.indexer(15), 4_096),
    ],
    ids=lambda value: getattr(value, "name", value),
)  # fmt: skip
def test_the_large_programs_of_the_literature(made, count):
    traces, scheduler = undone(made, Machine("native"))
    assert len(traces) == count
    assert scheduler.statistics["redundant"] == scheduler.statistics["infeasible"] == 0
