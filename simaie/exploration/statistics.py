"""The figures of an exploration, in bounded memory for any number of executions."""

from __future__ import annotations

import time
from collections import Counter

import msgspec

from simaie.engine.memo.walked import Covered, Walked
from simaie.exploration.coverage import Coverage, CoverageCollector
from simaie.exploration.estimates import Interval, share
from simaie.exploration.examples import Example, is_better
from simaie.exploration.goals import GoalCounts
from simaie.trace import Ending, Outcome, Trace

__all__ = ["Statistics", "StatisticsCollector"]

#: The number of distinct outcomes that are counted; executions with further new ones are not.
MAX_OUTCOMES = 10_000


class Statistics(msgspec.Struct, frozen=True):
    """The figures of one exploration.

    Attributes:
        executions: The number of executions.
        seconds: The wall time, in seconds.
        truncated: The number of executions that a limit on steps or threads cut.
        blocked: The number of executions that ended in a deadlock or a livelock.
        lassos: The number of executions that ended where their last steps can be repeated for ever.
        pruned: The number of executions that the scheduler gave up.
        longest: The number of events of the longest execution.
        steps: The number of events of all executions.
        switches: The number of deviations from the default schedule in all executions.
        outcomes: The number of distinct outcomes.
        outcomes_complete: Whether all distinct outcomes were counted.
        failure_rate: The probability that an execution fails, with Wilson's interval. None for a scheduler that is
            exhaustive or guided by what it saw, whose executions are no sample. The estimate takes executions as
            independent and their number as fixed. If an exploration stops at a failure, it is too high on average.
        coverage: The coverage of the exploration; None unless the caller asked for it.
        executions_per_second: The rate after the first execution, so that the loading of modules does not count; 0 if
            there was only one execution.
        processes: The number of processes that may run executions; no figure but the time depends on it.
        processes_note: Why there is only one process although more were asked for, in words; empty if there are more.
        engine_note: What limited the memo of vCPUs (see `simaie.engine.memo`), and therefore the speed, in words; empty
            if nothing did.
    """

    executions: int
    seconds: float
    truncated: int
    blocked: int
    pruned: int
    longest: int
    steps: int
    switches: int
    outcomes: int
    outcomes_complete: bool
    failure_rate: Interval | None = None
    coverage: Coverage | None = None
    executions_per_second: float = 0.0
    engine_note: str = ""
    processes: int = 1
    processes_note: str = ""
    lassos: int = 0


class StatisticsCollector:
    """The counters of an exploration, updated with each execution, together with those of `coverage`.

    The caller of `add` counts `goals` and keeps the `example`, because it knows how to repeat an execution.
    """

    def __init__(self, *, sampling: bool = False, coverage: CoverageCollector | None = None) -> None:
        self.sampling = sampling  # whether executions are drawn at random
        self.coverage = coverage
        self.goals = GoalCounts()
        self.example: Example | None = None
        self.outcomes: Counter[Outcome] = Counter()
        self.executions = self.truncated = self.blocked = self.lassos = self.pruned = 0
        self.longest = self.steps = self.switches = 0
        self.outcomes_complete = True
        self._first_ended = self._last_ended = 0.0

    def add(self, trace: Trace) -> None:
        """Count one execution."""
        self.executions += 1
        self._last_ended = time.perf_counter()
        if self.executions == 1:
            self._first_ended = self._last_ended
        events = len(trace)
        self.steps += events
        self.longest = max(self.longest, events)
        self.switches += trace.deviations
        if trace.ending is Ending.FINISHED:
            self._count(trace.outcome)
        elif trace.ending is Ending.PRUNED:
            self.pruned += 1
        elif trace.truncated:
            self.truncated += 1
        elif trace.ending is Ending.LASSO:
            self.lassos += 1
        else:
            self.blocked += 1
        if self.coverage is not None:
            self.coverage.add(trace)

    def _count(self, outcome: Outcome, count: int = 1) -> None:
        if outcome in self.outcomes or len(self.outcomes) < MAX_OUTCOMES:
            self.outcomes[outcome] += count
        else:
            self.outcomes_complete = False

    def add_walked(self, walked: Walked) -> None:
        """Count executions that ran without an engine."""
        self._last_ended = time.perf_counter()
        self._first_ended = self._first_ended or self._last_ended
        self.executions += walked.executions
        self.steps += walked.steps
        self.longest = max(self.longest, walked.longest)
        self.switches += walked.switches
        for outcome, count in walked.outcomes:
            self._count(outcome, count)
        if self.coverage is not None and walked.covered is not None:
            self.coverage.merge(walked.covered)

    def merge(self, later: StatisticsCollector, covered: Covered | None = None) -> None:
        """Add the figures of executions that come after those so far.

        The outcomes are exactly those of one collector if `later` has counted all of its outcomes.

        Args:
            later: The figures, without coverage.
            covered: The coverage of these executions; None if it is not counted.
        """
        if self.coverage is not None and covered is not None:
            self.coverage.merge(covered)
        self.goals.merge(later.goals, self.executions)
        if (example := later.example) is not None and is_better(self.example, example.score):
            self.example = msgspec.structs.replace(example, execution=self.executions + example.execution)
        self._last_ended = time.perf_counter()
        self._first_ended = self._first_ended or self._last_ended
        self.executions += later.executions
        self.truncated += later.truncated
        self.blocked += later.blocked
        self.lassos += later.lassos
        self.pruned += later.pruned
        self.longest = max(self.longest, later.longest)
        self.steps += later.steps
        self.switches += later.switches
        for outcome, count in later.outcomes.items():
            self._count(outcome, count)

    @property
    def executions_per_second(self) -> float:
        """The rate after the first execution, which leaves out the start-up; 0 if there was only one execution."""
        took = self._last_ended - self._first_ended
        return (self.executions - 1) / took if took > 0 else 0.0

    def summary(
        self, seconds: float, failing: int = 0, engine_note: str = "", processes: int = 1, processes_note: str = ""
    ) -> Statistics:
        """Return the figures so far.

        Args:
            seconds: The wall time, in seconds.
            failing: The number of executions that failed.
            engine_note: See `Statistics`.
            processes: See `Statistics`.
            processes_note: See `Statistics`.
        """
        return Statistics(
            executions=self.executions,
            seconds=seconds,
            truncated=self.truncated,
            blocked=self.blocked,
            lassos=self.lassos,
            pruned=self.pruned,
            longest=self.longest,
            steps=self.steps,
            switches=self.switches,
            outcomes=len(self.outcomes),
            outcomes_complete=self.outcomes_complete,
            failure_rate=share(failing, self.executions) if self.sampling else None,
            coverage=None if self.coverage is None else self.coverage.summary(),
            executions_per_second=self.executions_per_second,
            engine_note=engine_note,
            processes=processes,
            processes_note=processes_note,
        )
