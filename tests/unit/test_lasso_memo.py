"""Lassos along a memo: the same executions end in them as on the reference engine."""

from __future__ import annotations

import pytest
from runs import X
from simaie_schedulers.random_walk import RandomWalk

import simaie
from simaie.exploration.engines import MEMO_SWITCH, Engines
from simaie.guest.program import Program
from simaie.machine import Limits, Machine

Y = X + 0x40


async def adds(cpu):
    while True:
        old = await cpu.ldrex(X)
        if not await cpu.strex(X, old + 1):
            return


async def spins(cpu):
    while not await cpu.ldr(X):
        pass


async def raises_the_flag(cpu):
    if not await cpu.ldr(Y):
        await cpu.str_(X, 1)


async def lowers_it(cpu):
    await cpu.str_(Y, 1)


async def holds_what_is_made_anew(cpu):
    """The frame cannot be read, so that the states of the inner coroutine belong to this one."""
    hidden = memoryview(b"")
    await spins(cpu)
    del hidden


async def cannot_be_read(cpu):
    cpu.hidden = memoryview(b"")
    await spins(cpu)


def machine(scheme="native", steps=20):
    return Machine(scheme, limits=Limits(tries=None, steps=steps))


def made(*threads):
    return Program("lasso", isa="arm", threads=threads, init={X: 0, Y: 0})


def found(program, on, scheduler, executions):
    report = simaie.explore(
        program, on, scheduler=scheduler, executions=executions, failures=None, checkers=["progress"]
    )
    figures = report.statistics
    failures = [(failure.index, failure.trace.digest, failure.trace.cycle) for failure in report.failures]
    return report.executions, figures.lassos, figures.steps, figures.blocked, report.failing, failures


#: Spins that may be endless. One order of two steps of other vCPUs ends them.
FLAGGED = {
    "readable": (lowers_it, raises_the_flag, spins),
    "made anew": (lowers_it, raises_the_flag, holds_what_is_made_anew),
    "unreadable": (lowers_it, raises_the_flag, cannot_be_read),
}


@pytest.mark.parametrize(
    ("name", "scheduler"),
    [("readable", "random-walk"), ("made anew", "random-walk"), ("made anew", "dfs"), ("unreadable", "random-walk")],
)
def test_the_same_executions_end_in_lassos(name, scheduler, monkeypatch):
    arguments = made(*FLAGGED[name]), machine(), scheduler, 24
    with_memo = found(*arguments)
    assert (with_memo[1] > 0) is (name != "unreadable")
    monkeypatch.setenv(MEMO_SWITCH, "0")
    assert found(*arguments) == with_memo


def test_so_do_those_of_a_scheme_that_keeps_reservations_in_cells(monkeypatch):
    arguments = made(adds, adds), machine("tlib", steps=40), "random-walk", 24
    with_memo = found(*arguments)
    assert with_memo[1] > 0
    monkeypatch.setenv(MEMO_SWITCH, "0")
    assert found(*arguments) == with_memo


@pytest.mark.parametrize("name", FLAGGED)
def test_the_memo_goes_on_unless_a_state_is_made_anew(name):
    engines, walk = Engines(made(*FLAGGED[name]), machine()), RandomWalk()
    for index in range(30):
        engines.run(engines.make(walk, index), index)
    engines.close()
    gave_up = name == "made anew"
    assert ("its states cannot be compared" in engines.why_given_up) is gave_up
    assert (engines.followed < 10) is gave_up
