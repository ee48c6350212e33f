"""Findings of checkers, with their evidence, and three-valued verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec

__all__ = [
    "FORBIDDEN_OUTCOME", "LADDERS", "LLSC_LEVELS", "RMW_LEVELS", "WRONG_RESULTS", "Finding", "Strength", "Verdict",
    "strength_of", "strong_kinds", "verdict_of",
]  # fmt: skip

#: The kind of an outcome that the guest's architecture forbids; a comparison finds it, not a checker.
FORBIDDEN_OUTCOME = "forbidden-outcome"

#: The kinds of finding on a store-conditional that succeeded by mistake, weakest first: a foreign store came between,
#: the architecture had ended the reservation, a foreign store had changed the value.
LLSC_LEVELS = ("llsc-atomicity-strict", "llsc-atomicity", "llsc-atomicity-value")
#: The kinds of finding on an atomic read-modify-write that a foreign write interrupted, weakest first: any write, and a
#: write that changed the value. Checkers report the first; `simaie.replaying.levels` turns it into the second.
RMW_LEVELS = ("rmw-atomicity", "rmw-atomicity-value")
#: The properties whose findings have levels of strength.
LADDERS = (LLSC_LEVELS, RMW_LEVELS)
#: The level (see `Strength`) of all other violations: that of a broken architectural rule.
_USUAL_LEVEL = 2
#: The kinds of finding in which the guest program itself reached a wrong result or never ended. All other kinds say
#: that the emulator broke a promise, perhaps without an effect on the program.
WRONG_RESULTS = frozenset({
    FORBIDDEN_OUTCOME, "final-check", "assertion", "guest-fault", "linearizability", "deadlock", "livelock",
    "starvation", "eventually", "use-after-free", "double-free", "invalid-free",
})  # fmt: skip


class Verdict(StrEnum):
    """The answer to a question about a program: `holds` only if the search explored everything in question."""

    HOLDS = "holds"
    VIOLATED = "violated"
    INCONCLUSIVE = "inconclusive"


class Finding(msgspec.Struct, frozen=True):
    """One property that an execution violated, or for which the execution could not decide it.

    A property that holds has no finding.

    Attributes:
        kind: The property, such as ``rmw-atomicity``.
        message: One sentence in the guest's terms.
        steps: The indices of the guilty events in the trace.
        addresses: The first address of each access to RAM in question.
        vcpus: The names of the vCPUs that are involved, the victim first.
        verdict: Violated; or inconclusive, if a limit was reached or the execution was too short to decide. The message
            says which.
    """

    kind: str
    message: str
    steps: tuple[int, ...] = ()
    addresses: tuple[int, ...] = ()
    vcpus: tuple[str, ...] = ()
    verdict: Verdict = Verdict.VIOLATED

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """Return the verdict on one execution with these findings: violated, inconclusive, or holds without any."""
    verdicts = {finding.verdict for finding in findings}
    if Verdict.VIOLATED in verdicts:
        return Verdict.VIOLATED
    return Verdict.INCONCLUSIVE if verdicts else Verdict.HOLDS


class Strength(NamedTuple):
    """The strength of an execution's findings, for comparison from left to right; larger is more convincing.

    Attributes:
        wrong_result: Whether a finding has a kind of `WRONG_RESULTS`.
        level: 3 if a store-conditional or another atomic instruction stored although a foreign store had changed the
            value that it had read. 2 for any other violation. 1 if only the strict rule for store-conditionals was
            violated. 0 if nothing was violated.
    """

    wrong_result: bool
    level: int


def strength_of(findings: Iterable[Finding]) -> Strength:
    """Return the strength of the violations among the `findings` of one execution."""
    kinds = _violated(findings)
    return Strength(any(kind in WRONG_RESULTS for kind in kinds), max(map(_level, kinds), default=0))


def strong_kinds(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Return the kinds of finding that a smaller counterexample must keep to be as strong as one with `findings`.

    These are the wrong results and the strongest of the LL/SC kinds. A changed value under another atomic instruction
    must stay too, unless there is one under a store-conditional. The kinds are sorted.
    """
    kinds = _violated(findings)
    strongest = [kind for kind in LLSC_LEVELS if kind in kinds][-1:]
    if RMW_LEVELS[-1] in kinds and LLSC_LEVELS[-1] not in kinds:
        strongest.append(RMW_LEVELS[-1])
    return tuple(sorted([*(kind for kind in kinds if kind in WRONG_RESULTS), *strongest]))


def _level(kind: str) -> int:
    """Return the level of a violation of this kind."""
    if kind in LLSC_LEVELS:
        return LLSC_LEVELS.index(kind) + 1
    return _USUAL_LEVEL + RMW_LEVELS.index(kind) if kind in RMW_LEVELS else _USUAL_LEVEL


def _violated(findings: Iterable[Finding]) -> list[str]:
    """Return each kind of which there is a violation, once."""
    return list(dict.fromkeys(finding.kind for finding in findings if finding.verdict is Verdict.VIOLATED))
