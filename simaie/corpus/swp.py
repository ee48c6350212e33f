"""Arm: the deprecated SWP, and the switch that makes plain stores check for it; the same with swaps of other guests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simaie.corpus.atomic_kinds import EXCHANGE
from simaie.corpus.audit_case import Case, Expect
from simaie.corpus.common import ARM, LOST_RMW, X
from simaie.corpus.dialects import AARCH64, ARM32, POWER, RISCV, Dialect
from simaie.corpus.llsc import few
from simaie.guest.program import FinalState, Program

__all__ = ["CASES"]

STORED = 100


def _store_after_switch(dialect: Dialect, name: str, swappers: int, stores: int) -> Program:
    """The storer waits for the first swap's store, so the switch is flipped and the granule registered.

    A swap returns the last value stored, or it is still in memory at the end.
    """

    async def storer(cpu: Any) -> None:
        await cpu.wait_until(X, lambda value: value > 0)
        for i in range(stores):
            await getattr(cpu, dialect.store)(X, STORED + i)

    first = [dialect.exchange(X, 1, into="first"), dialect.exchange(X, 2, into="got")]
    others = [[dialect.exchange(X, 3 + n, into="got")] for n in range(swappers - 1)]
    last = STORED + stores - 1

    def final(state: FinalState) -> bool:
        return last in (state[X], *state.registers.values())

    return Program(name, isa=dialect.isa, threads=[first, storer, *others], init={X: 0}, final=final)


def _with_switch(dialect: Dialect) -> Iterator[Case]:
    suffix = dialect.suffix
    yield Case(
        row=17,
        title="SWP against a plain store before the switch, or while it is flipped",
        why="The store sees the switch off and goes ahead unchecked; by the time it lands the SWP has loaded.",
        program=EXCHANGE.against_store(dialect, f"swp-before-switch{suffix}"),
        kinds=LOST_RMW,
        expected=ARM(Expect.FINDABLE),
    )
    yield Case(
        row=18,
        title="SWP against a plain store after the switch, on a registered granule",
        why="The store finds switch and entry, and takes the lock that the SWP holds from its load to its store.",
        program=_store_after_switch(dialect, f"swp-after-switch{suffix}", 1, 1),
        larger=_store_after_switch(dialect, f"swp-after-switch{suffix}-large", 3, 3),
        samples=few(dialect),
        expected=ARM(Expect.MUST_NOT),
    )


CASES = (
    Case(
        row=16,
        title="SWP against SWP",
        why="SWP locks the granule's entry before its load and holds it through its store.",
        program=EXCHANGE.against_itself(ARM32, "swp-against-swp", 3),
        larger=EXCHANGE.against_itself(ARM32, "swp-against-swp-large", 4, 3),
        kinds=LOST_RMW,
        expected=ARM(Expect.MUST_NOT, none=Expect.FINDABLE),
    ),
    *(case for dialect in (ARM32, AARCH64, RISCV, POWER) for case in _with_switch(dialect)),
)
