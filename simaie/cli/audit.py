"""What ``simaie audit`` does: run the corpus, and compare what came of it with what must."""

from __future__ import annotations

from collections.abc import Sequence

from simaie.audit import DEFAULT_SEED, AuditReport, audit
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines
from simaie.cli.progress import audit_progress
from simaie.cli.status import Status
from simaie.show.audit_view import audit_view

__all__ = ["audit_status", "run_audit"]


def run_audit(schemes: Sequence[str] | None, rows: Sequence[int] | None, seed: int | None, output: Format) -> Status:
    """Holds if every row came out as expected, violated if one did not, inconclusive if it was interrupted."""
    with guest_output_aside(), audit_progress() as progress:
        report = audit(schemes, rows, seed=DEFAULT_SEED if seed is None else seed, progress=progress)
    if output is Format.JSON:
        print_json(report.as_dict())
    else:
        print_lines([audit_view(report)])
    return audit_status(report)


def audit_status(report: AuditReport) -> Status:
    """A row that differs outweighs rows that were not reached."""
    if report.unexpected:
        return Status.VIOLATED
    return Status.HOLDS if report.ok else Status.INCONCLUSIVE
