"""An example of the executions that did not fail, so that a pass can be looked at as a failure can."""

from __future__ import annotations

import msgspec

from simaie.decision import Schedule

__all__ = ["MOST_SWITCHES", "Example", "is_better", "score_of"]

#: The number of deviations from the default schedule up to which more of them make a better example. Those of more are
#: hard to read.
MOST_SWITCHES = 8


class Example(msgspec.Struct, frozen=True):
    """An execution that ran to its end and did not fail.

    Attributes:
        execution: The number of executions before it.
        score: How good an example it is.
        schedule: Its decisions.
    """

    execution: int
    score: int
    schedule: Schedule


def score_of(deviations: int) -> int:
    """Return how good an example an execution with this number of deviations is."""
    return deviations if deviations <= MOST_SWITCHES else -deviations


def is_better(known: Example | None, score: int) -> bool:
    """Return whether a later execution with this score is a better example than the one so far.

    Args:
        known: The example so far; None if there is none.
        score: The score of the later execution.
    """
    return known is None or score > known.score
