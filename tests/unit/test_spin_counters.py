"""A loop that counts its rounds, wherever it keeps the count, is never taken for a spin that only looks.

Each guest looks three times and gives up, beside a vCPU that writes the flag or never does. The exhaustive searches
have to find that it gives up, and no livelock.
"""

from __future__ import annotations

import itertools
from functools import partial

import pytest
from counters import COUNTERS
from scheduler_programs import X, Y, make
from simaie_schedulers.dfs import DepthFirst
from simaie_schedulers.dpor.search import Dpor
from spinners import explored

from simaie.guest.code import ins
from simaie.trace import Ending


def look_three_times(counter, pausing):
    async def guest(cpu):
        cpu.instructions_a_round = 2 if pausing else 1
        bump = counter(cpu)
        while not await cpu.ldr(X):
            if pausing:
                await cpu.yield_()
            if bump() == 3:
                cpu.observe("gave-up", 1)
                return

    return guest


async def on_the_evaluation_stack(cpu, *, pausing):
    """The iterator of a loop is in no variable, nor is the item that an expression has already drawn."""
    for _ in [0] * 3:
        if await cpu.ldr(X):
            return
        if pausing:
            await cpu.yield_()
    cpu.observe("gave-up", 1)


async def drawn_and_held_by_an_expression(cpu, *, pausing):
    numbers = iter([1, 1, 2])
    while True:
        number = next(numbers) + 10 * bool(await cpu.ldr(X))
        if number > 10:
            return
        if number == 2:
            break
        if pausing:
            await cpu.yield_()
    cpu.observe("gave-up", 1)


async def in_an_outer_frame(cpu, *, pausing):
    async def look():
        return await cpu.ldr(X) or (pausing and await cpu.yield_())

    for _ in itertools.islice(itertools.repeat(0), 3):
        if await look():
            return
    cpu.observe("gave-up", 1)


async def by_recursion(cpu, *, pausing, left=3):
    if not left:
        cpu.observe("gave-up", 1)
    elif not await cpu.ldr(X):
        if pausing:
            await cpu.yield_()
        await by_recursion(cpu, pausing=pausing, left=left - 1)


async def in_the_outcome(cpu, *, pausing):
    while not await cpu.ldr(X):
        if pausing:
            await cpu.yield_()
        cpu.observe("gave-up", cpu.observations.get("gave-up", -2) + 1)
        if cpu.observations["gave-up"] == 1:
            return
    cpu.observe("gave-up", 0)


async def in_the_blocks(cpu, *, pausing):
    while True:
        async with cpu.atomic("look"):
            if await cpu.ldr(X):
                return
        if pausing:
            await cpu.yield_()
        if len(cpu.blocks) == 3:
            break
    cpu.observe("gave-up", 1)


IN_FRAMES = [
    on_the_evaluation_stack, drawn_and_held_by_an_expression, in_an_outer_frame, by_recursion, in_the_outcome,
    in_the_blocks,
]  # fmt: skip


def in_a_register(*, pausing):
    return [
        ins("label", "again"),
        ins("ldr", X, into="seen"),
        ins("cbnz", "seen", "end"),
        *([ins("yield_")] if pausing else []),
        ins("reg_add", "rounds", 1, into="rounds"),
        ins("reg_eq", "rounds", 3, into="gave-up"),
        ins("cbz", "gave-up", "again"),
        ins("label", "end"),
    ]


def guests(*, pausing):
    for name, counter in COUNTERS.items():
        yield name, look_three_times(counter, pausing)
    for guest in IN_FRAMES:
        yield guest.__name__, partial(guest, pausing=pausing)
    yield "in_a_register", in_a_register(pausing=pausing)


async def writes_the_flag(cpu):
    await cpu.str_(X, 1)


async def writes_elsewhere(cpu):
    await cpu.str_(Y, 1)


@pytest.mark.one_in(7)
@pytest.mark.parametrize("scheduler", [DepthFirst, Dpor])
@pytest.mark.parametrize(
    "thread", [pytest.param(guest, id=f"{name}{'-pausing' * pausing}") for pausing in (True, False)
              for name, guest in guests(pausing=pausing)]
)  # fmt: skip
def test_a_guest_that_gives_up_after_three_looks_gives_up(thread, scheduler):
    for other in (writes_the_flag, writes_elsewhere):
        traces = explored(make(thread, other), scheduler=scheduler())
        assert {trace.ending for trace in traces} == {Ending.FINISHED}
        assert not any(trace.faults for trace in traces)
        gave_up = {trace.outcome.as_dict().get("0:gave-up", 0) for trace in traces}
        assert gave_up == ({0, 1} if other is writes_the_flag else {1})
        looks = max(sum(event.actor == "0" and event.reads_ram for event in trace.events) for trace in traces)
        assert looks == 3
