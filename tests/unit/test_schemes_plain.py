"""`none` and `global-lock`: what they do step by step, and what each of them breaks."""

from __future__ import annotations

import pytest
from runs import X, every, execute, failures, program, scripted, small, steps, strex

from simaie.errors import GuestFault, UsageError
from simaie.host.pages import Page
from simaie.op import Kind
from simaie.trace import Ending

Y = 0x80


async def increment(cpu):
    await cpu.lock_xadd(X, 1)


async def store_five(cpu):
    await cpu.store(X, 5)


def test_none_takes_a_locked_instruction_apart():
    trace = execute(program("x86", increment), small("none"))
    assert steps(trace) == ["load [0x40]/4", "store [0x40]/4"]


def test_none_loses_updates():
    finals = {t.outcome[f"[{X:#x}]"] for t in every(program("x86", increment, increment), small("none"))}
    assert finals == {1, 2}


@pytest.mark.parametrize(("linked", "conditional", "failed"), [(X, X, 0), (X, Y, 1)])
def test_none_lets_a_store_conditional_pass_by_its_address_alone(linked, conditional, failed):
    async def thread(cpu):
        await cpu.ldrex(linked)
        await cpu.str_(X, 3)
        await strex(cpu, conditional, 9)

    assert failures(execute(program("arm", thread), small("none"))) == [failed]


def test_none_forgets_the_link_at_a_store_conditional_and_at_clrex():
    async def thread(cpu):
        await strex(cpu, X, 1)
        await cpu.ldrex(X)
        await strex(cpu, Y, 1)
        await strex(cpu, X, 1)
        await cpu.ldrex(X)
        await cpu.clrex()
        await strex(cpu, X, 1)

    assert failures(execute(program("arm", thread), small("none"))) == [1, 1, 1, 1]


def test_global_lock_brackets_a_locked_instruction_and_no_plain_store():
    async def thread(cpu):
        await increment(cpu)
        await store_five(cpu)

    trace = execute(program("x86", thread), small("global-lock"))
    locked = ["lock global lock", "load [0x40]/4", "store [0x40]/4", "unlock global lock"]
    assert steps(trace) == [*locked, "store [0x40]/4"]


def test_global_lock_keeps_locked_instructions_apart_even_on_different_addresses():
    async def other(cpu):
        await cpu.lock_xadd(Y, 1)

    prog = program("x86", increment, increment, other, final=lambda end: end[X] == 2 and end[Y] == 1)
    traces = list(every(prog, small("global-lock")))
    assert all(trace.accepted for trace in traces)
    assert len(traces) >= 6  # the orders of the three; more by where the waiting begins is no difference


def test_global_lock_loses_a_plain_store_inside_a_locked_instruction():
    trace = scripted(program("x86", increment, store_five), small("global-lock"), ["0", "0", "1", "0", "0"])
    assert trace.outcome[f"[{X:#x}]"] == 1


def test_a_fault_between_load_and_store_releases_the_global_lock():
    async def faulting(cpu):
        with pytest.raises(GuestFault):
            await cpu.lock_xadd(X, 1)
        await cpu.lock_xadd(0x1000, 1)

    machine = small("global-lock", full_system=True)
    machine.address_bits = 16
    trace = execute(program("x86", faulting, pages={0: Page(0, writable=False)}), machine)
    assert trace.ending is Ending.FINISHED
    kinds = [event.op.kind for event in trace.events if event.op.location == "global lock"]
    assert kinds == [Kind.LOCK, Kind.UNLOCK] * 2


@pytest.mark.parametrize("scheme", ["global-lock", "aie-v2"])
def test_schemes_without_ll_sc_say_so(scheme):
    async def link(cpu):
        await cpu.ldrex(X)

    async def conditional(cpu):
        await strex(cpu, X, 1)

    for thread in (link, conditional):
        with pytest.raises(UsageError, match="load-linked"):
            execute(program("arm", thread), small(scheme))
