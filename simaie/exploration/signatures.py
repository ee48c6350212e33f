"""Groups of failing executions by signature, so that a rare bug is not hidden by a frequent one.

An exploration keeps the traces of its first failures. For every signature it also keeps two failures, the first and the
shortest, however late they occur. The memory is bounded by a limit of `MOST_SIGNATURES` groups. Because the findings of
an execution combine, there may be many signatures. Beyond the limit, a signature is still kept if it has a kind of
finding that no other has, up to twice the limit. All other failures are only counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from simaie.finding import Strength
from simaie.replaying.failure import Failure
from simaie.replaying.signature import Signature

__all__ = ["MOST_SIGNATURES", "FailureGroup", "Signatures", "strongest_of"]

#: The number of signatures that are kept, each with two failures.
MOST_SIGNATURES = 100


@dataclass(frozen=True)
class FailureGroup:
    """The failures of one signature.

    Attributes:
        signature: The signature.
        strength: The strength of its failures.
        count: The number of failures.
        first: The failure that was found first.
        shortest: The failure with the fewest steps; the first of these if there are several.
    """

    signature: Signature
    strength: Strength
    count: int
    first: Failure
    shortest: Failure

    def as_dict(self) -> dict[str, Any]:
        """Return the group as JSON values, with its failures as in `simaie.exploration.report.Report.as_dict`."""
        return {
            "signature": self.signature.text,
            "digest": self.signature.digest,
            "kinds": list(self.signature.kinds),
            "count": self.count,
            "first": self.first.as_dict(),
            "shortest": self.shortest.as_dict(),
        }


class Signatures:
    """The groups of an exploration so far.

    Attributes:
        unlisted: The number of failures whose signature is not kept.
    """

    def __init__(self, most: int = MOST_SIGNATURES) -> None:
        self.unlisted = 0
        self._most = most
        self._groups: dict[Signature, FailureGroup] = {}
        self._kinds: set[str] = set()

    def add(self, failure: Failure) -> bool:
        """Count one failure, and return whether it is kept as the first or the shortest of its signature so far."""
        signature = failure.signature
        known = self._groups.get(signature)
        strength = failure.strength if known is None else known.strength
        self._count(FailureGroup(signature, strength, 1, failure, failure))
        return signature in self._groups and self._groups[signature].shortest is failure

    def would_keep(self, signature: Signature, length: int) -> bool:
        """Whether a failure of this signature and number of steps would be kept as the first or the shortest so far."""
        known = self._groups.get(signature)
        return self._has_room(signature) if known is None else length < len(known.shortest.trace)

    def count(self, signature: Signature, number: int) -> None:
        """Count failures of a signature that `would_keep` does not keep."""
        known = self._groups.get(signature)
        if known is None:
            self.unlisted += number
        else:
            self._groups[signature] = replace(known, count=known.count + number)

    def merge(self, groups: Iterable[FailureGroup], unlisted: int = 0) -> None:
        """Add the groups of another exploration, after the failures so far."""
        for group in groups:
            self._count(group)
        self.unlisted += unlisted

    def _count(self, group: FailureGroup) -> None:
        signature = group.signature
        known = self._groups.get(signature)
        if known is not None:
            shortest = min(known.shortest, group.shortest, key=lambda failure: len(failure.trace))
            self._groups[signature] = replace(known, count=known.count + group.count, shortest=shortest)
        elif self._has_room(signature):
            self._groups[signature] = group
            self._kinds.update(signature.kinds)
        else:
            self.unlisted += group.count

    def _has_room(self, signature: Signature) -> bool:
        if len(self._groups) < self._most:
            return True
        return len(self._groups) < 2 * self._most and not self._kinds.issuperset(signature.kinds)

    @property
    def groups(self) -> tuple[FailureGroup, ...]:
        """The groups, strongest first; groups of equal strength are in the order in which they were found."""
        return tuple(sorted(self._groups.values(), key=lambda group: group.strength, reverse=True))


def strongest_of(groups: Iterable[FailureGroup]) -> Failure | None:
    """Return the first failure of the strongest group; None if there are no groups."""
    group = max(groups, key=lambda group: group.strength, default=None)
    return None if group is None else group.first
