"""The explorer: execution after execution under one scheduler, until a limit, a failure, or the end of the tree."""

from __future__ import annotations

import gc
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from simaie import plugins
from simaie.arguments import (
    require_at_least_one,
    require_bool,
    require_callable,
    require_instance,
    require_integer,
)
from simaie.check import DEFAULT, CheckerChoice
from simaie.engine.blame import blamed
from simaie.engine.execution import Execution
from simaie.engine.watchdog import Watchdog
from simaie.errors import Interrupted, SimaieError
from simaie.exploration.consistency import Consistency
from simaie.exploration.coverage import CoverageCollector, is_sampling
from simaie.exploration.determinism import FirstRun, repetition
from simaie.exploration.engines import Engines
from simaie.exploration.judging import CheckerRunner
from simaie.exploration.report import Report
from simaie.exploration.scheduler_choice import SchedulerChoice, make_scheduler
from simaie.exploration.signatures import Signatures
from simaie.exploration.statistics import StatisticsCollector
from simaie.finding import Verdict
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.protocols import Scheduler, require_count, require_one_of, require_positive
from simaie.replaying.failure import Failure
from simaie.replaying.run import DRIVERS, MACHINE, PROGRAM, Driver, make_execution
from simaie.trace import Ending, Trace

__all__ = ["Exploration", "Found", "Progress", "explore"]

Progress: TypeAlias = Callable[["Exploration"], None]
Found: TypeAlias = Callable[[Failure], object]

#: An execution that is to be run, and what is to be done with its trace.
_Work: TypeAlias = tuple[Execution, Callable[[Trace], None]]

#: Failures kept in order; of later ones only what `Signatures` keeps, so that memory stays bounded.
MAX_KEPT = 100
PROGRESS_SECONDS = 0.1


def explore(
    program: Program,
    machine: Machine | None = None,
    *,
    scheduler: SchedulerChoice = "portfolio",
    seed: int = 0,
    executions: int = 10_000,
    seconds: float | None = None,
    failures: int | None = 1,
    checkers: Sequence[CheckerChoice] = DEFAULT,
    driver: Driver = "inline",
    coverage: bool = False,
    check_determinism: bool = False,
    progress: Progress | bool | None = None,
    found: Found | None = None,
) -> Report:
    """Run `program` on `machine` again and again, each time under another schedule, and judge every execution.

    scheduler: a name, ``"name:option=value"``, ``(name, options)``, a scheduler, or a class of schedulers. executions,
    seconds: limits; whichever comes first ends the exploration. failures: stop after so many failing executions, None
    to go on. checkers: functions of a trace, names of registered ones (``simaie list checkers``), or
    ``"FILE.py:NAME"``. driver: ``"inline"`` for speed, ``"trio"`` for guests that await trio. progress: called now and
    then, and at the end; True shows executions, rate and findings as they come, in a notebook's cell or in a terminal.
    found: called with each failure that the report keeps, between two executions, as soon as it is found; to save it,
    for example: ``found=lambda failure: failure.save_in("failures")``.

    coverage: also count distinct Mazurkiewicz traces and preemptions and estimate what is unseen, as
    ``report.statistics.coverage`` (see `simaie.exploration.coverage`), for some half a microsecond a step; for an
    exhaustive scheduler some random probes come first. check_determinism: run every execution
    twice and compare; raises NondeterminismError with step, expected and got at the first difference
    (`simaie.exploration.determinism` says what passing does not prove).

    Raises UsageError if a checker that was asked for has nothing to judge: the program records no calls, say.
    Ctrl-C ends the exploration with `simaie.Interrupted`, a KeyboardInterrupt, so that a loop over programs ends too. A
    guest that raises ends it with a GuestError, a scheduler that raises with a SchedulerError. The attribute ``report``
    of all three holds what was found before.

    The report keeps the first hundred failures, and of every signature (`simaie.replaying.signature`) the count, the
    first and the shortest failure, however late they come.
    """
    exploration = Exploration(
        program,
        Machine() if machine is None else machine,
        scheduler,
        seed=seed,
        executions=executions,
        seconds=seconds,
        failures=failures,
        checkers=checkers,
        driver=driver,
        coverage=coverage,
        check_determinism=check_determinism,
        progress=plugins.resolve(plugins.RENDERERS, "live")() if progress is True else progress or None,
        found=found,
    )
    return exploration.run()


