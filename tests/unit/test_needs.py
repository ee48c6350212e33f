"""What checkers need: a checker that is not asked finds nothing, and each default checker is asked and finds something.

`memo_runs.agree` compares each trace of a memo with that of the reference engine, and runs on it the checkers that an
exploration would not ask.
"""

from __future__ import annotations

from typing import Any

import pytest
from lying_schemes import LIARS
from memo_runs import agree, side_by_side
from mutants import MUTANTS

from simaie import Machine, Program, explore
from simaie.aie.entry import Entry
from simaie.check import CHECKERS, DEFAULT, needs
from simaie.check.needs import NEEDS, can_find
from simaie.exploration.engines import MEMO_SWITCH
from simaie.finding import Finding
from simaie.machine import Limits
from simaie.protocols import Promise
from simaie.schemes.native import Native
from simaie.trace import Trace

X, Y = 0x1000, 0x1010


async def add(cpu: Any) -> None:
    await cpu.lock_add(X, 1)


async def add_in_a_block(cpu: Any) -> None:
    async with cpu.atomic("add"):
        await cpu.store(X, await cpu.load(X) + 1)


async def attempt(cpu: Any) -> None:
    await cpu.strex(X, await cpu.ldrex(X) + 1)


async def store(cpu: Any) -> None:
    await cpu.store(X, 7)


async def asserts(cpu: Any) -> None:
    assert await cpu.load(X) == 0


async def spins(cpu: Any) -> None:
    rounds = 0
    while True:  # it never comes back to a state, so that it does not wait for a change
        rounds += 1
        await cpu.store(X, await cpu.load(X))


async def waits(cpu: Any) -> None:
    await cpu.wait_until(X, lambda value: value == 9)


async def store_eight(cpu: Any) -> None:
    await cpu.store(X, 0x0000_0001_0000_0001, width=8)


async def load_eight(cpu: Any) -> None:
    cpu.observe("r", await cpu.load(X, width=8))


class Careless(Native):
    """It makes all promises, and keeps none: it holds two locks past an atomic instruction, and guards nothing."""

    name = "careless"
    promises = frozenset(Promise)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.locks = [self.host.mutex(f"lock {number}", X) for number in range(4)]
        self.guarded = self.host.cell("guarded", 0, self.host.mutex("guard"))
        self.slot = self.host.cell("slot", None)

    async def atomic_rmw(self, cpu: Any, address: int, width: int, function: Any) -> int:
        first = 2 * cpu.identity
        for lock in self.locks[first : first + 2]:
            await lock.lock()
        await self.guarded.update("count", lambda count: (count + 1, count))
        old: int = await self.host.fetch(address, width, function)
        return old

    async def store(self, cpu: Any, address: int, width: int, value: int) -> None:
        await self.slot.store(self.host.made(lambda: Entry(self.host, address)))
        await self.host.store(address, width, value)


def x86(*threads: Any, **options: Any) -> Program:
    return Program("needs", isa="x86", threads=threads, **options)


def arm(*threads: Any, **options: Any) -> Program:
    return Program("needs", isa="arm", threads=threads, **options)


BROKEN: list[tuple[Program, Machine]] = [
    (x86(add, add, final=lambda final: final.read(X) == 2), Machine("none")),
    (x86(add, store), Machine("none", host="tso")),
    (x86(add_in_a_block, add_in_a_block), Machine("native")),
    (x86(asserts, add), Machine("native")),
    (x86(waits, store), Machine("native")),
    (x86(spins, spins), Machine("native", limits=Limits(steps=1_100, tries=1_000))),
    (x86(store_eight, load_eight), Machine("cas", host_word=32)),
    (x86(add, add, store), Machine(Careless)),
    *[(arm(attempt, attempt, store), Machine(scheme)) for scheme in ("cas", "none")],
    *[(mutant.program(), Machine(mutant.spoiled, address_bits=12)) for mutant in MUTANTS],
]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_a_checker_that_is_not_asked_finds_nothing(number: int):
    agree(*BROKEN[number], "random-walk", 40)


@pytest.mark.parametrize("liar", LIARS)
def test_a_checker_that_is_not_asked_finds_no_lie(liar: Any):
    agree(Program("liar", isa=liar.isa, threads=[liar.guest, liar.guest]), Machine(liar.scheme), "random-walk", 6)


@pytest.mark.untraced
def test_each_default_checker_declares_its_needs_and_is_asked_somewhere():
    found = set()
    lies = [(Program("liar", isa=liar.isa, threads=[liar.guest]), Machine(liar.scheme)) for liar in LIARS[:2]]
    for program, machine in BROKEN + lies:
        for _, trace in side_by_side(program, machine, "random-walk", 20):
            found |= {checker for checker in DEFAULT if can_find(checker, trace.occurred) and tuple(checker(trace))}
    assert set(DEFAULT) <= NEEDS.keys()
    assert {checker.__name__ for checker in set(DEFAULT) - found} == set()


def test_an_ordinary_trace_may_have_everything():
    assert Trace.occurred == needs.ANYTHING
    assert all(can_find(checker, needs.ANYTHING) for checker in CHECKERS.values())


def test_a_checker_of_ones_own_is_always_asked(monkeypatch: pytest.MonkeyPatch):
    class Counts:
        __hash__ = None  # type: ignore[assignment]  # no checker has to be hashable
        seen = 0

        def __call__(self, trace: Trace) -> tuple[Finding, ...]:
            Counts.seen += len(trace.events)
            return ()

    async def stores(cpu: Any) -> None:
        await cpu.store(X, 1)

    explore(x86(stores, stores), scheduler="random-walk", executions=300, checkers=[Counts()], failures=None)
    assert Counts.seen >= 600


@pytest.mark.untraced
@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_a_report_has_the_same_findings_with_and_without_the_memo(number: int, monkeypatch: pytest.MonkeyPatch):
    def findings() -> Any:
        program, machine = BROKEN[number]
        report = explore(program, machine, scheduler="random-walk", executions=40, failures=None)
        failures = [(failure.index, failure.trace.digest, failure.findings) for failure in report.failures]
        return report.verdict, report.reason, report.failing, report.outcomes, failures

    with_memo = findings()
    monkeypatch.setenv(MEMO_SWITCH, "0")
    assert findings() == with_memo
