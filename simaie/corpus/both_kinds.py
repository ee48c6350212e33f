"""Row 27: every instruction set with LL/SC, with atomic instructions, and with both on one word.

A plain store between LL and SC is here for those that have no case in row 15, and a plain store against an atomic
instruction for those that have none in row 17. Of Arm only a SWP between LL and SC is here.

Arm code does not mix the two on one word, but RISC-V and AArch64 code does. A locked instruction of the RFC does not
empty the set of its granule, so that a store-conditional succeeds across it; an option repairs that.
"""

from __future__ import annotations

from collections.abc import Iterator

from simaie.corpus.atomic_kinds import ADDITION, COMPARE, EXCHANGE, TEST, AtomicKind
from simaie.corpus.audit_case import Case, Expect, Needs
from simaie.corpus.common import ARM, LOST_RMW, TORN_LLSC, X, store_conditional_failed
from simaie.corpus.dialects import ALSO_LLSC, ALSO_WITH_AMOS, ARM32, LLSC, POWER, WITH_AMOS, Dialect
from simaie.corpus.llsc import few
from simaie.guest.code import Ins, ins
from simaie.guest.program import Program

__all__ = ["CASES"]

_IN_ROW_17 = (*WITH_AMOS, POWER)
_REVOKES = Needs(options={"checked_store_revokes": True})


def _pair(dialect: Dialect, value: int) -> list[Ins]:
    return [dialect.reserve(X, "seen"), dialect.attempt(X, value)]


def _both(kind: AtomicKind, dialect: Dialect, name: str, others: int) -> Program:
    """LL and SC of one vCPU against atomic instructions of others; an SC that succeeds loses none."""
    threads = [_pair(dialect, 100), *([kind.instruction(dialect, 1 + n, "old")] for n in range(others))]
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
    """Yield the cases of additions, or else of exchanges, and of instructions that see whether they came first."""
    changes = [kind for kind in (ADDITION, EXCHANGE) if kind.mnemonic(dialect)]
    claims = [kind for kind in (COMPARE, TEST) if kind.mnemonic(dialect)]
    for kind in (*changes[:1], *claims):
        yield _against_itself(kind, dialect)
        if dialect.linked:
            yield from _between(kind, dialect)
        if dialect not in _IN_ROW_17:
            yield _against_store(kind, dialect)


def _against_itself(kind: AtomicKind, dialect: Dialect) -> Case:
    name = f"{kind.name}s-{dialect.isa}"
    times = (2, 3) if kind is ADDITION else (1, 1)
    return Case(
        row=27,
        title="an atomic instruction against itself: lost update",
        why="Each holds the lock of the granule from its load to its store.",
        program=kind.against_itself(dialect, name, 2, times[0]),
        larger=kind.against_itself(dialect, f"{name}-large", 4, times[1]),
        samples=few(dialect),
        expected=ARM(Expect.MUST_NOT),
    )


def _between(kind: AtomicKind, dialect: Dialect) -> Iterator[Case]:
    isa, stem = dialect.isa, f"{kind.name}-between-ll-and-sc"
    yield Case(
        row=27,
        title="an atomic instruction between LL and SC goes undetected",
        why="A locked instruction leaves the set as it is, so the SC overwrites its store.",
        program=_both(kind, dialect, f"{stem}-{isa}", 1),
        kinds=TORN_LLSC,
        expected=ARM(Expect.FINDABLE),
    )
    yield Case(
        row=27,
        title="an atomic instruction between LL and SC, if checked stores revoke",
        why="With the option checked_store_revokes the instruction empties the set under the lock of its store.",
        program=_both(kind, dialect, f"{stem}-revoked-{isa}", 1),
        larger=_both(kind, dialect, f"{stem}-revoked-{isa}-large", 3),
        samples=few(dialect),
        needs=_REVOKES,
        expected=ARM(Expect.MUST_NOT),
    )


def _against_store(kind: AtomicKind, dialect: Dialect) -> Case:
    return Case(
        row=27,
        title="an atomic instruction against a plain store",
        why="The store finds the granule unregistered; the atomic instruction loads; the store lands and is lost.",
        program=kind.against_store(dialect, f"{kind.name}-against-store-{dialect.isa}"),
        kinds=LOST_RMW,
        expected=ARM(Expect.FINDABLE),
    )


CASES = (
    *(_linked(dialect) for dialect in (*LLSC, *ALSO_LLSC) if dialect is not ARM32),
    *(_interrupted(dialect) for dialect in ALSO_LLSC),
    *_between(EXCHANGE, ARM32),
    *(case for dialect in (*WITH_AMOS, *ALSO_WITH_AMOS) for case in _with_atomics(dialect)),
)
