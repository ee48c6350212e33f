"""The part of an exploration that runs in a worker process."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from copy import copy
from typing import Any, NamedTuple

from simaie.engine.memo.undone import Branch
from simaie.engine.memo.undone import Explored as ExploredBranch
from simaie.exploration.coverage import CoverageRecorder
from simaie.exploration.engines import StartAgain
from simaie.exploration.in_progress import Exploration
from simaie.exploration.kept import MAX_KEPT
from simaie.exploration.running import run_work
from simaie.exploration.signatures import Signatures
from simaie.exploration.statistics import MAX_OUTCOMES, StatisticsCollector
from simaie.exploration.tally import Last, Suspect, Tally
from simaie.exploration.task import Task
from simaie.finding import Finding
from simaie.replaying.signature import Signature
from simaie.trace import Trace

__all__ = ["MOST_EXECUTIONS", "Explored", "Part", "Range", "Stretch", "Trouble", "Worker", "lost"]

#: The number of executions in one piece of work at most, so that all their outcomes are counted.
MOST_EXECUTIONS = min(4096, MAX_OUTCOMES)


class Range(NamedTuple):
    """A piece of work: consecutive executions.

    Attributes:
        first: The index of the first execution.
        executions: The number of executions.
        failures: The number of failing executions after which to stop; None to go on.
        profile: The profile of the scheduler before them.
    """

    first: int
    executions: int
    failures: int | None
    profile: Mapping[str, Any]


class Stretch(NamedTuple):
    """A piece of work: executions of one branch of a search by undo.

    Attributes:
        branch: The branch.
        executions: The number of executions at most.
        failures: The number of failing executions after which to stop; None to go on.
    """

    branch: Branch
    executions: int
    failures: int | None


class Trouble(NamedTuple):
    """Why a worker did not finish a piece, which the exploration then runs itself.

    Attributes:
        kind: The class of the error; empty if workers died at the piece, or cannot do it.
        message: The message of the error.
    """

    kind: str = ""
    message: str = ""


class Explored(NamedTuple):
    """What a worker returns for a piece of work.

    Attributes:
        tally: The executions.
        profile: The profile of the scheduler after them.
        seconds: The processor time that they took, in seconds: pieces do not shrink where other programs run, too.
        has_enough: Whether they ended at the last failure that was wanted.
        branch: The result of the search by undo; None if there is none.
    """

    tally: Tally
    profile: Mapping[str, Any]
    seconds: float
    has_enough: bool
    branch: ExploredBranch | None = None

    def goes_beyond(self, failures: int) -> bool:
        """Whether there are more failures than `failures`, or may be executions after the last of them."""
        failing = self.tally.judgements.failing
        return failing > failures or (failing == failures and not self.has_enough)


def lost(piece: object) -> Trouble:
    """Return the result of a piece at which several workers died."""
    return Trouble()


class Worker:
    """A function of a piece of work, which is sent to another process and keeps its part of the exploration there."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._part: Part | None = None

    def __call__(self, piece: Range | Stretch) -> Explored | Trouble:
        """Run a piece of work; an exception becomes a `Trouble`."""
        if self._part is None:
            self._part = Part(self._task)
        try:
            return self._part.range(piece) if isinstance(piece, Range) else self._part.stretch(piece)
        except StartAgain:
            self._part = None
            return Trouble()
        except BaseException as error:  # a guest may raise anything, and it is raised again in the exploration
            self._part = None
            return Trouble(type(error).__name__, str(error))


class Part(Exploration):
    """An exploration that runs pieces of another one, and returns tallies."""

    def __init__(self, task: Task) -> None:
        super().__init__(
            task.program,
            task.machine,
            task.scheduler,
            seed=task.seed,
            executions=MOST_EXECUTIONS,
            seconds=None,
            failures=None,
            checkers=task.checkers,
            driver=task.driver,
            coverage=task.coverage,
            check_determinism=task.check_determinism,
            progress=None,
        )
        self._signatures = Signatures(MOST_EXECUTIONS)
        self._suspects: list[Suspect] = []
        self._others: Counter[Signature] = Counter()

    def range(self, piece: Range) -> Explored:
        """Run the executions of `piece`; any exception ends this part."""
        began = time.process_time()
        self.scheduler.restore(piece.profile)
        self.index = self._first_index = piece.first
        self.execution_limit, self._failure_limit = piece.executions, piece.failures
        tally = self._tallied()
        return Explored(tally, self.scheduler.profile(), time.process_time() - began, self.has_enough)

    def stretch(self, piece: Stretch) -> Explored:
        """Run executions of the branch of `piece`; any exception ends this part."""
        began = time.process_time()
        self._first_index = self.index  # the executions are counted on, so that not each piece is verified
        self.execution_limit, self._failure_limit = piece.executions, piece.failures
        undone = self.begin_undoing()
        undone.begin(piece.branch)
        tally = self._tallied()
        if undone.why_not or undone.has_new_names:
            raise StartAgain
        return Explored(tally, {}, time.process_time() - began, self.has_enough, undone.explored())

    def _collector(self) -> CoverageRecorder:
        return CoverageRecorder(self.scheduler)

    def start_again(self) -> None:
        """Raise `StartAgain`: a worker cannot."""
        raise StartAgain

    def _tallied(self) -> Tally:
        """Run executions up to a limit, and return their tally."""
        self.statistics = StatisticsCollector(sampling=self.statistics.sampling, coverage=self._coverage)
        self._signatures = Signatures(MOST_EXECUTIONS)
        self.checkers.forget()
        self._suspects, self._others = [], Counter()
        run_work(self, self._maker.executions(), self._engines, self._driver)
        statistics = copy(self.statistics)
        statistics.coverage = None
        covered = self._coverage.take() if isinstance(self._coverage, CoverageRecorder) else None
        suspects, others = tuple(self._suspects), dict(self._others)
        return Tally(statistics, covered, self.checkers.judgements, suspects, others, self._last())

    def _last(self) -> Last | None:
        last = self._consistency.last
        if last is None or last[0] < self._first_index:
            return None
        index, trace = last
        return Last(index - self._first_index, trace.schedule, trace.digest)

    def _take_failing(self, trace: Trace, findings: tuple[Finding, ...]) -> None:
        profile = self._maker.profile
        failure = self._failure(self._engines.kept(trace), findings, self.index, profile)
        signature, number = failure.signature, self.index - self._first_index
        if self._signatures.add(failure) or len(self._suspects) < MAX_KEPT:
            self._suspects.append(
                Suspect(number, trace.schedule, trace.digest, len(trace), signature, profile)
            )
        else:
            self._others[signature] += 1
