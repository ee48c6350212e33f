"""Locks whose waiters spin, for x86 and Arm guests; each guards an increment that loses updates if two are inside.

`cpu` is a vCPU of either instruction set: what differs between them is in the first few functions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from simaie.guest.code import ins
from simaie.guest.program import FinalState, Program

Section = Callable[[Any], Coroutine[Any, Any, None]]
Lock = Callable[[Any, int, Section], Coroutine[Any, Any, None]]

COUNTER, LOCK, OWNER, TURN = 0x100, 0x200, 0x204, 0x208
FLAGS = (0x300, 0x304)
#: Of vCPU n: whether its turn has come, and who is behind it (its node's address, or 0).
NODES = (0x400, 0x440, 0x480)
NEXT = 4


def pause(cpu: Any) -> Awaitable[None]:
    """The hint of a spin loop."""
    return cpu.pause() if cpu.isa == "x86" else cpu.wfe()  # type: ignore[no-any-return]  # either instruction set


async def exchange(cpu: Any, address: int, value: int) -> int:
    """Swap atomically; returns the old value."""
    if cpu.isa == "x86":
        return int(await cpu.xchg(address, value))
    while True:
        old = await cpu.ldrex(address)
        if not await cpu.strex(address, value):
            return int(old)


async def fetch_add(cpu: Any, address: int) -> int:
    """Add one atomically; returns the old value."""
    if cpu.isa == "x86":
        return int(await cpu.lock_xadd(address, 1))
    while True:
        old = await cpu.ldrex(address)
        if not await cpu.strex(address, old + 1):
            return int(old)


async def compare_and_swap(cpu: Any, address: int, expected: int, new: int) -> bool:
    """Store `new` if `expected` is there; whether it was."""
    if cpu.isa == "x86":
        return bool(await cpu.lock_cmpxchg(address, expected, new) == expected)
    while True:
        if await cpu.ldrex(address) != expected:
            return False
        if not await cpu.strex(address, new):
            return True


async def increment(cpu: Any) -> None:
    """The critical section; what it found tells in which order the vCPUs came."""
    found = await cpu.load(COUNTER)
    cpu.observe("found", found)
    await cpu.store(COUNTER, found + 1)


# -- locks: each runs `section` as vCPU `me` ---------------------------------------------------------


async def tas(cpu: Any, me: int, section: Section) -> None:
    """Test-and-set: each try writes."""
    while await exchange(cpu, LOCK, 1):
        pass
    await section(cpu)
    await cpu.store(LOCK, 0)


async def tas_by_bit(cpu: Any, me: int, section: Section) -> None:
    """The same by LOCK BTS."""
    while await cpu.lock_bts(LOCK, 0):
        pass
    await section(cpu)
    await cpu.store(LOCK, 0)


async def by_cas(cpu: Any, me: int, section: Section) -> None:
    """Compare-and-swap until it succeeds."""
    while not await compare_and_swap(cpu, LOCK, 0, 1):
        pass
    await section(cpu)
    await cpu.store(LOCK, 0)


async def ttas(cpu: Any, me: int, section: Section) -> None:
    """Test and test-and-set."""
    while True:
        while await cpu.load(LOCK):
            await pause(cpu)
        if not await exchange(cpu, LOCK, 1):
            break
    await section(cpu)
    await cpu.store(LOCK, 0)


async def broken_ttas(cpu: Any, me: int, section: Section) -> None:
    """The same, but the test and the set are apart."""
    while await cpu.load(LOCK):
        await pause(cpu)
    await cpu.store(LOCK, 1)
    await section(cpu)
    await cpu.store(LOCK, 0)


async def ticket(cpu: Any, me: int, section: Section) -> None:
    """Draw a number, and wait until it is called."""
    mine = await fetch_add(cpu, LOCK)
    while await cpu.load(OWNER) != mine:
        await pause(cpu)
    await section(cpu)
    await cpu.store(OWNER, mine + 1)


async def mcs(cpu: Any, me: int, section: Section) -> None:
    """J. Mellor-Crummey, M. Scott (TOCS 9(1), 1991): a queue, in which each spins on a node of its own."""
    node = NODES[me]
    before = await exchange(cpu, LOCK, node)
    if before:
        await cpu.store(before + NEXT, node)
        while not await cpu.load(node):
            await pause(cpu)
    await section(cpu)
    behind = await cpu.load(node + NEXT)
    if not behind:
        if await compare_and_swap(cpu, LOCK, node, 0):
            return
        while not (behind := await cpu.load(node + NEXT)):
            await pause(cpu)
    await cpu.store(behind, 1)


async def dekker(cpu: Any, me: int, section: Section) -> None:
    """For two; plain loads and stores."""
    mine, other = FLAGS[me], FLAGS[1 - me]
    await cpu.store(mine, 1)
    while await cpu.load(other):
        if await cpu.load(TURN) != me:
            await cpu.store(mine, 0)
            while await cpu.load(TURN) != me:
                await pause(cpu)
            await cpu.store(mine, 1)
        else:
            await pause(cpu)
    await section(cpu)
    await cpu.store(TURN, 1 - me)
    await cpu.store(mine, 0)


async def peterson(cpu: Any, me: int, section: Section) -> None:
    """For two; a waiter looks at two places."""
    mine, other = FLAGS[me], FLAGS[1 - me]
    await cpu.store(mine, 1)
    await cpu.store(TURN, 1 - me)
    while await cpu.load(other) and await cpu.load(TURN) != me:
        await pause(cpu)
    await section(cpu)
    await cpu.store(mine, 0)


# -- programs ----------------------------------------------------------------------------------------


def locked(lock: Lock, isa: str, vcpus: int = 2) -> Program:
    """Every vCPU increments the counter once, under the lock."""

    def thread(me: int) -> Section:
        async def run(cpu: Any) -> None:
            await lock(cpu, me, increment)

        return run

    def final(state: FinalState) -> bool:
        return state[COUNTER] == vcpus

    init = dict.fromkeys((COUNTER, LOCK, OWNER, TURN, *FLAGS), 0)
    init.update({node + at: 0 for node in NODES[:vcpus] for at in (0, NEXT)})
    threads, watch = [thread(me) for me in range(vcpus)], {COUNTER: 4, LOCK: 4}
    return Program(lock.__name__, isa=isa, threads=threads, init=init, final=final, watch=watch)


def tas_as_lists(isa: str, vcpus: int = 2) -> Program:
    """Test-and-set as lists of instructions; on Arm only a free lock is stored to."""
    take = {
        "x86": [ins("xchg", LOCK, 1, into=".old"), ins("cbnz", ".old", "again")],
        "arm": [
            ins("ldrex", LOCK, into=".old"), ins("cbnz", ".old", "again"), ins("strex", LOCK, 1, into=".failed"),
            ins("cbnz", ".failed", "again"),
        ],
    }[isa]  # fmt: skip
    thread = [
        ins("label", "again"), *take, ins("load", COUNTER, into="found"), ins("reg_add", "found", 1, into=".more"),
        ins("store", COUNTER, ".more"), ins("store", LOCK, 0),
    ]  # fmt: skip
    return Program(
        "tas-as-lists", isa=isa, threads=[thread] * vcpus, init={COUNTER: 0, LOCK: 0}, watch={COUNTER: 4, LOCK: 4},
        final=lambda state: state[COUNTER] == vcpus,
    )  # fmt: skip


def message_passing(isa: str, readers: int = 1) -> Program:
    """One vCPU writes data and then a flag, on which the others spin."""

    async def writer(cpu: Any) -> None:
        await cpu.store(COUNTER, 42)
        await cpu.store(LOCK, 1)

    async def reader(cpu: Any) -> None:
        while not await cpu.load(LOCK):
            await pause(cpu)
        data = await cpu.load(COUNTER)
        assert data == 42, "the flag is up, and the data are not there"

    return Program("message-passing", isa=isa, threads=[writer, *[reader] * readers], init={COUNTER: 0, LOCK: 0})


def alone_in_the_dark(isa: str) -> Program:
    """A spin on what nobody writes, beside a vCPU that writes something else."""

    async def spinner(cpu: Any) -> None:
        while not await cpu.load(LOCK):
            await pause(cpu)

    async def other(cpu: Any) -> None:
        await cpu.store(COUNTER, 1)

    return Program("alone-in-the-dark", isa=isa, threads=[spinner, other], init={COUNTER: 0, LOCK: 0})


def either(isa: str, helper: int | None) -> Program:
    """A spin until one of two flags is up; `helper` is the flag that somebody raises."""

    async def spinner(cpu: Any) -> None:
        while not await cpu.load(FLAGS[0]) and not await cpu.load(FLAGS[1]):
            await pause(cpu)

    async def other(cpu: Any) -> None:
        if helper is not None:
            await cpu.store(helper, 1)

    return Program("either", isa=isa, threads=[spinner, other], init=dict.fromkeys(FLAGS, 0))
