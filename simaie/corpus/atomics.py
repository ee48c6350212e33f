"""Locked instructions of other instruction sets than x86: the large system extensions of AArch64, the AMOs of RISC-V.

They are to AIE what a LOCK prefix is: the lock of the granule is held from the load to the store. Both sets exchange,
add and compare; neither has an unlocked read-modify-write in memory (row 12), nor an exchange that locks by itself
(row 11), which is why these rows have x86 programs only. Arm has no locked instruction but SWP and SWPB: rows 17 and 18
are its rows 6 and 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simaie.corpus.atomic_kinds import ADDITION, EXCHANGE
from simaie.corpus.audit_case import Case, Expect, Needs
from simaie.corpus.common import ARM, LOST_RMW, X, finished_with, load_inside_rmw, store_took_a_lock
from simaie.corpus.dialects import AARCH64, ARM32, POWER, WITH_AMOS, Dialect
from simaie.corpus.faults import ALIAS, READ_ONLY, faults_in_rmw
from simaie.guest.code import Ins, ins
from simaie.guest.program import FinalState, Program, ThreadCode
from simaie.trace import Trace

__all__ = ["CASES"]

#: A boundary between granules of 16 bytes.
EDGE = X + 0x40
ONES = (1 << 64) + 1
#: Granules of 64 bytes at this distance share a bit of the bitmap.
FAR = X + (64 << 21)
#: Executions to sample of a larger program: few, since an x86 guest takes the same path in hundreds.
SAMPLES = 30


def _mixed_sizes(dialect: Dialect, name: str, vcpus: int, times: int) -> Program:
    """Additions of 8 and 4 bytes to overlapping places in 8 bytes; none carries out of its bytes."""
    shapes = ((X, 8), (X + 4, 4), (X, 4))
    threads: list[list[Ins]] = []
    total = 0
    for number in range(vcpus):
        place, width = shapes[number % len(shapes)]
        threads.append([ins(dialect.add, place, 1, width=width)] * times)
        total += times << 8 * (place - X)
    return Program(
        name, isa=dialect.isa, threads=threads, init={X: (0, 8)}, final=lambda s: s.read(X, width=8) == total
    )


def _swaps_of_two_sizes(name: str, vcpus: int) -> Program:
    """Exchanges of 4 bytes and of the lowest of them; each value is returned once, or is in memory at the end."""
    sizes = [("swp", "swpb")[number % 2] for number in range(vcpus)]
    threads = [[ins(size, X, 1 + number, into="got")] for number, size in enumerate(sizes)]

    def final(state: FinalState) -> bool:
        return sorted([*state.registers.values(), state[X]]) == list(range(vcpus + 1))

    return Program(name, isa="arm", threads=threads, init={X: 0}, final=final)


def _compare_pair(dialect: Dialect) -> Ins:
    """Return the compare-and-swap of 16 bytes, from 0 to ONES."""
    return ins("casp", X, 0, ONES) if dialect is AARCH64 else ins("amocas", X, 0, ONES, width=16)


def _pair_against_half(dialect: Dialect, name: str, adders: int) -> Program:
    """A pair from 0 to ONES against additions to its upper half, which it must see wholly or not at all."""
    threads = [[_compare_pair(dialect)]] + [[ins(dialect.add, X + 8, 1, width=8)]] * adders

    def final(state: FinalState) -> bool:
        return (state.read(X, width=8), state.read(X + 8, width=8)) in ((0, adders), (1, adders + 1))

    return Program(name, isa=dialect.isa, threads=threads, init={X: (0, 16)}, final=final)


def _after_registration(dialect: Dialect, name: str, stores: int) -> Program:
    """The storer waits for the first addition, so that the granule is registered."""

    async def storer(cpu: Any) -> None:
        await cpu.wait_until(X, lambda value: value > 0)
        for i in range(stores):
            await getattr(cpu, dialect.store)(X, 100 * (i + 1))

    additions = [ins(dialect.add, X, 1)] * (stores + 1)

    def final(state: FinalState) -> bool:
        return 100 * stores <= state[X] <= 101 * stores

    return Program(name, isa=dialect.isa, threads=[additions, storer], init={X: 0}, final=final)


def _faulting(dialect: Dialect, name: str, vcpus: int) -> Program:
    """vCPU 0 faults at the store of an exchange; the others then exchange by the writable name of the page."""
    swaps = [[ins(dialect.swap, ALIAS + X, number)] for number in range(1, vcpus)]

    def final(state: FinalState) -> bool:
        return state.registers.get("0:faulted") == 1 and 0 < state[X] < vcpus

    threads: list[ThreadCode] = [faults_in_rmw(dialect.swap, X, 5), *swaps]
    return Program(name, isa=dialect.isa, threads=threads, init={X: 0}, pages=READ_ONLY, final=final)


def _one_lock(dialect: Dialect, name: str, times: int) -> Program:
    """Exchanges and checked stores in two granules, so that a vCPU could come to hold two locks.

    Each vCPU stores only to granules that it has used atomically before, next to the bytes that others exchange.
    """
    first = [ins(dialect.swap, X, 1), *[ins(dialect.store, X + 4, 2)] * times]
    second = [ins(dialect.swap, X, 3), ins(dialect.swap, X + 16, 4), *[ins(dialect.store, X + 20, 5)] * times]
    return Program(name, isa=dialect.isa, threads=[first, second], init={X: (0, 8), X + 16: (0, 8)})


def _halves_differ(trace: Trace) -> bool:
    return finished_with(trace, "1:low") != finished_with(trace, "1:high")


def _cases(dialect: Dialect) -> Iterator[Case]:
    suffix = dialect.suffix
    yield Case(
        row=4,
        title="LOCK RMW against LOCK RMW, mixed sizes: lost update",
        why="Both lock the one entry of the granule before they load, and release it after they have stored.",
        program=_mixed_sizes(dialect, f"mixed-size-additions{suffix}", 2, 1),
        larger=_mixed_sizes(dialect, f"mixed-size-additions{suffix}-large", 4, 3),
        samples=SAMPLES,
        expected=ARM(Expect.MUST_NOT),
    )
    yield Case(
        row=5,
        title="plain store against LOCK RMW on a registered granule: lost store",
        why="The store finds the granule registered and takes the lock that the RMW holds from its load to its store.",
        program=_after_registration(dialect, f"store-against-registered-add{suffix}", 1),
        larger=_after_registration(dialect, f"store-against-registered-add{suffix}-large", 3),
        samples=SAMPLES,
        expected=ARM(Expect.MUST_NOT),
    )
    yield Case(
        row=6,
        title="plain store against LOCK RMW on the first registration",
        why="The store finds nothing; the RMW registers, locks, loads; the store lands and is overwritten.",
        program=ADDITION.against_store(dialect, f"first-registration-window{suffix}"),
        kinds=LOST_RMW,
        expected=ARM(Expect.FINDABLE),
    )


def _beside_plain_accesses(dialect: Dialect) -> Iterator[Case]:
    isa, name = dialect.isa, "add" if dialect.add else "swp"
    yield Case(
        row=8,
        title="a plain store across a granule boundary: only the first granule is tested",
        why="The second granule is registered, the first is not: the store goes ahead in the middle of the RMW.",
        program=Program(
            f"granule-crossing-store-{isa}",
            isa=isa,
            threads=[
                [dialect.change(EDGE, 1)],
                [dialect.change(EDGE + 8, 1), ins(dialect.store, EDGE - 2, 0x50000)],
            ],
            init={EDGE - 4: (0, 8)},
            final=lambda s: s[EDGE] in (5, 6) or s.registers.get("0:old") == 5,
        ),
        kinds=LOST_RMW,
        expected=ARM(Expect.FINDABLE),
    )
    yield Case(
        row=9,
        title="a plain load in the middle of an RMW sees old or new, untorn",
        why="Plain loads never lock; the RMW stores its 4 bytes by one host store, so a load sees all or none of it.",
        program=Program(
            f"load-during-{name}-{isa}",
            isa=isa,
            threads=[[dialect.change(X, 0x01010101)], [ins(dialect.load, X, into="r")]],
            init={X: 0},
            final=lambda s: s.registers.get("1:r") in (0, 0x01010101),
        ),
        observed=load_inside_rmw,
        expected=ARM(Expect.MODEL),
    )
    yield Case(
        row=29,
        title="bitmap aliasing: an extra lock, still correct",
        why="X and FAR are 2**21 granules apart and share a bit, so the store to FAR locks an unused granule.",
        program=Program(
            f"bitmap-alias-{isa}",
            isa=isa,
            threads=[[dialect.change(X, 1)], [ins(dialect.store, FAR, 5)]],
            init={X: 0, FAR: 0},
            final=lambda s: s[X] == 1 and s[FAR] == 5,
        ),
        observed=store_took_a_lock,
        expected={"aie-v2": Expect.MODEL},
        needs=Needs(address_bits=28),
    )


def _swapped(dialect: Dialect) -> Case:
    suffix = dialect.suffix
    return Case(
        row=16,
        title="SWP against SWP",
        why="The exchange locks the granule's entry before its load and holds it through its store.",
        program=EXCHANGE.against_itself(dialect, f"swap-against-swap{suffix}", 3),
        larger=EXCHANGE.against_itself(dialect, f"swap-against-swap{suffix}-large", 5),
        samples=SAMPLES,
        expected=ARM(Expect.MUST_NOT),
    )


def _locks(dialect: Dialect) -> Iterator[Case]:
    yield Case(
        row=21,
        title="a fault in the middle of an RMW releases the lock",
        why="The exception path unlocks what the instruction holds, so the others can take the lock.",
        program=_faulting(dialect, f"fault-in-mid-swap-{dialect.isa}", 2),
        larger=_faulting(dialect, f"fault-in-mid-swap-{dialect.isa}-large", 4),
        samples=SAMPLES,
        needs=Needs(full_system=True, address_bits=13),
        expected=ARM(Expect.MUST_NOT),
    )
    yield Case(
        row=22,
        title="locks per vCPU at most one, none held between instructions",
        why="An instruction under LOCK takes no second lock; a plain store releases its lock before the next check.",
        program=_one_lock(dialect, f"one-lock-at-a-time-{dialect.isa}", 1),
        larger=_one_lock(dialect, f"one-lock-at-a-time-{dialect.isa}-large", 3),
        samples=SAMPLES,
        expected=ARM(Expect.MUST_NOT),
    )


def _of_pairs(dialect: Dialect) -> Iterator[Case]:
    isa = dialect.isa
    name, load = ("casp", "ldr") if dialect is AARCH64 else ("amocas", "ld")
    options = {"width": 8} if dialect is AARCH64 else {}
    yield Case(
        row=4,
        title="CMPXCHG16B against a narrower LOCK RMW: lost update",
        why="Its two loads and two stores are all under the granule's lock, and 16 aligned bytes stay in one granule.",
        program=_pair_against_half(dialect, f"{name}-against-add-{isa}", 2),
        larger=_pair_against_half(dialect, f"{name}-against-add-{isa}-large", 4),
        samples=SAMPLES,
        expected=ARM(Expect.MUST_NOT),
    )
    yield Case(
        row=7,
        title="a failing CMPXCHG writes the old value over a racing store",
        why="Here too it is emulated as a store of the old value on failure, which overwrites a store in the window.",
        program=Program(
            f"failing-cas-window-{isa}",
            isa=isa,
            threads=[[ins("cas" if dialect is AARCH64 else "amocas", X, 99, 1)], [ins(dialect.store, X, 5)]],
            init={X: 0},
            final=lambda s: s[X] == 5,
        ),
        kinds=LOST_RMW,
        expected=ARM(Expect.FINDABLE),
    )
    yield Case(
        row=10,
        title="two plain 8-byte loads tear against CMPXCHG16B",
        why="The architecture guarantees nothing for two loads, and plain loads never lock: the halves may differ.",
        program=Program(
            f"wide-loads-tear-{isa}",
            isa=isa,
            threads=[
                [_compare_pair(dialect)],
                [ins(load, X, into="low", **options), ins(load, X + 8, into="high", **options)],
            ],
            init={X: (0, 16)},
        ),
        observed=_halves_differ,
        expected=ARM(Expect.MODEL),
    )


CASES = (
    *(case for dialect in WITH_AMOS for case in _cases(dialect)),
    *(case for dialect in (ARM32, *WITH_AMOS) for case in (*_beside_plain_accesses(dialect), *_locks(dialect))),
    *(_swapped(dialect) for dialect in (*WITH_AMOS, POWER)),
    *(case for dialect in WITH_AMOS for case in _of_pairs(dialect)),
    Case(
        row=4,
        title="LOCK RMW against LOCK RMW, mixed sizes: lost update",
        why="SWPB and SWP of one granule lock the same entry before they load, and release it after they have stored.",
        program=_swaps_of_two_sizes("mixed-size-swaps-arm", 2),
        larger=_swaps_of_two_sizes("mixed-size-swaps-arm-large", 4),
        samples=SAMPLES,
        expected=ARM(Expect.MUST_NOT),
    ),
)
