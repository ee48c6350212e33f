"""Lassos: vCPUs that let each other fail for ever are found, and a cycle that a fair schedule ends is not."""

from __future__ import annotations

import pytest
from runs import X

import simaie
from simaie import corpus
from simaie.errors import UsageError
from simaie.exploration.lasso import find_lasso, repeat
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.schemes.native import Native

Y = X + 0x40


def made(*threads, isa="arm"):
    return Program("lasso", isa=isa, threads=threads, init={X: 0, Y: 0})


async def adds(cpu):
    while True:
        old = await cpu.ldrex(X)
        if not await cpu.strex(X, old + 1):
            return


class LastLinkWins(Native):
    """One reservation for all vCPUs, which each load-linked takes."""

    name = "last-link-wins"

    async def load_linked(self, cpu, address, width):
        """Take the reservation, then load."""
        await self._owner().store(cpu.name)
        return await self.load(cpu, address, width)

    async def store_conditional(self, cpu, address, width, value):
        """Store if no other vCPU has taken the reservation since."""
        if await self._owner().load() != cpu.name:
            return False
        await self._owner().store("")
        await self.store(cpu, address, width, value)
        return True

    def _owner(self):
        return self.owner

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.owner = self.host.cell("owner", "")


class FirstLinkWins(LastLinkWins):
    """The repaired twin: a load-linked does not take the reservation of another vCPU, and waits for it to end."""

    name = "first-link-wins"

    async def load_linked(self, cpu, address, width):
        """Wait for the reservation."""
        while await self._owner().compare_and_swap("", cpu.name) != "":
            pass
        return await self.load(cpu, address, width)


LAST, FIRST = Machine(LastLinkWins), Machine(FirstLinkWins)


def test_two_vcpus_that_take_each_others_reservation_are_a_livelock():
    program = made(adds, adds)
    lasso = find_lasso(program, LAST, executions=50, steps=60)
    assert lasso is not None
    assert (lasso.finding.kind, lasso.finding.verdict) == ("livelock", "violated")
    assert lasso.finding.vcpus == ("0", "1")
    assert set(lasso.cycle) == {"0", "1"}
    assert len(lasso.cycle) <= 6  # each links, loads and fails
    assert len(lasso.stem) <= 6


def test_the_cycle_can_be_repeated_as_often_as_one_likes():
    program = made(adds, adds)
    lasso = find_lasso(program, LAST, executions=50, steps=60)
    trace = repeat(lasso, program, LAST, 25)
    assert len(trace) == lasso.start + 25 * len(lasso.cycle)
    rounds = [
        [(event.actor, event.op.kind, event.value) for event in trace.events[at : at + len(lasso.cycle)]]
        for at in range(lasso.start, len(trace), len(lasso.cycle))
    ]
    assert all(each == rounds[0] for each in rounds)
    with pytest.raises(UsageError):
        repeat(lasso, program, LAST, 0)


def test_the_drawing_has_a_line_for_each_step_and_marks_the_cycle():
    lasso = find_lasso(made(adds, adds), LAST, executions=50, steps=60)
    lines = lasso.text.splitlines()
    assert len(lines) == len(lasso.trace)
    assert [line[0] for line in lines[lasso.start :]] == ["┌", *"│" * (len(lasso.cycle) - 2), "└"]


@pytest.mark.parametrize("machine", [FIRST, Machine("native"), Machine("cas")], ids=["first", "native", "cas"])
def test_the_repaired_twin_and_the_ideal_monitor_have_none(machine):
    assert find_lasso(made(adds, adds), machine, executions=40, steps=60) is None


def test_a_vcpu_that_fails_for_ever_while_another_runs_for_ever_starves():
    async def takes_for_ever(cpu):
        while True:
            await cpu.swp(X, 1)
            await cpu.str_(X, 0)

    async def takes(cpu):
        while await cpu.swp(X, 1):
            pass
        await cpu.str_(Y, 1)

    lasso = find_lasso(made(takes, takes_for_ever), executions=50, steps=60)
    assert lasso.finding.kind == "starvation"
    assert lasso.finding.vcpus == ("0", "1")


async def raises_a_flag(cpu):
    for _ in range(3):
        await cpu.ldr(Y)
    await cpu.str_(X, 1)


async def spins(cpu):
    while not await cpu.ldr(X):
        pass


async def toggles(cpu):
    while True:
        await cpu.str_(X, 1)
        await cpu.str_(X, 0)


async def counts(cpu):
    for _ in range(40):
        await cpu.ldr(X)


async def grows(cpu):
    value = 0
    while True:
        value += 1
        await cpu.str_(X, value)


async def chooses(cpu):
    while await cpu.choose(2):
        await cpu.ldr(X)


@pytest.mark.parametrize(
    "threads",
    [(spins, raises_a_flag), (toggles,), (counts, counts), (grows,), (chooses,)],
    ids=lambda threads: threads[0].__name__,
)
def test_what_a_fair_schedule_or_choice_ends_is_no_lasso_nor_is_work(threads):
    assert find_lasso(made(*threads), executions=12, steps=60) is None


def test_a_spin_that_no_vcpu_ends_is_a_livelock():
    lasso = find_lasso(made(spins, counts), executions=5, steps=150)
    assert lasso.finding.kind == "livelock"
    assert lasso.finding.vcpus == ("0",)
    assert set(lasso.cycle) == {"0"}


class Instrumented(Native):
    """An access for measurement after each load-linked, which ends the reservation of the host's monitor."""

    name = "instrumented"

    async def load_linked(self, cpu, address, width):
        """Load, then count the access."""
        value = await super().load_linked(cpu, address, width)
        await self.clear_exclusive(cpu)
        return value


def test_an_access_between_load_linked_and_store_conditional_is_a_livelock_that_a_search_proves():
    program = made(adds, adds)
    report = simaie.explore(program, Machine(Instrumented), scheduler="dpor")
    assert report.verdict == "violated"
    assert {finding.kind for failure in report.failures for finding in failure.findings} == {"livelock"}
    report = simaie.explore(program, Machine("native"), scheduler="dpor")
    assert (report.verdict, report.complete) == ("holds", True)
    assert find_lasso(program, Machine(Instrumented), executions=3, steps=60) is not None


@pytest.mark.parametrize("name", ["first-registration-window", "treiber-stack-reuse-x86"])
def test_programs_of_the_corpus_that_end_have_none(name):
    entry = corpus.entry(name)
    machine = Machine(("native", entry.needs.options), address_bits=entry.needs.address_bits)
    assert find_lasso(entry.program, machine, executions=5, steps=150) is None


def test_a_host_with_store_buffers_is_refused():
    with pytest.raises(UsageError, match="sequentially consistent"):
        find_lasso(made(adds), Machine(host="tso"))
