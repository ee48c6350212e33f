"""What an exploration says about what it covered: distinct traces, what is unseen, preemptions; and at what cost."""

from __future__ import annotations

import contextlib
import json

import pytest
from exhaustive import programs as p
from exhaustive.canonical import are_dependent, canonical
from exhaustive.generated import FAMILIES, program
from exhaustive.searches import search
from simaie_schedulers.dfs import DepthFirst
from simaie_schedulers.dpor.search import Dpor
from simaie_schedulers.scripted import Scripted

from simaie import Limits, Machine, Program, explore
from simaie.decision import Schedule
from simaie.engine.inline import run_inline
from simaie.exploration import coverage
from simaie.exploration.canonical import trace_digest
from simaie.exploration.engines import Engines, StartAgain
from simaie.exploration.in_progress import Exploration
from simaie.op import Kind, Op, show
from simaie.replaying.run import make_execution
from simaie.trace import Ending, Event, Outcome, Trace

X = 0x1000
HYPERCALLS = Machine(p.Hypercalls)


# -- the canonical digest --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "count"),
    [(p.sb(), 3), (p.mp(), 3), (p.lb(), 3), (p.two_plus_two_w(), 3), (p.iriw(), 15), (p.corr1(), 36), (p.inc(2), 4),
     (p.inc(3), 36), (p.ainc(4), 24), (p.binc(2), 4), (p.casrot(2), 2), (p.casrot(3), 5), (p.casrot(4), 14),
     (p.casrot(5), 43), (p.readers(4), 16), (p.fib_bench(1), 11), (p.fib_bench(2, checker=False), 19), (p.dekker(), 3),
     (p.popl14_example(), 5)],
)  # fmt: skip
def test_all_interleavings_have_as_many_digests_as_the_literature_counts_traces(made, count):
    assert len({trace_digest(trace) for trace in search(made, DepthFirst(), HYPERCALLS)}) == count


def word(trace):
    """The steps as (identity, event): actor, number, operation and value; and what each actor chose, in its order."""
    letters, numbers, choices = [], {}, {}
    for event in trace.events:
        number = numbers[event.actor] = numbers.get(event.actor, -1) + 1
        if event.op.kind is Kind.CHOICE:
            choices[event.actor] = (*choices.get(event.actor, ()), event.value)
            continue
        letters.append(((event.actor, number, event.op.kind, event.op.location, show(event.value)), event))
    return letters, tuple(sorted(choices.items()))


def commuted(traces):
    """The class of each execution: its number, found by swapping adjacent independent operations and nothing else."""
    words = [word(trace) for trace in traces]
    numbers = {(tuple(identity for identity, _ in letters), choices): i for i, (letters, choices) in enumerate(words)}
    classes = list(range(len(traces)))

    def root(i):
        while classes[i] != i:
            i = classes[i]
        return i

    for i, (letters, choices) in enumerate(words):
        identities = [identity for identity, _ in letters]
        for at in range(len(letters) - 1):
            if not are_dependent(letters[at][1], letters[at + 1][1]):
                swapped = (*identities[:at], identities[at + 1], identities[at], *identities[at + 2 :])
                if (swapped, choices) in numbers:
                    classes[root(i)] = root(numbers[swapped, choices])
    return [root(i) for i in range(len(traces))]


@pytest.mark.parametrize("family", FAMILIES)
def test_digests_are_equal_exactly_if_commuting_leads_from_one_to_the_other(family):
    compared = 0
    for seed in range(6):
        traces = search(program(family, seed, ((1, 2), (1, 1, 1))[seed % 2]), DepthFirst(), HYPERCALLS, limit=800)
        if traces is None:
            continue
        compared += 1
        digests = [trace_digest(trace) for trace in traces]
        by_commuting = commuted(traces)
        pairs = set(zip(digests, by_commuting, strict=True))
        assert len(pairs) == len(set(digests)) == len(set(by_commuting))
    assert compared >= 1


@pytest.mark.parametrize("family", FAMILIES)
def test_digests_distinguish_what_the_full_pairwise_form_distinguishes(family):
    """`exhaustive.canonical` compares every pair of events, and values and outcomes too."""
    compared = 0
    for seed in range(20, 24):
        traces = search(
            program(family, seed, ((2, 2), (3, 1), (1, 1, 1))[seed % 3]), DepthFirst(), HYPERCALLS, limit=400
        )
        if traces is None:
            continue
        compared += 1
        pairs = {(trace_digest(trace), canonical(trace)) for trace in traces}
        assert len(pairs) == len({digest for digest, _ in pairs}) == len({form for _, form in pairs})
    assert compared >= 2


