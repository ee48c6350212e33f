"""The number of processes that a caller asks for."""

from __future__ import annotations

import os
from typing import Literal, TypeAlias

from simaie.arguments import is_integer
from simaie.errors import UsageError

__all__ = ["Jobs", "number_of_jobs"]

#: A number of processes, or one for each core that this process may use.
Jobs: TypeAlias = int | Literal["auto"]


def number_of_jobs(jobs: Jobs | str) -> int:
    """Return the number of processes; `jobs` may also be a number as text.

    Raises:
        UsageError: It is neither a positive number nor ``"auto"``.
    """
    if jobs == "auto":
        return _cores()
    number = int(jobs) if isinstance(jobs, str) and jobs.isdecimal() else jobs
    if not isinstance(number, int) or not is_integer(number) or number < 1:
        raise UsageError(f"jobs must be a positive number or 'auto', not {jobs!r}")
    return int(number)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
