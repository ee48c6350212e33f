"""Intervals cover the truth as often as they say, and random probes are unbiased."""

from __future__ import annotations

import math

import pytest
from exhaustive import programs as p
from exhaustive.generated import FAMILIES, program
from exhaustive.searches import search
from simaie_schedulers.dfs import DepthFirst

from simaie import Machine, explore
from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.exploration.canonical import trace_digest
from simaie.exploration.coverage import CoverageCollector
from simaie.exploration.estimates import LARGEST, Interval, mean_of_probes, new_probability, share
from simaie.exploration.probes import InterleavingProbe, TraceProbe
from simaie.prng import Random
from simaie.protocols import ExecutionInfo
from simaie.replaying.run import make_execution

# Its searches take seconds, and run lines that other tests run too.
pytestmark = pytest.mark.untraced

HYPERCALLS = Machine(p.Hypercalls)


# -- intervals -------------------------------------------------------------------------------------


def test_wilsons_interval_at_known_values():
    """Newcombe (Statistics in Medicine 17, 1998), table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    known = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (hits, trials), (low, high) in known.items():
        found = share(hits, trials)
        assert found.value == hits / trials
        assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_no_trials_say_nothing():
    assert share(0, 0) is None
    assert new_probability(0, 0, 0) is None
    assert mean_of_probes([]) is None
    assert mean_of_probes([-math.inf] * 3) is None


def test_an_estimate_lies_within_its_own_interval():
    for trials in range(1, 60):
        for hits in range(trials + 1):
            rate = share(hits, trials)
            assert 0 <= rate.low <= rate.value <= rate.high <= 1
            for twice in range((trials - hits) // 2 + 1):
                new = new_probability(hits, twice, trials)
                assert 0 <= new.low <= new.value <= new.high <= 1


def test_the_interval_of_a_new_trace_covers_the_truth():
    """300 samples of 400 from 200 kinds, kind i with probability proportional to 1 / (i + 1).

    The truth of a sample is the total probability of the kinds that it lacks. 95 % nominal; with 300 samples the
    standard deviation of the share that covers is 1.3 %, so less than 91 % would be three of them off.
    """
    weights = [720_720 // (i + 1) for i in range(200)]
    total, covered, error = sum(weights), 0, 0.0
    for seed in range(300):
        random = Random(seed)
        seen = [0] * len(weights)
        for _ in range(400):
            seen[random.weighted(weights)] += 1
        truth = sum(weight for weight, times in zip(weights, seen, strict=True) if not times) / total
        found = new_probability(seen.count(1), seen.count(2), 400)
        covered += found.low <= truth <= found.high
        error += found.value - truth
    assert covered >= 0.91 * 300
    assert abs(error / 300) < 0.01, "Good-Turing's bias is below 1 / 400"


def test_weights_beyond_any_float_have_a_mean():
    """Two probes of weight e**600 and e**602: their mean is e**600 (1 + e**2) / 2, e**601.43."""
    small = mean_of_probes([600.0, 602.0])
    assert math.log(small.value) == pytest.approx(600 + math.log((1 + math.e**2) / 2))
    assert small.low < small.value < small.high
    assert mean_of_probes([5_000.0, 4_000.0]) == Interval(LARGEST, LARGEST, LARGEST)


def test_equal_weights_have_no_spread():
    found = mean_of_probes([math.log(6)] * 4)
    assert (found.value, found.low, found.high) == pytest.approx((6, 6, 6))


# -- probes ----------------------------------------------------------------------------------------


class _Dictated(Random):
    """Draws what it is told, then 0; remembers how many alternatives each draw had."""

    def __init__(self, script):
        self.script, self.arities = list(script), []

    def below(self, n):
        taken = self.script[len(self.arities)] if len(self.arities) < len(self.script) else 0
        self.arities.append(n)
        return taken

    def weighted(self, weights):
        return self.below(len(weights))


def leaves(made, kind, machine=HYPERCALLS):
    """All walks of a probe, one after another: for each its logarithmic weight."""
    script = []
    while True:
        probe, dictated = kind(), _Dictated(script)
        start = probe.start
        probe.start = lambda info, probe=probe, start=start, dictated=dictated: (
            start(info),
            setattr(probe, "_random", dictated),
        )
        info = ExecutionInfo(0, 0, len(made.threads) + len(made.devices))
        run_inline(Execution(made, machine, probe, info))
        yield probe.weights[0]
        script = [*dictated.script[: len(dictated.arities)]]
        script += [0] * (len(dictated.arities) - len(script))
        while script and script[-1] + 1 == dictated.arities[len(script) - 1]:
            script.pop()
        if not script:
            return
        script[-1] += 1


def test_a_walk_of_an_interleaving_has_the_inverse_of_its_probability_as_weight():
    """So the expectation of the weight is the number of walks: 6 for SB, 90 for inc(3), 180 for IRIW."""
    for made, count in ((p.sb(), 6), (p.inc(3), 90), (p.iriw(), 180)):
        weights = [math.exp(weight) for weight in leaves(made, InterleavingProbe)]
        assert len(weights) == count
        assert sum(1 / weight for weight in weights) == pytest.approx(1)


@pytest.mark.parametrize(
    ("made", "count"),
    [(p.sb(), 3), (p.mp(), 3), (p.inc(2), 4), (p.inc(3), 36), (p.iriw(), 15), (p.corr1(), 36), (p.casrot(4), 14),
     (p.casrot(5), 43), (p.binc(2), 4), (p.readers(3), 8), (p.fib_bench(1), 11), (p.dekker(), 3),
     (p.popl14_example(), 5)],
)  # fmt: skip
def test_exactly_one_walk_of_each_trace_counts(made, count):
    """The expectation of a trace probe is the number of walks that count: here all walks there are, taken in turn."""
    assert sum(weight > -math.inf for weight in leaves(made, TraceProbe)) == count


@pytest.mark.parametrize("family", FAMILIES)
def test_exactly_one_walk_of_each_trace_counts_in_generated_programs(family):
    """Locks, waits, choices, threads, stopped worlds, overlapping accesses."""
    compared = 0
    for seed in range(8):
        made = program(family, seed, ((2, 2), (2, 1, 1))[seed % 2])
        traces = search(made, DepthFirst(), HYPERCALLS, limit=400) if compared < 2 else None
        if traces is None:
            continue
        compared += 1
        counted = sum(weight > -math.inf for weight in leaves(made, TraceProbe))
        assert counted == len({trace_digest(trace) for trace in traces}), made.name
    assert compared == 2


def test_estimates_are_near_the_truth():
    """inc(3), a thousand probes of seed 0: 90 interleavings, 36 traces. The intervals have a standard error of some
    2 %; ten of a hundred seeds would miss by chance in one of the two, a fixed seed does not change."""
    coverage = CoverageCollector(DepthFirst())
    for probe, index in coverage.probes(1_000):
        run_inline(make_execution(p.inc(3), Machine(), probe, index=index))
    sizes = coverage.summary().sizes
    assert [size.counts for size in sizes] == ["interleavings", "traces"]
    for size, truth in zip(sizes, (90, 36), strict=True):
        assert size.probes == 1_000
        assert size.truncated == 0
        assert size.total.low <= truth <= size.total.high
        assert abs(size.total.value - truth) < 0.1 * truth


def test_where_hardly_a_walk_counts_there_is_no_estimate():
    """indexer(12): 48 operations of which most are independent; nearly every walk ends with everybody asleep."""
    sizes = explore(
        p.indexer(12), scheduler="dfs", executions=100, failures=None, coverage=True
    ).statistics.coverage.sizes
    assert sizes[0].total is not None
    assert sizes[1].total is None
    assert sizes[1].hits < 30


def test_walks_that_a_limit_cuts_are_counted():
    machine = Machine("native", limits=type(HYPERCALLS.limits)(steps=2))
    sizes = explore(p.inc(2), machine, scheduler="dfs", executions=3, coverage=True).statistics.coverage.sizes
    assert [size.truncated for size in sizes] == [size.probes for size in sizes]
    assert sizes[1].total is None
