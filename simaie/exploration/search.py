"""The loop of the searches that run every execution of a program, by optimal DPOR, until a limit or Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from simaie.arguments import require_at_least_one
from simaie.engine.execution import Execution
from simaie.engine.graph.graphs import Graphs
from simaie.engine.memo.undone import Undone
from simaie.exploration.engines import Engines, OutOfTime, StartAgain
from simaie.exploration.scheduler_choice import make_scheduler
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.protocols import require_positive
from simaie.trace import Trace

__all__ = [
    "COMPARED_EXECUTIONS",
    "COMPARED_SECONDS",
    "EXECUTIONS",
    "ExhaustiveSearch",
    "SearchLimits",
    "SearchProgress",
]

EXECUTIONS = 1_000_000
#: The default limits of each search of `simaie.compare` and `minimal_barriers`, so that it ends within minutes.
COMPARED_EXECUTIONS, COMPARED_SECONDS = 100_000, 60.0
#: Called from time to time with the number of executions so far.
SearchProgress: TypeAlias = Callable[[int], None]
_PROGRESS_EVERY = 64


@dataclass(frozen=True)
class SearchLimits:
    """The limits of one search.

    Attributes:
        executions: The number of executions at most.
        seconds: The time at most, in seconds; None for no limit.
        choices: The number of local choices in one execution that are not 0, at most; an execution with more ends the
            search. None for no limit.
    """

    executions: int = EXECUTIONS
    seconds: float | None = None
    choices: int | None = None

    def require(self) -> None:
        """Raise UsageError unless executions and seconds are positive."""
        require_at_least_one("executions", self.executions)
        require_positive(seconds=self.seconds)


class ExhaustiveSearch:
    """A search that runs each Mazurkiewicz trace of a program on a machine once.

    Attributes:
        executions: The number of executions so far.
        interrupted: Whether Ctrl-C ended the search.
    """

    def __init__(
        self,
        program: Program,
        machine: Machine,
        limits: SearchLimits,
        progress: SearchProgress | None = None,
        rehearsed: Callable[[Execution, Trace], None] | None = None,
    ) -> None:
        limits.require()
        self._limits, self._progress = limits, progress
        self._engines = Engines(program, machine, rehearsed=rehearsed, out_of_time=self._is_late)
        self._scheduler, _ = make_scheduler("dpor")
        self._began = time.perf_counter()
        self.executions = 0
        self.interrupted = False

    def run(
        self,
        take: Callable[[Execution | Undone, int], None],
        enough: Callable[[], bool],
        again: Callable[[], None],
    ) -> None:
        """Pass each execution to `take`, which runs it, until none is left, a limit, Ctrl-C, or `enough` returns True.

        Args:
            take: Called with an execution that has not run yet, and its number.
            enough: Called before each execution.
            again: Called if the search begins anew, so that all executions so far come again.
        """
        scheduler, progress = self._scheduler, self._progress
        try:
            with self.interruptible():
                while not (scheduler.exhausted or enough() or self._spent):
                    try:
                        take(self._engines.make(scheduler, self.executions), self.executions)
                    except StartAgain:
                        self.executions = 0
                        again()
                        continue
                    except OutOfTime:
                        break
                    self.executions += 1
                    if progress is not None and self.executions % _PROGRESS_EVERY == 0:
                        progress(self.executions)
        finally:
            self._engines.close()

    @property
    def by_index(self) -> bool:
        """Whether an exploration by the same scheduler has the same executions at the same indices."""
        return self._engines.by_index

    def trace_of(self, execution: Execution | Undone, index: int) -> Trace:
        """Run an execution, which `take` was handed with its number, on the engine that is due."""
        return self._engines.run(execution, index)

    def replayable(self, execution: Execution | Undone, trace: Trace) -> Trace:
        """Return the `trace` of an execution with a schedule that repeats it, before the next execution runs."""
        return self._engines.confirmed(execution, trace) if isinstance(execution, Graphs) else trace

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Return a context that ends quietly at Ctrl-C, and then marks the search as interrupted."""
        try:
            yield
        except KeyboardInterrupt:
            self.interrupted = True

    @property
    def seconds(self) -> float:
        """The time since the search began, in seconds."""
        return time.perf_counter() - self._began

    @property
    def _spent(self) -> bool:
        return self.executions >= self._limits.executions or self._is_late()

    def _is_late(self) -> bool:
        return self._limits.seconds is not None and self.seconds >= self._limits.seconds

    @property
    def limited(self) -> bool:
        """Whether a limit on executions or seconds left some unexplored."""
        return self._spent and not (self.interrupted or self._scheduler.exhausted)

    @property
    def exhausted(self) -> bool:
        """Whether no execution is left to run."""
        return self._scheduler.exhausted and not self.interrupted

    @property
    def complete(self) -> bool:
        """Whether all executions were run."""
        return self.exhausted and self._scheduler.complete

    def why_incomplete(self) -> str:
        """Return why there may be other executions; empty if all were run."""
        if self.interrupted:
            return "the search was interrupted"
        if self.exhausted:
            return "" if self.complete else self._scheduler.bound_note or "the search does not run everything"
        if self.executions >= self._limits.executions:
            return f"the limit of {self._limits.executions} executions was reached"
        return f"the time limit of {self._limits.seconds:g} s was reached"
