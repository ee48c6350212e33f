"""What an exploration consists of, in a form that reaches worker processes, and whether it does."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Sequence
from typing import NamedTuple

from simaie.check import CheckerChoice
from simaie.exploration.scheduler_choice import SchedulerChoice
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.replaying.run import Driver

__all__ = ["Task", "why_no_workers"]


class Task(NamedTuple):
    """The arguments of `simaie.explore` on which an execution depends."""

    program: Program
    machine: Machine
    scheduler: SchedulerChoice
    seed: int
    checkers: Sequence[CheckerChoice]
    driver: Driver
    coverage: bool
    check_determinism: bool


def why_no_workers(task: object) -> str:
    """Return why this process cannot have workers for `task`; empty if it can.

    A worker that is a fork of this process has all of its objects. Elsewhere they are pickled.
    """
    if multiprocessing.current_process().daemon:
        return "this process is a worker itself"
    if multiprocessing.get_start_method() == "fork":
        return ""
    try:
        pickle.dumps(task)
    except Exception as error:
        return f"the program, the machine or the scheduler cannot be sent to another process ({error})"
    return ""
