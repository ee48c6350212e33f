"""Spinlocks whose queue of waiting vCPUs is in shared memory.

Each vCPU enters the critical section and adds one to a counter there, by a plain load and a plain store. If two vCPUs
are in it at once, they lose an addition in some schedule. A lost release leaves the next vCPU waiting forever.

* *ticket*: owner and next ticket in one word, as in Linux (arch/arm, arch/x86 up to 4.1). Taking a ticket is an atomic
  operation on the word; admitting the next vCPU is a plain store to its half.
* *Anderson*: a ticket selects the slot of an array to spin on (T. E. Anderson, IEEE TPDS 1(1), 1990).
* *MCS*: a queue of nodes; each vCPU spins on its own (J. M. Mellor-Crummey, M. L. Scott, ACM TOCS 9(1), 1991).
* *CLH*: each vCPU spins on its predecessor's node (T. S. Craig 1993; P. Magnusson, A. Landin, E. Hagersten, IPPS 1994).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from simaie.corpus.lockfree.guest import Guest, Row, holds, table, violated
from simaie.corpus.lockfree.idioms import ISAS, Idioms
from simaie.guest.program import FinalState, Program, ThreadCode

__all__ = ["GUESTS"]

COUNTER = 0x100
LOCK = 0x140
#: A word for each vCPU or slot, each in a separate granule.
NODE, SIZE = 0x200, 0x40

_Acquire: TypeAlias = Callable[[Any, int], Awaitable[int]]
_Release: TypeAlias = Callable[[Any, int, int], Awaitable[None]]


def _node(number: int) -> int:
    return NODE + SIZE * number


def _is(value: int) -> Callable[[int], bool]:
    return lambda found: found == value


# -- ticket: bytes 0 and 1 of the word are the owner, 2 and 3 the next ticket ---------------------------

_TICKET = 1 << 16


def _ticket(isa: Idioms) -> tuple[_Acquire, _Release]:
    async def acquire(cpu: Any, me: int) -> int:
        mine: int = await isa.fetch_add(cpu, LOCK, _TICKET) >> 16
        await cpu.wait_until(LOCK, _is(mine), width=2)
        await isa.order(cpu)
        return mine

    async def release(cpu: Any, me: int, mine: int) -> None:
        await isa.order(cpu)
        await cpu.store(LOCK, mine + 1, width=2)

    return acquire, release


# -- Anderson: slots[n] is 1 if the lock is passed to the vCPU that waits there ------------------------


def _anderson(isa: Idioms, slots: int) -> tuple[_Acquire, _Release]:
    async def acquire(cpu: Any, me: int) -> int:
        slot: int = await isa.fetch_add(cpu, LOCK, 1) % slots
        await cpu.wait_until(_node(slot), _is(1))
        await isa.order(cpu)
        await cpu.store(_node(slot), 0)
        return slot

    async def release(cpu: Any, me: int, slot: int) -> None:
        await isa.order(cpu)
        await cpu.store(_node((slot + 1) % slots), 1)

    return acquire, release


# -- MCS: the lock is the last node's number, 0 if free; a node is the next one's number and whether to wait -----

_WAITS = 4


def _mcs(isa: Idioms) -> tuple[_Acquire, _Release]:
    async def acquire(cpu: Any, me: int) -> int:
        await cpu.store(_node(me), 0)
        await cpu.store(_node(me) + _WAITS, 1)
        await isa.order(cpu)
        before = await isa.exchange(cpu, LOCK, me)
        if before:
            await cpu.store(_node(before), me)
            await cpu.wait_until(_node(me) + _WAITS, _is(0))
        await isa.order(cpu)
        return me

    async def release(cpu: Any, me: int, mine: int) -> None:
        await isa.order(cpu)
        if await cpu.load(_node(me)) == 0:
            if await isa.compare_and_swap(cpu, LOCK, me, 0):
                return
            await cpu.wait_until(_node(me), bool)
        await cpu.store(_node(await cpu.load(_node(me))) + _WAITS, 0)

    return acquire, release


# -- CLH: the lock is the last node's number; a node is 1 while its owner has or wants the lock -------------------


def _clh(isa: Idioms) -> tuple[_Acquire, _Release]:
    async def acquire(cpu: Any, me: int) -> int:
        await cpu.store(_node(me), 1)
        await isa.order(cpu)
        before: int = await isa.exchange(cpu, LOCK, me)
        await cpu.wait_until(_node(before), _is(0))
        await isa.order(cpu)
        return before

    async def release(cpu: Any, me: int, before: int) -> None:
        await isa.order(cpu)
        await cpu.store(_node(me), 0)

    return acquire, release


# -- the guests ----------------------------------------------------------------------------------------


def _thread(me: int, lock: tuple[_Acquire, _Release]) -> ThreadCode:
    acquire, release = lock

    async def thread(cpu: Any) -> None:
        taken = await acquire(cpu, me)
        await cpu.store(COUNTER, await cpu.load(COUNTER) + 1)
        await release(cpu, me, taken)

    return thread


def _program(name: str, isa: Idioms, vcpus: int, lock: tuple[_Acquire, _Release], init: Mapping[int, int]) -> Program:
    threads = [_thread(me, lock) for me in range(1, vcpus + 1)]

    def final(state: FinalState) -> bool:
        return state[COUNTER] == vcpus

    return Program(name, isa=isa.isa, threads=threads, init={COUNTER: 0, **init}, final=final)


_Make: TypeAlias = Callable[[Idioms, int], tuple[tuple[_Acquire, _Release], Mapping[int, int]]]


def _guest(name: str, title: str, isa: Idioms, make: _Make, *rows: Row) -> Guest:
    def program(suffix: str, vcpus: int) -> Program:
        return _program(f"{name}-{isa.isa}{suffix}", isa, vcpus, *make(isa, vcpus))

    return Guest(
        title=title,
        specification="mutual exclusion: no addition to the counter is lost, and no vCPU waits forever",
        program=program("", 2),
        larger=program("-large", 4),
        rows=table(isa.isa, *rows),
    )


_LOST = "the release, a plain store to half of the word, falls between {} and is overwritten"
_ROWS: Mapping[tuple[str, str], Sequence[Row]] = {
    ("ticket", "arm"): (violated("aie-rfc", _LOST.format("LDREX and STREX of the whole, undetected")),),
    ("ticket", "x86"): (violated("global-lock", _LOST.format("load and store of LOCK XADD, whose lock it ignores")),),
    ("mcs", "arm"): (holds("cas", "free is free, regardless of holders in between", unnoticed=("llsc-atomicity",)),),
    ("mcs", "x86"): (),
}


def _guests(isa: Idioms) -> tuple[Guest, ...]:
    def nodes(vcpus: int) -> dict[int, int]:
        return {_node(n): 0 for n in range(vcpus + 1)}

    return (
        _guest(
            "ticket-lock", "a ticket lock in one word", isa,
            lambda i, n: (_ticket(i), {LOCK: 0}), *_ROWS["ticket", isa.isa],
        ),
        _guest(
            "anderson-lock", "Anderson's array lock", isa,
            lambda i, n: (_anderson(i, n), {LOCK: 0, **{_node(slot): int(slot == 0) for slot in range(n)}}),
        ),
        _guest("mcs-lock", "the MCS lock", isa, lambda i, n: (_mcs(i), {LOCK: 0, **nodes(n)}), *_ROWS["mcs", isa.isa]),
        _guest("clh-lock", "the CLH lock", isa, lambda i, n: (_clh(i), {LOCK: 0, **nodes(n)})),
    )  # fmt: skip


GUESTS = tuple(guest for isa in ISAS for guest in _guests(isa))
