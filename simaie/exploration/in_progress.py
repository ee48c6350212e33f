"""An exploration in progress: what it makes, counts, judges and keeps."""

from __future__ import annotations

import gc
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import Any, TypeAlias

from simaie.arguments import (
    require_at_least_one,
    require_bool,
    require_callable,
    require_instance,
    require_integer,
)
from simaie.check import CheckerChoice
from simaie.check.needs import GOAL
from simaie.decision import Schedule
from simaie.engine.blame import blamed
from simaie.engine.graph.graphs import Graphs
from simaie.engine.memo.undone import Undone
from simaie.engine.memo.walked import Walked
from simaie.errors import Interrupted, SimaieError, UsageError
from simaie.exploration.conclusion import conclude, is_complete, why_incomplete
from simaie.exploration.consistency import Consistency
from simaie.exploration.coverage import CoverageCollector, is_sampling
from simaie.exploration.engines import Engines, StartAgain, can_undo
from simaie.exploration.examples import Example, is_better, score_of
from simaie.exploration.interrupts import LateInterrupts
from simaie.exploration.jobs import Jobs, number_of_jobs
from simaie.exploration.judging import CheckerRunner
from simaie.exploration.kept import FailureCallback, KeptFailures
from simaie.exploration.making import Maker
from simaie.exploration.report import Report
from simaie.exploration.running import run_work
from simaie.exploration.scheduler_choice import SchedulerChoice, make_scheduler
from simaie.exploration.statistics import StatisticsCollector
from simaie.exploration.task import Task
from simaie.exploration.team import make_team
from simaie.finding import Finding
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.protocols import Scheduler, require_count, require_one_of, require_positive
from simaie.replaying.failure import Failure
from simaie.replaying.run import DRIVERS, MACHINE, PROGRAM, Driver
from simaie.trace import Ending, Trace

__all__ = ["Exploration", "ExplorationProgress"]

ExplorationProgress: TypeAlias = Callable[["Exploration"], None]

#: The time between two calls of the progress, in seconds.
PROGRESS_SECONDS = 0.1


