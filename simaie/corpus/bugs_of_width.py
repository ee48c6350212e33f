"""Bugs of emulators with accesses that are wider than a word, narrower than the reservation, or across a cache line."""

from __future__ import annotations

from simaie.corpus.audit_case import Expect, Needs
from simaie.corpus.common import LOST_RMW, TORN_LLSC, X
from simaie.corpus.regression import Regression
from simaie.guest.code import ins
from simaie.guest.program import FinalState, Program

__all__ = ["OF_WIDTH"]

_HOLDS, _FOUND = Expect.MUST_NOT, Expect.FINDABLE
#: The beginning of a cache line of 64 bytes, and a place of four bytes across it.
_LINE = X + 0x40
_ACROSS = _LINE - 2
_BOTH_WORDS = (1 << 32) + 1


def _sees_all_or_nothing(state: FinalState) -> bool:
    return state.registers["0:seen"] in (0, _BOTH_WORDS)


def _pair(name: str) -> Program:
    """Return the program in which a store-conditional of two words stores 1 to the first and 2 to the second."""
    return Program(
        name,
        isa="arm",
        threads=[[ins("ldrexd", X, into="seen"), ins("strexd", X, 2 << 32 | 1, into="failed")]],
        init={X: (0, 8)},
        final=lambda s: (s[X], s[X + 4]) == (1, 2),
    )


def _only_with(pair: str) -> dict[str, Expect]:
    held = ("native", "cas", "tlib", "aie-rfc", "stop-world-value")
    return {**dict.fromkeys(held, _HOLDS), f"stop-world-value:pair={pair}": _FOUND}


OF_WIDTH = (
    Regression(
        title="a store-conditional of two words that swaps them",
        why="The first register belongs to the lower address whatever the byte order is.",
        program=_pair("bug-pair-swapped"),
        kinds=frozenset({"final-check"}),
        expected=_only_with("swapped"),
    ),
    Regression(
        title="a store-conditional of two words whose second word is not stored four bytes further on",
        why="It overwrites the first word, and the second place keeps its old value.",
        program=_pair("bug-pair-overwritten"),
        kinds=frozenset({"final-check"}),
        expected=_only_with("overwrites"),
    ),
    Regression(
        title="a store-conditional narrower than its load-linked",
        why="The value of the narrow word is compared, and not the rest of what was reserved.",
        program=Program(
            "bug-width-ignored",
            isa="riscv",
            threads=[
                [ins("lr", X, width=8, into="seen"), ins("sc", X, 1, into="failed")],
                [ins("store", X, 1 << 32, width=8)],
            ],
            init={X: (0, 8)},
        ),
        kinds=TORN_LLSC,
        expected={"native": _HOLDS, "tlib": _HOLDS, "cas": _FOUND, "aie-rfc": _FOUND},
    ),
    Regression(
        title="a load-linked of two words by two loads",
        why="On a host of 32 bits, a store of both words comes between the loads of the two.",
        program=Program(
            "bug-torn-pair",
            isa="aarch64",
            threads=[[ins("ldxp", X, into="seen", width=4)], [ins("str_", X, _BOTH_WORDS, width=8)]],
            init={X: (0, 8)},
            final=_sees_all_or_nothing,
        ),
        kinds=frozenset({"final-check"}),
        expected={"native": _HOLDS, "cas": _FOUND},
        needs=Needs(host_word=32),
    ),
    Regression(
        title="a store-conditional of two words that compares one",
        why="Another vCPU has stored to the word that is not compared, and its store is lost.",
        program=Program(
            "bug-half-compared",
            isa="aarch64",
            threads=[
                [ins("ldxp", X, into="seen", width=4), ins("stxp", X, 1, into="failed", width=4)],
                [ins("str_", X + 4, 7)],
            ],
            init={X: (0, 8)},
        ),
        kinds=TORN_LLSC,
        expected={"native": _HOLDS, "cas": _HOLDS, "tlib:granule=8": _HOLDS, "none": _FOUND},
    ),
    Regression(
        title="a locked instruction across a cache line in two halves",
        why="Another vCPU changes the halves by locked instructions of its own, and one of its updates is lost.",
        program=Program(
            "bug-torn-across-line",
            isa="x86",
            threads=[
                [ins("lock_xadd", _ACROSS, 0x10001, into="old")],
                [ins("lock_xadd", _LINE, 1, into="upper"), ins("lock_xadd", _LINE - 4, 0x10000, into="lower")],
            ],
            init={_LINE - 8: (0, 8), _LINE: (0, 8)},
        ),
        kinds=LOST_RMW,
        expected={"native": _HOLDS, "cas": _HOLDS, "aie-rfc": _FOUND, "split-cas": _FOUND, "split-mutex": _FOUND},
    ),
)
