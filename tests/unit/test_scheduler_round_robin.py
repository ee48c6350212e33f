"""Round robin gives turns in structural order."""

from __future__ import annotations

import pytest
from scheduler_programs import X, Y, actors, independent, loads, make, run, run_all
from simaie_schedulers.round_robin import RoundRobin

from simaie.errors import UsageError
from simaie.trace import Ending


def test_turns_of_one_step_alternate():
    assert actors(run(independent(3, 3), RoundRobin())) == "012" * 3


def test_turns_are_quantum_steps_long_or_end_with_the_thread():
    assert actors(run(independent(2, 5), RoundRobin(quantum=2))) == "0011001101"


def test_one_execution_and_exhausted():
    assert len(list(run_all(independent(), RoundRobin()))) == 1


def test_waiting_ends_the_turn_so_that_spinners_cannot_starve_who_could_help():
    async def spinner(cpu):
        while not await cpu.ldr(X):
            await cpu.yield_()

    async def helper(cpu):
        await cpu.str_(X, 1)

    trace = run(make(spinner, spinner, helper), RoundRobin(quantum=1_000))
    assert trace.ending is Ending.FINISHED


def test_a_blocked_actor_passes_its_turn_on():
    async def waiter(cpu):
        await cpu.wait_until(X, lambda value: value == 1)

    async def helper(cpu):
        await cpu.str_(Y, 1)
        await cpu.str_(X, 1)

    assert actors(run(make(waiter, helper, loads(Y)), RoundRobin())) == "1210"


@pytest.mark.parametrize("quantum", [0, -1, 1.5, "2", True])
def test_a_quantum_is_a_positive_integer(quantum):
    with pytest.raises(UsageError):
        RoundRobin(quantum)
