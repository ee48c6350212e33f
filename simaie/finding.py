"""What a checker says: findings, with the evidence that draws them, and three-valued verdicts."""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["Finding", "Verdict"]


class Verdict(StrEnum):
    """`holds` is only ever said after everything in question was explored."""

    HOLDS = "holds"
    VIOLATED = "violated"
    INCONCLUSIVE = "inconclusive"


class Finding(msgspec.Struct, frozen=True):
    """One broken property.

    kind: the property, e.g. ``rmw-atomicity``; message: one sentence in the guest's terms;
    steps: indices of the guilty events in the trace; addresses: the RAM bytes in question (first address of each
    access); vcpus: the names of those involved, the victim first.
    """

    kind: str
    message: str
    steps: tuple[int, ...] = ()
    addresses: tuple[int, ...] = ()
    vcpus: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"
