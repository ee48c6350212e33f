"""Who is said to yield: a PAUSE, a wait that stands for one, the step after a failed store-conditional."""

from __future__ import annotations

import pytest
from scheduler_programs import X, Y, make, run, run_all
from simaie_schedulers.fair import Fair
from simaie_schedulers.random_walk import RandomWalk
from spinners import spins, waited

from simaie.op import Kind
from simaie.protocols import Scheduler
from simaie.trace import Ending


class Watching(Scheduler):
    """Takes whom it was told, and notes who is about to do what and whether that yields."""

    def __init__(self, order):
        self.order = order
        self.seen = []

    def choose(self, offer):
        wanted = self.order[offer.step] if offer.step < len(self.order) else "0"
        chosen = next((c for c in offer.candidates if c.name == wanted), offer.candidates[0])
        self.seen.append((chosen.name, chosen.op.kind, chosen.yielding))
        return chosen


def test_the_step_after_a_failed_store_conditional_yields_and_the_one_after_that_does_not():
    async def fails_once(cpu):
        while True:
            value = await cpu.ldrex(X)
            if not await cpu.strex(X, value + 1):
                break
        await cpu.str_(Y, 1)

    async def intrudes(cpu):
        await cpu.str_(X, 5)

    watching = Watching(["0", "1"])
    run(make(fails_once, intrudes), watching)
    assert watching.seen == [
        ("0", Kind.LOAD_LINKED, False),
        ("1", Kind.STORE, False),
        ("0", Kind.STORE_CONDITIONAL, False),
        ("0", Kind.LOAD_LINKED, True),
        ("0", Kind.STORE_CONDITIONAL, False),
        ("0", Kind.STORE, False),
    ]


def test_a_pause_yields_also_when_it_has_become_a_wait():
    async def sets(cpu):
        await cpu.str_(X, 1)

    watching = Watching(["0", "0", "0", "1", "0", "0"])
    run(make(spins, sets), watching)
    assert [(kind, yields) for name, kind, yields in watching.seen if name == "0"] == [
        (Kind.LOAD, False),
        (Kind.PAUSE, True),
        (Kind.LOAD, False),
        (Kind.AWAIT, True),
        (Kind.LOAD, False),
    ]


@pytest.mark.parametrize("make_scheduler", [RandomWalk, lambda: Fair(RandomWalk()), lambda: Fair(Watching([]))])
def test_spinners_that_write_do_not_starve_who_could_help_them(make_scheduler):
    """Test-and-set: every look is a write. With a large number of tries, the engine does not wait instead of them."""

    async def test_and_set(cpu):
        while await cpu.swp(X, 1):
            await cpu.yield_()
        await cpu.str_(X, 0)

    async def holder(cpu):
        while await cpu.swp(X, 1):
            await cpu.yield_()
        for _ in range(5):
            await cpu.str_(Y, 1)
        await cpu.str_(X, 0)

    program = make(test_and_set, test_and_set, holder)
    traces = list(run_all(program, make_scheduler(), 100, steps=1_000, tries=1_000))
    assert {trace.ending for trace in traces} == {Ending.FINISHED}
    assert not any(waited(trace) for trace in traces)
