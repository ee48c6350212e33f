"""x86: locked read-modify-writes against each other, against plain stores and loads, and across granules."""

from __future__ import annotations

from typing import Any

from simaie.corpus.audit_case import Case, Expect
from simaie.corpus.common import LOST_RMW, X86, X, finished_with, load_inside_rmw
from simaie.guest.code import Ins, ins
from simaie.guest.program import FinalState, Program
from simaie.trace import Trace, watched_name

__all__ = ["CASES"]

#: A boundary between granules of 64 bytes, and so of 16.
EDGE = X + 0x40
ONES = (1 << 64) + 1  # 16 bytes: both halves 1


def _mixed_sizes(name: str, vcpus: int, times: int) -> Program:
    """Additions of 8, 1, 4 and 2 bytes to overlapping places in 8 bytes; none carries out of its bytes."""
    shapes = ((X, 8), (X + 1, 1), (X, 4), (X + 2, 2))
    threads: list[list[Ins]] = []
    total = 0
    for number in range(vcpus):
        place, width = shapes[number % len(shapes)]
        threads.append([ins("lock_add", place, 1, width=width)] * times)
        total += times << 8 * (place - X)

    def final(state: FinalState) -> bool:
        return state.read(X, width=8) == total

    return Program(name, isa="x86", threads=threads, init={X: (0, 8)}, final=final)


def _wide_against_narrow(name: str, adders: int) -> Program:
    """CMPXCHG16B from 0 to ONES against increments of its upper half, which it must see wholly or not at all."""
    threads = [[ins("lock_cmpxchg16b", X, 0, ONES)]] + [[ins("lock_inc", X + 8, width=8)]] * adders

    def final(state: FinalState) -> bool:
        halves = state.read(X, width=8), state.read(X + 8, width=8)
        return halves in ((0, adders), (1, adders + 1))

    return Program(name, isa="x86", threads=threads, init={X: (0, 16)}, final=final)


def _store_after_registration(name: str, stores: int) -> Program:
    """The storer waits for the first RMW's store, so the granule is registered, whatever follows in that RMW."""

    async def storer(cpu: Any) -> None:
        await cpu.wait_until(X, lambda value: value > 0)
        for i in range(stores):
            await cpu.store(X, 100 * (i + 1))

    increments = [ins("lock_inc", X)] * (stores + 1)

    def final(state: FinalState) -> bool:
        return 100 * stores <= state[X] <= 101 * stores

    return Program(name, isa="x86", threads=[increments, storer], init={X: 0}, final=final)


def _exchanges(name: str, vcpus: int, times: int) -> Program:
    """Every vCPU exchanges unique values; each value is returned exactly once, or is in memory at the end."""
    threads = [[ins("xchg", X, 1 + number * times + i, into=f"r{i}") for i in range(times)] for number in range(vcpus)]

    def final(state: FinalState) -> bool:
        return sorted([*state.registers.values(), state[X]]) == list(range(vcpus * times + 1))

    return Program(name, isa="x86", threads=threads, init={X: 0}, final=final)


def _update_lost(trace: Trace) -> bool:
    return finished_with(trace, watched_name(X)) == 1


def _halves_differ(trace: Trace) -> bool:
    return finished_with(trace, "1:low") != finished_with(trace, "1:high")


