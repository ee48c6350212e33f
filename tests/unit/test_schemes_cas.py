"""LL/SC by value: one host compare-and-swap, A-B-A included, and the world stopped where the host has no atomic."""

from __future__ import annotations

import pytest
from runs import X, every, execute, failures, program, scripted, small, steps, strex

from simaie.errors import GuestFault, UsageError
from simaie.host.pages import Page
from simaie.machine import Machine
from simaie.trace import Ending

Y = 0x80
ALONE = ["begin_exclusive", "load {0}", "store {0}", "end_exclusive"]


def alone(place):
    return [step.format(place) for step in ALONE]


async def attempt(cpu):
    await cpu.ldrex(X)
    await strex(cpu, X, 7)


def test_a_link_is_a_plain_load_and_the_conditional_one_compare_and_swap():
    assert steps(execute(program("arm", attempt), small("cas"))) == ["load [0x40]/4", "cas [0x40]/4"]


def test_a_conditional_elsewhere_or_without_link_fails_without_any_step():
    async def thread(cpu):
        await strex(cpu, 0, 1)
        await cpu.ldrex(X)
        await strex(cpu, Y, 1)
        await strex(cpu, X, 1)
        await cpu.ldrex(X)
        await cpu.clrex()
        await strex(cpu, X, 1)

    trace = execute(program("arm", thread), small("cas"))
    assert steps(trace) == ["load [0x40]/4"] * 2


def test_a_wider_link_is_compared_by_the_bytes_that_are_stored():
    async def thread(cpu):
        await cpu.ldrex(X, width=8)
        cpu.observe("failed", await cpu.strex(X, 7, width=4))

    trace = execute(program("arm", thread, init={X: (0xFFFF_FFFF_0000_0005, 8)}), small("cas"))
    assert trace.outcome["0:failed"] == 0


@pytest.mark.parametrize(("values", "failed"), [([5], 1), ([5, 0], 0)], ids=["changed", "A-B-A"])
def test_only_the_value_decides(values, failed):
    async def storer(cpu):
        for value in values:
            await cpu.str_(X, value)

    trace = scripted(program("arm", attempt, storer), small("cas"), ["0", *["1"] * len(values), "0"])
    assert failures(trace) == [failed]


def test_link_sc_increments_lose_nothing_in_any_interleaving():
    async def increment(cpu):
        while await strex(cpu, X, await cpu.ldrex(X) + 1):
            pass

    prog = program("arm", increment, increment, final=lambda end: end[X] == 2)
    assert all(trace.accepted for trace in every(prog, small("cas")))


@pytest.mark.parametrize(("option", "failed"), [("clear", 1), ("leave", 0)])
def test_an_exception_clears_the_link_or_leaves_it(option, failed):
    async def thread(cpu):
        await cpu.ldrex(X)
        await cpu.exception()
        await strex(cpu, X, 1)

    machine = small(("cas", {"on_exception": option}))
    assert failures(execute(program("arm", thread), machine)) == [failed]


def test_an_unknown_option_value_is_refused():
    with pytest.raises(UsageError):
        execute(program("arm", attempt), small("cas:on_exception=maybe"))


@pytest.mark.parametrize(
    ("host_word", "width", "offset", "expected"),
    [
        (64, 1, 3, ["fetch [0x43]/1"]),
        (64, 8, 0, ["fetch [0x40]/8"]),
        (64, 4, 2, alone("[0x42]/4")),
        (32, 8, 0, ["begin_exclusive", "load [0x40]/4", "load [0x44]/4", "store [0x40]/4", "store [0x44]/4",
                    "end_exclusive"]),
    ],
    ids=["byte", "word", "misaligned", "wider than the host"],
)  # fmt: skip
def test_a_locked_instruction_is_one_host_atomic_if_the_host_has_it(host_word, width, offset, expected):
    async def thread(cpu):
        await cpu.lock_xadd(X + offset, 1, width=width)

    assert steps(execute(program("x86", thread), small("cas", host_word=host_word))) == expected


def test_cmpxchg_is_a_host_compare_and_swap_and_cmpxchg16b_runs_alone():
    async def thread(cpu):
        await cpu.lock_cmpxchg(X, 0, 1)
        await cpu.lock_cmpxchg16b(X, 1, 1 << 100 | 3)

    trace = execute(program("x86", thread, watch={X: 16}), small("cas"))
    assert steps(trace)[0] == "cas [0x40]/4"
    assert [step.split()[0] for step in steps(trace)[1:]] == [
        "begin_exclusive", "load", "load", "store", "store", "end_exclusive",
    ]  # fmt: skip
    assert trace.outcome[f"[{X:#x}]"] == 1 << 100 | 3


@pytest.mark.parametrize("endian", ["little", "big"])
def test_a_wide_conditional_on_a_narrow_host_runs_alone(endian):
    async def thread(cpu):
        await cpu.ldrexd(X)
        await strex(cpu, X, 1 << 40 | 2, width=8)
        await cpu.ldrexd(X)
        await cpu.str_(X, 9)
        await strex(cpu, X, 0, width=8)

    trace = execute(program("arm", thread, watch={X: 8}), small("cas", host_word=32, endian=endian))
    assert failures(trace) == [0, 1]
    first = trace.outcome[f"[{X:#x}]"].to_bytes(8, endian)
    assert first == (9).to_bytes(4, endian) + (1 << 40 | 2).to_bytes(8, endian)[4:]
    assert "begin_exclusive" in steps(trace)


def test_a_stopped_world_keeps_misaligned_increments_whole_in_every_interleaving():
    async def thread(cpu):
        await cpu.lock_xadd(X + 1, 1)

    prog = program("x86", thread, thread, final=lambda end: end[X + 1] == 2)
    assert all(trace.accepted for trace in every(prog, small("cas")))


def test_a_fault_while_the_world_is_stopped_lets_it_go_on():
    async def faulting(cpu):
        with pytest.raises(GuestFault):
            await cpu.lock_xadd(X + 1, 1)

    async def other(cpu):
        await cpu.load(0x1000)

    prog = program("x86", faulting, other, pages={0: Page(0, writable=False)})
    for trace in every(prog, Machine("cas", address_bits=16, full_system=True)):
        assert trace.ending is Ending.FINISHED
        assert steps(trace)[-1] == "end_exclusive"


def test_the_link_is_on_the_virtual_address():
    """Two virtual pages of one frame: a conditional through the other page fails, though the memory is the same."""

    async def thread(cpu):
        await cpu.ldrex(0x2000)
        await strex(cpu, 0x3000, 1)

    pages = {0x2000: Page(0x1000), 0x3000: Page(0x1000)}
    for full_system in (False, True):
        machine = Machine("cas", address_bits=16, full_system=full_system)
        assert failures(execute(program("arm", thread, pages=pages), machine)) == [1]
