"""A loop that will end by itself, or that does more than look, is never turned into a wait.

Each of the guests here gives up after four rounds, and the flag that it looks at is never set.
"""

from __future__ import annotations

import itertools

import pytest
from scheduler_programs import X, Y, make, run
from simaie_schedulers.random_walk import RandomWalk
from spinners import explored, waited

from simaie.guest.code import ins
from simaie.machine import Machine
from simaie.op import Kind, Op
from simaie.schemes.native import Native
from simaie.trace import Ending


async def counts(cpu):
    rounds = 0
    while not await cpu.ldr(X) and rounds < 4:
        rounds += 1
        await cpu.yield_()


async def draws_from_a_range(cpu):
    for _ in range(4):
        if await cpu.ldr(X):
            return
        await cpu.yield_()


async def draws_equal_values(cpu):
    for _ in [0] * 4:
        await cpu.ldr(X)
        await cpu.yield_()


async def draws_from_what_does_not_tell(cpu):
    for _ in itertools.islice(itertools.repeat(0), 4):
        await cpu.ldr(X)
        await cpu.yield_()


async def draws_from_a_zip(cpu):
    for _ in zip("aaaa", [0] * 4, strict=True):
        await cpu.ldr(X)
        await cpu.yield_()


async def counts_in_a_list(cpu):
    rounds = []
    while not await cpu.ldr(X) and len(rounds) < 4:
        rounds.append(0)
        await cpu.yield_()


class Backoff:
    """It counts how often it was asked to wait."""

    def __init__(self):
        self.rounds = 0

    async def wait(self, cpu):
        self.rounds += 1
        await cpu.yield_()


async def counts_in_an_object(cpu):
    backoff = Backoff()
    while not await cpu.ldr(X) and backoff.rounds < 4:
        await backoff.wait(cpu)


async def counts_for_an_inner_function(cpu):
    rounds = 0

    async def again():
        nonlocal rounds
        rounds += 1
        await cpu.yield_()
        return rounds < 4

    while not await cpu.ldr(X) and await again():
        pass


async def counts_in_the_outcome(cpu):
    while not await cpu.ldr(X) and cpu.observations.get("rounds", 0) < 4:
        cpu.observe("rounds", cpu.observations.get("rounds", 0) + 1)
        await cpu.yield_()


counts_in_a_register = [
    ins("label", "again"),
    ins("ldr", X, into="seen"),
    ins("yield_"),
    ins("reg_add", "rounds", 1, into="rounds"),
    ins("reg_lt", "rounds", 4, into="more"),
    ins("cbnz", "more", "again"),
]


async def pauses_and_looks_at_nothing(cpu):
    for _ in range(4):
        await cpu.yield_()


async def writes(cpu):
    for _ in range(4):
        await cpu.ldr(X)
        await cpu.str_(Y, 1)
        await cpu.yield_()


BOUNDED = [
    counts, draws_from_a_range, draws_equal_values, draws_from_what_does_not_tell, draws_from_a_zip, counts_in_a_list,
    counts_in_an_object, counts_for_an_inner_function, counts_in_the_outcome, counts_in_a_register,
    pauses_and_looks_at_nothing, writes,
]  # fmt: skip


@pytest.mark.parametrize("thread", BOUNDED, ids=lambda thread: getattr(thread, "__name__", "counts_in_a_register"))
def test_a_loop_that_will_end_by_itself_is_no_wait(thread):
    trace = run(make(thread), RandomWalk())
    assert trace.ending is Ending.FINISHED
    assert not waited(trace)
    assert sum(event.op.kind is Kind.PAUSE for event in trace.events) == 4


def test_a_loop_with_a_choice_or_an_atomic_that_writes_news_is_no_wait():
    async def chooses(cpu):
        while await cpu.choose(2) < 2:
            await cpu.ldr(X)
            await cpu.yield_()

    async def swaps(cpu):
        value = 1
        while (value := 1 - await cpu.swp(X, value)) < 2:
            await cpu.yield_()

    for thread in (chooses, swaps):
        trace = run(make(thread), RandomWalk(), steps=100)
        assert trace.ending is Ending.STEP_LIMIT
        assert not waited(trace)


def test_a_helper_of_a_scheme_that_counts_its_rounds_is_no_wait():
    class Patient(Native):
        """An exception looks at a cell of the scheme's a few times."""

        async def exception(self, cpu, cause):
            """Look four times."""
            cell = self.host.cell("busy", True)
            for _ in range(4):
                if not await cell.load():
                    return
                await Op(Kind.PAUSE)

    async def guest(cpu):
        await cpu.exception()

    (trace,) = explored(make(guest), Machine(Patient))
    assert trace.ending is Ending.FINISHED
    assert not waited(trace)
