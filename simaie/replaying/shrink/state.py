"""Where candidates are run and judged: the best so far, what was spent, and when to stop.

Invariant: `best` has a violation of each demanded kind (see `demand`), and was run on this state. No candidate is taken
on trust: one that a pass believes equivalent is run as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import msgspec

from simaie.check import judge
from simaie.errors import GuestSpinError, InternalError, SchedulerError
from simaie.finding import Finding
from simaie.guest.code import Code
from simaie.guest.cut import Cut
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.protocols import Checker, Scheduler
from simaie.replaying.levels import at_strongest_level
from simaie.replaying.run import Driver, run
from simaie.replaying.shrink.demand import meets
from simaie.replaying.shrink.relative_schedule import FollowSegments, ProgramPoints, Segment
from simaie.replaying.shrink.size import Size
from simaie.replaying.shrink.turns import Choices, InTurns, Turn, joined
from simaie.trace import Trace

__all__ = ["Attempt", "BudgetSpent", "ShrinkProgress", "ShrinkReport", "ShrinkState"]


class BudgetSpent(Exception):
    """No executions are left; the passes let it through."""


class ShrinkReport(msgspec.Struct, frozen=True):
    """What shrinking did. kind: of the finding that was kept; executions: how many were run; interrupted: by Ctrl-C.

    exhausted: whether the budget ended before the passes had nothing left to try. kept: the kinds that every candidate
    had to have, at their strongest level: `kind`, and what else made the original strong.
    """

    kind: str
    before: Size
    after: Size
    executions: int
    exhausted: bool
    interrupted: bool
    kept: tuple[str, ...] = ()

    def __str__(self) -> str:
        why = " (interrupted)" if self.interrupted else " (all that were allowed)" if self.exhausted else ""
        return f"from {self.before} to {self.after}, in {self.executions} executions{why}"


#: Called now and then with how many executions were run, of how many, and the best size so far.
ShrinkProgress: TypeAlias = Callable[[int, int, Size], None]


class Attempt(msgspec.Struct, frozen=True, eq=False):
    """One execution that was run. findings: what the checkers say; strongest: the same at the strongest level."""

    program: Program
    trace: Trace
    findings: tuple[Finding, ...]
    strongest: tuple[Finding, ...]
    size: Size

    def meets(self, demand: Iterable[str]) -> bool:
        """Whether there is a violation of each of these kinds."""
        return meets(demand, self.findings, self.strongest)


class ShrinkState:
    """best: the smallest failing execution so far. demand: the kinds that a candidate must have."""

    def __init__(
        self,
        first: Attempt,
        machine: Machine,
        demand: tuple[str, ...],
        *,
        checkers: Sequence[Checker],
        driver: Driver,
        executions: int,
        progress: ShrinkProgress | None,
    ) -> None:
        self.best, self.demand, self.spent = first, demand, 0
        #: Whether a candidate ran on without a step until the watchdog stopped it, which takes seconds.
        self.hit_watchdog = False
        #: Whether the default execution of the whole program fails too; None as long as nobody wanted to know.
        self.fails_by_default: bool | None = None
        self._machine, self._checkers, self._driver = machine, tuple(checkers), driver
        self._limit, self._progress = executions, progress
        self._tried: set[tuple[object, ...]] = set()

    @property
    def left(self) -> int:
        """How many executions may still be run."""
        return self._limit - self.spent

    @property
    def guilty(self) -> list[tuple[int, ...]]:
        """The steps of the best execution that show what is demanded: of each kind those of its earliest finding.

        A kind has none where its findings name no steps, or are known under the kind of a stronger level.
        """
        known = range(len(self.best.trace))
        found: list[tuple[int, ...]] = []
        for kind in self.demand:
            steps = [tuple(s for s in f.steps if s in known) for f in self.best.strongest if f.kind == kind]
            found += [min(steps, key=lambda some: max(some, default=0))] if steps else []
        return found

    def execute(self, program: Program, scheduler: Scheduler) -> Attempt | None:
        """Run and judge one candidate; None if it cannot be run. Raises BudgetSpent when it may not."""
        if self.left <= 0:
            raise BudgetSpent
        self.spent += 1
        try:
            trace = run(program, self._machine, scheduler, driver=self._driver)
            findings = judge(trace, self._checkers)
            strongest = at_strongest_level(trace, findings, self._machine.endian)
            attempt = Attempt(program, trace, findings, strongest, Size.of(trace))
        except (InternalError, SchedulerError):  # ours to mend, not to hide
            raise
        except GuestSpinError:
            self.hit_watchdog = True
            return None
        except Exception:  # a guest may raise under another schedule, or with parts missing: then it is no candidate
            return None
        finally:
            if self._progress is not None:
                self._progress(self.spent, self._limit, self.best.size)
        return attempt

    def offer(self, attempt: Attempt | None, only_if: Callable[[], bool] = lambda: True) -> bool:
        """Take `attempt` as the best if it meets the demand and is smaller; whether it was taken.

        Of two of the same size, that of the shorter program is: instructions may be there that take no step.
        only_if: a condition that costs executions, asked last.
        """
        if attempt is None or not attempt.meets(self.demand):
            return False
        if _measure(attempt) >= _measure(self.best) or not only_if():
            return False
        self.best = attempt
        return True

    def try_turns(
        self,
        turns: Sequence[Turn],
        choices: Choices,
        program: Program | None = None,
    ) -> bool:
        """Run `turns`, unless that was done before; whether the outcome is the new best."""
        program = program or self.best.program
        turns = joined(turns)
        key = (_identity(program), tuple(turns), choices)
        if key in self._tried:
            return False
        self._tried.add(key)
        return self.offer(self.execute(program, InTurns(turns, choices)))

    def try_segments(
        self,
        segments: Sequence[Segment],
        points: ProgramPoints,
        choices: Choices,
        program: Program | None = None,
        only_if: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Run `segments` of the best execution as `try_turns` runs turns. only_if: as for `offer`."""
        program = program or self.best.program
        key = (self.best.trace.digest, _identity(program), tuple(segments), choices)
        if key in self._tried:
            return False
        self._tried.add(key)
        return self.offer(self.execute(program, FollowSegments(segments, points, choices)), only_if)


def _measure(attempt: Attempt) -> tuple[Size, int]:
    return attempt.size, sum(len(thread) for thread in attempt.program.threads if isinstance(thread, Code))


def _identity(program: Program) -> tuple[Cut, ...]:
    """Which of the programs on one state it is: they differ in what is cut."""
    return program.cuts