def _drop(interrupt: KeyboardInterrupt) -> None:
    """Let go of the execution that was about to begin, without Python's warning of guests that were never awaited."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        traceback.clear_frames(interrupt.__traceback__)
        gc.collect()  # an execution is a cycle, and would go with the warning later


def _leave(trace: Trace) -> None:
    """Its scheduler has seen it, and nobody else wants to."""


class Exploration:
    """One exploration in progress; `report()` can be asked at any time."""

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
        progress: Progress | None,
        coverage: bool = False,
        check_determinism: bool = False,
        first_index: int = 0,
        found: Found | None = None,
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
        self.program, self.machine = program, machine
        self.scheduler, self._spec = make_scheduler(scheduler)
        self.seed, self.execution_limit, self.seconds = seed, executions, seconds
        self._coverage = CoverageCollector(self.scheduler) if coverage else None
        self.statistics = StatisticsCollector(sampling=is_sampling(self.scheduler), coverage=self._coverage)
        self.failures: list[Failure] = []
        self.signatures = Signatures()
        self.interrupted = False
        self._checkers_runner = CheckerRunner(checkers, program, self.scheduler)
        self._failure_limit, self._driver = failures, driver
        self._progress, self._first_index = progress, first_index
        self._found = found
        self._untold: list[Failure] = []  # kept, and `found` has not been called with them
        self._profile: Mapping[str, Any] = {}
        self._index = first_index
        self._check_determinism = check_determinism
        self._engines = Engines(program, machine, seed=seed, memo=driver == "inline" and not check_determinism)
        self._consistency = Consistency(program, machine, seed=seed)
        self._execution_now: Execution | None = None
        self._probing = self._repeating = self._failed = False
        self._began = self._shown = time.perf_counter()
        self._ended: float | None = None

    # -- running ------------------------------------------------------------------------------

    def run(self) -> Report:
        """Explore to the end, and report; Interrupted, with the report, if Ctrl-C comes first."""
        try:
            self._search()
            self._end()
            return self.report()
        except KeyboardInterrupt as interrupt:
            self.interrupted, self._execution_now = True, None
            _drop(interrupt)
        self._tell_found()
        self._end()
        raise Interrupted(
            f"the exploration of {self.program.name!r}, after {self.statistics.executions} executions of which "
            f"{self.failing} failed,",
            self.report(),
        )

    def _search(self) -> None:
        """Run executions until there is a reason to end; what ends it early knows what was found."""
        try:
            with Watchdog(self.machine.limits.spin_seconds) as watchdog:
                run = self._run_inline if self._driver == "inline" else self._run_in_trio
                work = self._work()
                while run(work, watchdog):
                    self._tell_found()
            if not self.failing and self.statistics.executions:
                self._checkers_runner.require_answers()
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
        """Add to an error that ends the exploration what was found before, and where it happened."""
        self._end()
        self._failed = True
        with suppress(Exception):  # a scheduler that raises may do so again when it is asked how complete it was
            error.report = self.report()
        what = f"execution {self._index} of"
        if self._probing or self._repeating:
            what = "a random probe of" if self._probing else "the repetition of an execution of"
        error.add_note(f"in {what} seed {self.seed}, after {self.statistics.executions} executions")

    def _end(self) -> None:
        self._engines.close()
        self._ended = time.perf_counter()
        if self._progress is not None:
            self._progress(self)

    def _run_inline(self, work: Iterator[_Work], watchdog: Watchdog) -> bool:
        """Run what is to be run until there is something to tell; returns whether there is."""
        for execution, take in work:
            watchdog.watch(execution)
            take(self._engines.run(execution, self._index))
            if self._untold:
                return True
        return False

    def _run_in_trio(self, work: Iterator[_Work], watchdog: Watchdog) -> bool:
        """Likewise; to be told of a failure ends the trio run, since what is told may begin one."""
        from simaie.engine.on_trio.driver import in_trio  # trio is only loaded where it is used

        return in_trio(self._run_trio, work, watchdog)

    async def _run_trio(self, work: Iterator[_Work], watchdog: Watchdog) -> bool:
        from simaie.engine.on_trio.driver import run_trio

        for execution, take in work:
            watchdog.watch(execution)
            take(await run_trio(execution))
            if self._untold:
                return True
        return False

    def _tell_found(self) -> None:
        """Call `found` with the failures that it has not been called with."""
        while self._untold:
            if self._found is not None:
                self._found(self._untold[0])
            del self._untold[0]

    def _work(self) -> Iterator[_Work]:
        """What is to be run, each with what is to be done with its trace."""
        scheduler = self.scheduler
        if self._coverage is not None:
            yield from self._probes(self._coverage)
            scheduler = self._coverage.scheduler
        while not self._done():
            self._profile = self.scheduler.profile()
            if self._check_determinism:
                yield from self._twice(scheduler)
            else:
                yield self._execution(scheduler), self._take
        if not self.failing:
            self._repeating = True
            yield from self._consistency.second_runs()
            self._repeating = False

    def _probes(self, coverage: CoverageCollector) -> Iterator[_Work]:
        self._probing = True
        for probe, index in coverage.probes(self.execution_limit):
            if self._out_of_time():
                break
            yield make_execution(self.program, self.machine, probe, seed=self.seed, index=index), _leave
        self._probing = False

    def _twice(self, scheduler: Scheduler) -> Iterator[_Work]:
        record = FirstRun(scheduler)
        traces: list[Trace] = []
        yield self._execution(record), traces.append
        (first,) = traces
        if first.ending is not Ending.PRUNED:  # which no schedule repeats: a scheduler gave it up
            again = repetition(self.program, self.machine, first, record, seed=self.seed, index=self._index)
            yield again, _leave
        self._take(first)

    def _execution(self, scheduler: Scheduler) -> Execution:
        made = self._engines.make(scheduler, self._index)
        self._execution_now = made
        return made

    def _done(self) -> bool:
        enough = self._failure_limit is not None and self.failing >= self._failure_limit
        count = self.statistics.executions
        return enough or self.scheduler.exhausted or count >= self.execution_limit or self._out_of_time()

    def _out_of_time(self) -> bool:
        return self.seconds is not None and time.perf_counter() - self._began >= self.seconds

    def _take(self, trace: Trace) -> None:
        """Judge and count one finished execution."""
        if self._execution_now is not None:
            self._consistency.observe(self._execution_now, trace, self._index)
        self.statistics.add(trace)
        findings = self._checkers_runner.judge(trace)
        if findings:
            if len(self.failures) < MAX_KEPT and self._execution_now is not None:
                trace = self._engines.confirmed(self._execution_now, trace)
                findings = self._checkers_runner.findings_in(trace)
            self._keep(
                Failure(
                    self.program, self.machine, self._spec, self.seed, self._index,
                    trace, findings, self._profile, self._driver, self._checkers_runner.choices,
                )
            )  # fmt: skip
        self._index += 1
        if self._progress is not None and time.perf_counter() - self._shown > PROGRESS_SECONDS:
            self._shown = time.perf_counter()
            self._progress(self)

    def _keep(self, failure: Failure) -> None:
        grouped = self.signatures.add(failure)
        if first := len(self.failures) < MAX_KEPT:
            self.failures.append(failure)
        if self._found is not None and (grouped or first):
            self._untold.append(failure)

    # -- reporting ----------------------------------------------------------------------------

    @property
    def failing(self) -> int:
        """How many executions failed so far."""
        return self._checkers_runner.failing

    @property
    def ended(self) -> bool:
        """Whether nothing more will be run."""
        return self._ended is not None

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return (self._ended or time.perf_counter()) - self._began

    def report(self) -> Report:
        """What is known so far."""
        complete = self._complete()
        verdict, reason = self._verdict(complete)
        return Report(
            self.program,
            self.machine,
            str(self._spec or type(self.scheduler).__name__),
            self.seed,
            verdict,
            reason,
            complete,
            self.interrupted,
            tuple(self.failures),
            self.failing,
            self.statistics.outcomes.copy(),
            statistics=self.statistics.summary(self.elapsed, self.failing),
            signatures=self.signatures.groups,
            unlisted=self.signatures.unlisted,
        )

    def _complete(self) -> bool:
        scheduler = self.scheduler
        everything = scheduler.exhausted and scheduler.complete and not self.statistics.truncated
        return everything and not self.interrupted and not self._failed and not self._checkers_runner.why_not_proof

    def _verdict(self, complete: bool) -> tuple[Verdict, str]:
        count = self.statistics.executions
        if self.failing:
            return Verdict.VIOLATED, f"{self.failing} of {count} executions failed"
        if complete:
            return Verdict.HOLDS, f"all {count} executions were explored and none failed"
        return Verdict.INCONCLUSIVE, f"none of {count} executions failed, but {self._why_incomplete()}"

    def _why_incomplete(self) -> str:
        if self.interrupted:
            return "the exploration was interrupted"
        if self._failed:
            return "an error ended the exploration"
        runner, exhausted = self._checkers_runner, self.scheduler.exhausted
        if self.statistics.truncated:
            why = f" ({runner.undecided_because})" if runner.undecided_because else ""
            return f"{self.statistics.truncated} were cut by a limit on steps or threads{why}"
        if runner.undecided or (exhausted and runner.why_not_proof):
            return runner.why_not_proof
        if exhausted:
            return self.scheduler.bound_note or "the scheduler does not explore everything"
        if self.statistics.executions and self.statistics.pruned == self.statistics.executions:
            return "the scheduler gave up each of them (its choose returned None)"
        if self._out_of_time():
            return f"the time limit of {self.seconds:g} s was reached"
        if self.scheduler.exhaustive:
            return f"the limit of {self.execution_limit} executions was reached before the end"
        return "they are a sample, not all there are"
