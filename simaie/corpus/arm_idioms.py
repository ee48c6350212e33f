"""Idioms of public programs for Arm, unrolled: which of them keep on armv8 what their authors relied on.

Each has a broken form, of which some execution shows the outcome that must not be, and repaired ones, of which none
does. The broken forms are those of known mistakes, in compare-and-swaps that a load overtakes, ring buffers, and locks.
Retry loops are left out: what matters here are the attempts that succeed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simaie.corpus.audit_case import Expect
from simaie.corpus.common import X, Y
from simaie.corpus.idiom import Idiom
from simaie.guest.code import Ins, ins
from simaie.guest.program import FinalState, Program

__all__ = ["IDIOMS"]

_SEQUENCE = 0x300
_FULL, _LOADS, _STORES = ins("dmb"), ins("dmb", option="ld"), ins("dmb", option="st")

#: The vCPUs, and the registers of the outcome that must not be.
_Form = tuple[list[list[Ins]], dict[str, int]]


def _ldr(place: int, into: str) -> Ins:
    return ins("ldr", place, into=into)


def _str(place: int) -> Ins:
    return ins("str_", place, 1)


def _taken(place: int, store: str) -> list[Ins]:
    """Change a place from 0 to 1 by exclusives."""
    return [ins("ldaxr", place, into="old"), ins(store, place, 1, into="fails")]


def _swapped_then_loaded(*between: Ins) -> _Form:
    """Each takes its own flag by LDAXR and STLXR, and then looks at that of the other."""
    threads = [[*_taken(mine, "stlxr"), *between, _ldr(other, "r")] for mine, other in ((X, Y), (Y, X))]
    return threads, {"0:fails": 0, "1:fails": 0, "0:r": 0, "1:r": 0}


def _ring_indices(first: str) -> _Form:
    """The tail moves before the head, so that a reader that loads the head first never finds it ahead of the tail."""
    return [[_str(X), ins("stlr", Y, 1)], [ins(first, Y, into="head"), _ldr(X, "tail")]], {"1:head": 1, "1:tail": 0}


def _load_within_a_lock(*between: Ins) -> _Form:
    """One takes a lock and looks at a flag; the other raises the flag, and finds the lock free."""
    threads = [[*_taken(X, "stxr"), *between, _ldr(Y, "flag")], [_str(Y), _FULL, _ldr(X, "lock")]]
    return threads, {"0:fails": 0, "0:flag": 0, "1:lock": 0}


def _failing_swap(*before: Ins) -> _Form:
    """A publisher checks by a failing compare-and-swap that no reader has come; one has, and does not see the item."""
    swap = ins("cas", Y, 5, 6, into="reader", order="al")
    return [[_str(X), *before, swap], [_str(Y), _FULL, _ldr(X, "item")]], {"0:reader": 0, "1:item": 0}


def _sequence_lock(*before_second: Ins) -> _Form:
    """A reader finds the same sequence number before and after the data, and yet data of a writer at work."""
    writer = [_str(_SEQUENCE), _STORES, _str(X), ins("stlr", _SEQUENCE, 2)]
    reader = [ins("ldar", _SEQUENCE, into="before"), _ldr(X, "data"), *before_second, _ldr(_SEQUENCE, "after")]
    return [writer, reader], {"1:before": 0, "1:data": 1, "1:after": 0}


def _dekker(load: str) -> _Form:
    """Each raises its flag by STLR and then looks at that of the other."""
    threads = [[ins("stlr", mine, 1), ins(load, other, into="r")] for mine, other in ((X, Y), (Y, X))]
    return threads, {"0:r": 0, "1:r": 0}


def _double_checked(store: str, load: str) -> _Form:
    """A thread finds an object initialised, by the first check of two, and then its field is not."""
    return [[_str(X), ins(store, Y, 1)], [ins(load, Y, into="made"), _ldr(X, "field")]], {"1:made": 1, "1:field": 0}


def _program(name: str, form: _Form) -> Program:
    threads, forbidden = form

    def final(state: FinalState) -> bool:
        return not all(state.registers[register] == value for register, value in forbidden.items())

    return Program(name, isa="aarch64", threads=threads, final=final)


def _idioms(name: str, title: str, broken: tuple[_Form, str], *repaired: tuple[_Form, str]) -> Iterator[Idiom]:
    """Yield the broken form of an idiom and the repaired ones, each given with the reason of its outcome."""
    form, why = broken
    yield Idiom(
        title=title, why=why, program=_program(f"{name}-broken", form), expected={"native": Expect.FINDABLE}
    )  # fmt: skip
    for number, (form, why) in enumerate(repaired, 1):
        each = f"{name}-repaired" if number == 1 else f"{name}-repaired-{number}"
        yield Idiom(title=title, why=why, program=_program(each, form), expected={"native": Expect.MUST_NOT})


def _all() -> Sequence[Iterator[Idiom]]:
    return (
        _idioms(
            "idiom-swap-then-load", "a load behind a compare-and-swap by LDAXR and STLXR",
            (_swapped_then_loaded(), "STLXR waits for what is before it; no later load waits for STLXR"),
            (_swapped_then_loaded(_FULL), "DMB ISH keeps the load behind the store"),
        ),
        _idioms(
            "idiom-ring-indices", "two indices of a ring, loaded one after the other",
            (_ring_indices("ldr"), "nothing orders two loads of different places"),
            (_ring_indices("ldapr"), "later loads wait for LDAPR"),
        ),
        _idioms(
            "idiom-load-within-lock", "a load between taking a lock by LDAXR and STXR and its store",
            (_load_within_a_lock(), "the load may be satisfied before STXR has stored"),
            (_load_within_a_lock(_FULL), "DMB ISH keeps the load behind the store"),
        ),
        _idioms(
            "idiom-failing-swap", "a compare-and-swap that fails, taken for a barrier",
            (_failing_swap(), "a CASAL that fails stores nothing, and its load overtakes the earlier store"),
            (_failing_swap(_FULL), "DMB ISH keeps the load of CASAL behind the store"),
        ),
        _idioms(
            "idiom-sequence-lock", "the reader of a sequence lock",
            (_sequence_lock(), "the second load of the number may be satisfied before that of the data"),
            (_sequence_lock(_LOADS), "DMB ISHLD keeps the two loads in order"),
        ),
        _idioms(
            "idiom-dekker", "two flags, each raised by STLR",
            (_dekker("ldapr"), "LDAPR may overtake an earlier STLR"),
            (_dekker("ldar"), "LDAR does not overtake an earlier STLR"),
        ),
        _idioms(
            "idiom-double-checked", "double-checked initialisation",
            (_double_checked("str_", "ldr"), "neither the stores nor the loads are ordered"),
            (_double_checked("stlr", "ldapr"), "STLR waits for the store of the field, and its load for LDAPR"),
        ),
        _idioms(
            "idiom-double-checked-store", "double-checked initialisation, of which only the store is ordered",
            (_double_checked("stlr", "ldr"), "the load of the field does not wait for that of the pointer"),
            (_double_checked("stlr", "ldar"), "later loads wait for LDAR"),
        ),
    )  # fmt: skip


IDIOMS: tuple[Idiom, ...] = tuple(idiom for idioms in _all() for idiom in idioms)
