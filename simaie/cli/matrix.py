"""The command ``simaie matrix``: decide every scheme of the family for every class of violations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.text import Text

from simaie.cli.documents import Document
from simaie.cli.interrupts import found_until_interrupted, status_unless_interrupted
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines, width
from simaie.cli.progress import matrix_progress
from simaie.cli.status import Status
from simaie.saving import require_parent, save_file
from simaie.show.failure_view import failure_view
from simaie.show.format import clean
from simaie.show.lines import command_line
from simaie.show.matrix_view import matrix_details, matrix_summary
from simaie.show.trace_json import failure_document
from simaie.survey import DEFAULT_HOSTS, EXECUTIONS, Matrix, matrix

__all__ = ["Shown", "matrix_status", "run_matrix"]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """How the matrix is shown: the format, the files to write, and how much of it."""

    output: Format = Format.TEXT
    html: Path | None = None
    svg: Path | None = None
    explain: bool = False
    verbose: bool = False


def run_matrix(
    schemes: Sequence[str] | None,
    classes: Sequence[str] | None,
    hosts: Sequence[str] | None,
    executions: int | None,
    jobs: int,
    shown: Shown,
) -> Status:
    """Decide the cells, print and draw them, and return the status."""
    for place in filter(None, (shown.html, shown.svg)):
        require_parent(place)
    with guest_output_aside(), matrix_progress() as progress:
        most = EXECUTIONS if executions is None else executions
        decide = partial(matrix, schemes, classes, hosts or DEFAULT_HOSTS, executions=most)
        found, interrupted = found_until_interrupted(partial(decide, jobs=jobs, progress=progress))
    explain = shown.explain and not interrupted
    for path, draw in ((shown.html, found.to_html), (shown.svg, found.to_svg)):
        if path is not None:
            save_file(path, draw())
    if shown.output is Format.JSON:
        more = {"counterexamples": list(_documents(found))} if explain else {}
        print_json(Document.MATRIX.named(found.as_dict() | more))
    else:
        print_lines([matrix_details(found) if shown.verbose else matrix_summary(found)])
        if explain:
            _print_counterexamples(found)
    return status_unless_interrupted(matrix_status(found), interrupted)


def _documents(found: Matrix) -> Any:
    for cell, (failure, _) in found.counterexamples():
        named = {"scheme": cell.scheme, "hole": cell.hole, "host": cell.host}
        yield named | failure_document(failure) | {"command": failure.how_to_reproduce}


def _print_counterexamples(found: Matrix) -> None:
    for cell, (failure, _) in found.counterexamples():
        heading = Text(f"\n{clean(cell.scheme)} on {clean(cell.host)}: {cell.hole}", "bold")
        print_lines([heading, Text(cell.hole.meaning), Text(), *failure_view(failure, width=width())])
        print_lines([command_line("reproduce: ", failure.how_to_reproduce)])


def matrix_status(found: Matrix) -> Status:
    """Return the status of a matrix; a cell that differs outweighs those that are open or were not reached."""
    if found.unexpected:
        return Status.VIOLATED
    return Status.HOLDS if found.ok else Status.INCONCLUSIVE
