"""What an exploration and the walks of `simaie.engine.memo.walks` tell each other."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from simaie.engine.meetings import Meetings, Met
from simaie.trace import Event, Outcome

__all__ = ["Covered", "Needed", "PathCoverage", "Walked"]

#: Returns the digest of the trace with these events (see `simaie.exploration.canonical.digest_of_events`).
DigestOfEvents: TypeAlias = Callable[[Sequence[Event]], int]

#: The number of digests that are kept.
_MOST_KNOWN = 1_000


class Needed(NamedTuple):
    """Which executions need an engine, because their traces do, and what is counted of the others.

    Attributes:
        by_occurred: Whether one in which this occurred does (see `simaie.check.needs`).
        by_deviations: Whether one with this number of deviations from the default schedule does.
        digest: Returns the digest of a trace; None if coverage is not counted.
    """

    by_occurred: Callable[[int], bool]
    by_deviations: Callable[[int], bool]
    digest: DigestOfEvents | None = None


class Covered(msgspec.Struct, frozen=True):
    """The coverage of some consecutive executions, in a form that can be sent to another process.

    Attributes:
        digests: The digest of the trace of each execution that counts, in order.
        preemptions: The number of preemptions.
        most_preemptions: The largest number of preemptions in one execution.
        met: What they covered of the scheme.
    """

    digests: array[int]
    preemptions: int
    most_preemptions: int
    met: Met = Met()


class Walked(NamedTuple):
    """The figures of consecutive executions.

    Attributes:
        executions: The number of executions.
        steps: The number of their steps.
        longest: The number of steps of the longest.
        switches: The number of deviations from the default schedule.
        outcomes: The number of executions by outcome, in the order in which the outcomes first came.
        covered: The coverage of the executions; None if it is not counted.
    """

    executions: int = 0
    steps: int = 0
    longest: int = 0
    switches: int = 0
    outcomes: Sequence[tuple[Outcome, int]] = ()
    covered: Covered | None = None


class PathCoverage:
    """The coverage of walks, whose events are those on the edges of their paths.

    Args:
        digest: Returns the digest of the trace with these events.
    """

    def __init__(self, digest: DigestOfEvents) -> None:
        self._digest = digest
        self._known: dict[tuple[Event, ...], int] | None = {}  # by path, as long as paths repeat; events have identity
        self._repeated = 0
        self._meetings = Meetings()
        self.begin()

    def begin(self) -> None:
        """Forget the walks so far."""
        self._digests: array[int] = array("Q")
        self._preemptions = self._most = 0

    def add(self, path: Sequence[Event], preemptions: int) -> None:
        """Count a walk."""
        self._digests.append(self._digest_of(path))
        self._preemptions += preemptions
        self._most = max(self._most, preemptions)

    def covered(self) -> Covered:
        """Return the coverage of the walks since `begin`."""
        return Covered(self._digests, self._preemptions, self._most, self._meetings.take())

    def _digest_of(self, path: Sequence[Event]) -> int:
        known = self._known
        if known is None:
            self._meetings.look_at(path)
            return self._digest(path)
        key = tuple(path)
        found = known.get(key)
        if found is not None:
            self._repeated += 1
            return found
        self._meetings.look_at(path)
        found = self._digest(path)
        if len(known) < _MOST_KNOWN:
            known[key] = found
        elif self._repeated < len(known):
            self._known = None  # they repeat too seldom
        else:
            known.clear()
            self._repeated = 0
        return found
