"""What ``simaie audit`` does: run the corpus, and compare what came of it with what must."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from rich.text import Text

from simaie.audit import DEFAULT_SEED, AuditReport, audit, row_counterexamples
from simaie.cli.interrupts import found_until_interrupted, status_unless_interrupted
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
    """Holds if every row came out as expected, violated if one did not, interrupted if Ctrl-C came first."""
    with guest_output_aside(), audit_progress() as progress:
        report, interrupted = found_until_interrupted(
            partial(audit, schemes, rows, seed=DEFAULT_SEED if seed is None else seed, progress=progress)
        )
    explain = explain and not interrupted
    if output is Format.JSON:
        _print_documents(report, schemes, rows, explain)
    else:
        print_lines([(audit_details if verbose else audit_summary)(report)])
        if explain:
            _print_counterexamples(report, schemes, rows)
    return status_unless_interrupted(audit_status(report), interrupted)


def _print_counterexamples(report: AuditReport, schemes: Sequence[str] | None, rows: Sequence[int] | None) -> None:
    for row, shrunk in row_counterexamples(report, schemes, rows):
        heading = Text(f"\nrow {row.row}: {clean(row.title)}", "bold")
        print_lines([heading.append(f"  {clean(row.program)} under {clean(row.scheme)}", ""), Text()])
        print_lines(failure_view(shrunk.failure, width=width()))
        print_lines([Text("reproduce: ").append(clean(shrunk.failure.how_to_reproduce), "cyan")])


def _print_documents(
    report: AuditReport, schemes: Sequence[str] | None, rows: Sequence[int] | None, explain: bool
) -> None:
    """Print the report, with the counterexamples that there are when Ctrl-C comes, which is then raised again."""
    shown: list[dict[str, Any]] = []
    interrupt: KeyboardInterrupt | None = None
    try:
        for row, shrunk in row_counterexamples(report, schemes, rows) if explain else ():
            explanation = explain_failure(shrunk.failure)
            shown.append({"row": row.row, "explanation": explanation, **failure_document(shrunk.failure)})
    except KeyboardInterrupt as caught:
        interrupt = caught
    print_json(report.as_dict() | ({"counterexamples": shown} if explain else {}))
    if interrupt is not None:
        raise interrupt


def audit_status(report: AuditReport) -> Status:
    """A row that differs outweighs rows that were not reached."""
    if report.unexpected:
        return Status.VIOLATED
    return Status.HOLDS if report.ok else Status.INCONCLUSIVE
