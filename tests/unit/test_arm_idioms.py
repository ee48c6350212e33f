"""Idioms of public programs for Arm, unrolled: which of them keep what their authors relied on, on armv8.

Each has a broken form, of which some execution shows the outcome that must not be, and a repaired one, of which none
does. The broken forms are those of known mistakes: compare-and-swaps that a load overtakes, ring buffers, and locks.
"""

from __future__ import annotations

import pytest
from graph_programs import X, Y

import simaie
from simaie import Machine, Program, ins

SEQUENCE = 0x300
FULL, LOADS, STORES = ins("dmb"), ins("dmb", option="ld"), ins("dmb", option="st")


def ldr(place, into):
    return ins("ldr", place, into=into)


def str_(place, value=1):
    return ins("str_", place, value)


def taken(place, *, release):
    """A compare-and-swap from 0 to 1 by exclusives, whose comparison and loop are left out."""
    return [ins("ldaxr", place, into="old"), ins("stlxr" if release else "stxr", place, 1, into="fails")]


def swapped_then_loaded(*between):
    """Each takes its own flag by LDAXR and STLXR, and then looks at that of the other."""
    threads = [[*taken(mine, release=True), *between, ldr(other, "r")] for mine, other in ((X, Y), (Y, X))]
    return threads, {"0:fails": 0, "1:fails": 0, "0:r": 0, "1:r": 0}


def ring_indices(first):
    """The tail moves before the head, so that a reader that loads the head first never finds it ahead of the tail."""
    return [[str_(X), ins("stlr", Y, 1)], [ins(first, Y, into="head"), ldr(X, "tail")]], {"1:head": 1, "1:tail": 0}


def load_within_a_lock(*between):
    """One takes a lock and looks at a flag; the other raises the flag, and finds the lock free."""
    threads = [[*taken(X, release=False), *between, ldr(Y, "flag")], [str_(Y), FULL, ldr(X, "lock")]]
    return threads, {"0:fails": 0, "0:flag": 0, "1:lock": 0}


def failing_swap(*before):
    """A publisher checks by a failing compare-and-swap that no reader has come; one has, and does not see the item."""
    swap = ins("cas", Y, 5, 6, into="reader", order="al")
    return [[str_(X), *before, swap], [str_(Y), FULL, ldr(X, "item")]], {"0:reader": 0, "1:item": 0}


def sequence_lock(*before_second):
    """A reader finds the same sequence number before and after the data, and yet data of a writer at work."""
    writer = [str_(SEQUENCE), STORES, str_(X), ins("stlr", SEQUENCE, 2)]
    reader = [ins("ldar", SEQUENCE, into="before"), ldr(X, "data"), *before_second, ldr(SEQUENCE, "after")]
    return [writer, reader], {"1:before": 0, "1:data": 1, "1:after": 0}


def dekker(load):
    """Each raises its flag by STLR and then looks at that of the other."""
    threads = [[ins("stlr", mine, 1), ins(load, other, into="r")] for mine, other in ((X, Y), (Y, X))]
    return threads, {"0:r": 0, "1:r": 0}


def double_checked(store, load):
    """A thread finds an object initialised, by the first check of two, and then its field is not."""
    return [[str_(X), ins(store, Y, 1)], [ins(load, Y, into="made"), ldr(X, "field")]], {"1:made": 1, "1:field": 0}


IDIOMS = {
    "a load behind a compare-and-swap by LDAXR and STLXR": (swapped_then_loaded(), swapped_then_loaded(FULL)),
    "two indices of a ring": (ring_indices("ldr"), ring_indices("ldapr")),
    "a load between LDAXR and STXR": (load_within_a_lock(), load_within_a_lock(FULL)),
    "a compare-and-swap that fails": (failing_swap(), failing_swap(FULL)),
    "a sequence lock": (sequence_lock(), sequence_lock(LOADS)),
    "Dekker by STLR": (dekker("ldapr"), dekker("ldar")),
    "double-checked initialisation": (double_checked("str_", "ldr"), double_checked("stlr", "ldapr")),
    "double-checked initialisation, of which only the store is ordered": (
        double_checked("stlr", "ldr"), double_checked("stlr", "ldar"),
    ),
}  # fmt: skip


def explored(threads, forbidden):
    """An exploration of all executions, in which one with the forbidden outcome fails."""

    def accepts(final):
        return not forbidden.items() <= dict(final.registers).items()

    program = Program("idiom", isa="aarch64", threads=threads, final=accepts)
    return simaie.explore(program, Machine("native:reservation=exact", host="armv8"), scheduler="dpor")


@pytest.mark.parametrize("name", IDIOMS)
def test_the_broken_form_shows_what_must_not_be_and_the_repaired_one_never_does(name):
    broken, repaired = IDIOMS[name]
    report = explored(*broken)
    assert report.verdict == "violated"
    assert report.failures[0].trace.accepted is False
    report = explored(*repaired)
    assert (report.verdict, report.complete) == ("holds", True)
