"""The audit itself: plan, examine row after row, stop when told to."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from simaie.audit.examine import examine
from simaie.audit.plan import SchemeChoice, plan
from simaie.audit.report import AuditReport, AuditRow
from simaie.errors import Interrupted

__all__ = ["DEFAULT_SEED", "audit"]

DEFAULT_SEED = 0

#: Called after each row with how many are done, of how many, and the row.
Progress: TypeAlias = Callable[[int, int, AuditRow], None]


def audit(
    schemes: Sequence[SchemeChoice] | None = None,
    rows: Sequence[int] | None = None,
    *,
    seed: int = DEFAULT_SEED,
    progress: Progress | None = None,
) -> AuditReport:
    """Examine every corpus program under every scheme that it has an expectation for.

    schemes: only these, each a name, ``"name:option=value"``, or a scheme class, also as ``"FILE.py:CLASS"``. A class
    is held to what is expected of the nearest named scheme it derives from; one that derives from none must break no
    case that the ideal scheme keeps, among those whose instructions it emulates. rows: only these. seed: of all that is
    sampled. The result depends on the arguments alone, but for the seconds.

    Raises UnknownNameError or UsageError for a scheme or row that the corpus says nothing of. Raises
    `simaie.Interrupted` at Ctrl-C; its ``report`` has the rows done so far, and is not ok.
    """
    items = plan(schemes, rows)
    began = time.perf_counter()
    done: list[AuditRow] = []
    interrupted = False
    try:
        for item in items:
            done.append(examine(item, seed))
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
        raise Interrupted(f"the audit, after {len(done)} of {len(items)} rows,", report)
    return report
