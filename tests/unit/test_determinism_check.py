"""The determinism check: guests that depend on more than their schedule are found, at the first step that shows it."""

from __future__ import annotations

import itertools

import pytest
from exhaustive import programs as p
from exhaustive.generated import FAMILIES, program

from simaie import Limits, Machine, Program, explore
from simaie.errors import NondeterminismError
from simaie.exploration.single import explore_index

X, Y = 0x1000, 0x1004


def counting(thread):
    """A program of `thread`, which gets an iterator that no execution starts anew, and of a plain store."""
    kept = itertools.count()

    async def guest(cpu):
        await thread(cpu, kept)

    async def other(cpu):
        await cpu.store(X, 7)

    return Program("counting", isa="x86", threads=[guest, other], init={X: 0}, watch={X: 4})


def caught(made, scheduler="random-walk", **options):
    with pytest.raises(NondeterminismError) as info:
        explore(made, scheduler=scheduler, failures=None, executions=20, check_determinism=True, **options)
    return info.value


async def another_value(cpu, kept):
    await cpu.load(Y)
    await cpu.store(Y, next(kept))


async def another_place(cpu, kept):
    await cpu.load(X + 4 * next(kept))


async def more_steps(cpu, kept):
    for _ in range(1 + next(kept)):
        await cpu.load(Y)


async def fewer_steps(cpu, kept):
    for _ in range(5 - next(kept) % 5):
        await cpu.load(Y)


async def another_register(cpu, kept):
    await cpu.load(Y)
    cpu.observe("r", next(kept))


async def another_arity(cpu, kept):
    await cpu.choose(1 + next(kept) % 2)
    await cpu.load(Y)


@pytest.mark.parametrize("driver", ["inline", "trio"])
@pytest.mark.parametrize(
    "thread", [another_value, another_place, more_steps, fewer_steps, another_register, another_arity]
)
def test_a_guest_that_keeps_state_is_found_in_its_first_execution(thread, driver):
    error = caught(counting(thread), driver=driver)
    assert error.report.executions == 0
    assert error.expected != error.got
    assert error.step is not None


def test_the_first_step_that_differs_is_named():
    """Once vCPU 0 has loaded Y it announces the store of 0, or 1 in the second run: whoever goes next, step 1 tells."""
    error = caught(counting(another_value), "round-robin")
    assert error.step == 1
    assert error.expected.endswith("store [0x1004]/4 0")
    assert error.got.endswith("store [0x1004]/4 1")


def test_a_value_that_differs_is_named_before_what_follows_from_it():
    """The guest puts another value into memory behind the simulator's back, and then does what it reads."""
    first = {}

    async def meddling(cpu):
        value = await cpu.load(Y)
        if value + first.setdefault("runs", 0):
            await cpu.load(X)
        first["runs"] = 1

    error = caught(Program("meddling", isa="x86", threads=[meddling], init={Y: 0}))
    assert error.step == 1
    assert error.got.endswith("load [0x1000]/4")


def test_set_order_and_clocks_are_found_if_they_differ():
    """Stand-ins for both: what a guest sees of them is a sequence that never repeats."""
    instants = itertools.count()

    async def with_timeout(cpu):
        began = next(instants)
        while next(instants) < began + 2 + (began > 2):
            await cpu.load(X)

    assert caught(Program("clock", isa="x86", threads=[with_timeout])).step is not None


@pytest.mark.parametrize("scheduler", ["random-walk", "dfs", "pct", "pos", "portfolio", "round-robin"])
def test_deterministic_guests_pass_and_the_exploration_is_the_same(scheduler):
    plain = explore(p.inc(3), scheduler=scheduler, failures=None, executions=100)
    checked = explore(p.inc(3), scheduler=scheduler, failures=None, executions=100, check_determinism=True)
    assert (plain.outcomes, plain.executions, plain.complete) == (
        checked.outcomes,
        checked.executions,
        checked.complete,
    )


@pytest.mark.untraced
@pytest.mark.parametrize("family", FAMILIES)
def test_every_kind_of_operation_passes(family):
    for seed in range(2):
        explore(program(family, seed, (2, 2)), Machine(p.Hypercalls), scheduler="random-walk", failures=None,
                executions=8, check_determinism=True)  # fmt: skip


def test_executions_cut_by_a_limit_pass():
    report = explore(p.inc(3), Machine(limits=Limits(steps=3)), executions=20, failures=None, check_determinism=True)
    assert report.statistics.truncated == 20


def test_it_goes_together_with_coverage_and_with_one_execution_alone():
    report = explore(p.inc(3), scheduler="dfs", failures=None, coverage=True, check_determinism=True)
    assert report.statistics.coverage.traces == 36
    assert explore_index(p.inc(3), Machine(), "random-walk", index=5, check_determinism=True).executions == 1
    with pytest.raises(NondeterminismError):
        explore_index(counting(another_value), Machine(), "random-walk", index=5, check_determinism=True)
