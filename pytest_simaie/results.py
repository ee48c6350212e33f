"""What the explorations of a passed test showed, in the words that ``pytest -v`` prints after PASSED."""

from __future__ import annotations

from simaie import Report
from simaie.finding import Verdict
from simaie.guest.goals import merged_goals

__all__ = ["Results"]


class Results:
    """Counts the explorations of one test that found no violation.

    Attributes:
        default_scheme: Name of the scheme that was checked because no option named one; empty if all were named.
        goals: The goals of the programs, and whether each happened in some execution (see `simaie.guest.goals`).
    """

    def __init__(self) -> None:
        self.default_scheme = ""
        self.goals: dict[str, bool] = {}
        self._proofs = self._proved_executions = 0
        self._others = self._other_executions = 0
        self._only_samples = True

    def add(self, report: Report) -> None:
        """Count an exploration without a violation."""
        self.goals = merged_goals([self.goals, {goal.name: goal.happened > 0 for goal in report.goals}])
        if report.verdict is Verdict.HOLDS:
            self._proofs += 1
            self._proved_executions += report.executions
        else:
            self._others += 1
            self._other_executions += report.executions
            self._only_samples &= report.statistics.failure_rate is not None  # which only a sample has

    def __str__(self) -> str:
        """Return the result of the explorations, such as ``proved: 42 executions``; empty if there was none."""
        total = self._proofs + self._others
        if not total:
            return ""
        scheme = f" under {self.default_scheme}, the default scheme" if self.default_scheme else ""
        if not self._others:
            programs = f" of {total:,} programs" if total > 1 else ""
            return f"proved: {_count(self._proved_executions, 'execution')}{programs}{scheme}"
        if self._only_samples:
            searched = _count(self._other_executions, "sampled execution")
        else:
            searched = f"{_count(self._other_executions, 'execution')}, not all of them"
        programs = f"; {self._proofs:,} of {total:,} programs proved" if total > 1 else ""
        return f"no violation in {searched}{scheme}{programs}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
