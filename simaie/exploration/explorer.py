"""The explorer, which runs executions under one scheduler until a limit, a failure, or the end of the search."""

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
from simaie.decision import Schedule
from simaie.engine.blame import blamed
from simaie.engine.execution import Execution
from simaie.engine.memo.undone import Undone
from simaie.engine.watchdog import Watchdog
from simaie.errors import Interrupted, SimaieError, UsageError
from simaie.exploration.canonical import trace_digest
from simaie.exploration.consistency import Consistency
from simaie.exploration.coverage import STEPS_BEFORE_PROBES, CoverageCollector, is_sampling
from simaie.exploration.determinism import FirstRun, repetition
from simaie.exploration.engines import Engines, OutOfTime, StartAgain, can_undo
from simaie.exploration.jobs import Jobs, number_of_jobs
from simaie.exploration.judging import CheckerRunner
from simaie.exploration.report import Report
from simaie.exploration.scheduler_choice import SchedulerChoice, make_scheduler
from simaie.exploration.signatures import Signatures
from simaie.exploration.statistics import StatisticsCollector
from simaie.exploration.tally import Suspect, Tally
from simaie.exploration.task import Task
from simaie.exploration.team import make_team, require_same
from simaie.finding import Finding, Verdict
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.protocols import Scheduler, require_count, require_one_of, require_positive
from simaie.replaying.failure import Failure
from simaie.replaying.run import DRIVERS, MACHINE, PROGRAM, Driver, make_execution
from simaie.trace import Ending, Trace

__all__ = ["Exploration", "ExplorationProgress", "FailureCallback", "Work", "explore"]

ExplorationProgress: TypeAlias = Callable[["Exploration"], None]
FailureCallback: TypeAlias = Callable[[Failure], object]

#: An execution to run, and the consumer of its trace.
Work: TypeAlias = tuple[Execution | Undone, Callable[[Trace], None]]

