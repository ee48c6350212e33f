"""The counterexample of an audit's row: run again by its index, and shrunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simaie.audit.examine import SAMPLING
from simaie.audit.plan import AuditedScheme, Item, plan
from simaie.audit.report import AuditReport, AuditRow, RowResult
from simaie.corpus import Expect
from simaie.exploration.single import explore_index
from simaie.replaying.failure import Shrunk

__all__ = ["row_counterexamples"]


def row_counterexamples(
    report: AuditReport, schemes: Sequence[AuditedScheme] | None = None, rows: Sequence[int] | None = None
) -> Iterator[tuple[AuditRow, Shrunk]]:
    """Yield each row of `report` that found an expected hole, with its shortest counterexample.

    Each counterexample keeps the kind of finding that shows the hole.

    Args:
        report: The report of an audit.
        schemes: As passed to `simaie.audit.audit`.
        rows: As passed to `simaie.audit.audit`.
    """
    items = {(item.case.row, item.case.name, item.scheme): item for item in plan(schemes, rows)}
    for row in report.rows:
        if row.expected is Expect.FINDABLE and row.found is RowResult.VIOLATED and row.index is not None:
            yield row, _shrunk(items[row.row, row.program, row.scheme], row)


def _shrunk(item: Item, row: AuditRow) -> Shrunk:
    again = explore_index(
        item.case.program, item.machine, SAMPLING, index=row.index or 0, seed=row.seed
    )
    failure = again.failures[0]
    kind = next(finding.kind for finding in failure.findings if finding.kind in item.case.kinds)
    return failure.shrink(kind=kind)
