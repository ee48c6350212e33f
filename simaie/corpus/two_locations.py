"""Row 27: compare-and-swaps of instruction sets that have no other atomic for the case, and CAS2 of m68k.

A CAS2 stops the world, so that neither a plain store nor a plain load falls between its two locations. A CAS is a
locked instruction as any, and loses the store that comes before its granule is registered.
"""

from __future__ import annotations

from collections.abc import Iterator

from simaie.corpus.audit_case import Case, Expect
from simaie.corpus.common import ARM, LOST_RMW, X, Y
from simaie.guest.code import ins
from simaie.guest.program import FinalState, Program

__all__ = ["CASES"]

_ISA = "m68k"
#: The compare-and-swap of 4 bytes and the plain store of each instruction set.
_NAMES = {_ISA: ("cas", "store"), "s390x": ("cs", "st"), "sparc": ("casa", "stw"), "xtensa": ("s32c1i", "s32i")}


def _one_stores(final: FinalState) -> bool:
    """Whether one vCPU saw 0, and all others what that one stored."""
    seen = sorted(value for name, value in final.registers.items() if name.endswith(":got"))
    return seen == [0, *[final[X]] * (len(seen) - 1)] and final[X] != 0


def _of_one(isa: str, name: str, vcpus: int) -> Program:
    threads = [[ins(_NAMES[isa][0], X, 0, 1 + vcpu, into="got")] for vcpu in range(vcpus)]
    return Program(name, isa=isa, threads=threads, init={X: 0}, final=_one_stores)


def _of_two(name: str, vcpus: int) -> Program:
    threads = [[ins("cas2", X, Y, 0, 0, 1 + vcpu, 1 + vcpu)] for vcpu in range(vcpus)]
    return Program(name, isa=_ISA, threads=threads, init={X: 0, Y: 0}, final=lambda s: s[X] == s[Y] != 0)


def _of_two_and_stores(name: str, *values: int) -> Program:
    threads = [[ins("cas2", X, Y, 0, 0, 1, 1)], *([ins("store", X, value)] for value in values)]
    return Program(name, isa=_ISA, threads=threads, init={X: 0, Y: 0}, final=lambda s: s[X] in values)


def _cases(isa: str) -> Iterator[Case]:
    compare, store = _NAMES[isa]
    yield Case(
        row=27,
        title="compare-and-swaps against each other: more than one stores",
        why="Each holds the lock of the granule from its load to its store, so that the second one sees the first.",
        program=_of_one(isa, f"one-location-against-one-{isa}", 2),
        larger=_of_one(isa, f"one-location-against-one-{isa}-large", 4),
        samples=100 if isa == _ISA else 20,
        expected=ARM(Expect.MUST_NOT),
    )
    yield Case(
        row=27,
        title="a compare-and-swap against a plain store",
        why="The store finds the granule unregistered; the CAS loads; the store lands and is lost.",
        program=Program(
            f"one-location-against-store-{isa}",
            isa=isa,
            threads=[[ins(compare, X, 0, 1)], [ins(store, X, 5)]],
            init={X: 0},
            final=lambda s: s[X] == 5,
        ),
        kinds=LOST_RMW,
        expected=ARM(Expect.FINDABLE),
    )


CASES = (
    *(case for isa in _NAMES for case in _cases(isa)),
    Case(
        row=27,
        title="compare-and-swaps of two locations against each other: one location of each",
        why="Each stops the world, so that the second one sees both locations of the first.",
        program=_of_two("two-locations-against-two-m68k", 2),
        larger=_of_two("two-locations-against-two-m68k-large", 4),
        expected=ARM(Expect.MUST_NOT),
    ),
    Case(
        row=27,
        title="a compare-and-swap of two locations against plain stores: a store is lost",
        why="The world is stopped from its loads to its stores, so that each plain store comes before or after.",
        program=_of_two_and_stores("two-locations-against-store-m68k", 5),
        larger=_of_two_and_stores("two-locations-against-store-m68k-large", 5, 6, 7),
        expected=ARM(Expect.MUST_NOT),
    ),
)
