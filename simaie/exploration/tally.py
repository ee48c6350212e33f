"""Tallies of consecutive executions, which a worker process sends instead of their traces.

A tally holds counts, and of failing executions the decisions. The exploration runs such an execution again if it keeps
the failure. A failure is kept if it is one of the first, or the first or the shortest so far of its signature. Whatever
happened before the executions of a tally, only its own first failures, and those that are the shortest so far in it,
can be kept. For all others, the counts are enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from simaie.check.prerequisites import Answers
from simaie.decision import Schedule
from simaie.engine.memo.walked import Covered
from simaie.exploration.statistics import StatisticsCollector
from simaie.replaying.signature import Signature

__all__ = ["Judgements", "Last", "Suspect", "Tally"]


class Suspect(msgspec.Struct, frozen=True):
    """A failing execution that may have to be kept.

    Attributes:
        number: The number of executions before it.
        schedule: Its decisions.
        digest: The digest of its trace.
        length: The number of its steps.
        signature: The signature of the failure.
        profile: What the scheduler needs to choose it again.
    """

    number: int
    schedule: Schedule
    digest: str
    length: int
    signature: Signature
    profile: Mapping[str, Any]


class Judgements(msgspec.Struct, frozen=True):
    """The counts of a `simaie.exploration.judging.CheckerRunner`, whose attributes say more."""

    failing: int
    undecided: int
    undecided_because: str
    order_judged_by: str
    answers: Answers


class Last(msgspec.Struct, frozen=True):
    """The last execution that was not given up.

    Attributes:
        number: The number of executions before it.
        schedule: Its decisions.
        digest: The digest of its trace.
    """

    number: int
    schedule: Schedule
    digest: str


class Tally(msgspec.Struct, frozen=True):
    """What some consecutive executions add to an exploration.

    Attributes:
        statistics: Their figures.
        covered: Their coverage; None if it is not counted.
        judgements: The counts of the checkers.
        suspects: The failing executions that may have to be kept, in order.
        others: The number of other failing executions, by signature.
        last: The last of them; None if no consistency check needs it.
    """

    statistics: StatisticsCollector
    covered: Covered | None
    judgements: Judgements
    suspects: tuple[Suspect, ...]
    others: dict[Signature, int]
    last: Last | None

    @property
    def executions(self) -> int:
        """The number of executions."""
        return self.statistics.executions
