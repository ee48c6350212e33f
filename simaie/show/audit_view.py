"""The audit as a table, with the commands that show its holes again below it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from simaie.audit.report import AuditReport, AuditRow
from simaie.corpus import Expect
from simaie.show.format import clean

__all__ = ["audit_view"]


def audit_view(report: AuditReport) -> RenderableType:
    """The report for a terminal: a line for each row, the commands, what is unexpected, the verdict."""
    return Group(_table(report), *_commands(report), *_unexpected(report), Text(), _verdict(report))


def _table(report: AuditReport) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column("row", justify="right")
    table.add_column("case", ratio=1, overflow="fold")
    table.add_column("program", style="cyan", no_wrap=True)
    table.add_column("scheme", no_wrap=True)
    table.add_column("expected", no_wrap=True)
    table.add_column("found", no_wrap=True)
    table.add_column("executions", justify="right", no_wrap=True)
    previous = 0
    for row in report.rows:
        number = "" if row.row == previous else str(row.row)
        previous = row.row
        found = Text(row.found.value, "green" if row.ok else "bold red")
        names = (clean(row.title), clean(row.program), clean(row.scheme))
        table.add_row(number, *map(Text, names), row.expected.value, found, _executions(row))
    return table


def _executions(row: AuditRow) -> str:
    """``all 72 + 400``: everything at the small scope and the sample beyond; ``20`` for a search."""
    small = f"all {row.executions:,}" if row.complete else f"{row.executions:,}"
    return f"{small} + {row.larger_executions:,}" if row.larger_executions else small


def _commands(report: AuditReport) -> Iterator[Text]:
    shown = [row for row in report.rows if row.ok and row.command and row.expected is not Expect.MUST_NOT]
    if shown:
        yield Text("\nwhat was found, again:", "bold")
    for row in shown:
        yield Text(f"{row.row:>3}  ").append(clean(row.command), "cyan")


def _unexpected(report: AuditReport) -> Iterator[Text]:
    if report.unexpected:
        yield Text("\nnot as expected:", "bold red")
    for row in report.unexpected:
        words = f"{row.program} under {row.scheme} is {row.found.value}, not {row.expected.value}: {row.explanation}"
        yield Text(f"{row.row:>3}  ").append(clean(words))
        yield Text("     because ", "dim").append(clean(row.why), "dim")
        if row.command:
            yield Text("     again: ").append(clean(row.command), "cyan")


def _verdict(report: AuditReport) -> Text:
    done = f"{len(report.rows)} of {report.planned} rows in {report.seconds:.1f} s, seed {report.seed}"
    if report.interrupted:
        return Text("INTERRUPTED", "bold yellow").append(f"  {done}", "")
    if report.ok:
        return Text("AS EXPECTED", "bold green").append(f"  {done}", "")
    return Text("NOT AS EXPECTED", "bold red").append(f"  {len(report.unexpected)} differ; {done}", "")
