"""Hard bugs are found: what a random walk does not see in a hundred thousand executions, another scheduler does."""

from __future__ import annotations

import pytest

from simaie import Machine, Program, explore
from simaie.engine.inline import run_inline
from simaie.exploration.scheduler_choice import make_scheduler
from simaie.replaying.run import make_execution

X, FLAG = 0x1000, 0x2000
STEPS = 30


async def slow(cpu):
    """Sets the flag at its very end."""
    for value in range(STEPS):
        await cpu.store(X, value)
    await cpu.store(FLAG, 1)


async def hasty(cpu):
    """Looks at the flag at its very beginning, and works on afterwards."""
    cpu.observe("too late", await cpu.load(FLAG))
    for value in range(STEPS):
        await cpu.store(X + 8, value)


# Only if thread 0 is through before thread 1 takes its first step: a bug of depth 1 between two vCPUs. A random walk
# gets there with probability 2**-31 an execution, PCT with at least 1/n = 1/2.
LATE = Program("late", isa="x86", threads=[slow, hasty], final=lambda m: m.registers["1:too late"] == 0)


async def incrementer(cpu):
    """A long preparation, then one unlocked increment."""
    for value in range(STEPS):
        await cpu.store(X + 16 * int(cpu.name), value)
    await cpu.add(FLAG, 1)


async def resetter(cpu):
    """Resets the counter first, then works on."""
    await cpu.store(FLAG, 100)
    for value in range(STEPS):
        await cpu.store(X + 32, value)


# The store of 100 must fall between the load and the store of the increment, which come last, though it is its thread's
# first step: depth 2. A random walk needs the other thread to stand still for 31 steps: 2**-32. PCT of depth 2
# needs the right priorities and its one change point at one of k <= 63 steps: at least 1/(2 * 63) an execution, so that
# 1,000 executions miss it with probability (1 - 1/126)**1000 < 0.0004 at most. SURW, whose interesting place is the
# flag's chunk in one draw of four, orders the three events on it uniformly.
LOST = Program("lost", isa="x86", threads=[incrementer, resetter], init={FLAG: 0}, final=lambda m: m[FLAG] != 1)


@pytest.mark.parametrize("program", [LATE, LOST], ids=lambda p: p.name)
@pytest.mark.parametrize("scheduler", ["pct:depth=2", "surw", "portfolio", "dpor"])
def test_the_deep_schedulers_find_it_in_under_a_thousand_executions(program, scheduler):
    report = explore(program, scheduler=scheduler, seed=1, executions=999)
    assert report.verdict == "violated"


@pytest.mark.one_in(2)
@pytest.mark.parametrize("program", [LATE, LOST], ids=lambda p: p.name)
def test_a_random_walk_does_not_find_it_in_ten_thousand(program):
    assert explore(program, scheduler="random-walk", seed=1, executions=10_000).verdict == "inconclusive"


@pytest.mark.soak
@pytest.mark.parametrize("program", [LATE, LOST], ids=lambda p: p.name)
def test_nor_in_a_hundred_thousand(program):
    assert explore(program, scheduler="random-walk", seed=1, executions=100_000).verdict == "inconclusive"


@pytest.mark.one_in(4)
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("scheduler", ["portfolio", "random-walk", "pos"])
def test_the_first_registration_window_of_a_small_machine_is_found_from_every_seed(scheduler, seed):
    """Of one level: a random walk finds it with probability 1/32 an execution, so 1,000 miss it with (31/32)**1000."""

    async def adder(cpu):
        await cpu.lock_xadd(X, 1)

    async def storer(cpu):
        await cpu.store(X, 5)

    program = Program("window", isa="x86", threads=[adder, storer], init={X: 0}, final=lambda m: m[X] in (5, 6))
    machine = Machine("aie-rfc", address_bits=13)
    made = make_scheduler(scheduler)[0]
    for index in range(1_000):
        if run_inline(make_execution(program, machine, made, seed=seed, index=index)).accepted is False:
            return
    pytest.fail("not found")
