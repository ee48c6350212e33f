"""Failures of drawn programs as exceptions, one class for each strength.

Hypothesis treats exceptions of one class from one line as the same bug, and keeps the smallest example of each bug.
With one class for all failures, an example of a strong failure would shrink to a smaller example of a weak one: a
program that stores another value and then the first one again would shrink to a store of the first one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from simaie import Report
from simaie.finding import Strength
from simaie.printable import clean_lines

__all__ = ["DrawnFailure", "drawn_failure", "drawn_failures"]


class DrawnFailure(AssertionError):
    """The failure of a drawn program: an `Exception`, so that Hypothesis takes it out of exception groups too."""

    def __init__(self, report: Report, strength: Strength) -> None:
        super().__init__(clean_lines(_summary(report)))
        self.report, self.strength = report, strength


def drawn_failure(report: Report) -> DrawnFailure:
    """Return the exception that says that the program of `report` fails; its class depends on how strongly."""
    strength = report.signatures[0].strength
    return _class_of(strength)(report, strength)


@cache
def _class_of(strength: Strength) -> type[DrawnFailure]:
    return type(f"{DrawnFailure.__name__}{strength.level}{'W' * strength.wrong_result}", (DrawnFailure,), {})


def drawn_failures(error: BaseException) -> Iterator[DrawnFailure]:
    """Yield the failures that `error` is, or contains if it is a group."""
    if isinstance(error, DrawnFailure):
        yield error
    elif isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from drawn_failures(part)


def _summary(report: Report) -> str:
    return "" if report.strongest is None else report.strongest.summary
