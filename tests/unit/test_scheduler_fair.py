"""Fairness: yielding spinners let others go first, whatever the scheduler under it prefers."""

from __future__ import annotations

import pytest
from scheduler_programs import X, Y, actors, increments, make, run, run_all, stores
from simaie_schedulers.fair import Fair
from simaie_schedulers.pos import Pos
from simaie_schedulers.random_walk import RandomWalk
from simaie_schedulers.surw import SelectiveRandomWalk, UniformRandomWalk

from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.machine import Machine
from simaie.op import Kind
from simaie.protocols import ExecutionInfo, Scheduler
from simaie.schemes.native import Native
from simaie.trace import Ending


class Unfair(Scheduler):
    """Always prefers the same end of the structural order."""

    def __init__(self, place: int = 0) -> None:
        self.place = place

    def choose(self, offer):
        return offer.candidates[self.place]


async def spinner(cpu):
    """It counts its rounds: the engine does not wait in its stead, as it would if it only looked."""
    rounds = 0
    while not await cpu.ldr(X):
        rounds += 1
        await cpu.yield_()


async def helper(cpu):
    for _ in range(5):
        await cpu.str_(Y, 1)
    await cpu.str_(X, 1)


def test_without_it_a_spinner_runs_for_ever():
    assert run(make(spinner, helper), Unfair(), steps=200).ending is Ending.STEP_LIMIT


@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize("threads", [(spinner, helper), (helper, spinner), (spinner, spinner, helper)])
def test_with_it_the_helper_gets_to_its_end(place, threads):
    assert run(make(*threads), Fair(Unfair(place)), steps=200).ending is Ending.FINISHED


def test_two_spinners_do_not_ping_pong_while_the_third_starves():
    trace = run(make(spinner, spinner, helper), Fair(Unfair()), steps=200)
    assert trace.ending is Ending.FINISHED
    # Each spinner yields twice before it must wait: the first yield of an actor binds nobody.
    assert actors(trace).index("2") <= 12


@pytest.mark.parametrize("make_scheduler", [RandomWalk, Pos, UniformRandomWalk, SelectiveRandomWalk])
def test_random_schedulers_are_fair_by_default(make_scheduler):
    program = make(spinner, spinner, helper)
    assert all(t.ending is Ending.FINISHED for t in run_all(program, make_scheduler(), 200, steps=200))


@pytest.mark.untraced
def test_an_unfair_pos_starves_the_helper_at_times():
    endings = [t.ending for t in run_all(make(spinner, spinner, helper), Pos(fair=False), 200, steps=200)]
    assert Ending.STEP_LIMIT in endings


@pytest.mark.parametrize("make_scheduler", [Pos, UniformRandomWalk, SelectiveRandomWalk])
def test_who_never_yields_is_scheduled_as_without_it(make_scheduler):
    fair, unfair = make_scheduler(), make_scheduler(fair=False)
    for index in range(30):
        assert run(increments(4), fair, index).digest == run(increments(4), unfair, index).digest


class OneMutex(Native):
    """The native scheme with a mutex that the guest locks and unlocks by exceptions of these names."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.mutex = self.host.mutex("m")

    async def exception(self, cpu, cause):
        await (self.mutex.lock() if cause == "lock" else self.mutex.unlock())


def test_who_yields_waits_for_those_it_has_disabled():
    """D(t) of the paper: `holder` takes the mutex back before each yield, so that `waiter`, which contends for it, is
    never enabled from one yield to the next; but it was `holder` that disabled it."""

    async def holder(cpu):
        for _ in range(20):
            await cpu.exception("lock")
            await cpu.yield_()
            await cpu.exception("unlock")

    async def waiter(cpu):
        await cpu.exception("lock")
        await cpu.exception("unlock")

    program = make(holder, waiter)
    execution = Execution(program, Machine(OneMutex), Fair(Unfair()), ExecutionInfo(1, 0, 2))
    trace = run_inline(execution)
    assert trace.ending is Ending.FINISHED
    # The first yield binds nobody; after the second `holder` waits as soon as `waiter` can go on.
    before = trace.events[: actors(trace).index("1")]
    assert sum(event.op.kind is Kind.PAUSE for event in before) == 2


@pytest.mark.untraced
def test_it_never_bars_everybody():
    """Actors that yield, wait, spawn and end in all orders: no offer to the inner scheduler is empty."""

    async def busy(cpu):
        child = await cpu.spawn(stores(X, Y))
        await cpu.yield_()
        await cpu.wait_until(Y, lambda value: value == 1)
        for _ in range(3):
            await cpu.yield_()
        await cpu.join(child)
        await cpu.yield_()

    for trace in run_all(make(busy, spinner, busy), Fair(RandomWalk()), 200, steps=500):
        assert trace.ending is Ending.FINISHED


def test_the_wrapper_replays_alone_with_the_inner_profile():
    scheduler = Fair(UniformRandomWalk())
    program = make(spinner, spinner, helper)
    for index in range(20):
        profile = scheduler.profile()
        original = run(program, scheduler, index)
        alone = Fair(UniformRandomWalk())
        alone.restore(profile)
        assert run(program, alone, index).digest == original.digest
