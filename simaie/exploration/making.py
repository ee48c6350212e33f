"""Makes the executions of an exploration: those that the scheduler chooses, and some more that are not counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from simaie.engine.execution import Execution
from simaie.engine.memo.quick import draws
from simaie.engine.memo.undone import Undone
from simaie.engine.memo.walked import Needed
from simaie.exploration.canonical import digest_of_events
from simaie.exploration.consistency import Consistency
from simaie.exploration.coverage import STEPS_BEFORE_PROBES, CoverageCollector
from simaie.exploration.determinism import FirstRun, repetition
from simaie.exploration.engines import Engines
from simaie.exploration.running import Work
from simaie.protocols import Scheduler
from simaie.replaying.run import make_execution
from simaie.trace import Ending, Trace

if TYPE_CHECKING:
    from simaie.exploration.in_progress import Exploration
    from simaie.exploration.team import Team

__all__ = ["Maker"]


def _discard(trace: Trace) -> None:
    """Drop a trace that only its scheduler needed."""


class Maker:
    """Makes the executions of an exploration.

    Args:
        exploration: The exploration.
        engines: Makes an execution that is counted.
        consistency: Makes the repetitions at the end.
        coverage: Makes the probes; None if coverage is not counted.
        twice: Whether to run each execution twice and compare.

    Attributes:
        now: The execution that was made last for the scheduler; None if there is none.
        profile: The profile of the scheduler before it.
        aside: What runs instead of an execution of the scheduler, in words; empty if such an execution runs.
    """

    def __init__(
        self,
        exploration: Exploration,
        engines: Engines,
        consistency: Consistency,
        coverage: CoverageCollector | None,
        *,
        twice: bool,
    ) -> None:
        self._exploration, self._engines, self._consistency = exploration, engines, consistency
        self._coverage, self._twice = coverage, twice
        self._may_walk = draws(exploration.scheduler) and not twice and not exploration.checkers.judges_each
        digest = None if coverage is None else digest_of_events
        self._needed = Needed(exploration.needs_trace, exploration.is_better_example, digest)
        self.now: Execution | Undone | None = None
        self.profile: Mapping[str, Any] = {}
        self.aside = ""

    def work(self, team: Team | None) -> Iterator[Work]:
        """Yield the executions to run, each with the consumer of its trace.

        Args:
            team: The worker processes; None if there are none.
        """
        yield from self.executions(team)
        if not self._exploration.failing:
            self.aside = "the repetition of an execution"
            if team is not None:
                yield from team.last_execution(self._consistency)
            yield from self._consistency.second_runs()
            self.aside = ""

    def executions(self, team: Team | None = None) -> Iterator[Work]:
        """Yield the executions of the scheduler, and the probes.

        The team is not asked before the probes have run. It adds many executions at a time, so that the number of
        executions before the probes, which an error in a probe tells, would depend on the number of processes.
        """
        exploration, unprobed, chooser = self._exploration, self._coverage, self.chooser
        while not exploration.is_done():
            if unprobed is not None and self._is_long:
                yield from self._probes(unprobed)
                unprobed = None
            probed = unprobed is None or not unprobed.has_probes
            if team is not None and probed and (yield from team.attend()):
                continue
            if self._may_walk and self._engines.may_walk:
                self._walk()
            self.profile = exploration.scheduler.profile()
            if self._twice:
                yield from self._two(chooser)
            else:
                yield self.make(chooser), exploration.take
        if unprobed is None:
            return
        if self._is_long or not (exploration.has_enough or exploration.scheduler.exhausted):
            yield from self._probes(unprobed)

    def _walk(self) -> None:
        """Run executions without an engine, but leave one: the consistency check needs the last execution."""
        exploration = self._exploration
        most = exploration.execution_limit - exploration.statistics.executions - 1
        walked = self._engines.walk(exploration.index, most, self._needed)
        if walked.executions:
            exploration.take_walked(walked)

    def make(self, scheduler: Scheduler) -> Execution | Undone:
        """Return the next execution, ready to run, in which `scheduler` chooses."""
        self.now = self._engines.make(scheduler, self._exploration.index)
        return self.now

    @property
    def chooser(self) -> Scheduler:
        """The scheduler, together with what counts its preemptions."""
        return self._exploration.scheduler if self._coverage is None else self._coverage.scheduler

    @property
    def _is_long(self) -> bool:
        """Whether the search is so long that probes estimate its size."""
        return self._exploration.statistics.steps >= STEPS_BEFORE_PROBES

    def _probes(self, coverage: CoverageCollector) -> Iterator[Work]:
        exploration = self._exploration
        self.aside = "a random probe"
        for probe, index in coverage.probes(exploration.execution_limit):
            if exploration.is_out_of_time():
                break
            yield self._uncounted(probe, index), _discard
        self.aside = ""

    def _uncounted(self, scheduler: Scheduler, index: int) -> Execution:
        program, machine = self._exploration.program, self._exploration.machine
        return make_execution(program, machine, scheduler, seed=self._exploration.seed, index=index)

    def _two(self, chooser: Scheduler) -> Iterator[Work]:
        """Yield an execution and its repetition."""
        exploration, record = self._exploration, FirstRun(chooser)
        traces: list[Trace] = []
        yield self.make(record), traces.append
        (first,) = traces
        if first.ending is not Ending.PRUNED:  # no schedule repeats an execution that its scheduler gave up
            program, machine, index = exploration.program, exploration.machine, exploration.index
            yield repetition(program, machine, first, record, seed=exploration.seed, index=index), _discard
        exploration.take(first)