CASES = (
    Case(
        row=4,
        title="LOCK RMW against LOCK RMW, mixed sizes: lost update",
        why="Both lock the one entry of the granule before they load, and release it after they have stored.",
        program=_mixed_sizes("mixed-size-locked-rmws", 3, 1),
        larger=_mixed_sizes("mixed-size-locked-rmws-large", 4, 4),
        kinds=LOST_RMW,
        expected=X86(Expect.MUST_NOT, global_lock=Expect.MUST_NOT, none=Expect.FINDABLE),
    ),
    Case(
        row=4,
        title="CMPXCHG16B against a narrower LOCK RMW: lost update",
        why="Its two loads and two stores are all under the granule's lock, and 16 aligned bytes stay in one granule.",
        program=_wide_against_narrow("cmpxchg16b-against-inc", 2),
        larger=_wide_against_narrow("cmpxchg16b-against-inc-large", 4),
        expected=X86(Expect.MUST_NOT),
    ),
    Case(
        row=5,
        title="plain store against LOCK RMW on a registered granule: lost store",
        why="The store finds the granule registered and takes the lock that the RMW holds from its load to its store.",
        program=_store_after_registration("store-against-registered-rmw", 1),
        larger=_store_after_registration("store-against-registered-rmw-large", 4),
        kinds=LOST_RMW,
        expected=X86(Expect.MUST_NOT, global_lock=Expect.FINDABLE),
    ),
    Case(
        row=8,
        title="a LOCK RMW across a granule boundary: only the first granule is locked",
        why="The crossing RMW locks the granule of its first byte, the other one the next granule; neither waits.",
        program=Program(
            "granule-crossing-rmw",
            isa="x86",
            threads=[[ins("lock_add", EDGE - 2, 0x10001)], [ins("lock_add", EDGE, 1, width=2)]],
            init={EDGE - 2: 0},
            final=lambda s: s[EDGE - 2] == 0x20001,
        ),
        kinds=LOST_RMW,
        expected=X86(Expect.FINDABLE),
    ),
    Case(
        row=8,
        title="a plain store across a granule boundary: only the first granule is tested",
        why="The second granule is registered, the first is not: the store goes ahead in the middle of the RMW.",
        program=Program(
            "granule-crossing-store",
            isa="x86",
            threads=[[ins("lock_inc", EDGE, width=2)], [ins("lock_inc", EDGE + 8), ins("store", EDGE - 2, 0x50000)]],
            init={EDGE - 2: 0},
            final=lambda s: s[EDGE - 2] in (0x50000, 0x60000),
        ),
        kinds=LOST_RMW,
        expected=X86(Expect.FINDABLE),
    ),
    Case(
        row=9,
        title="a plain load in the middle of an RMW sees old or new, untorn",
        why="Plain loads never lock; the RMW stores its 4 bytes by one host store, so a load sees all or none of it.",
        program=Program(
            "load-during-rmw",
            isa="x86",
            threads=[[ins("lock_add", X, 0x01010101)], [ins("load", X, into="r")]],
            init={X: 0},
            final=lambda s: s.registers.get("1:r") in (0, 0x01010101),
        ),
        observed=load_inside_rmw,
        expected=X86(Expect.MODEL),
    ),
    Case(
        row=10,
        title="two plain 8-byte loads tear against CMPXCHG16B",
        why="x86 guarantees nothing for two loads, and loads without LOCK never lock: the halves may differ.",
        program=Program(
            "wide-loads-tear",
            isa="x86",
            threads=[
                [ins("lock_cmpxchg16b", X, 0, ONES)],
                [ins("load", X, width=8, into="low"), ins("load", X + 8, width=8, into="high")],
            ],
            init={X: (0, 16)},
        ),
        observed=_halves_differ,
        expected=X86(Expect.MODEL),
    ),
    Case(
        row=11,
        title="XCHG without LOCK is atomic",
        why="XCHG with memory locks with or without the prefix.",
        program=_exchanges("xchg-locks-by-itself", 3, 1),
        larger=_exchanges("xchg-locks-by-itself-large", 4, 3),
        kinds=LOST_RMW,
        expected=X86(Expect.MUST_NOT, none=Expect.FINDABLE),
    ),
    Case(
        row=12,
        title="an RMW without LOCK loses updates",
        why="Correct x86: without the prefix the load and the store are two accesses, and another INC fits between.",
        program=Program("unlocked-rmw-loses", isa="x86", threads=[[ins("inc", X)]] * 2, init={X: 0}),
        observed=_update_lost,
        expected=X86(Expect.MODEL),
    ),
)