#: The number of first failures that are kept; of later ones only those that `Signatures` keeps, to bound the memory.
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
    jobs: Jobs = 1,
    progress: ExplorationProgress | bool | None = None,
    found: FailureCallback | None = None,
) -> Report:
    """Run many executions of `program` on `machine`, each under another schedule, and judge every one.

    The report keeps the first hundred failures. For every signature (see `simaie.replaying.signature`) it keeps the
    count, the first failure and the shortest failure, however late they occur.

    Args:
        program: The guest program.
        machine: The emulator and its host; None for the defaults of `Machine`.
        scheduler: A name, ``"name:option=value"``, ``(name, options)``, a `Scheduler`, or a class of it. An exhaustive
            one adds `Scheme.search_options` to the scheme of the machine, and the report names them.
        seed: The seed of all randomness in the exploration.
        executions: The number of executions to run at most.
        seconds: The time to run at most, in seconds; None for no limit.
        failures: The number of failing executions after which to stop; None for no limit.
        checkers: Functions of a trace, names of registered checkers (``simaie list checkers``), or ``"FILE.py:NAME"``.
        driver: ``"inline"`` for speed, or ``"trio"`` for guests that await trio.
        coverage: Whether to count distinct Mazurkiewicz traces and preemptions, and to estimate what is unseen, as
            ``report.statistics.coverage`` (see `simaie.exploration.coverage`). It costs about half a microsecond for
            each step. For an exhaustive search that is long or unfinished, random probes estimate its size.
        check_determinism: Whether to run every execution twice and compare the two;
            `simaie.exploration.determinism` says what this does not prove.
        jobs: The number of processes that run executions, or ``"auto"`` for one on each core. It changes the time and
            never the report. What cannot be split runs in one process, and ``report.statistics.processes_note`` says
            why (see `simaie.exploration.team`).
        progress: Called from time to time, and at the end. True shows executions, rate and findings in the terminal or
            in the cell of a notebook.
        found: Called with each failure that the report keeps, between two executions, as soon as it is found. For
            example, ``found=lambda failure: failure.save_in("failures")`` saves it.

    Returns:
        The report, with verdict, failures and statistics.

    Raises:
        UsageError: An argument is wrong, or a checker has nothing to judge, for example because the program records no
            calls.
        NondeterminismError: An execution differs when it is repeated; the error has the step, what was expected, and
            what happened.
        GuestError: The guest program raised. The attribute ``report`` of the exception is the report up to there.
        SchedulerError: The scheduler raised; it has a ``report`` too.
        Interrupted: Ctrl-C ended the exploration; it has a ``report`` too. It is a KeyboardInterrupt, so that a loop
            over programs ends too.
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
        jobs=jobs,
        progress=plugins.resolve(plugins.RENDERERS, "live")() if progress is True else progress or None,
        found=found,
    )
    return exploration.run()


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


def _discard(trace: Trace) -> None:
    """Drop a trace that only its scheduler needed."""


class Exploration:
    """One exploration in progress, whose `report()` is available at any time."""

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
        machine = machine.for_search(program) if self.scheduler.exhaustive else machine
        self.program, self.machine = program, machine
        self.seed, self.execution_limit, self.seconds = seed, executions, seconds
        probes = not machine.has_graphs  # their estimates are of interleavings
        self._coverage = CoverageCollector(self.scheduler, probes=probes) if coverage else None
        self.statistics = StatisticsCollector(sampling=is_sampling(self.scheduler), coverage=self._coverage)
        self.failures: list[Failure] = []
        self.signatures = Signatures()
        self.interrupted = False
        self._checkers, self._told = checkers, set[int]()
        self._checkers_runner = CheckerRunner(checkers, program, self.scheduler)
        self._failure_limit, self._driver = failures, driver
        self._progress, self._first_index = progress, first_index
        self._found = found
        self._untold: list[Failure] = []  # failures that are kept and were not passed to `found` yet
        self._profile: Mapping[str, Any] = {}
        self._index = first_index
        self._check_determinism = check_determinism
        self._consistency = Consistency(program, machine, seed=seed)
        memo = driver == "inline" and not check_determinism
        self._engines = Engines(
            program, machine, seed=seed, memo=memo, rehearsed=self._consistency.rehearsed,
            commuting=self._checkers_runner.ignores_order, out_of_time=self.is_out_of_time,
        )  # fmt: skip
        # By undo the executions come in another order, and an option that is no part of a command line prevents it.
        other = driver == "inline" and (coverage or check_determinism)
        self._other_order = other and can_undo(program, machine, self.scheduler)
        self._execution_now: Execution | Undone | None = None
        self._probing = self._repeating = self._failed = False
        self._team = None if self.jobs == 1 else make_team(self, self._task)
        self._began = self._shown = time.perf_counter()
        self._ended: float | None = None

    # -- running ------------------------------------------------------------------------------

    def run(self) -> Report:
        """Explore to the end and return the report; Interrupted, with the report, if Ctrl-C ends it before."""
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
        """Run executions until a reason to stop; an error that ends the search receives the report."""
        try:
            self._run(self._work())
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

    def _run(self, work: Iterator[Work]) -> None:
        with Watchdog(self.machine.limits.spin_seconds) as watchdog:
            run = self._run_inline if self._driver == "inline" else self._run_in_trio
            while run(work, watchdog):
                self._tell_found()

    def _tell(self, error: SimaieError) -> None:
        """Add the report, and the number of the execution, to an error that ends the exploration."""
        self._end()
        self._failed = True
        with suppress(Exception):  # a scheduler that raised may raise again when it is asked how complete it was
            error.report = self.report()
        what = f"execution {self._index} of"
        if self._probing or self._repeating:
            what = "a random probe of" if self._probing else "the repetition of an execution of"
        done = self.statistics.executions
        if done or self._probing or self._repeating:
            error.add_note(f"in {what} seed {self.seed}, after {done:,} execution{'' if done == 1 else 's'}")

    def _end(self) -> None:
        self._engines.close()
        if self._team is not None:
            self._team.end()
        self._ended = time.perf_counter()
        if self._progress is not None:
            self._progress(self)

    def _run_inline(self, work: Iterator[Work], watchdog: Watchdog) -> bool:
        """Run work until a failure must be passed to `found`; return False if no work is left."""
        run, watch = self._engines.run, watchdog.watch
        for execution, take in work:
            watch(execution)
            try:
                trace = run(execution, self._index)
            except StartAgain:
                self._start_again()
                continue
            except OutOfTime:
                return False
            take(trace)
            if self._untold:
                return True
        return False

    def _start_again(self) -> None:
        """Forget all executions so far, but not which failures `found` was told of: all of them come again."""
        self.statistics = StatisticsCollector(sampling=self.statistics.sampling, coverage=self._coverage)
        self._told = {trace_digest(failure.trace) for failure in self.failures}
        self.failures = []
        self.signatures = Signatures()
        self._checkers_runner = CheckerRunner(self._checkers, self.program, self.scheduler)
        self._index = self._first_index

    def _run_in_trio(self, work: Iterator[Work], watchdog: Watchdog) -> bool:
        """Do the same in a trio run, which ends before `found` is called, because `found` may begin another one."""
        from simaie.engine.on_trio.driver import in_trio  # trio is loaded only if it is used

        return in_trio(self._run_trio, work, watchdog)

    async def _run_trio(self, work: Iterator[Work], watchdog: Watchdog) -> bool:
        from simaie.engine.on_trio.driver import run_trio

        for execution, take in work:
            assert isinstance(execution, Execution)  # there is no memo
            watchdog.watch(execution)
            take(await run_trio(execution))
            if self._untold:
                return True
        return False

    def _tell_found(self) -> None:
        """Call `found` with the failures that were not passed to it yet."""
        while self._untold:
            if self._found is not None:
                self._found(self._untold[0])
            del self._untold[0]

    def _work(self) -> Iterator[Work]:
        """Yield the executions to run, each with the consumer of its trace."""
        yield from self._executions()
        if not self.failing:
            self._repeating = True
            if self._team is not None:
                yield from self._team.last_execution(self._consistency)
            yield from self._consistency.second_runs()
            self._repeating = False

    def _executions(self) -> Iterator[Work]:
        scheduler = self.scheduler
        unprobed, team = self._coverage, self._team
        if self._coverage is not None:
            scheduler = self._coverage.scheduler
        while not self.is_done():
            if unprobed is not None and self.statistics.steps >= STEPS_BEFORE_PROBES:
                yield from self._probes(unprobed)
                unprobed = None
            if team is not None and (yield from team.attend()):
                continue
            self._profile = self.scheduler.profile()
            if self._check_determinism:
                yield from self._twice(scheduler)
            else:
                yield self._execution(scheduler), self._take
        if unprobed is not None and not self._enough and not self.scheduler.exhausted:
            yield from self._probes(unprobed)

    def _probes(self, coverage: CoverageCollector) -> Iterator[Work]:
        self._probing = True
        for probe, index in coverage.probes(self.execution_limit):
            if self.is_out_of_time():
                break
            yield make_execution(self.program, self.machine, probe, seed=self.seed, index=index), _discard
        self._probing = False

    def _twice(self, scheduler: Scheduler) -> Iterator[Work]:
        record = FirstRun(scheduler)
        traces: list[Trace] = []
        yield self._execution(record), traces.append
        (first,) = traces
        if first.ending is not Ending.PRUNED:  # no schedule repeats an execution that its scheduler gave up
            again = repetition(self.program, self.machine, first, record, seed=self.seed, index=self._index)
            yield again, _discard
        self._take(first)

    def _execution(self, scheduler: Scheduler) -> Execution | Undone:
        made = self._engines.make(scheduler, self._index)
        self._execution_now = made
        return made

    def is_done(self) -> bool:
        """Whether no execution is left to run, or a limit was reached."""
        count = self.statistics.executions
        return self._enough or self.scheduler.exhausted or count >= self.execution_limit or self.is_out_of_time()

    @property
    def index(self) -> int:
        """The index of the next execution."""
        return self._index

    @property
    def undoing(self) -> Undone | None:
        """The search by undo, while there is one."""
        return self._engines.undoing

    @property
    def why_not_undone(self) -> str:
        """Why the search does not go back by undo although it was tried; empty if it does."""
        return self._engines.why_not_undone

    @property
    def failures_wanted(self) -> int | None:
        """The number of failing executions that are still looked for; None for no limit."""
        return None if self._failure_limit is None else self._failure_limit - self.failing

    @property
    def _enough(self) -> bool:
        """Whether as many executions have failed as were asked for."""
        return self._failure_limit is not None and self.failing >= self._failure_limit

    def is_out_of_time(self) -> bool:
        """Whether the time limit was reached."""
        return self.seconds is not None and time.perf_counter() - self._began >= self.seconds

    def _take(self, trace: Trace) -> None:
        """Judge and count one finished execution."""
        if self._execution_now is not None:
            self._consistency.observe(self._execution_now, trace, self._index)
        self.statistics.add(trace)
        findings = self._checkers_runner.judge(trace)
        if findings:
            self._take_failing(trace, findings)
        self._index += 1
        self.show_progress()

    def _take_failing(self, trace: Trace, findings: tuple[Finding, ...]) -> None:
        if len(self.failures) < MAX_KEPT and self._execution_now is not None:
            trace = self._engines.confirmed(self._execution_now, trace)
            findings = self._checkers_runner.findings_in(trace)
        else:
            trace = self._engines.kept(trace)
        self._keep(self._failure(trace, findings))

    def show_progress(self) -> None:
        """Call the callback of the progress if it is time to."""
        if self._progress is not None and time.perf_counter() - self._shown > PROGRESS_SECONDS:
            self._shown = time.perf_counter()
            self._progress(self)

    def merge(self, tally: Tally) -> Iterator[Work]:
        """Take executions that another process ran, as if they had run here; yield those that must run here, too."""
        first = self._index
        self.statistics.merge(tally.statistics)
        if self._coverage is not None and tally.covered is not None:
            self._coverage.merge(tally.covered)
        self._checkers_runner.merge(tally.judgements)
        self._index += tally.executions
        for suspect in tally.suspects:
            yield from self._adopt(suspect, first + suspect.number)
        for signature, number in tally.others.items():
            self.signatures.count(signature, number)
        self.show_progress()

    def _adopt(self, suspect: Suspect, index: int) -> Iterator[Work]:
        """Keep or count a failing execution; if it is kept, it runs here once more."""
        if len(self.failures) >= MAX_KEPT and not self.signatures.would_keep(suspect.signature, suspect.length):
            self.signatures.count(suspect.signature, 1)
            return
        self._profile = suspect.profile

        def take(trace: Trace) -> None:
            require_same(trace, suspect.digest)
            self._keep(self._failure(trace, self._checkers_runner.findings_in(trace), index))

        yield self.repeated(suspect.schedule, index), take

    def repeated(self, schedule: Schedule, index: int) -> Execution:
        """Return an execution, ready to run, that takes the decisions of `schedule`."""
        scripted = plugins.resolve(plugins.SCHEDULERS, "scripted")(schedule, strict=False)
        return make_execution(self.program, self.machine, scripted, seed=self.seed, index=index, verify=False)

    def _failure(self, trace: Trace, findings: tuple[Finding, ...], index: int | None = None) -> Failure:
        by_index, profile = self._engines.by_index and not self._other_order, self._profile
        if self._engines.undoing is not None:
            profile = self._engines.undoing.profile(trace)
        return Failure(
            self.program, self.machine, self._spec if by_index else None, self.seed,
            self._index if index is None else index, trace, findings, profile if by_index else {}, self._driver,
            self._checkers_runner.choices,
        )  # fmt: skip

    def _keep(self, failure: Failure) -> None:
        grouped = self.signatures.add(failure)
        if first := len(self.failures) < MAX_KEPT:
            self.failures.append(failure)
        if self._found is not None and (grouped or first) and not self._was_told(failure):
            self._untold.append(failure)

    def _was_told(self, failure: Failure) -> bool:
        return bool(self._told) and trace_digest(failure.trace) in self._told

    # -- reporting ----------------------------------------------------------------------------

    @property
    def failing(self) -> int:
        """The number of executions that failed so far."""
        return self._checkers_runner.failing

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
            statistics=self.statistics.summary(self.elapsed, self.failing, self._engines.note, *self._processes),
            signatures=self.signatures.groups,
            unlisted=self.signatures.unlisted,
        )

    @property
    def _processes(self) -> tuple[int, str]:
        return (1, "") if self._team is None else (self._team.processes, self._team.note)

    def _complete(self) -> bool:
        scheduler = self.scheduler
        everything = scheduler.exhausted and scheduler.complete and not self.statistics.truncated
        return everything and not self.interrupted and not self._failed and not self._checkers_runner.why_not_proof

    def _verdict(self, complete: bool) -> tuple[Verdict, str]:
        count = self.statistics.executions
        if self.failing:
            return Verdict.VIOLATED, f"{self.failing:,} of {count:,} executions failed"
        if complete:
            return Verdict.HOLDS, f"all {count:,} executions were explored and none failed"
        none = "the one execution did not fail" if count == 1 else f"none of {count:,} executions failed"
        return Verdict.INCONCLUSIVE, f"{none}, but {self._why_incomplete()}"

    def _why_incomplete(self) -> str:
        if self.interrupted:
            return "the exploration was interrupted"
        if self._failed:
            return "an error ended the exploration"
        runner, exhausted = self._checkers_runner, self.scheduler.exhausted
        if self.statistics.truncated:
            why = f" ({runner.undecided_because})" if runner.undecided_because else ""
            cut = self.statistics.truncated
            return f"{cut:,} {'was' if cut == 1 else 'were'} cut by a limit on steps or threads{why}"
        if runner.undecided or (exhausted and runner.why_not_proof):
            return runner.why_not_proof
        if exhausted:
            return self.scheduler.bound_note or "the scheduler does not explore everything"
        if self.statistics.executions and self.statistics.pruned == self.statistics.executions:
            return "the scheduler gave up each of them (its choose returned None)"
        if self.is_out_of_time():
            return f"the time limit of {self.seconds:g} s was reached"
        if self.scheduler.exhaustive:
            return f"the limit of {self.execution_limit:,} executions was reached before the end"
        return f"{'it is' if self.statistics.executions == 1 else 'they are'} a sample, not all there are"
