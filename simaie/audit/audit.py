"""The audit itself: plan, examine row after row, stop on Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from simaie.audit.examine import examine
from simaie.audit.plan import AuditedScheme, Item, plan
from simaie.audit.report import AuditReport, AuditRow
from simaie.errors import Interrupted
from simaie.exploration.in_order import in_order
from simaie.exploration.jobs import Jobs, number_of_jobs

__all__ = ["DEFAULT_SEED", "audit"]

DEFAULT_SEED = 0

#: Called after each row with the number of rows done, the number of all rows, and the row.
AuditProgress: TypeAlias = Callable[[int, int, AuditRow], None]


def audit(
    schemes: Sequence[AuditedScheme] | None = None,
    rows: Sequence[int] | None = None,
    *,
    seed: int = DEFAULT_SEED,
    jobs: Jobs = 1,
    progress: AuditProgress | None = None,
) -> AuditReport:
    """Examine every corpus program under every scheme for which it has an expectation.

    The result depends only on the arguments, except for the seconds.

    Args:
        schemes: The schemes to examine, each a name, ``"name:option=value"``, or a scheme class, also as
            ``"FILE.py:CLASS"``. A class is compared with the expectations of the nearest named scheme from which it
            derives. A class that derives from no such scheme must break no case that the ideal scheme keeps, among
            those whose instructions it emulates. None for all schemes.
        rows: The rows to examine; None for all.
        seed: Seed of everything that is sampled.
        jobs: The number of processes, or ``"auto"`` for one on each core; it changes the time and no row.
        progress: Called after each row.

    Raises:
        UnknownNameError: The corpus has no expectation for a scheme.
        UsageError: The corpus has no such row, or no expectation for a scheme class.
        Interrupted: Ctrl-C ended the audit; the exception's ``report`` has the rows done so far, and is not ok.
    """
    processes, items = number_of_jobs(jobs), plan(schemes, rows)
    began = time.perf_counter()
    done: list[AuditRow] = []
    interrupted = False
    try:
        for row in in_order(_Examiner(items, seed), range(len(items)), processes):
            done.append(row)
            if progress is not None:
                progress(len(done), len(items), done[-1])
    except KeyboardInterrupt:
        interrupted = True
    report = AuditReport(
        rows=tuple(done),
        planned=len(items),
        seed=seed,
        seconds=time.perf_counter() - began,
        interrupted=interrupted,
    )
    if interrupted:
        raise Interrupted(f"the audit, after {len(done)} of {len(items)} checks,", report)
    return report


class _Examiner:
    """A function from the number of an item to its row."""

    def __init__(self, items: Sequence[Item], seed: int) -> None:
        self._items, self._seed = items, seed

    def __call__(self, number: int) -> AuditRow:
        return examine(self._items[number], self._seed)
