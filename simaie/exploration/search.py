"""The loop of the searches that run every execution of a program: optimal DPOR, until a limit or Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from simaie.arguments import require_at_least_one
from simaie.engine.execution import Execution
from simaie.exploration.engines import Engines
from simaie.exploration.scheduler_choice import make_scheduler
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.protocols import require_positive
from simaie.trace import Trace

__all__ = ["EXECUTIONS", "Search", "SearchLimits", "SearchProgress"]

EXECUTIONS = 1_000_000
#: Called now and then with how many executions were run.
SearchProgress: TypeAlias = Callable[[int], None]
_PROGRESS_EVERY = 64


@dataclass(frozen=True)
class SearchLimits:
    """Of one search. executions: at most this many. seconds: at most this long, None for no limit.

    choices: an execution in which more choices than this did not come out as usual ends the search, None for no limit.
    """

    executions: int = EXECUTIONS
    seconds: float | None = None
    choices: int | None = None

    def require(self) -> None:
        """Raise UsageError unless both are positive."""
        require_at_least_one("executions", self.executions)
        require_positive(seconds=self.seconds)


class Search:
    """Runs the executions of `program` on `machine`, each Mazurkiewicz trace once.

    executions: how many were run. interrupted: whether Ctrl-C ended the search.
    """

    def __init__(
        self, program: Program, machine: Machine, limits: SearchLimits, progress: SearchProgress | None = None
    ) -> None:
        limits.require()
        self._limits, self._progress = limits, progress
        self._engines = Engines(program, machine)
        self._scheduler, _ = make_scheduler("dpor")
        self._began = time.perf_counter()
        self.executions = 0
        self.interrupted = False

    def run(self, take: Callable[[Execution, int], None], enough: Callable[[], bool]) -> None:
        """Hand each execution, not yet run, with its number to `take`, until there are no more, or `enough` says so.

        Ctrl-C ends the search as a limit does.
        """
        scheduler, progress = self._scheduler, self._progress
        try:
            with self.interruptible():
                while not (scheduler.exhausted or enough() or self._spent):
                    take(self._engines.make(scheduler, self.executions), self.executions)
                    self.executions += 1
                    if progress is not None and self.executions % _PROGRESS_EVERY == 0:
                        progress(self.executions)
        finally:
            self._engines.close()

    def trace_of(self, execution: Execution, index: int) -> Trace:
        """Run an execution, which `take` was handed with its number, on the engine that is due."""
        return self._engines.run(execution, index)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """A context that Ctrl-C leaves quietly; it makes the search an interrupted one."""
        try:
            yield
        except KeyboardInterrupt:
            self.interrupted = True

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.perf_counter() - self._began

    @property
    def _spent(self) -> bool:
        limits = self._limits
        return self.executions >= limits.executions or (limits.seconds is not None and self.seconds >= limits.seconds)

    @property
    def exhausted(self) -> bool:
        """Whether there is no execution left to run."""
        return self._scheduler.exhausted and not self.interrupted

    @property
    def complete(self) -> bool:
        """Whether every execution there is was run."""
        return self.exhausted and self._scheduler.complete

    def why_incomplete(self) -> str:
        """Why there may be other executions; empty if there are none."""
        if self.interrupted:
            return "the search was interrupted"
        if self.exhausted:
            return "" if self.complete else self._scheduler.bound_note or "the search does not run everything"
        if self.executions >= self._limits.executions:
            return f"the limit of {self._limits.executions} executions was reached"
        return f"the time limit of {self._limits.seconds:g} s was reached"
