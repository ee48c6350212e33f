"""Registration of a granule: races of the first insertion, the window before it, entries that must not exist."""

from __future__ import annotations

from typing import Any

from simaie.corpus.audit_case import Case, Expect, Needs
from simaie.corpus.common import ARM, LOST_RMW, X86, X, Y, Z, insertion_lost, store_took_a_lock
from simaie.guest.code import Ins, ins
from simaie.guest.program import FinalState, Program

__all__ = ["CASES"]

#: Granules of 64 bytes at this distance share a bit of a bitmap of 2**21 bits.
ALIAS = X + (64 << 21)


def _increments(name: str, vcpus: int, places: tuple[int, ...]) -> Program:
    """Each vCPU increments every place once, each beginning at another place."""
    threads: list[list[Ins]] = []
    for number in range(vcpus):
        start = number % len(places)
        threads.append([ins("lock_inc", place) for place in places[start:] + places[:start]])

    def final(state: FinalState) -> bool:
        return all(state[place] == vcpus for place in places)

    return Program(name, isa="x86", threads=threads, init=dict.fromkeys(places, 0), final=final)


def _swaps(name: str, vcpus: int, places: tuple[int, ...]) -> Program:
    """Half of the vCPUs reserve the places, the others swap something in; no vCPU stores conditionally."""
    kinds = ([ins("ldrex", place) for place in places], [ins("swp", place, 1) for place in places])
    threads = [kinds[number % 2] for number in range(vcpus)]
    return Program(name, isa="arm", threads=threads, init=dict.fromkeys(places, 0))


def _bystander(name: str, isa: str, vcpus: int) -> Program:
    """vCPU 0 uses X atomically; every other vCPU plainly stores to and loads from a separate granule."""
    atomic, store, load = ("lock_inc", "store", "load") if isa == "x86" else ("swp", "str_", "ldr")
    own = [Y + 0x80 * number for number in range(vcpus - 1)]
    user = [ins(atomic, X, *((1,) if isa == "arm" else ()))]
    others = [[ins(store, place, 7), ins(load, place, into="r")] for place in own]

    def final(state: FinalState) -> bool:
        return state[X] == 1 and all(state[place] == 7 for place in own)

    return Program(name, isa=isa, threads=[user, *others], init={X: 0}, final=final)


def _cmpxchg_after_registration(name: str, stores: int) -> Program:
    """The storer waits for the first RMW's store, so the granule is registered; then all CMPXCHGs fail."""

    async def storer(cpu: Any) -> None:
        await cpu.wait_until(X + 8, lambda value: value > 0)
        for i in range(stores):
            await cpu.store(X, 5 + i)

    comparer = [ins("lock_inc", X + 8), *[ins("lock_cmpxchg", X, 99, 1)] * stores]
    return Program(name, isa="x86", threads=[comparer, storer], init={X: 0}, final=lambda s: s[X] == 4 + stores)


CASES = (
    Case(
        row=1,
        title="two different locks for one granule",
        why="Both see an empty slot; only one compare-and-swap can find it empty, and the loser adopts what it found.",
        program=_increments("insertion-race", 3, (X,)),
        larger=_increments("insertion-race-large", 4, (X, Y, Z)),
        expected=X86(Expect.MUST_NOT),
    ),
    Case(
        row=1,
        title="two different locks for one granule (LDREX against SWP)",
        why="LDREX and SWP register through the same insertion, so they too end with one entry.",
        program=_swaps("insertion-race-arm", 3, (X,)),
        larger=_swaps("insertion-race-arm-large", 4, (X, Y, Z)),
        expected=ARM(Expect.MUST_NOT),
    ),
    Case(
        row=2,
        title="insertion race: one winner, the loser adopts the winner's entry",
        why="vCPU 1 reads the slot before vCPU 0 fills it, and its swap comes after: it drops its own entry, and both "
        "vCPUs take one lock.",
        program=Program(
            "insertion-loser-adopts",
            isa="x86",
            threads=[[ins("lock_inc", X)], [ins("lock_inc", X + 8)]],
            init={X: 0, X + 8: 0},
            final=lambda s: s[X] == s[X + 8] == 1,
        ),
        observed=insertion_lost,
        expected=X86(Expect.MODEL),
    ),
    Case(
        row=3,
        title="an entry without an atomic operation on its granule",
        why="A plain store looks up whether the granule is registered, without allocating; a plain load does not look.",
        program=_bystander("no-entry-without-atomics", "x86", 2),
        larger=_bystander("no-entry-without-atomics-large", "x86", 4),
        expected=X86(Expect.MUST_NOT),
    ),
    Case(
        row=3,
        title="an entry without an atomic operation on its granule (SWP)",
        why="After the first SWP every plain store looks its granule up, but looking up does not allocate.",
        program=_bystander("no-entry-without-atomics-arm", "arm", 2),
        larger=_bystander("no-entry-without-atomics-arm-large", "arm", 4),
        expected=ARM(Expect.MUST_NOT),
    ),
    Case(
        row=6,
        title="plain store against LOCK RMW on the first registration",
        why="The store finds nothing; the RMW registers, locks, loads; the store lands and is overwritten.",
        program=Program(
            "first-registration-window",
            isa="x86",
            threads=[[ins("lock_inc", X)], [ins("store", X, 5)]],
            init={X: 0},
            final=lambda s: s[X] in (5, 6),
        ),
        kinds=LOST_RMW,
        expected=X86(Expect.FINDABLE, global_lock=Expect.FINDABLE),
    ),
    Case(
        row=7,
        title="a failing CMPXCHG writes the old value over a racing store",
        why="CMPXCHG always stores: on failure the old value, which overwrites a store in the window.",
        program=Program(
            "failing-cmpxchg-window",
            isa="x86",
            threads=[[ins("lock_cmpxchg", X, 99, 1)], [ins("store", X, 5)]],
            init={X: 0},
            final=lambda s: s[X] == 5,
        ),
        kinds=LOST_RMW,
        expected=X86(Expect.FINDABLE),
    ),
    Case(
        row=7,
        title="a failing CMPXCHG outside the window of the first registration",
        why="The store begins once the granule is registered, so it takes the lock that CMPXCHG holds.",
        program=_cmpxchg_after_registration("failing-cmpxchg-registered", 1),
        larger=_cmpxchg_after_registration("failing-cmpxchg-registered-large", 4),
        expected=X86(Expect.MUST_NOT),
    ),
    Case(
        row=29,
        title="bitmap aliasing: an extra lock, still correct",
        why="X and ALIAS are 2**21 granules apart and share a bit, so the store to ALIAS locks an unused granule.",
        program=Program(
            "bitmap-alias",
            isa="x86",
            threads=[[ins("lock_inc", X)], [ins("store", ALIAS, 5)]],
            init={X: 0, ALIAS: 0},
            final=lambda s: s[X] == 1 and s[ALIAS] == 5,
        ),
        observed=store_took_a_lock,
        expected={"aie-v2": Expect.MODEL},
        needs=Needs(address_bits=28),
    ),
)
