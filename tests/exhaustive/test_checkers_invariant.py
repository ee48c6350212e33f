"""What a checker finds is a function of the Mazurkiewicz trace: of that an exhaustive search runs one execution only.

The first tests run a program at random, swap neighbours that are independent, run the result, and hold the findings of
every checker against each other: kind, verdict, guilty steps (which are the same events in both), addresses and vCPUs.
The others hold all findings of an exhaustive search against those of all interleavings.
"""

from __future__ import annotations

from collections import Counter

import pytest
from simaie_schedulers.dfs import DepthFirst
from simaie_schedulers.dpor.search import Dpor
from simaie_schedulers.random_walk import RandomWalk

from exhaustive.generated import under_scheme
from exhaustive.programs import X, Y
from exhaustive.searches import run, search
from exhaustive.swaps import judged, named, rerun, swapped
from exhaustive.varied import KINDS
from simaie import Machine, Program, explore, ins
from simaie.check import CHECKERS, store_conditional_within
from simaie.check.order import canonical_places
from simaie.check.rmw import rmw_atomicity
from simaie.op import Kind
from simaie.prng import Random
from simaie.protocols import Checker
from simaie.trace import Trace

JUDGED: dict[str, Checker] = {
    **CHECKERS,
    "store-conditional-within": store_conditional_within(1),
}
#: How many cases of each kind are made. The soak makes tens of thousands.
CASES = {
    "instructions": 150, "wide": 50, "families": 75, "calls": 150, "careless": 40, "lying": 50, "pairs": 30,
    "vectors": 30,
}  # fmt: skip
#: What each kind of case makes these checkers find.
FINDING = {
    "instructions": {"data-races", "serializability", "rmw-atomicity", "atomic-blocks", "store-conditional-within",
                     "final-check", "llsc-atomicity", "llsc-atomicity-strict", "llsc-atomicity-value"},
    "wide": {"data-races", "serializability", "rmw-atomicity", "single-copy-atomicity", "single-copy-atomicity-lpae",
             "guest-fault"},
    "families": {"data-races", "serializability", "lock-leak", "progress"},
    "calls": {f"linearizable-{what}" for what in ("counter", "mutex", "queue", "register", "set", "stack")},
    "careless": {"lock-leak", "locks-per-vcpu", "one-entry-per-granule", "registered-by-atomics", "host-operations",
                 "unguarded-update", "progress"},
    "lying": {"instruction-results"},
    "pairs": {"single-copy-atomicity-lse2"},
    "vectors": {"single-copy-atomicity-lse2", "single-copy-atomicity-avx"},
}  # fmt: skip


def compare(kind: str, seeds: range) -> Counter[str]:
    """How often each checker found something; AssertionError where an equivalent execution is judged differently."""
    found: Counter[str] = Counter()
    for seed in seeds:
        program, machine = KINDS[kind](seed)
        trace = run(program, RandomWalk(), machine, index=seed)
        other, swaps = swapped(program, machine, trace, Random(seed), 3 * len(trace))
        found["swaps"] += swaps
        for name, checker in JUDGED.items():
            if not judges(name, checker, trace):
                continue
            first, second = judged(checker, trace), judged(checker, other)
            assert first == second, f"{name} of {program.name} on {machine}"
            found[name] += bool(first)
    return found


def judges(name: str, checker: Checker, trace: Trace) -> bool:
    """Whether the checker has to do with the trace, and does not say itself that it judges more than the class."""
    what = name.removeprefix("linearizable-")
    if what != name and not trace.program.startswith(what):
        return False  # calls of another object
    order_sensitive = getattr(checker, "order_sensitive", False)
    return not (order_sensitive is True or (order_sensitive and order_sensitive(trace)))


@pytest.mark.parametrize("kind", KINDS)
def test_equivalent_executions_have_the_same_findings(kind):
    found = compare(kind, range(CASES[kind]))
    assert found["swaps"] >= 3 * CASES[kind]
    assert {name for name in FINDING[kind] if not found[name]} == set()


@pytest.mark.parametrize("kind", KINDS)
def test_evidence_is_looked_for_in_an_order_that_is_an_execution_and_the_same_for_equivalent_ones(kind):
    for seed in range(30):
        program, machine = KINDS[kind](seed)
        trace = run(program, RandomWalk(), machine, index=seed)
        other, _ = swapped(program, machine, trace, Random(seed), 3 * len(trace))
        first, second = (sorted(range(len(t)), key=canonical_places(t).__getitem__) for t in (trace, other))
        assert named(trace, first) == named(other, second), program.name
        if Kind.CHOICE not in trace.kinds:  # which are asked for at once when an actor goes on
            rerun(program, machine, trace, first)


def test_in_that_order_a_thread_comes_after_what_starts_it():
    """Also where its name puts it first: vCPU 0 has to wait for vCPU 1 before it can start the thread."""

    async def child(cpu):
        await cpu.load(Y)

    async def parent(cpu):
        await cpu.wait_until(X, lambda value: value == 1)
        await cpu.spawn(child)

    program = Program("late", isa="x86", threads=[parent, [ins("store", X, 1)]], init={X: 0, Y: 0})
    trace = run(program, RandomWalk())
    actors = [trace.events[step].actor for step in sorted(range(len(trace)), key=canonical_places(trace).__getitem__)]
    assert actors.index("0.0") > actors.index("0")


