"""POS samples partial orders: the probabilities of small examples, derived, against what it does."""

from __future__ import annotations

from math import sqrt

import pytest
from scheduler_programs import X, Y, actors, found, increments, loads, make, run, run_all, stores
from simaie_schedulers.pos import Pos
from simaie_schedulers.random_walk import RandomWalk

PRIVATE = 0x8000


def close_to(found: int, executions: int, probability: float) -> bool:
    """Within four standard deviations of the mean."""
    mean = executions * probability
    return abs(found - mean) <= 4 * sqrt(mean * (1 - probability))


def late_store(private: int, place: int):
    """Bug: the one store of thread 0 comes after all steps of thread 1, whose last is a load of the same location."""

    async def long(cpu):
        for _ in range(private):
            await cpu.str_(place, 7)
        cpu.observe("r", await cpu.ldr(X))

    async def short(cpu):
        await cpu.str_(X, 1)

    return make(short, long, final=lambda state: state.registers["1:r"] == 1)


@pytest.mark.untraced
def test_an_event_that_nothing_depends_on_can_be_delayed_past_any_number_of_others():
    """It keeps its priority p; the m = 21 events of the other thread must all draw more: integral of (1-p)^21 = 1/22.

    A random walk does this with probability 2^-21.
    """
    program = late_store(20, PRIVATE)
    assert close_to(found(program, Pos, [1], 2_000), 2_000, 1 / 22)
    assert found(program, RandomWalk, [1], 2_000) == 0


@pytest.mark.untraced
def test_an_event_gets_a_new_priority_when_a_dependent_one_is_executed():
    """Now the other thread stores to the same location: each of its 4 stores and the load is a fresh, even contest."""

    async def long(cpu):
        for _ in range(4):
            await cpu.str_(X, 1)
        await cpu.ldr(X)
        await cpu.str_(Y, 1)

    program = make(stores(X), long)
    last = sum(actors(t)[:5] == "11111" for t in run_all(program, Pos(), 2_000))
    assert close_to(last, 2_000, 1 / 2**5)


@pytest.mark.parametrize("count", [2, 3])
def test_mutually_dependent_events_come_in_every_order_alike(count):
    """n stores to one location: each of the n! orders has the same probability."""
    orders = [2, 6][count - 2]
    tally: dict[str, int] = {}
    for trace in run_all(make(*[stores(X)] * count), Pos(), 300 * orders):
        tally[actors(trace)] = tally.get(actors(trace), 0) + 1
    assert len(tally) == orders
    assert all(close_to(n, 300 * orders, 1 / orders) for n in tally.values())


def test_any_execution_repeats_alone():
    scheduler = Pos()
    for index in range(50):
        original = run(increments(4), scheduler, index)
        assert run(increments(4), Pos(), index).digest == original.digest


def test_blocked_actors_take_part_again_when_they_are_enabled():
    async def waiter(cpu):
        await cpu.wait_until(X, lambda value: value == 1)
        await cpu.str_(Y, 1)

    orders = {actors(t) for t in run_all(make(waiter, stores(X), loads(Y)), Pos(), 200)}
    # The waiter's two steps come after the store; the load of Y anywhere: 4 places.
    assert orders == {"2100", "1200", "1020", "1002"}
