"""Explorations in several processes: what is split among worker processes, and what cannot be.

- The executions of random schedulers are split by their index, see `simaie.exploration.ranges`. The scheduler's class
  has to say that executions depend on nothing else (`Scheduler.by_profile`).
- A search by undo is split by its subtrees, see `simaie.exploration.subtrees`.
- All other searches run in one process: those that learn more than their profile says, and exhaustive ones that do not
  go back by undo.

Workers send tallies (`simaie.exploration.tally`), which the exploration takes in the order of one process. So all that
it counts, finds and keeps is the same for any number of processes. Where a worker meets an error, a limit, or more
failures than are wanted, its executions run here once more, and the exploration ends as it would without workers.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Protocol, TypeAlias

from simaie.exploration.engines import can_undo, is_switched_off
from simaie.exploration.task import Task, why_no_workers
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.protocols import Scheduler

if TYPE_CHECKING:
    from simaie.exploration.consistency import Consistency
    from simaie.exploration.in_progress import Exploration
    from simaie.exploration.running import Work

__all__ = ["Attended", "Team", "make_team"]

#: Yields executions that have to run here. Returns whether other processes have contributed executions; if not, the
#: next execution runs here.
Attended: TypeAlias = "Generator[Work, None, bool]"


class Team(Protocol):
    """The worker processes of an exploration.

    Attributes:
        processes: The number of processes that may run executions.
        note: Why there is only one although more were asked for; empty if there are more.
    """

    processes: int
    note: str

    def attend(self) -> Attended:
        """Take what workers have done; called before each execution."""
        ...

    def last_execution(self, consistency: Consistency) -> Generator[Work, None, None]:
        """Let `consistency` know the last execution, if a worker ran it."""
        ...

    def end(self) -> None:
        """End the workers."""
        ...


def make_team(exploration: Exploration, task: Task) -> Team:
    """Return the team for an exploration that has more than one job."""
    from simaie.exploration.ranges import Ranges  # these import the explorer
    from simaie.exploration.subtrees import Subtrees

    scheduler = exploration.scheduler
    if why := why_no_workers(task):
        return Alone(why)
    name = type(scheduler).__name__
    if scheduler.exhaustive:
        why = why_not_by_undo(exploration.program, exploration.machine, scheduler, task)
        return Alone(why) if why else Subtrees(exploration, task)
    if not vars(type(scheduler)).get("by_profile", False):
        return Alone(f"the executions of {name} depend on more than its profile")
    return Ranges(exploration, task)


def why_not_by_undo(program: Program, machine: Machine, scheduler: Scheduler, task: Task) -> str:
    """Return why an exhaustive search cannot be split into subtrees; empty if it can."""
    if type(scheduler).by_undo is Scheduler.by_undo or not scheduler.up_to_commutation:
        return f"{type(scheduler).__name__} is an exhaustive search that is not split into subtrees"
    if task.check_determinism or task.driver != "inline":
        return "an exhaustive search is split only on the inline driver and without the determinism check"
    if can_undo(program, machine, scheduler):
        return ""
    if is_switched_off():
        return "the memo is switched off"
    return "the program has devices" if program.devices else f"no search by undo knows the host {machine.host}"


class Alone:
    """A team without workers."""

    processes = 1

    def __init__(self, why: str) -> None:
        self.note = f"in one process, because {why}"

    def attend(self) -> Attended:
        """Return False: every execution runs here."""
        return False
        yield

    def last_execution(self, consistency: Consistency) -> Generator[Work, None, None]:
        """Do nothing."""
        return
        yield

    def end(self) -> None:
        """Do nothing."""
