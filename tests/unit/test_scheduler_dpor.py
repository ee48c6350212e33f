"""Optimal DPOR as a scheduler: what it says of itself, its limits, its refusals, and executions that repeat alone."""

from __future__ import annotations

import itertools
import json

import pytest
from scheduler_programs import X, Y, Z, increments, iriw, loads, make, run, stores
from simaie_schedulers.dpor.search import Dpor

from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.errors import NondeterminismError, UsageError
from simaie.guest.program import Program
from simaie.machine import Limits, Machine
from simaie.protocols import ExecutionInfo, Scheduler
from simaie.trace import Ending


def everything(program, scheduler, machine=None):
    machine = machine or Machine("native")
    traces = []
    while not scheduler.exhausted:
        info = ExecutionInfo(len(traces), len(traces), len(program.threads))
        traces.append(run_inline(Execution(program, machine, scheduler, info)))
    return traces


def test_it_is_exhaustive_and_complete_only_at_the_end():
    scheduler = Dpor()
    assert scheduler.exhaustive
    assert not scheduler.exhausted
    assert not scheduler.complete
    assert len(everything(increments(2), scheduler)) == 4
    assert scheduler.exhausted
    assert scheduler.complete
    assert scheduler.bound_note == ""


def test_a_program_without_races_takes_one_execution():
    assert len(everything(make(stores(X), stores(Y), loads(Z)), Dpor())) == 1


@pytest.mark.parametrize("options", [{"preemptions": 2}, {"delays": 1}, {"preemptions": 0}])
def test_bounds_are_refused_as_unsound(options):
    with pytest.raises(UsageError):
        Dpor(**options)


@pytest.mark.parametrize("limit", [0, -1, "many"])
def test_a_memory_limit_is_a_positive_number(limit):
    with pytest.raises(UsageError):
        Dpor(memory_limit=limit)


def test_the_memory_limit_ends_the_search_incomplete_and_says_so():
    scheduler = Dpor(memory_limit=12)
    assert 1 <= len(everything(increments(4), scheduler)) < 576
    assert scheduler.exhausted
    assert not scheduler.complete
    assert "12" in scheduler.bound_note


def test_a_sufficient_memory_limit_changes_nothing():
    scheduler = Dpor(memory_limit=1_000)
    assert len(everything(increments(3), scheduler)) == 36
    assert scheduler.complete
    assert 0 < scheduler.statistics["peak_nodes"] + scheduler.statistics["peak_branches"] <= 1_000


def test_executions_cut_short_make_the_search_incomplete():
    scheduler = Dpor()
    traces = everything(increments(2), scheduler, Machine("native", limits=Limits(steps=3)))
    assert {trace.ending for trace in traces} == {Ending.STEP_LIMIT}
    assert scheduler.exhausted
    assert not scheduler.complete
    assert scheduler.bound_note


@pytest.mark.parametrize("program", [increments(3), iriw()])
def test_every_execution_repeats_alone_from_its_profile(program):
    """The profile survives JSON, and an instance made anew goes on from it without losing anything."""
    scheduler, digests = Dpor(), []
    while not scheduler.exhausted:
        profile = json.loads(json.dumps(scheduler.profile()))
        digests.append(run(program, scheduler).digest)
        alone = Dpor()
        alone.restore(profile)
        assert run(program, alone).digest == digests[-1]
    alone = Dpor()
    alone.restore(profile)
    assert {trace.digest for trace in everything(program, alone)} >= {digests[-1]}
    assert alone.statistics["executions"] == len(digests)


def test_a_profile_of_something_else_is_refused():
    with pytest.raises(UsageError):
        Dpor().restore({"prefix": [[1]], "tree": [], "asleep": []})


