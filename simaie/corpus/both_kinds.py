"""Row 27: other instruction sets than Arm and x86, with LL/SC, with atomic instructions, and with both on one word.

Those that have no case in row 15 have one here: a plain store between LL and SC.

Arm code does not mix the two on one word, but RISC-V and AArch64 code does. A locked instruction of the RFC does not
empty the set of its granule, so that a store-conditional succeeds across it; an option repairs that.
"""

from __future__ import annotations

from collections.abc import Iterator

from simaie.corpus.atomics import swaps
from simaie.corpus.audit_case import Case, Expect, Needs
from simaie.corpus.common import ARM, LOST_RMW, TORN_LLSC, X, store_conditional_failed
from simaie.corpus.dialects import ALSO_LLSC, ALSO_WITH_AMOS, ARM32, LLSC, WITH_AMOS, Dialect
from simaie.corpus.llsc import few
from simaie.guest.code import Ins, ins
from simaie.guest.program import Program

__all__ = ["CASES"]

_REVOKES = Needs(options={"checked_store_revokes": True})


def _pair(dialect: Dialect, value: int) -> list[Ins]:
    return [dialect.reserve(X, "seen"), dialect.attempt(X, value)]


def _additions(dialect: Dialect, name: str, vcpus: int, times: int) -> Program:
    threads = [[ins(dialect.add, X, 1)] * times] * vcpus
    return Program(name, isa=dialect.isa, threads=threads, init={X: 0}, final=lambda s: s[X] == vcpus * times)


def _both(dialect: Dialect, name: str, adders: int) -> Program:
    """LL and SC of one vCPU against atomic additions of others; an SC that succeeds loses none."""
    threads = [_pair(dialect, 100), *[[ins(dialect.add, X, 1, into="old")]] * adders]
    return Program(name, isa=dialect.isa, threads=threads, init={X: 0})


def _linked(dialect: Dialect) -> Case:
    return Case(
        row=27,
        title="LL/SC against LL/SC: one of them may fail",
        why="Both reserve before either stores; the first SC empties the set, and the other one fails, as it must.",
        program=Program(
            f"pair-against-pair-{dialect.isa}",
            isa=dialect.isa,
            threads=[_pair(dialect, 1), _pair(dialect, 2)],
            init={X: 0},
        ),
        observed=store_conditional_failed,
        expected=ARM(Expect.MODEL),
    )


def _interrupted(dialect: Dialect) -> Case:
    return Case(
        row=27,
        title="a plain store between LL and SC goes undetected",
        why="By design: a plain store ignores the set, so the reservation remains and the SC overwrites the store.",
        program=Program(
            f"store-between-pair-{dialect.isa}",
            isa=dialect.isa,
            threads=[_pair(dialect, 1), [ins(dialect.store, X, 5)]],
            init={X: 0},
        ),
        kinds=TORN_LLSC,
        expected=ARM(Expect.FINDABLE),
    )


def _with_atomics(dialect: Dialect) -> Iterator[Case]:
    if dialect.add:
        yield _added(dialect)
        if dialect.linked:
            yield from _mixed(dialect)
    else:
        yield _exchanged(dialect)
    yield _against_store(dialect)


def _added(dialect: Dialect) -> Case:
    isa = dialect.isa
    return Case(
        row=27,
        title="atomic additions against each other: lost update",
        why="Each holds the lock of the granule from its load to its store.",
        program=_additions(dialect, f"additions-{isa}", 2, 2),
        larger=_additions(dialect, f"additions-{isa}-large", 4, 3),
        samples=few(dialect),
        expected=ARM(Expect.MUST_NOT),
    )


def _exchanged(dialect: Dialect) -> Case:
    isa = dialect.isa
    return Case(
        row=27,
        title="atomic exchanges against each other: lost update",
        why="Each holds the lock of the granule from its load to its store.",
        program=swaps(dialect, f"exchanges-{isa}", 2),
        larger=swaps(dialect, f"exchanges-{isa}-large", 4),
        samples=few(dialect),
        expected=ARM(Expect.MUST_NOT),
    )


def _mixed(dialect: Dialect) -> Iterator[Case]:
    isa = dialect.isa
    yield Case(
        row=27,
        title="an atomic instruction between LL and SC goes undetected",
        why="A locked instruction leaves the set as it is, so the SC overwrites its store.",
        program=_both(dialect, f"atomic-between-ll-and-sc-{isa}", 1),
        kinds=TORN_LLSC,
        expected=ARM(Expect.FINDABLE),
    )
    yield Case(
        row=27,
        title="an atomic instruction between LL and SC, if checked stores revoke",
        why="With the option checked_store_revokes the instruction empties the set under the lock of its store.",
        program=_both(dialect, f"atomic-between-ll-and-sc-revoked-{isa}", 1),
        larger=_both(dialect, f"atomic-between-ll-and-sc-revoked-{isa}-large", 3),
        samples=few(dialect),
        needs=_REVOKES,
        expected=ARM(Expect.MUST_NOT),
    )


def _against_store(dialect: Dialect) -> Case:
    isa = dialect.isa
    atomic = dialect.exchange(X, 1, into="got") if dialect.swap else ins(dialect.add, X, 1, into="got")
    return Case(
        row=27,
        title="an atomic instruction against a plain store",
        why="The store finds the granule unregistered; the atomic instruction loads; the store lands and is lost.",
        program=Program(
            f"{'swap' if dialect.swap else 'addition'}-against-store-{isa}",
            isa=isa,
            threads=[[atomic], [ins(dialect.store, X, 5)]],
            init={X: 0},
            final=lambda s: s[X] >= 5 or s.registers.get("0:got") == 5,
        ),
        kinds=LOST_RMW,
        expected=ARM(Expect.FINDABLE),
    )


CASES = (
    *(_linked(dialect) for dialect in (*LLSC, *ALSO_LLSC) if dialect is not ARM32),
    *(_interrupted(dialect) for dialect in ALSO_LLSC),
    *(case for dialect in (*WITH_AMOS, *ALSO_WITH_AMOS) for case in _with_atomics(dialect)),
)