def test_every_checker_has_something_to_find():
    """Or it would be held to nothing.

    Starvation looks at executions of a thousand steps or more, that were cut. Only compiled programs have a heap.
    """
    assert set().union(*FINDING.values()) == set(JUDGED) - {"starvation", "use-after-free", "double-free"}


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_soak_equivalent_executions_have_the_same_findings(kind):
    compare(kind, range(1_000_000, 1_000_000 + 100 * CASES[kind]))


# -- all findings of a search against those of all interleavings -----------------------------------------------

SIZES = [(1, 1), (2, 1), (1, 1, 1), (3, 1), (2, 2)]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("host", ["tso", "pso"])
@pytest.mark.parametrize("scheme", ["none", "cas", "aie-rfc"])
@pytest.mark.parametrize("isa", ["x86", "arm"])
def test_dpor_finds_what_all_interleavings_find(isa, scheme, host):
    assert _compared(isa, Machine(scheme, host=host, address_bits=12), seeds=range(5), limit=250) >= 2


@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
def test_dpor_finds_what_all_interleavings_find_of_wide_accesses(host):
    machine = Machine("none", host=host, host_word=32)
    threads = [[ins("lock_xadd", X, 1, width=8)], [ins("store", X + 4, 9)]]
    wide = Program("wide", isa="x86", threads=threads, init={X: (0, 8)})
    every, some = search(wide, DepthFirst(), machine), search(wide, Dpor(), machine)
    assert _findings(every) == _findings(some)
    assert any(name == "rmw-atomicity" for name, found in _findings(some) if found)


@pytest.mark.soak
@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
@pytest.mark.parametrize("isa", ["x86", "arm"])
@pytest.mark.parametrize("scheme", ["native", "none", "cas", "aie-rfc"])
def test_soak_dpor_finds_what_all_interleavings_find(scheme, isa, host):
    assert _compared(isa, Machine(scheme, host=host, address_bits=12), seeds=range(1_000, 1_060), limit=3_000) >= 30


def _compared(isa: str, machine: Machine, seeds: range, limit: int) -> int:
    """How many programs were compared; AssertionError where the findings differ."""
    compared = 0
    for seed in seeds:
        made = under_scheme(isa, seed, SIZES[seed % len(SIZES)])
        every = search(made, DepthFirst(), machine, limit=limit)
        if every is not None:
            compared += 1
            some = search(made, Dpor(), machine)
            assert _findings(every) == _findings(some), made.name
    return compared


def _findings(traces: list[Trace]) -> set[tuple[str, tuple[object, ...]]]:
    """What each checker finds in each of the executions."""
    return {
        (name, tuple(judged(checker, trace)))
        for name, checker in JUDGED.items()
        for trace in traces
        if judges(name, checker, trace)
    }


# -- a lost update ---------------------------------------------------------------------------------------------


def losing() -> Program:
    """A store waits in the buffer while the locked instruction reads; it drains between that and the last drain."""
    threads = [
        [ins("store", X, 3), ins("lock_xadd", Y, 1), ins("lock_xadd", X, 1)],
        [ins("store", X, 9)],
    ]
    return Program("losing", isa="x86", threads=threads, init={X: 0, Y: 0}, watch={X: 4})


@pytest.mark.parametrize("host", ["tso", "pso"])
@pytest.mark.parametrize("scheduler", ["dpor", "dfs"])
def test_an_update_lost_behind_the_drain_of_an_earlier_instruction_is_found(scheduler, host):
    report = explore(losing(), Machine("none", host=host), scheduler=scheduler, failures=None)
    assert report.verdict == "violated"
    for failure in report.failures:
        assert {finding.kind for finding in failure.findings} == {"rmw-atomicity"}
        assert failure.trace.outcome[f"[{X:#x}]"] == 4  # 3 + 1: the 9 in between is lost


@pytest.mark.parametrize("host", ["tso", "pso"])
def test_it_is_found_exactly_where_the_foreign_store_drains_between_what_was_read_and_what_was_written(host):
    """That it drains before both, while the instruction has read its own vCPU's buffer, is the order 9, 3, 4."""
    seen = Counter()
    for trace in search(losing(), DepthFirst(), Machine("none", host=host)):
        drained = tuple(event.op.value for event in trace.events if event.writes_ram and event.op.address == X)
        assert bool(list(rmw_atomicity(trace))) is (drained == (3, 9, 4)), drained
        seen[drained] += 1
    assert set(seen) == {(3, 4, 9), (3, 9, 4), (9, 3, 4), (3, 9, 10)}


@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
def test_it_is_found_under_no_scheme_that_locks(host):
    for scheme in ("native", "cas"):
        assert explore(losing(), Machine(scheme, host=host), scheduler="dpor").verdict == "holds"