def test_choices_in_waits_are_repeated_from_the_profile_too():
    async def chooser(cpu):
        if await cpu.choose(3):
            await cpu.str_(X, await cpu.choose(2))

    async def waiter(cpu):
        cpu.observe("r", await cpu.wait_until(X, lambda value: value == 1))

    program = make(chooser, waiter, stores(X, value=2))
    scheduler = Dpor()
    while not scheduler.exhausted:
        profile = json.loads(json.dumps(scheduler.profile()))
        trace = run(program, scheduler)
        alone = Dpor()
        alone.restore(profile)
        assert run(program, alone).digest == trace.digest
    assert scheduler.complete


def test_a_guest_that_counts_its_runs_is_found_out():
    runs = itertools.count()

    async def forgetless(cpu):
        await cpu.str_(X if next(runs) % 2 else Y, 1)
        await cpu.str_(Z, 1)

    with pytest.raises(NondeterminismError, match="step 0"):
        everything(make(forgetless, stores(Z), loads(Z)), Dpor())


def test_the_vcpu_that_is_not_offered_any_more_is_named():
    """It waits for another location in every second run, and so is a candidate in every other one."""
    runs = itertools.count()

    async def changeable(cpu):
        await cpu.wait_until(X if next(runs) % 2 else Y, lambda value: value == 0)

    program = make(loads(Z), stores(Z), changeable, init={X: 1, Y: 0, Z: 0})
    with pytest.raises(NondeterminismError) as raised:
        everything(program, Dpor())
    assert (raised.value.step, raised.value.vcpu) == (0, "2")


class Passing(Scheduler):
    """Wraps a scheduler; `hands_on` makes the ExecutionInfo that the inner one gets."""

    def __init__(self, inner, hands_on):
        self.inner, self.hands_on = inner, hands_on

    def start(self, info):
        self.info = info
        self.inner.start(self.hands_on(info))

    def choose(self, offer):
        return self.inner.choose(offer)

    def finish(self, trace):
        self.inner.finish(trace)


def test_an_execution_tells_what_it_begins_with():
    async def device(dma):
        await dma.dma_write(Y, 1)

    program = Program("begins", isa="arm", threads=[stores(X)], devices=[device], init={X: (0x0102, 2), Y: b"ab"})
    for endian, value in (("little", 0x02), ("big", 0x01)):
        wrapper = Passing(Dpor(), lambda info: info)
        run_inline(Execution(program, Machine(endian=endian), wrapper, ExecutionInfo(3, 1, 2)))
        beginning = wrapper.info.beginning
        assert (wrapper.info.seed, wrapper.info.index, wrapper.info.threads) == (3, 1, 2)
        assert (beginning.endian, beginning.devices) == (endian, ("dma0",))
        assert (beginning.read(X, 1), beginning.read(Y, 1), beginning.read(Z, 4)) == (value, ord("a"), 0)


def test_a_wrapper_that_keeps_that_to_itself_is_refused():
    wrapper = Passing(Dpor(), lambda info: ExecutionInfo(info.seed, info.index, info.threads))
    with pytest.raises(UsageError, match="beginning"):
        run(increments(2), wrapper)


def test_a_deadlock_is_found_and_is_an_execution_like_others():
    async def waits(cpu):
        await cpu.wait_until(X, lambda value: value == 1)

    traces = everything(make(waits, stores(X, value=1), stores(X, value=2)), Dpor())
    assert sorted(trace.ending for trace in traces) == [Ending.FINISHED, Ending.FINISHED, Ending.LIVELOCK]


def test_of_two_stores_one_branch_waits_until_it_is_taken():
    scheduler = Dpor()
    assert len(everything(make(stores(X), stores(X)), scheduler)) == 2
    assert scheduler.statistics["peak_branches"] == scheduler.statistics["branches"] == 1


def test_the_statistics_count_what_happened():
    scheduler = Dpor()
    everything(increments(3), scheduler)
    statistics = scheduler.statistics
    assert statistics["executions"] == 36
    assert statistics["peak_nodes"] == 6
    assert statistics["races"] >= statistics["branches"] / 6 > 0
    assert statistics["sleep_set_blocked"] == statistics["redundant"] == statistics["infeasible"] == 0
