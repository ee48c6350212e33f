"""Failing executions counted by what is wrong in them, so that a rare bug is not lost behind a frequent one.

An exploration keeps the traces of its first failures only. Of every signature it keeps two failures as well, the first
and the shortest, whenever they come. Memory stays bounded: there are at most `MOST_SIGNATURES`. Many findings in one
execution combine into many signatures; when the limit is reached, a signature is still kept if it has a kind that no
other has, up to twice the limit. All others are counted together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from simaie.finding import Strength
from simaie.replaying.failure import Failure
from simaie.replaying.signature import Signature

__all__ = ["MOST_SIGNATURES", "FailureGroup", "Signatures", "strongest_of"]

#: Signatures that are kept with two failures each.
MOST_SIGNATURES = 100


@dataclass(frozen=True)
class FailureGroup:
    """The failures of one signature.

    count: how many there are. first: the one that was found first. shortest: the one of the fewest steps, of several
    the first.
    """

    signature: Signature
    strength: Strength
    count: int
    first: Failure
    shortest: Failure

    def as_dict(self) -> dict[str, Any]:
        """The group as JSON values; the failures as `simaie.exploration.report.Report.as_dict` has them."""
        return {
            "signature": self.signature.text,
            "digest": self.signature.digest,
            "kinds": list(self.signature.kinds),
            "count": self.count,
            "first": self.first.as_dict(),
            "shortest": self.shortest.as_dict(),
        }


class Signatures:
    """The groups so far. unlisted: how many failures have a signature that is not kept."""

    def __init__(self, most: int = MOST_SIGNATURES) -> None:
        self.unlisted = 0
        self._most = most
        self._groups: dict[Signature, FailureGroup] = {}
        self._kinds: set[str] = set()

    def add(self, failure: Failure) -> bool:
        """Count one failure; returns whether it is kept, as the first or the shortest of its signature so far."""
        signature = failure.signature
        known = self._groups.get(signature)
        strength = failure.strength if known is None else known.strength
        self._count(FailureGroup(signature, strength, 1, failure, failure))
        return signature in self._groups and self._groups[signature].shortest is failure

    def merge(self, groups: Iterable[FailureGroup], unlisted: int = 0) -> None:
        """Count the failures of another exploration, which come after those so far."""
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
        """The groups, the strongest first; of the same strength in the order in which they were found."""
        return tuple(sorted(self._groups.values(), key=lambda group: group.strength, reverse=True))


def strongest_of(groups: Iterable[FailureGroup]) -> Failure | None:
    """Return the first failure of the strongest group; None if there are no groups."""
    group = max(groups, key=lambda group: group.strength, default=None)
    return None if group is None else group.first
