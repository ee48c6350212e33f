"""Coverage-guided: it gets through a chain of unlikely hand-offs, one link after another."""

from __future__ import annotations

import msgspec
import pytest
from scheduler_programs import X, Y, actors, increments, make, run, run_all, stores
from simaie_schedulers import coverage_guided
from simaie_schedulers.coverage_guided import MUTANTS, CoverageGuided
from simaie_schedulers.pos import Pos

from simaie.exploration.explorer import explore
from simaie.prng import derive


def chain(links: int):
    """Bug: thread 1 loads each of thread 0's pulses between its two stores; it gives up at the first that it misses."""

    async def pulses(cpu):
        for link in range(links):
            await cpu.str_(X + 16 * link, 1)
            await cpu.str_(X + 16 * link, 0)

    async def watcher(cpu):
        link = 0
        while link < links and await cpu.ldr(X + 16 * link):
            link += 1
        cpu.observe("links", link)

    return make(pulses, watcher, final=lambda state: state.registers["1:links"] < links)


def first_failing(program, scheduler, seed: int, executions: int) -> int | None:
    traces = run_all(program, scheduler, executions, seed=seed)
    return next((index for index, trace in enumerate(traces) if trace.accepted is False), None)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("seed", range(6))
def test_a_chain_is_found_though_the_probabilities_of_its_links_multiply(seed):
    """Of eight links, under POS the first has probability 1/2 x 1/2. Before the load of each further one, two events of
    the other thread must draw more than the load did, 1/3, and then the load, drawn anew, more than the next, 1/2. So
    POS alone needs 4 x 6^7 = 1.1 million executions.
    """
    assert first_failing(chain(8), CoverageGuided(), seed, 4_000) is not None


@pytest.mark.untraced
def test_pos_alone_does_not_find_it():
    assert first_failing(chain(8), Pos(), 0, 1_000) is None


def test_each_parent_has_its_mutants_and_pos_goes_on_between_them():
    program, scheduler = increments(4), CoverageGuided()
    with_parent = []
    for index in range(1 + 3 * (MUTANTS + 1)):
        with_parent.append(bool(scheduler.profile()))
        run(program, scheduler, index)
    assert with_parent == [False, *([*[True] * MUTANTS, False] * 3)]


def test_what_has_no_parent_is_an_execution_of_pos():
    assert run(increments(4), CoverageGuided(), 7).digest == run(increments(4), Pos(), 7).digest


def test_a_mutant_follows_its_parent_but_for_a_few_decisions():
    """Two threads of ten independent stores; the parent is one interleaving of them."""
    program = make(stores(*[X] * 10), stores(*[Y] * 10))
    parent = "01" * 10
    unlike = []
    for index in range(200):
        scheduler = CoverageGuided()
        scheduler.restore({"parent": list(parent)})
        unlike.append(sum(a != b for a, b in zip(actors(run(program, scheduler, index)), parent, strict=True)))
    assert 0 < sum(unlike) / len(unlike) < 6
    assert len(set(unlike)) > 3


def test_any_execution_repeats_alone_from_its_profile():
    async def chooser(cpu):
        await cpu.str_(X + 16 * await cpu.choose(3), 1)
        await cpu.str_(Y, await cpu.choose(2))

    program, scheduler = make(chooser, chooser, stores(X, Y)), CoverageGuided()
    for index in range(60):
        profile = msgspec.json.decode(msgspec.json.encode(scheduler.profile(), order="sorted"))
        original = run(program, scheduler, index)
        alone = CoverageGuided()
        alone.restore(profile)
        assert run(program, alone, index).digest == original.digest


def test_its_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(coverage_guided, "MOST_PARENTS", 3)
    monkeypatch.setattr(coverage_guided, "MOST_FINGERPRINTS", 5)
    scheduler = CoverageGuided()
    for index in range(200):
        run(chain(4), scheduler, index, seed=derive(0, index))
    assert len(scheduler._parents) <= 3
    assert len(scheduler._seen) <= 5


def test_its_executions_are_no_sample_of_all():
    report = explore(chain(2), scheduler="coverage-guided", executions=100, failures=None, coverage=True)
    assert report.failing
    assert report.statistics.failure_rate is None
    assert report.statistics.coverage.new_trace is None
    assert report.statistics.coverage.traces > 1
