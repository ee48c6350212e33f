"""Depth-first search visits every interleaving once: counts from the literature, derived where they can be."""

from __future__ import annotations

import itertools
from math import comb

import pytest
from scheduler_programs import (
    X,
    Y,
    actors,
    increments,
    independent,
    iriw,
    loads,
    make,
    run,
    run_all,
    store_buffering,
    stores,
)
from simaie_schedulers.dfs import DepthFirst

from simaie.errors import NondeterminismError, UsageError
from simaie.trace import Ending

# Interleavings with at most 0, 1, 2, ... preemptions; the last number is that of all interleavings, a multinomial.
COUNTS = {
    "SB": (store_buffering(), [2, 4, 6]),  # 4! / 2!2!
    "inc(3)": (increments(3), [6, 24, 60, 90]),  # 6! / 2!2!2!
    "inc(4)": (increments(4), [24, 168, 672, 1656, 2520]),  # 8! / 2!2!2!2!
    "IRIW": (iriw(), [24, 96, 180]),  # 6! / 1!1!2!2!
    "2x5": (independent(2, 5), [2, 10, 42, 90, 162, 210, 242, 250, 252]),  # 10! / 5!5!
}
by_program = pytest.mark.parametrize(("program", "counts"), COUNTS.values(), ids=COUNTS)


@by_program
def test_unbounded_search_executes_every_interleaving_once(program, counts):
    scheduler = DepthFirst()
    seen = [actors(trace) for trace in run_all(program, scheduler)]
    assert len(seen) == len(set(seen)) == counts[-1] == scheduler.per_bound[-1]
    assert scheduler.exhausted
    assert scheduler.complete
    assert scheduler.bound_note == ""


@by_program
def test_iterated_bounds_execute_every_interleaving_once_and_count_it_in_its_round(program, counts):
    scheduler = DepthFirst(preemptions=20)
    seen = [actors(trace) for trace in run_all(program, scheduler)]
    assert len(seen) == len(set(seen)) == counts[-1]
    assert scheduler.per_bound == counts
    assert scheduler.complete


def test_each_round_holds_exactly_the_interleavings_with_so_many_preemptions():
    scheduler = DepthFirst(preemptions=4)
    costs = [_preemptions(actors(trace), 5) for trace in run_all(independent(2, 5), scheduler)]
    assert costs == sorted(costs)
    assert [len(list(group)) for _, group in itertools.groupby(costs)] == [2, 8, 32, 48, 72]


def _preemptions(order: str, length: int) -> int:
    """Switches away from a thread that has steps left."""
    left = dict.fromkeys(order, length)
    count = 0
    for last, this in itertools.pairwise(order):
        left[last] -= 1
        count += last != this and left[last] > 0
    return count


def test_a_bound_that_cuts_something_says_so_and_is_not_complete():
    scheduler = DepthFirst(preemptions=2)
    assert sum(1 for _ in run_all(increments(3), scheduler)) == 60
    assert scheduler.exhausted
    assert not scheduler.complete
    assert scheduler.bound_note


def test_the_memory_limit_ends_a_bounded_search_and_says_so():
    """One branch waits for the next round at each step that has another candidate beside the running one."""
    scheduler = DepthFirst(preemptions=2, memory_limit=10)
    done = list(run_all(increments(3), scheduler))
    assert 1 <= len(done) < 60
    assert scheduler.exhausted
    assert not scheduler.complete
    assert "10" in scheduler.bound_note


def test_a_sufficient_memory_limit_changes_nothing():
    scheduler = DepthFirst(preemptions=20, memory_limit=1_000)
    assert sum(1 for _ in run_all(increments(3), scheduler)) == 90
    assert scheduler.complete
    assert scheduler._frontier.kept == 0


def test_one_round_is_left_unfinished_when_the_explorer_stops_early():
    scheduler = DepthFirst(preemptions=2)
    list(run_all(increments(3), scheduler, limit=10))
    assert not scheduler.exhausted
    assert not scheduler.complete
    assert scheduler.per_bound == [6, 10]


def test_delays_are_counted_from_a_round_robin():
    """Two threads, one delay: pass the running thread over at one of its 5 steps, or the first at the start.

    A delay at step i of thread 0 (i = 0..4) gives 0^i 1^5 0^(5-i): five interleavings beside the one without delay. A
    delay later, once thread 0 is over, finds one candidate only.
    """
    scheduler = DepthFirst(delays=1)
    seen = {actors(trace) for trace in run_all(independent(2, 5), scheduler)}
    assert seen == {"0" * i + "1" * 5 + "0" * (5 - i) for i in range(5)} | {"0" * 5 + "1" * 5}
    assert scheduler.per_bound == [1, 6]


