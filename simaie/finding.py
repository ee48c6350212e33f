"""What a checker says: findings, with the evidence that draws them, and three-valued verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

__all__ = ["FORBIDDEN_OUTCOME", "LLSC_LEVELS", "Finding", "Verdict", "verdict_of"]

#: The kind of an outcome that the guest's architecture does not allow: found by comparing, not by a checker.
FORBIDDEN_OUTCOME = "forbidden-outcome"

#: The kinds of a store-conditional that succeeded and must not have, the weakest first: any foreign store came between,
#: the architecture had ended the reservation, and a foreign store changed the value.
LLSC_LEVELS = ("llsc-atomicity-strict", "llsc-atomicity", "llsc-atomicity-value")


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
