"""The command ``simaie audit``: run the corpus, and compare the outcomes with the expected ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from rich.text import Text

from simaie.audit import DEFAULT_SEED, AuditReport, audit, row_counterexamples
from simaie.cli.documents import Document
from simaie.cli.interrupts import found_until_interrupted, status_unless_interrupted
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines, width
from simaie.cli.progress import audit_progress
from simaie.cli.status import Status
from simaie.show.audit_view import audit_details, audit_summary
from simaie.show.failure_view import failure_view
from simaie.show.format import clean
from simaie.show.lines import command_line
from simaie.show.trace_json import failure_document

__all__ = ["audit_status", "run_audit"]


def run_audit(
    schemes: Sequence[str] | None,
    rows: Sequence[int] | None,
    seed: int | None,
    output: Format,
    explain: bool,
    verbose: bool,
    jobs: int = 1,
) -> Status:
    """Audit, print, and return holds if every row is as expected, violated if one is not."""
    with guest_output_aside(), audit_progress() as progress:
        report, interrupted = found_until_interrupted(
            partial(
                audit, schemes, rows, seed=DEFAULT_SEED if seed is None else seed, jobs=jobs, progress=progress
            )
        )
    explain = explain and not interrupted
    if output is Format.JSON:
        _print_documents(report, schemes, rows, explain)
    else:
        print_lines([audit_details(report) if verbose else audit_summary(report, explained=explain)])
        if explain:
            _print_counterexamples(report, schemes, rows)
    return status_unless_interrupted(audit_status(report), interrupted)


def _print_counterexamples(report: AuditReport, schemes: Sequence[str] | None, rows: Sequence[int] | None) -> None:
    for row, shrunk in row_counterexamples(report, schemes, rows):
        heading = Text(f"\nrow {row.row}: {clean(row.title)}", "bold")
        print_lines([heading.append(f"  {clean(row.program)} under {clean(row.scheme)}", ""), Text()])
        print_lines(failure_view(shrunk.failure, width=width()))
        print_lines([command_line("reproduce: ", shrunk.failure.how_to_reproduce)])


def _print_documents(
    report: AuditReport, schemes: Sequence[str] | None, rows: Sequence[int] | None, explain: bool
) -> None:
    """Print the report with its counterexamples; after Ctrl-C with those so far, and raise the interrupt again."""
    shown: list[dict[str, Any]] = []
    interrupt: KeyboardInterrupt | None = None
    try:
        for row, shrunk in row_counterexamples(report, schemes, rows) if explain else ():
            failure = shrunk.failure
            shown.append({"row": row.row, **failure_document(failure), "command": failure.how_to_reproduce})
    except KeyboardInterrupt as caught:
        interrupt = caught
    print_json(Document.AUDIT.named(report.as_dict() | ({"counterexamples": shown} if explain else {})))
    if interrupt is not None:
        raise interrupt


def audit_status(report: AuditReport) -> Status:
    """Return the status of an audit; a row that differs outweighs rows that were not reached."""
    if report.unexpected:
        return Status.VIOLATED
    return Status.HOLDS if report.ok else Status.INCONCLUSIVE
