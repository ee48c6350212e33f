"""PCT keeps its promise: a bug of depth d among n actors and k steps with probability 1 / (n k^(d-1)) at least."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

import pytest
from scheduler_programs import X, Y, found, increments, independent, make, run, run_all
from simaie_schedulers.pct import Pct
from simaie_schedulers.random_walk import RandomWalk

from simaie.errors import UsageError
from simaie.trace import Ending

# Its searches take seconds, and run lines that other tests run too.
pytestmark = pytest.mark.untraced

PRIVATE = 0x8000


def at_least(executions: int, probability: float) -> float:
    """Four standard deviations below the mean number of finds: missed once in thirty thousand seeds."""
    return executions * probability - 4 * sqrt(executions * probability * (1 - probability))


def depth_two(private: int):
    """Thread 1 must do all of its `private` loads and one more between the first and the second step of thread 0."""

    async def pulse(cpu):
        await cpu.str_(X, 1)
        await cpu.str_(X, 0)

    async def observer(cpu):
        for _ in range(private):
            await cpu.ldr(PRIVATE)
        cpu.observe("r", await cpu.ldr(X))

    return make(pulse, observer, final=lambda state: state.registers["1:r"] == 0)


def depth_three(private: int):
    """Thread 1 must get into its own pulse during that of thread 0, and thread 0 then go on to its end."""

    def side(mine: int, other: int, first: bool):
        async def thread(cpu):
            seen = 1
            if not first:
                for _ in range(private):
                    await cpu.ldr(PRIVATE)
                seen = await cpu.ldr(other)
            await cpu.str_(mine, 1)
            await cpu.str_(mine, 0)
            if first:
                for _ in range(private):
                    await cpu.ldr(PRIVATE + 16)
                seen = await cpu.ldr(other)
            cpu.observe("r", seen)

        return thread

    def final(state):
        return not (state.registers["0:r"] and state.registers["1:r"])

    return make(side(X, Y, True), side(Y, X, False), final=final)


def test_depth_one_bugs_have_probability_one_in_n():
    """Bug: thread 3 runs first, alone; of n = 4 threads it has the highest priority with probability 1/4."""

    async def last(cpu):
        cpu.observe("r", await cpu.ldr(X))

    async def other(cpu):
        for _ in range(10):
            await cpu.str_(X, 1)

    program = make(other, other, other, last, final=lambda state: state.registers["3:r"] == 1)
    assert found(program, lambda: Pct(depth=1), [0], 400) >= at_least(400, 1 / 4)


@pytest.mark.untraced
def test_depth_two_bug_that_a_random_walk_practically_never_finds():
    """n = 2 and k = 21 steps with two candidates at most: 1 / 42 an execution.

    A random walk needs thread 1 to take 21 steps while thread 0 takes its first one only: 21 / 2^22 at most.
    """
    program = depth_two(private=20)
    assert found(program, lambda: Pct(depth=2), [0], 1_000) >= at_least(1_000, 1 / 42)
    assert found(program, RandomWalk, [0], 200) == 0


@pytest.mark.untraced
def test_a_larger_depth_still_finds_shallow_bugs():
    """The promise of depth 3 with k = 6: 1 / (2 * 36)."""
    assert found(depth_two(private=5), lambda: Pct(depth=3), [0], 1_500) >= at_least(1_500, 1 / 72) > 2


@pytest.mark.untraced
def test_depth_three_bug():
    """n = 2; thread 0 has 5 steps and thread 1 as many, so that k <= 9: 1 / (2 * 81) = 1 / 162 an execution."""
    assert found(depth_three(private=2), lambda: Pct(depth=3), [0], 3_300) >= at_least(3_300, 1 / 162) > 2


def test_depth_one_makes_no_preemption():
    for trace in run_all(independent(3, 4), Pct(depth=1), 50):
        order = [event.actor for event in trace.events]
        assert sum(a != b for a, b in pairwise(order)) == 2


def test_depth_d_makes_at_most_d_minus_one_preemptions():
    """With d - 1 change points the running actor loses its place at most d - 1 times, and 2 times it ends."""
    for depth in (2, 3, 4):
        for trace in run_all(independent(3, 4), Pct(depth=depth), 100):
            order = [event.actor for event in trace.events]
            assert sum(a != b for a, b in pairwise(order)) <= 2 + depth - 1


def test_the_longest_execution_belongs_to_the_profile_and_counts_contended_steps_only():
    """One of two threads runs its five steps first, beside the other; then the other is alone."""
    scheduler = Pct(depth=1)
    assert run(independent(2, 5), scheduler) is not None
    assert scheduler.profile() == {"longest": 5}


def test_any_execution_repeats_alone_from_its_profile():
    program, scheduler = increments(4), Pct(depth=3)
    for index in range(50):
        profile = scheduler.profile()
        original = run(program, scheduler, index)
        alone = Pct(depth=3)
        alone.restore(profile)
        assert run(program, alone, index).digest == original.digest


def test_spinners_do_not_starve_who_could_help_beyond_the_random_suffix():
    async def spinner(cpu):
        while not await cpu.ldr(X):
            await cpu.yield_()

    async def helper(cpu):
        for _ in range(5):
            await cpu.ldr(Y)
        await cpu.str_(X, 1)

    for trace in run_all(make(spinner, spinner, helper), Pct(fair_after=50), 100, steps=400):
        assert trace.ending is Ending.FINISHED


@pytest.mark.parametrize("options", [{"depth": 0}, {"depth": -1}, {"depth": 1.5}, {"fair_after": 0}])
def test_depth_and_suffix_are_positive_integers(options):
    with pytest.raises(UsageError):
        Pct(**options)
