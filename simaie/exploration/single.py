"""One execution of an exploration, by its index.

A scheduler that learns nothing from one execution to the next repeats any of them from seed and index alone. One that
does learn (a profile of lengths or weights, a place in a search tree) must first have seen the executions before it:
these are run again, and neither judged nor counted. The replay file of a failure carries the profile
instead, so replaying is never slower than the execution itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simaie.check import DEFAULT, CheckerChoice
from simaie.errors import UsageError
from simaie.exploration.explorer import Exploration, Found, Progress
from simaie.exploration.report import Report
from simaie.exploration.scheduler_choice import SchedulerChoice, make_scheduler
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.protocols import Scheduler
from simaie.replaying.run import Driver
from simaie.trace import Trace

__all__ = ["explore_index", "learns"]


def learns(scheduler: Scheduler) -> bool:
    """Whether what `scheduler` does depends on the executions that it has seen before."""
    return scheduler.exhaustive or type(scheduler).profile is not Scheduler.profile


def explore_index(
    program: Program,
    machine: Machine,
    scheduler: SchedulerChoice = "portfolio",
    *,
    index: int,
    seed: int = 0,
    seconds: float | None = None,
    checkers: Sequence[CheckerChoice] = DEFAULT,
    driver: Driver = "inline",
    check_determinism: bool = False,
    progress: Progress | None = None,
    found: Found | None = None,
) -> Report:
    """The report on execution number `index` (from 0) of `seed`, and on nothing else.

    The other arguments mean what they mean to `simaie.explore`; `seconds` also limits the executions before it.
    Raises UsageError if `index` is negative or the scheduler has explored everything before it gets there, and
    Interrupted, with the report, at Ctrl-C.
    """
    if index < 0:
        raise UsageError(f"index must not be negative, not {index}")
    made, _ = make_scheduler(scheduler)
    first = 0 if learns(made) else index
    one = _OneExecution(
        program,
        machine,
        scheduler,
        seed=seed,
        executions=1,
        seconds=seconds,
        failures=None,
        checkers=checkers,
        driver=driver,
        check_determinism=check_determinism,
        progress=progress,
        first_index=first,
        found=found,
        wanted=index,
    )
    report = one.run()
    if not report.executions and one.scheduler.exhausted:
        raise UsageError(f"there is no execution {index}: {report.scheduler} explores everything in {one.passed}")
    return report


class _OneExecution(Exploration):
    """Runs from the first index to the wanted one, and looks only at that."""

    def __init__(self, *args: Any, wanted: int, **options: Any) -> None:
        super().__init__(*args, **options)
        self._wanted = wanted
        self.passed = 0

    def _take(self, trace: Trace) -> None:
        if self._index == self._wanted:
            super()._take(trace)
            return
        self._index += 1
        self.passed += 1

    def _complete(self) -> bool:
        return False

    def _why_incomplete(self) -> str:
        return "it was the only one to be run" if self.statistics.executions else super()._why_incomplete()
