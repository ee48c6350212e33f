"""The state of a shrinking search, in which candidates are run and judged until the budget is spent.

Invariant: `best` was run, and has a violation of each demanded kind (see `demand`). Every candidate is run, even if a
pass takes it for equivalent to the best one.
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
    """The budget of executions is spent; the passes do not handle it."""


class ShrinkReport(msgspec.Struct, frozen=True):
    """The report on a shrinking search.

    Attributes:
        kind: The kind of finding that was kept.
        before: The size of the original execution.
        after: The size of the shortest execution.
        executions: The number of candidates that were run.
        exhausted: Whether the budget was spent before the passes had tried everything.
        interrupted: Whether Ctrl-C ended the search.
        kept: The kinds that every candidate had to have, at their strongest level: `kind`, and the others that made the
            original strong.
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
        if self.before == self.after:
            return f"{self.after}, and none of {self.executions:,} other executions is shorter{why}"
        return f"from {self.before} to {self.after}, in {self.executions:,} executions{why}"


#: Called after each candidate with the number of candidates so far, their limit, and the best size so far.
ShrinkProgress: TypeAlias = Callable[[int, int, Size], None]


class Attempt(msgspec.Struct, frozen=True, eq=False):
    """A candidate that was run.

    Attributes:
        program: The program that ran.
        trace: The execution.
        findings: The findings of the checkers.
        strongest: The findings at their strongest level.
        size: The size of the execution.
    """

    program: Program
    trace: Trace
    findings: tuple[Finding, ...]
    strongest: tuple[Finding, ...]
    size: Size

    def meets(self, demand: Iterable[str]) -> bool:
        """Return whether the execution has a violation of each of these kinds."""
        return meets(demand, self.findings, self.strongest)


class ShrinkState:
    """The state of a shrinking search.

    Attributes:
        best: The smallest failing execution so far.
        demand: The kinds of finding that a candidate must have.
        spent: The number of candidates so far.
    """

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
        #: Whether the watchdog had to stop a candidate that ran without a step, which takes seconds.
        self.hit_watchdog = False
        #: Whether the default execution of the original program fails too; None if no pass has asked yet.
        self.fails_by_default: bool | None = None
        self._machine, self._checkers, self._driver = machine, tuple(checkers), driver
        self._limit, self._progress = executions, progress
        self._tried: set[tuple[object, ...]] = set()

    @property
    def left(self) -> int:
        """The number of candidates that may still be run."""
        return self._limit - self.spent

    @property
    def guilty(self) -> list[tuple[int, ...]]:
        """The steps of the earliest finding of each demanded kind in the best execution.

        A kind is left out if its findings name no steps, or have the kind of a stronger level.
        """
        known = range(len(self.best.trace))
        found: list[tuple[int, ...]] = []
        for kind in self.demand:
            steps = [tuple(s for s in f.steps if s in known) for f in self.best.strongest if f.kind == kind]
            found += [min(steps, key=lambda some: max(some, default=0))] if steps else []
        return found

    def execute(self, program: Program, scheduler: Scheduler) -> Attempt | None:
        """Run and judge one candidate; return None if it cannot be run.

        Raises:
            BudgetSpent: The budget of executions is spent.
        """
        if self.left <= 0:
            raise BudgetSpent
        self.spent += 1
        try:
            trace = run(program, self._machine, scheduler, driver=self._driver)
            findings = judge(trace, self._checkers)
            strongest = at_strongest_level(trace, findings, self._machine.endian)
            attempt = Attempt(program, trace, findings, strongest, Size.of(trace))
        except (InternalError, SchedulerError):  # a bug of simaie, which must not be hidden
            raise
        except GuestSpinError:
            self.hit_watchdog = True
            return None
        except Exception:  # a guest may raise under another schedule or with parts missing, and is then no candidate
            return None
        finally:
            if self._progress is not None:
                self._progress(self.spent, self._limit, self.best.size)
        return attempt

    def offer(self, attempt: Attempt | None, only_if: Callable[[], bool] = lambda: True) -> bool:
        """Keep `attempt` as the best if it meets the demand and is smaller; return whether it was kept.

        Of two executions of the same size, the one of the shorter program is smaller, because some instructions perform
        no operation.

        Args:
            attempt: The candidate; None is never kept.
            only_if: A further condition, which is checked last because it costs executions.
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
        """Run `turns`, unless they were run before; return whether the execution is the new best."""
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
        """Run `segments`, unless they were run before; return whether the execution is the new best.

        Args:
            segments: The segments, from those of the best execution.
            points: The program points of the best execution.
            choices: The values of the local choices.
            program: The program; None for that of the best execution.
            only_if: As for `offer`.
        """
        program = program or self.best.program
        key = (self.best.trace.digest, _identity(program), tuple(segments), choices)
        if key in self._tried:
            return False
        self._tried.add(key)
        return self.offer(self.execute(program, FollowSegments(segments, points, choices)), only_if)


def _measure(attempt: Attempt) -> tuple[Size, int]:
    return attempt.size, sum(len(thread) for thread in attempt.program.threads if isinstance(thread, Code))


def _identity(program: Program) -> tuple[Cut, ...]:
    """Return what identifies a program within one search: its cuts."""
    return program.cuts