def test_enough_delays_execute_every_interleaving_once():
    scheduler = DepthFirst(delays=100)
    seen = [actors(trace) for trace in run_all(increments(3), scheduler)]
    assert len(seen) == len(set(seen)) == 90
    assert scheduler.complete


@pytest.mark.parametrize("options", [{}, {"preemptions": 3}, {"delays": 3}])
def test_every_value_of_every_choice_is_tried_in_every_interleaving(options):
    async def chooser(cpu):
        cpu.observe("a", await cpu.choose(3))
        await cpu.str_(X, 1)
        cpu.observe("b", await cpu.choose(2))

    outcomes = [str(t.outcome) + actors(t) for t in run_all(make(chooser, stores(Y)), DepthFirst(**options))]
    assert len(outcomes) == len(set(outcomes)) == 3 * 2 * 2


def test_threads_that_are_spawned_and_joined_are_interleaved_too():
    """Spawn, then parent and child overlap freely until the join, which must come after the child's exit.

    The child has two steps (store, exit), the parent two stores before its join: C(4, 2) interleavings.
    """

    async def parent(cpu):
        child = await cpu.spawn(stores(X))
        await cpu.str_(Y, 1)
        await cpu.str_(Y, 2)
        await cpu.join(child)

    assert len(list(run_all(make(parent), DepthFirst()))) == comb(4, 2)


def test_to_leave_an_actor_that_yields_is_no_preemption():
    async def yielder(cpu):
        await cpu.str_(X, 1)
        await cpu.yield_()
        await cpu.str_(X, 2)

    scheduler = DepthFirst(preemptions=1)
    seen = [actors(t) for t in run_all(make(yielder, stores(Y)), scheduler)]
    assert sorted(seen[:3]) == ["0001", "0100", "1000"]
    assert scheduler.per_bound == [3, 4]


def test_an_execution_that_ends_at_a_limit_is_never_complete():
    async def spin(cpu):
        while not await cpu.ldr(X):
            await cpu.str_(Y, 1)

    scheduler = DepthFirst(preemptions=1)
    endings = [t.ending for t in run_all(make(spin, stores(X)), scheduler, steps=30)]
    assert Ending.STEP_LIMIT in endings
    assert scheduler.exhausted
    assert not scheduler.complete
    assert scheduler.bound_note


@pytest.mark.parametrize("options", [{}, {"preemptions": 2}, {"delays": 4}])
def test_any_execution_repeats_alone_from_its_profile(options):
    program = increments(3)
    scheduler = DepthFirst(**options)
    index = 0
    while not scheduler.exhausted:
        profile = scheduler.profile()
        original = run(program, scheduler, index)
        alone = DepthFirst(**options)
        alone.restore(profile)
        assert run(program, alone, index).digest == original.digest
        assert alone.exhausted
        assert not alone.complete
        index += 1


@pytest.mark.parametrize("options", [{}, {"preemptions": 2}, {"delays": 2}])
def test_a_guest_that_keeps_state_between_executions_is_detected(options):
    runs = []

    async def moody(cpu):
        runs.append(1)
        await cpu.ldr(X if len(runs) % 2 else Y)
        if len(runs) % 3 == 0:
            await cpu.ldr(X)
        await cpu.ldr(X)

    with pytest.raises(NondeterminismError) as caught:
        list(run_all(make(moody, loads(X, Y)), DepthFirst(**options)))
    assert caught.value.step is not None


def test_a_guest_that_ends_early_on_the_second_run_is_detected():
    runs = []

    async def tired(cpu):
        runs.append(1)
        for _ in range(3 if len(runs) == 1 else 1):
            await cpu.ldr(X)

    with pytest.raises(NondeterminismError):
        list(run_all(make(tired, loads(X, Y)), DepthFirst()))


@pytest.mark.parametrize(
    "options",
    [
        {"preemptions": 0},
        {"preemptions": -1},
        {"delays": 0},
        {"delays": 1.5},
        {"preemptions": 1, "delays": 1},
        {"memory_limit": 5},
        {"preemptions": 1, "memory_limit": 0},
    ],
)
def test_a_bound_is_one_positive_integer(options):
    with pytest.raises(UsageError):
        DepthFirst(**options)