def test_a_wait_for_several_places_depends_on_each_and_on_nothing_else():
    load = {place: Op(Kind.LOAD, None, place, 4) for place in (X, X + 4)}
    wait = Event("0", Op(Kind.AWAIT, value=tuple(load.values())), (0, 0))

    def digests(address):
        store = Event("1", Op(Kind.STORE, None, address, 2, 1), None)
        return [
            trace_digest(
                Trace(
                    program="",
                    events=events,
                    ending=Ending.FINISHED,
                    outcome=Outcome(),
                    schedule=Schedule(),
                    waiting={},
                )
            )
            for events in ([wait, store], [store, wait])
        ]

    for address in (X, X + 2, X + 4, X + 6):
        before, after = digests(address)
        assert before != after
    before, after = digests(X + 8)
    assert before == after


def test_a_digest_is_the_same_in_every_process():
    """The digest of one fixed execution, written down: no hash of Python, no address, no clock is in it."""
    traces = search(p.sb(), DepthFirst())
    assert sorted({trace_digest(trace) for trace in traces}) == PINNED


PINNED = [4611117018697821291, 10433233603711025374, 14026098833033038583]


# -- counting --------------------------------------------------------------------------------------


def covered(made, scheduler, machine=HYPERCALLS, executions=10_000, seed=0):
    report = explore(
        made, machine, scheduler=scheduler, failures=None, executions=executions, seed=seed, checkers=(), coverage=True
    )
    return report, report.statistics.coverage


def test_a_depth_first_search_sees_every_trace_and_says_how_many():
    report, found = covered(p.inc(3), "dfs")
    assert (report.executions, found.traces, found.traced, found.counts) == (90, 36, 90, "traces")
    assert found.traces_complete
    assert found.new_trace is None, "an exhaustive search is no sample"
    assert report.statistics.failure_rate is None


def test_coverage_changes_nothing_of_the_exploration():
    plain = explore(p.inc(3), HYPERCALLS, scheduler="random-walk", executions=50, failures=None)
    with_coverage, _ = covered(p.inc(3), "random-walk", executions=50)
    assert plain.outcomes == with_coverage.outcomes
    assert plain.statistics.coverage is None
    assert plain.statistics.switches == with_coverage.statistics.switches


def test_a_random_walk_says_how_probable_a_new_trace_is():
    """inc(4) has 576 traces. One by one: the interval after 500 executions holds the probability that was to come.

    It is measured by the share of new traces in the next 500 executions, which is lower than at their beginning and
    has a standard deviation of some 2 %; hence the slack of 0.1.
    """
    _, early = covered(p.inc(4), "random-walk", executions=500)
    _, late = covered(p.inc(4), "random-walk", executions=1_000)
    came = (late.traces - early.traces) / 500
    assert early.new_trace.low - 0.1 <= came <= early.new_trace.high
    assert early.new_trace.value == early.once / 500
    assert late.new_trace.value < early.new_trace.value


def test_when_all_traces_were_seen_often_a_new_one_is_improbable():
    _, found = covered(p.sb(), "random-walk", executions=1_000)
    assert (found.traces, found.once, found.new_trace.value) == (3, 0, 0.0)
    assert 0 < found.new_trace.high < 0.005, "0 of 1,000 is no certainty: 3.84 / 1,003.84"


def test_memory_is_bounded_and_the_report_says_where_counting_stopped(monkeypatch):
    monkeypatch.setattr(coverage, "MAX_TRACES", 10)
    _, found = covered(p.inc(4), "random-walk", executions=500)
    assert found.traces == 10
    assert found.traced < 500
    assert not found.traces_complete
    exactly, few = covered(p.ainc(3), "random-walk", executions=500)
    assert (few.traces, few.traced, few.traces_complete) == (6, exactly.executions, True)


def test_executions_cut_short_are_no_traces():
    report, found = covered(p.inc(2), "dfs", Machine("native", limits=Limits(steps=2)))
    assert report.statistics.truncated == report.executions > 0
    assert (found.traces, found.traced) == (0, 0)


def test_preemptions_are_switches_away_from_who_could_have_gone_on():
    """Of the six interleavings of SB two have none, two have one, two have two: cumulatively [2, 4, 6]."""
    _, found = covered(p.sb(), "dfs")
    assert (found.preemptions, found.most_preemptions) == (2 * 1 + 2 * 2, 2)
    _, bounded = covered(p.sb(), "dfs:preemptions=1")
    assert (bounded.preemptions, bounded.most_preemptions) == (2, 1)


def test_leaving_a_pause_is_no_preemption():
    async def pausing(cpu):
        await cpu.pause()

    _, found = covered(Program("pauses", isa="x86", threads=[pausing] * 2), "dfs", Machine())
    assert found.preemptions == 0


async def spinning(cpu):
    while not await cpu.load(X):
        await cpu.pause()
    await cpu.store(X + 4, 1)


async def setting(cpu):
    await cpu.load(X + 4)
    await cpu.store(X, 1)


async def looking_at_two(cpu):
    while not await cpu.load(X) and not await cpu.load(X + 4):
        await cpu.pause()


