"""The goals of a program in an exploration: which happened, how often, and where first (see `simaie.guest.goals`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from simaie.decision import Schedule
from simaie.guest.program import Program

__all__ = ["MAX_GOALS", "Goal", "GoalCounts"]

#: The number of goals that are counted; a guest may compute names without end.
MAX_GOALS = 1_000


class Goal(msgspec.Struct, frozen=True):
    """A goal of a program, and whether the executions of an exploration saw it happen.

    Attributes:
        name: Its name.
        happened: The number of executions in which it happened.
        reached: The number of executions that came to a place that states it, whether or not it happened there.
        execution: The index of the first execution in which it happened; None if there is none.
        schedule: The decisions of that execution, which the scheduler ``scripted`` repeats; None if a search of graphs
            found it, which makes no decisions.
    """

    name: str
    happened: int = 0
    reached: int = 0
    execution: int | None = None
    schedule: Schedule | None = None


class GoalCounts:
    """The goals that consecutive executions reached.

    Attributes:
        found: The goals by name, in the order in which they were first reached; an index is the number of executions
            before.
        complete: Whether all are counted, and not only the first `MAX_GOALS`.
    """

    def __init__(self) -> None:
        self.found: dict[str, Goal] = {}
        self.complete = True

    def add(self, goals: Mapping[str, bool], number: int, schedule: Callable[[], Schedule] | None) -> None:
        """Count the goals of one execution.

        Args:
            goals: The goals that it reached, and whether each happened.
            number: The number of executions before it.
            schedule: Returns its decisions; None if it made none.
        """
        is_first = any(happened and not self._of(name).happened for name, happened in goals.items())
        decisions = schedule() if is_first and schedule is not None else None
        for name, happened in goals.items():
            reached = Goal(name, int(happened), 1, number if happened else None, decisions if happened else None)
            self._count(reached)

    def merge(self, later: GoalCounts, executions: int) -> None:
        """Add the goals of executions that come after those so far.

        Args:
            later: Their goals.
            executions: The number of executions so far.
        """
        for goal in later.found.values():
            first = None if goal.execution is None else executions + goal.execution
            self._count(msgspec.structs.replace(goal, execution=first))
        self.complete = self.complete and later.complete

    def of(self, program: Program, first_index: int) -> tuple[Goal, ...]:
        """Return the goals that `program` is known to have, and others that were reached, as a report has them.

        Args:
            program: The program.
            first_index: The index of the first execution.
        """
        names = dict.fromkeys([*program.goals, *self.found])
        return tuple([_moved(self._of(name), first_index) for name in names])

    def _of(self, name: str) -> Goal:
        return self.found.get(name) or Goal(name)

    def _count(self, more: Goal) -> None:
        known = self._of(more.name)
        if not known.reached and len(self.found) >= MAX_GOALS:
            self.complete = False
            return
        example = known if known.happened else more
        self.found[more.name] = Goal(
            more.name, known.happened + more.happened, known.reached + more.reached, example.execution, example.schedule
        )


def _moved(goal: Goal, by: int) -> Goal:
    return goal if goal.execution is None else msgspec.structs.replace(goal, execution=goal.execution + by)
