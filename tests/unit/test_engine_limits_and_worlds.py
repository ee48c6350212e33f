"""Who counts as inside an instruction, how many vCPUs there may be, and which waits trio may still end."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import trio
from runs import every
from scheme_parts import read_modify_write
from simaie_schedulers.random_walk import RandomWalk

from simaie import Limits, Machine, Program, explore
from simaie.aie.bitmap import Bitmap
from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.engine.on_trio.driver import in_trio, run_trio
from simaie.errors import SchemeError, UsageError
from simaie.host.host import Host
from simaie.op import Kind
from simaie.protocols import ExecutionInfo
from simaie.schemes.scheme import Scheme
from simaie.trace import Ending, Trace

X, Y = 0x1000, 0x2000


def execution(threads: Any, scheme: Any = "native", *, devices: Any = (), seed: int = 0, **machine: Any) -> Execution:
    program = Program("p", isa="x86", threads=threads, devices=devices, init={X: 0})
    return Execution(program, Machine(scheme, **machine), RandomWalk(), ExecutionInfo(seed, 0, len(threads)))


def in_trio_run(threads: Any, scheme: Any = "native", **options: Any) -> Trace:
    return in_trio(run_trio, execution(threads, scheme, **options))


# -- the stopped world ------------------------------------------------------------------------------


class LateStop(Scheme):
    """Stops the world in the middle of an instruction, after its first operation."""

    async def atomic_rmw(self, cpu, address, width, function):
        await self.host.load(address, width)
        await self.host.begin_exclusive()
        old = await read_modify_write(self, address, width, function)
        await self.host.end_exclusive()
        return old


async def adds(cpu):
    await cpu.lock_add(X, 1)


def test_two_that_both_wait_to_stop_the_world_do_not_wait_for_each_other():
    program = Program("p", isa="x86", threads=[adds, adds], init={X: 0})
    traces = list(every(program, Machine(LateStop)))
    assert {trace.ending for trace in traces} == {Ending.FINISHED}
    waited = [trace for trace in traces if [event.op.kind for event in trace.events[:2]] == [Kind.LOAD, Kind.LOAD]]
    assert waited, "in some execution both are in mid-instruction when they begin to wait"


def test_a_device_in_mid_access_does_not_keep_the_world_from_being_stopped():
    async def device(dev):
        await dev.dma_write(X, 1, width=8)  # two operations of a 32-bit host

    program = Program("p", isa="x86", threads=[adds], devices=[device], init={X: 0})
    between = 0
    for trace in every(program, Machine(LateStop, host_word=32)):
        kinds = [(event.actor, event.op.kind) for event in trace.events]
        begin = kinds.index(("0", Kind.BEGIN_EXCLUSIVE))
        between += sum(actor == "dma0" for actor, _ in kinds[:begin]) == 1
    assert between


def test_a_vcpu_whose_wait_timed_out_in_mid_instruction_is_no_longer_inside_it():
    """In full-system mode a wait is a translation and then the wait: one operation is done when the timeout comes."""

    async def gives_up(cpu):
        with trio.move_on_after(1):
            await cpu.wait_until(Y, lambda value: value == 1)
        await trio.sleep(100)
        cpu.observe("slept", 1)

    async def later(cpu):
        await trio.sleep(10)
        await cpu.lock_add(X, 1)
        cpu.observe("added at", int(trio.current_time() % 1000))

    began = in_trio_run([later], LateStop, full_system=True).outcome["0:added at"]
    trace = in_trio_run([gives_up, later], LateStop, full_system=True)
    assert trace.ending is Ending.FINISHED
    assert trace.outcome["1:added at"] == began, "it did not have to wait for the other to wake up"


class Nested(Scheme):
    """Stops a world that it has stopped."""

    async def atomic_rmw(self, cpu, address, width, function):
        await self.host.begin_exclusive()
        await self.host.begin_exclusive()
        old = await read_modify_write(self, address, width, function)
        await self.host.end_exclusive()
        return old


@pytest.mark.parametrize("run", [lambda made: run_inline(made), lambda made: in_trio(run_trio, made)])
def test_an_exclusive_section_within_an_exclusive_section_is_an_error_at_once(run):
    made = execution([adds, adds], Nested)
    with pytest.raises(SchemeError, match="already owns the exclusive section"):
        run(made)
    assert [event.op.kind for event in made.events][-1] is Kind.BEGIN_EXCLUSIVE


# -- how many vCPUs -----------------------------------------------------------------------------------


async def spawns(cpu):
    for _ in range(3):
        await cpu.spawn(adds)


def test_a_program_that_begins_with_too_many_vcpus_is_refused():
    program = Program("p", isa="x86", threads=[adds, adds], init={X: 0})
    with pytest.raises(UsageError, match="2 threads"):
        explore(program, Machine(limits=Limits(threads=1)))
    assert explore(program, Machine(limits=Limits(threads=2)), scheduler="dpor").verdict == "holds"


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_no_vcpu_beyond_the_limit_ever_steps(limit):
    trace = run_inline(execution([spawns], limits=Limits(threads=limit)))
    assert trace.ending is Ending.THREAD_LIMIT
    assert sum(event.op.kind is Kind.SPAWN for event in trace.events) == limit
    assert len({event.actor for event in trace.events}) <= limit


def test_devices_are_no_threads():
    async def device(dev):
        await dev.dma_read(X)

    trace = run_inline(execution([spawns], devices=[device, device], limits=Limits(threads=4)))
    assert trace.ending is Ending.FINISHED


def test_the_lowest_free_identity_is_handed_out_first():
    async def child(cpu):
        cpu.observe("identity", cpu.identity)

    async def parent(cpu):
        first = [await cpu.spawn(child) for _ in range(3)]
        for thread in first:
            await cpu.join(thread)
        await cpu.spawn(child)

    for seed in range(20):
        outcome = run_inline(execution([parent], seed=seed)).outcome
        assert outcome["0.3:identity"] == 1


# -- waits that trio may end ----------------------------------------------------------------------------


async def asks_a_thread(cpu):
    await cpu.load(X)
    await cpu.store(X, await trio.to_thread.run_sync(lambda: 5))


async def asks_a_process(cpu):
    done = await trio.run_process([sys.executable, "-c", "print(5)"], capture_stdout=True)
    await cpu.store(X, int(done.stdout))


@pytest.mark.parametrize("guest", [asks_a_thread, asks_a_process])
def test_a_guest_that_waits_for_the_world_outside_is_no_deadlock(guest):
    trace = in_trio_run([guest, guest], limits=Limits(steps=10))
    assert trace.ending is Ending.FINISHED
    assert trace.outcome[f"[{X:#x}]"] == 5


def test_when_the_world_outside_has_answered_a_wait_that_nobody_ends_is_a_deadlock():
    async def waits(cpu):
        await trio.to_thread.run_sync(lambda: None)
        await trio.sleep_forever()

    assert in_trio_run([waits, asks_a_thread]).ending is Ending.DEADLOCK


# -- the bitmap -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "cells"), [(8, [0, 0, 1, 1]), (4, [0, 1, 2, 3])])
def test_a_word_of_the_bitmap_is_as_wide_as_the_host(word, cells):
    bitmap = Bitmap(Host(word=word), 7)
    touched = []
    for granule in (31, 32, 64, 127):
        op = bitmap.set(granule).send(None)
        touched.append(op.cell.name)
        assert op.function.apply(0) < 1 << 8 * word
    assert touched == [f"bitmap {number:#x}" for number in cells]
