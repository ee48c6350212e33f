"""Running one execution of an exploration again, by its index.

A scheduler that learns nothing from earlier executions repeats any execution from seed and index alone. One that learns
(a profile of lengths or weights, a place in a search tree) must first see the executions before it. These are run
again, but neither judged nor counted. A replay file has the profile of the scheduler instead, so that a replay is never
slower than the execution itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simaie.check import DEFAULT, CheckerChoice
from simaie.errors import UsageError
from simaie.exploration.engines import MEMO_SWITCH, has_another_order
from simaie.exploration.in_progress import Exploration, ExplorationProgress
from simaie.exploration.kept import FailureCallback
from simaie.exploration.report import Report
from simaie.exploration.scheduler_choice import SchedulerChoice, make_scheduler
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.protocols import Scheduler
from simaie.replaying.run import Driver
from simaie.trace import Trace

__all__ = ["explore_index", "learns"]


def learns(scheduler: Scheduler) -> bool:
    """Whether the choices of `scheduler` depend on earlier executions."""
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
    progress: ExplorationProgress | None = None,
    found: FailureCallback | None = None,
) -> Report:
    """Return the report on one execution of an exploration.

    Args:
        program: The guest program.
        machine: The machine.
        scheduler: As for `simaie.explore`, as all arguments that are not described here.
        index: The number of the execution, from 0.
        seed: The seed of the exploration.
        seconds: The time at most, in seconds, with the executions before it.
        checkers: The checkers.
        driver: The driver.
        check_determinism: Whether to run it twice and compare.
        progress: Called from time to time.
        found: Called with the failure.

    Raises:
        UsageError: `index` is negative, or the scheduler explores everything in fewer executions.
        Interrupted: Ctrl-C ended the run; it has the report.
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
    """An exploration that runs from the first index to the wanted one, and judges only that one."""

    def __init__(self, *args: Any, wanted: int, **options: Any) -> None:
        super().__init__(*args, **options)
        self._wanted = wanted
        self.passed = 0

    def take(self, trace: Trace) -> None:
        """Judge and count the execution that is wanted, and no other."""
        if self.index == self._wanted:
            super().take(trace)
            return
        self.index += 1
        self.passed += 1

    def is_complete(self) -> bool:
        """One execution is not everything."""
        return False

    def why_incomplete(self) -> str:
        """Return why the execution supports no proof."""
        if not self.statistics.executions:
            return super().why_incomplete()
        ran = "only this execution was run"
        if has_another_order(self.scheduler):
            return f"{ran}; it has another index without {MEMO_SWITCH}=0, which changes the order of the executions"
        return ran