def _drop(interrupt: KeyboardInterrupt) -> None:
    """Discard the execution that was about to begin, without Python's warning about guests that were never awaited."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        traceback.clear_frames(interrupt.__traceback__)
        gc.collect()  # an execution is a cycle, and a later collection would show the warning


def _require_decisions(scheduler: Scheduler, machine: Machine) -> None:
    """Raise UsageError for a scheduler that leaves graphs to a search, which has an engine of its own."""
    if type(scheduler).by_graphs is not Scheduler.by_graphs:
        raise UsageError(
            f"on {machine.host} {type(scheduler).__name__} searches execution graphs, which the trio driver and "
            "check_determinism cannot run; leave them out, or choose a scheduler such as random-walk"
        )


class Exploration:
    """One exploration in progress, whose `report()` is available at any time.

    The arguments are those of `simaie.explore`; `first_index` is the index of the first execution.

    Attributes:
        statistics: What it has counted.
        checkers: The checkers, and how many executions they have judged how.
        kept: The failures.
        index: The index of the next execution.
        execution_limit: The number of executions to run at most.
        interrupted: Whether Ctrl-C ended it.
        met_error: Whether an error ended it.
        whole: A context in which executions are counted, so that Ctrl-C does not come between.
    """

    def __init__(
        self,
        program: Program,
        machine: Machine,
        scheduler: SchedulerChoice,
        *,
        seed: int,
        executions: int,
        seconds: float | None,
        failures: int | None,
        checkers: Sequence[CheckerChoice],
        driver: Driver,
        progress: ExplorationProgress | None,
        coverage: bool = False,
        check_determinism: bool = False,
        jobs: Jobs = 1,
        first_index: int = 0,
        found: FailureCallback | None = None,
    ) -> None:
        require_instance("program", program, Program, PROGRAM)
        require_instance("machine", machine, Machine, MACHINE)
        require_at_least_one("executions", executions)
        require_count(failures=failures)
        require_positive(seconds=seconds)
        require_integer("seed", seed)
        require_one_of("driver", driver, DRIVERS)
        require_bool(coverage=coverage, check_determinism=check_determinism)
        if progress is not None:
            require_callable("progress", progress)
        self.jobs = number_of_jobs(jobs)
        self.scheduler, self._spec = make_scheduler(scheduler)
        if machine.has_graphs and (driver != "inline" or check_determinism):
            _require_decisions(self.scheduler, machine)
        self._task = Task(program, machine, scheduler, seed, checkers, driver, coverage, check_determinism)
        machine = machine.for_program(program)
        machine.require_named(program)
        machine = machine.for_search(program) if self.scheduler.exhaustive else machine
        self.program, self.machine = program, machine
        self.seed, self.execution_limit, self.seconds = seed, executions, seconds
        self._coverage = self._collector() if coverage else None
        self.statistics = StatisticsCollector(sampling=is_sampling(self.scheduler), coverage=self._coverage)
        self.kept = KeptFailures(found)
        self.interrupted = self.met_error = False
        self.whole = LateInterrupts()
        self.checkers = CheckerRunner(checkers, program, self.scheduler)
        self._failure_limit, self._driver = failures, driver
        self._progress, self._first_index = progress, first_index
        self.index = first_index
        self._consistency = Consistency(program, machine, seed=seed)
        memo = driver == "inline" and not check_determinism
        self._engines = Engines(
            program, machine, seed=seed, memo=memo, rehearsed=self._consistency.rehearsed,
            commuting=self.checkers.ignores_order, out_of_time=self.is_out_of_time,
        )  # fmt: skip
        # By undo the executions may come in another order, and the determinism check prevents it.
        self._other_order = (
            check_determinism
            and driver == "inline"
            and self.scheduler.up_to_commutation
            and can_undo(program, machine, self.scheduler)
        )
        self._maker = Maker(self, self._engines, self._consistency, self._coverage, twice=check_determinism)
        self._team = None if self.jobs == 1 else make_team(self, self._task)
        self._began = self._shown = time.perf_counter()
        self._ended: float | None = None

    def _collector(self) -> CoverageCollector:
        return CoverageCollector(self.scheduler, graphs=self.machine.has_graphs)

    # -- running ------------------------------------------------------------------------------

    def run(self) -> Report:
        """Explore to the end and return the report; Interrupted, with the report, if Ctrl-C ends it before."""
        try:
            with self._interruptible():
                self._search()
            self._end()
            return self.report()
        except KeyboardInterrupt as interrupt:
            self.interrupted, self._maker.now = True, None
            _drop(interrupt)
        self.kept.tell()
        self._end()
        raise Interrupted(
            f"the exploration of {self.program.name!r}, after {self.statistics.executions} executions of which "
            f"{self.failing} failed,",
            self.report(),
        )

    def _interruptible(self) -> AbstractContextManager[None]:
        """Return a context in which Ctrl-C waits while an execution is counted; trio handles it itself."""
        return self.whole.handled() if self._driver == "inline" else nullcontext()

    def _search(self) -> None:
        """Run executions until a reason to stop; an error that ends the search receives the report."""
        try:
            run_work(self, self._maker.work(self._team), self._engines, self._driver)
            if not self.failing and self.statistics.executions:
                self.checkers.require_answers()
        except SimaieError as error:
            self._tell(error)
            raise
        except BaseException as error:
            found = blamed(error, self.scheduler)
            if found is None:
                raise
            self._tell(found)
            raise found from error

    def _tell(self, error: SimaieError) -> None:
        """Add the report, and the number of the execution, to an error that ends the exploration."""
        self._end()
        self.met_error = True
        with suppress(Exception):  # a scheduler that raised may raise again when it is asked how complete it was
            error.report = self.report()
        done, aside = self.statistics.executions, self._maker.aside
        if done or aside:
            what = aside or f"execution {self.index}"
            error.add_note(f"in {what} of seed {self.seed}, after {done:,} execution{'' if done == 1 else 's'}")

    def _end(self) -> None:
        self._engines.close()
        if self._team is not None:
            self._team.end()
        self._ended = time.perf_counter()
        if self._progress is not None:
            self._progress(self)

    def start_again(self) -> None:
        """Forget all executions so far, which come again."""
        if self._coverage is not None:
            self._coverage.forget()
        self.statistics = StatisticsCollector(sampling=self.statistics.sampling, coverage=self._coverage)
        self.kept.forget()
        self.checkers.forget()
        self.index = self._first_index

    def is_done(self) -> bool:
        """Whether no execution is left to run, or a limit was reached."""
        ended = self.has_enough or self.scheduler.exhausted
        return ended or self.statistics.executions >= self.execution_limit or self.is_out_of_time()

    @property
    def undoing(self) -> Undone | None:
        """The search by undo, while there is one."""
        return self._engines.undoing

    def begin_undoing(self) -> Undone:
        """Return the search by undo, which has made no execution yet; raise `StartAgain` if there is none."""
        undone = self._maker.make(self._maker.chooser)
        if not isinstance(undone, Undone):
            raise StartAgain
        return undone

    @property
    def why_not_undone(self) -> str:
        """Why the search does not go back by undo although it was tried; empty if it does."""
        return self._engines.why_not_undone

    @property
    def failures_wanted(self) -> int | None:
        """The number of failing executions that are still looked for; None for no limit."""
        return None if self._failure_limit is None else self._failure_limit - self.failing

    @property
    def has_enough(self) -> bool:
        """Whether as many executions have failed as were asked for."""
        return self._failure_limit is not None and self.failing >= self._failure_limit

    def is_out_of_time(self) -> bool:
        """Whether the time limit was reached."""
        return self.seconds is not None and time.perf_counter() - self._began >= self.seconds

    def take(self, trace: Trace) -> None:
        """Judge and count one finished execution."""
        if self._maker.now is not None:
            self._consistency.observe(self._maker.now, trace, self.index)
        with self.whole:
            self.statistics.add(trace)
            findings = self.checkers.judge(trace)
            self._look_at(trace, fails=bool(findings))
            if findings:
                self._take_failing(trace, findings)
            self.index += 1
        self.show_progress()

    def take_walked(self, walked: Walked) -> None:
        """Count executions that ran without an engine, in which no checker finds anything."""
        with self.whole:
            self.statistics.add_walked(walked)
            self.index += walked.executions
        self.show_progress()

    def needs_trace(self, occurred: int) -> bool:
        """Whether an execution in which this occurred reaches a goal, or a checker may find something in it."""
        return bool(occurred & GOAL) or not self.checkers.is_clean(occurred)

    def is_better_example(self, deviations: int) -> bool:
        """Whether an execution with this number of deviations is a better example than those before."""
        return is_better(self.statistics.example, score_of(deviations))

    def _look_at(self, trace: Trace, *, fails: bool) -> None:
        """Count the goals that an execution reached, and keep it if it is a better example than those before."""
        statistics, number = self.statistics, self.statistics.executions - 1
        by_graphs = isinstance(self._maker.now, Graphs)
        if trace.occurred & GOAL and trace.goals:
            statistics.goals.add(trace.goals, number, None if by_graphs else partial(self._schedule_of, trace))
        passes = not fails and trace.ending is Ending.FINISHED and not by_graphs
        if passes and self.is_better_example(trace.deviations):
            statistics.example = Example(number, score_of(trace.deviations), self._schedule_of(trace))

    def _schedule_of(self, trace: Trace) -> Schedule:
        """Return decisions that repeat the execution `trace`, the last one that was made."""
        now = self._maker.now
        return (self._engines.kept(trace) if now is None else self._engines.confirmed(now, trace)).schedule

    def _take_failing(self, trace: Trace, findings: tuple[Finding, ...]) -> None:
        if self.kept.has_room and self._maker.now is not None:
            trace = self._engines.confirmed(self._maker.now, trace)
            findings = self.checkers.findings_in(trace)
        else:
            trace = self._engines.kept(trace)
        self.keep(trace, findings, self.index, self._maker.profile)

    def show_progress(self) -> None:
        """Call the callback of the progress if it is time to."""
        if self._progress is not None and time.perf_counter() - self._shown > PROGRESS_SECONDS:
            self._shown = time.perf_counter()
            self._progress(self)

    def keep(self, trace: Trace, findings: tuple[Finding, ...], index: int, profile: Mapping[str, Any]) -> None:
        """Count a failing execution, and keep it if it is to be kept.

        Args:
            trace: The execution.
            findings: What the checkers have found in it.
            index: Its number.
            profile: What the scheduler needs to choose it again.
        """
        self.kept.add(self._failure(trace, findings, index, profile))

    def _failure(
        self, trace: Trace, findings: tuple[Finding, ...], index: int, profile: Mapping[str, Any]
    ) -> Failure:
        by_index = self._engines.by_index and not self._other_order
        if self._engines.undoing is not None:
            profile = self._engines.undoing.profile(trace)
        return Failure(
            self.program, self.machine, self._spec if by_index else None, self.seed,
            index, trace, findings, profile if by_index else {}, self._driver, self.checkers.choices,
        )  # fmt: skip

    # -- reporting ----------------------------------------------------------------------------

    @property
    def failing(self) -> int:
        """The number of executions that failed so far."""
        return self.checkers.failing

    @property
    def ended(self) -> bool:
        """Whether the exploration will run no more executions."""
        return self._ended is not None

    @property
    def elapsed(self) -> float:
        """The time since the start, in seconds."""
        return (self._ended or time.perf_counter()) - self._began

    def report(self) -> Report:
        """Return the report on the executions so far."""
        complete = self.is_complete()
        verdict, reason = conclude(self, complete=complete)
        return Report(
            self.program,
            self.machine,
            str(self._spec or type(self.scheduler).__name__),
            self.seed,
            verdict,
            reason,
            complete,
            self.interrupted,
            tuple(self.kept.first),
            self.failing,
            self.statistics.outcomes.copy(),
            statistics=self.statistics.summary(self.elapsed, self.failing, self._engines.note, *self._processes),
            signatures=self.kept.signatures.groups,
            unlisted=self.kept.signatures.unlisted,
            goals=self.statistics.goals.of(self.program, self._first_index),
            example_schedule=None if (example := self.statistics.example) is None else example.schedule,
            driver=self._driver,
        )

    @property
    def _processes(self) -> tuple[int, str]:
        return (1, "") if self._team is None else (self._team.processes, self._team.note)

    def is_complete(self) -> bool:
        """Whether everything was explored and judged."""
        return is_complete(self)

    def why_incomplete(self) -> str:
        """Return why the executions so far support no proof."""
        return why_incomplete(self)
