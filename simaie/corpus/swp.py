"""Arm: the deprecated SWP, and the switch that makes plain stores check for it."""

from __future__ import annotations

from typing import Any

from simaie.corpus.audit_case import Case, Expect
from simaie.corpus.common import ARM, LOST_RMW, X
from simaie.guest.code import ins
from simaie.guest.program import FinalState, Program

__all__ = ["CASES"]

STORED = 100


def _swaps(name: str, vcpus: int, times: int) -> Program:
    """Every vCPU swaps in unique values; each value is returned exactly once, or is in memory at the end."""
    threads = [[ins("swp", X, 1 + number * times + i, into=f"r{i}") for i in range(times)] for number in range(vcpus)]

    def final(state: FinalState) -> bool:
        return sorted([*state.registers.values(), state[X]]) == list(range(vcpus * times + 1))

    return Program(name, isa="arm", threads=threads, init={X: 0}, final=final)


def _store_after_switch(name: str, swappers: int, stores: int) -> Program:
    """The storer waits for the first SWP's store, so the switch is flipped and the granule registered.

    A SWP returns the last value stored, or it is still in memory at the end.
    """

    async def storer(cpu: Any) -> None:
        await cpu.wait_until(X, lambda value: value > 0)
        for i in range(stores):
            await cpu.str_(X, STORED + i)

    first = [ins("swp", X, 1, into="first"), ins("swp", X, 2, into="got")]
    others = [[ins("swp", X, 3 + n, into="got")] for n in range(swappers - 1)]
    last = STORED + stores - 1

    def final(state: FinalState) -> bool:
        return last in (state[X], *state.registers.values())

    return Program(name, isa="arm", threads=[first, storer, *others], init={X: 0}, final=final)


CASES = (
    Case(
        row=16,
        title="SWP against SWP",
        why="SWP locks the granule's entry before its load and holds it through its store.",
        program=_swaps("swp-against-swp", 3, 1),
        larger=_swaps("swp-against-swp-large", 4, 3),
        kinds=LOST_RMW,
        expected=ARM(Expect.MUST_NOT, none=Expect.FINDABLE),
    ),
    Case(
        row=17,
        title="SWP against a plain store before the switch, or while it is flipped",
        why="The store sees the switch off and goes ahead unchecked; by the time it lands the SWP has loaded.",
        program=Program(
            "swp-before-switch",
            isa="arm",
            threads=[[ins("swp", X, 1, into="got")], [ins("str_", X, STORED)]],
            init={X: 0},
            final=lambda s: STORED in (s[X], s.registers.get("0:got")),
        ),
        kinds=LOST_RMW,
        expected=ARM(Expect.FINDABLE),
    ),
    Case(
        row=18,
        title="SWP against a plain store after the switch, on a registered granule",
        why="The store finds switch and entry, and takes the lock that the SWP holds from its load to its store.",
        program=_store_after_switch("swp-after-switch", 1, 1),
        larger=_store_after_switch("swp-after-switch-large", 3, 3),
        expected=ARM(Expect.MUST_NOT),
    ),
)
