"""Row 27: CAS2 of m68k, a compare-and-swap of two locations.

A CAS2 stops the world, so that neither a plain store nor a plain load falls between its two locations.
"""

from __future__ import annotations

from simaie.corpus.audit_case import Case, Expect
from simaie.corpus.common import ARM, X, Y
from simaie.guest.code import ins
from simaie.guest.program import Program

__all__ = ["CASES"]


def _of_two(name: str, vcpus: int) -> Program:
    threads = [[ins("cas2", X, Y, 0, 0, 1 + vcpu, 1 + vcpu)] for vcpu in range(vcpus)]
    return Program(name, isa="m68k", threads=threads, init={X: 0, Y: 0}, final=lambda s: s[X] == s[Y] != 0)


def _of_two_and_stores(name: str, *values: int) -> Program:
    threads = [[ins("cas2", X, Y, 0, 0, 1, 1)], *([ins("store", X, value)] for value in values)]
    return Program(name, isa="m68k", threads=threads, init={X: 0, Y: 0}, final=lambda s: s[X] in values)


CASES = (
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
