"""What ``simaie audit`` does: run the corpus, and compare what came of it with what must."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from simaie.audit import DEFAULT_SEED, AuditReport, audit, counterexamples
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines, width
from simaie.cli.progress import audit_progress
from simaie.cli.status import Status
from simaie.show.audit_view import audit_details, audit_summary
from simaie.show.explain import explain_failure
from simaie.show.failure_view import failure_view
from simaie.show.format import clean
from simaie.show.trace_json import failure_document

__all__ = ["audit_status", "run_audit"]


def run_audit(
    schemes: Sequence[str] | None,
    rows: Sequence[int] | None,
    seed: int | None,
    output: Format,
    explain: bool,
    verbose: bool,
) -> Status:
    """Holds if every row came out as expected, violated if one did not, inconclusive if it was interrupted."""
    with guest_output_aside(), audit_progress() as progress:
        report = audit(schemes, rows, seed=DEFAULT_SEED if seed is None else seed, progress=progress)
    if output is Format.JSON:
        shown = _documents(report, schemes, rows) if explain else {}
        print_json(report.as_dict() | shown)
    else:
        print_lines([(audit_details if verbose else audit_summary)(report)])
        if explain:
            _print_counterexamples(report, schemes, rows)
    return audit_status(report)


def _print_counterexamples(report: AuditReport, schemes: Sequence[str] | None, rows: Sequence[int] | None) -> None:
    for row, shrunk in counterexamples(report, schemes, rows):
        heading = Text(f"\nrow {row.row}: {clean(row.title)}", "bold")
        print_lines([heading.append(f"  {clean(row.program)} under {clean(row.scheme)}", ""), Text()])
        print_lines(failure_view(shrunk.failure, width=width()))
        print_lines([Text("again: ").append(clean(shrunk.failure.command), "cyan")])


def _documents(
    report: AuditReport, schemes: Sequence[str] | None, rows: Sequence[int] | None
) -> dict[str, list[dict[str, Any]]]:
    found = counterexamples(report, schemes, rows)
    return {"counterexamples": [
        {"row": row.row, "explanation": explain_failure(shrunk.failure), **failure_document(shrunk.failure)}
        for row, shrunk in found
    ]}


def audit_status(report: AuditReport) -> Status:
    """A row that differs outweighs rows that were not reached."""
    if report.unexpected:
        return Status.VIOLATED
    return Status.HOLDS if report.ok else Status.INCONCLUSIVE
