"""Counterexamples: one shrunk failure for each way in which executions fail.

The signature of a failure as it was found names everything that is wrong in it. After shrinking, failures of several
signatures often have the same signature, and are then one counterexample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from simaie.errors import Interrupted
from simaie.exploration.signatures import FailureGroup
from simaie.finding import Verdict
from simaie.replaying.failure import Failure
from simaie.replaying.shrink import Size
from simaie.replaying.signature import Signature

__all__ = ["Counterexample", "as_found", "counterexamples"]


@dataclass(frozen=True)
class Counterexample:
    """A shrunk failure that represents all failures of its signature.

    Attributes:
        kind: The kind of finding that was kept.
        failure: The shrunk failure.
        count: The number of failing executions that it represents.
    """

    kind: str
    failure: Failure
    count: int


def counterexamples(groups: Sequence[FailureGroup]) -> tuple[Counterexample, ...]:
    """Return the shrunk failures of `groups`, one for each signature after shrinking, in the order of `groups`.

    Shrinking keeps the kind of a failure's first finding, and everything that makes the failure strong. If no shrunk
    failure has a certain kind, a failure is shrunk for this kind.

    Raises:
        Interrupted: Ctrl-C ended the shrinking. The attribute ``report`` of the exception has one failure of each
            signature, of which some are not shrunk.
    """
    found: dict[Signature, Counterexample] = {}
    left = list(groups)
    try:
        while left:
            small, report = left[0].shortest.shrink()
            _add(found, Counterexample(report.kind, small, left.pop(0).count))
        _add_missing_kinds(found, groups)
    except KeyboardInterrupt:
        for each in as_found(left):
            _add(found, each)
        raise Interrupted("the shrinking of failures", tuple(found.values())) from None
    return tuple(found.values())


def as_found(groups: Sequence[FailureGroup]) -> tuple[Counterexample, ...]:
    """Return the shortest failure of each group as it was found."""
    return tuple(
        Counterexample(next(_violated(group.shortest), group.shortest.findings[0].kind), group.shortest, group.count)
        for group in groups
    )


def _add_missing_kinds(found: dict[Signature, Counterexample], groups: Sequence[FailureGroup]) -> None:
    missing = _kinds(groups) - {kind for each in found.values() for kind in _violated(each.failure)}
    for group in groups:
        for kind in _violated(group.shortest):
            if kind in missing:
                missing.remove(kind)
                _add(found, Counterexample(kind, group.shortest.shrink(kind=kind).failure, group.count))


def _kinds(groups: Sequence[FailureGroup]) -> set[str]:
    return {kind for group in groups for kind in _violated(group.shortest)}


def _violated(failure: Failure) -> Iterator[str]:
    return (finding.kind for finding in failure.findings if finding.verdict is Verdict.VIOLATED)


def _add(found: dict[Signature, Counterexample], new: Counterexample) -> None:
    """Add `new`; if there is one of its signature, keep the smaller one and add the counts."""
    signature = new.failure.signature
    old = found.get(signature)
    if old is None:
        found[signature] = new
        return
    smaller = min(old, new, key=lambda each: Size.of(each.failure.trace))
    found[signature] = replace(smaller, count=old.count + new.count)