async def looking(cpu):
    while not (await cpu.load(X), await cpu.load(X + 4))[0]:
        pass


async def setting_two(cpu):
    await cpu.store(X + 4, 2)
    await cpu.store(X, 1)


async def retrying(cpu):
    for _ in range(2):
        value = await cpu.ldrex(X)
        if not await cpu.strex(X, value + 1):
            break
    await cpu.str_(X + 4, 1)


async def intruding(cpu):
    await cpu.str_(X, 5)
    await cpu.ldr(X + 4)


GUESTS = {
    "spins": Program("spins", isa="x86", threads=[spinning, setting, spinning]),
    "spins on two places": Program("two", isa="x86", threads=[looking_at_two, looking_at_two, setting_two]),
    "spins without a pause": Program("looks", isa="x86", threads=[looking, looking, setting_two]),
    "retries": Program("retries", isa="arm", threads=[retrying, intruding, intruding]),
}


@pytest.mark.parametrize("family", [*FAMILIES, *GUESTS])
def test_a_search_by_undo_counts_the_preemptions_of_the_executions_that_it_visits(family):
    """As many as a scheduler sees who makes the same decisions one by one."""
    compared = 0
    for seed in range(1 if family in GUESTS else 4):
        made = GUESTS[family] if family in GUESTS else program(family, seed, ((2, 2), (2, 1, 1))[seed % 2])
        engines, counter = Engines(made, HYPERCALLS), coverage.PreemptionCounter(Dpor())
        with contextlib.suppress(StartAgain):
            while not counter.inner.exhausted and compared < 40:
                trace = engines.run(engines.make(counter, 0), 0)
                if not engines.undone:
                    break
                again = coverage.PreemptionCounter(Scripted(trace.schedule))
                repeated = run_inline(make_execution(made, HYPERCALLS, again, seed=0, verify=False))
                assert (repeated.digest, again.count) == (trace.digest, counter.count), made.name
                compared += 1
        engines.close()
    assert compared > 3 or family in ("devices", "many choices", "threads that choose and lock")


def test_the_failure_rate_has_an_interval():
    async def adder(cpu):
        await cpu.add(X, 1)

    racy = Program("racy", isa="x86", threads=[adder] * 2, init={X: 0}, final=lambda memory: memory[X] == 2)
    report = explore(racy, scheduler="random-walk", executions=400, failures=None)
    rate = report.statistics.failure_rate
    assert rate.value == report.failing / 400
    # Load, store in both: it holds if one goes on after its load, and the first pick does not matter: 1/2.
    assert rate.low <= 0.5 <= rate.high


def test_the_report_as_json_has_all_of_it():
    for scheduler in ("dfs", "random-walk"):
        report, found = covered(p.inc(2), scheduler, executions=5)
        data = json.loads(json.dumps(report.as_dict()))["statistics"]["coverage"]
        assert data["traces"] == found.traces
        assert len(data["sizes"]) == (2 if scheduler == "dfs" else 0)


@pytest.mark.parametrize("driver", ["inline", "trio"])
def test_both_drivers_cover_the_same(driver):
    report = explore(p.sb(), scheduler="dfs", failures=None, driver=driver, coverage=True)
    found = report.statistics.coverage
    assert (found.traces, found.preemptions) == (3, 6)
    cut = explore(p.inc(3), scheduler="dfs", failures=None, driver=driver, coverage=True, executions=5)
    assert [size.probes for size in cut.statistics.coverage.sizes] == [5, 5]


@pytest.mark.untraced
def test_the_size_of_a_search_is_estimated_only_where_it_is_not_known():
    """A search that ends soon runs no probes; one of 20,000 steps is probed while it goes on."""
    assert covered(p.sb(), "dfs", executions=100)[1].sizes == ()
    shown = []

    def progress(exploration):
        if exploration.report().statistics.coverage.sizes and not shown:
            shown.append(exploration.statistics.steps)

    explore(p.inc(5), scheduler="dfs", failures=None, coverage=True, executions=2_000, progress=progress)
    assert 20_000 <= shown[0] < 40_000


def test_a_report_in_the_middle_copies_no_table():
    """Asked ten times a second it must not depend on how much was seen: the figures are running ones."""
    reports = []
    exploration = Exploration(
        p.inc(4), Machine(), "random-walk", seed=0, executions=50, seconds=None, failures=None, checkers=(),
        driver="inline", progress=None, coverage=True,
    )  # fmt: skip

    def spied(take):
        def spy(taken):
            take(taken)
            reports.append(exploration.report())

        return spy

    exploration.take, exploration.take_walked = spied(exploration.take), spied(exploration.take_walked)
    exploration.run()
    executions = [report.executions for report in reports]
    assert executions[:16] == list(range(1, 17))
    assert executions[-1] == 50
    assert [report.statistics.coverage.traced for report in reports] == executions
    assert sorted(found := [report.statistics.coverage.traces for report in reports]) == found
