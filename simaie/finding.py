"""What a checker says: findings, with the evidence that draws them, and three-valued verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec

__all__ = [
    "FORBIDDEN_OUTCOME", "LADDERS", "LLSC_LEVELS", "RMW_LEVELS", "WRONG_RESULTS", "Finding", "Strength", "Verdict",
    "strength_of", "strong_kinds", "verdict_of",
]  # fmt: skip

#: The kind of an outcome that the guest's architecture does not allow: found by comparing, not by a checker.
FORBIDDEN_OUTCOME = "forbidden-outcome"

#: The kinds of a store-conditional that succeeded and must not have, the weakest first: any foreign store came between,
#: the architecture had ended the reservation, and a foreign store changed the value.
LLSC_LEVELS = ("llsc-atomicity-strict", "llsc-atomicity", "llsc-atomicity-value")
#: The kinds of an atomic read-modify-write into which a foreign write fell, the weakest first: any, and one that
#: changed the value. Checkers say the first; the second is what `simaie.replaying.levels` makes of it.
RMW_LEVELS = ("rmw-atomicity", "rmw-atomicity-value")
#: Kinds of one property, told apart by how much they say.
LADDERS = (LLSC_LEVELS, RMW_LEVELS)
#: The level (see `Strength`) of a violation that is not about store-conditionals: that of a broken architectural rule.
_USUAL_LEVEL = 2
#: The kinds that say that the guest program itself came to a wrong result, or to no end. All others say that the
#: emulator broke a promise, which the program may not have noticed.
WRONG_RESULTS = frozenset({
    FORBIDDEN_OUTCOME, "final-check", "assertion", "guest-fault", "linearizability", "deadlock", "livelock",
})  # fmt: skip


class Verdict(StrEnum):
    """`holds` is only ever said after everything in question was explored."""

    HOLDS = "holds"
    VIOLATED = "violated"
    INCONCLUSIVE = "inconclusive"


class Finding(msgspec.Struct, frozen=True):
    """One broken property, or one that could not be decided.

    kind: the property, e.g. ``rmw-atomicity``; message: one sentence in the guest's terms;
    steps: indices of the guilty events in the trace; addresses: the RAM bytes in question (first address of each
    access); vcpus: the names of those involved, the victim first. verdict: violated; or inconclusive, where a limit was
    met or the execution was too short to tell, and the message says so. To find nothing is the only "holds".
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
    """What `findings` say of the one execution they are about: violated, inconclusive, or holds if there are none."""
    verdicts = {finding.verdict for finding in findings}
    if Verdict.VIOLATED in verdicts:
        return Verdict.VIOLATED
    return Verdict.INCONCLUSIVE if verdicts else Verdict.HOLDS


class Strength(NamedTuple):
    """How convincing the findings of one execution are; compared from left to right, larger is stronger.

    wrong_result: whether any of them is of `WRONG_RESULTS`. level: 3 if a store-conditional
    succeeded, or an atomic instruction stored, although a foreign store had changed the value that it rests on; 2 for
    any other violation, 1 if all that was violated is the strict rule for store-conditionals, 0 if nothing was.
    """

    wrong_result: bool
    level: int


def strength_of(findings: Iterable[Finding]) -> Strength:
    """Return how strong the violations among `findings` are, those of one execution."""
    kinds = _violated(findings)
    return Strength(any(kind in WRONG_RESULTS for kind in kinds), max(map(_level, kinds), default=0))


def strong_kinds(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Return the kinds that a smaller counterexample must keep so that it is no weaker than one with `findings`.

    These are the wrong results, of the LL/SC kinds the strongest, and a changed value under another atomic instruction
    if there is none under a store-conditional. They are sorted.
    """
    kinds = _violated(findings)
    strongest = [kind for kind in LLSC_LEVELS if kind in kinds][-1:]
    if RMW_LEVELS[-1] in kinds and LLSC_LEVELS[-1] not in kinds:
        strongest.append(RMW_LEVELS[-1])
    return tuple(sorted([*(kind for kind in kinds if kind in WRONG_RESULTS), *strongest]))


def _level(kind: str) -> int:
    """The level of a violation of that kind."""
    if kind in LLSC_LEVELS:
        return LLSC_LEVELS.index(kind) + 1
    return _USUAL_LEVEL + RMW_LEVELS.index(kind) if kind in RMW_LEVELS else _USUAL_LEVEL


def _violated(findings: Iterable[Finding]) -> list[str]:
    """Each kind of which there is a violation, once."""
    return list(dict.fromkeys(finding.kind for finding in findings if finding.verdict is Verdict.VIOLATED))
