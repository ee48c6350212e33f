"""The audit in a terminal: a summary that fits 80 columns, or every row with the commands that reproduce its holes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from simaie.audit.report import AuditReport, AuditRow, RowResult, expectation_text
from simaie.corpus import Expect
from simaie.plugins import Spec
from simaie.show.format import clean
from simaie.show.lines import PROSE, command_line, wrapped

__all__ = ["audit_details", "audit_summary"]

#: A scheme with fewer rows than this shares the last column of the summary.
_OWN_COLUMN = 10
_OTHERS = "other schemes"


class _Mark(NamedTuple):
    """The sign of an outcome in the summary, another one for a terminal that knows ASCII only, and the style."""

    sign: str
    plain: str
    style: str


_MARKS = {
    RowResult.CLEAN: _Mark("✓", "+", "green"),
    RowResult.VIOLATED: _Mark("✗", "x", "yellow"),
    RowResult.OBSERVED: _Mark("•", "o", "cyan"),
}
_UNEXPECTED = _Mark("!", "!", "bold red")


def audit_summary(report: AuditReport, *, explained: bool = False) -> RenderableType:
    """Return a line for each case with a mark for each scheme, what was learnt, and what to run next.

    Args:
        report: The report of the audit.
        explained: Whether counterexamples follow, so that no command for them is needed.
    """
    lessons = [part for line in _lessons(report, explained) for part in wrapped(line, PROSE, indent=0)]
    return Group(_Summary(report), *_unexpected(report), *lessons, Text(), _verdict(report))


def audit_details(report: AuditReport) -> RenderableType:
    """Return a line for each program and scheme, the commands that show the holes again, and the verdict."""
    return Group(_table(report), *_commands(report), *_unexpected(report), Text(), _verdict(report))


# -- the summary -------------------------------------------------------------------------------------


class _Summary:
    """The table of the summary, with signs that the console can show."""

    def __init__(self, report: AuditReport) -> None:
        self._report = report

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        plain = options.ascii_only
        columns = _columns(self._report.rows)
        table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
        table.add_column("row", justify="right")
        table.add_column("case", ratio=1)
        for name in columns:
            alone = name == _OTHERS and len(columns) == 1
            table.add_column("schemes" if alone else name, no_wrap=name != _OTHERS)
        previous = 0
        for rows in _lines(self._report.rows):
            number = "" if rows[0].row == previous else str(rows[0].row)
            previous = rows[0].row
            table.add_row(number, _title(rows), *_cells(rows, columns, plain))
        yield table
        yield Text()
        yield from wrapped(_legend(plain), min(options.max_width, PROSE))
        yield Text("the number: how many executions proved it, or were run until the hole was found", "dim")


def _family(row: AuditRow) -> str:
    """Return the scheme's name without its options."""
    return Spec.of(row.scheme).name


def _columns(rows: Iterable[AuditRow]) -> list[str]:
    """Return the schemes that have a column of their own, and one column for all others."""
    counts = Counter(_family(row) for row in rows)
    own = [name for name in counts if counts[name] >= _OWN_COLUMN or len(counts) <= 2]
    return own + [_OTHERS] * (len(own) < len(counts))


def _lines(rows: Sequence[AuditRow]) -> list[list[AuditRow]]:
    """Return the rows of each line: rows of one number whose programs have the same outcomes under the same schemes."""
    by_program: dict[tuple[int, str], list[AuditRow]] = {}
    for row in rows:
        by_program.setdefault((row.row, row.title), []).append(row)
    lines: dict[tuple[object, ...], list[AuditRow]] = {}
    for (number, _), of_program in by_program.items():
        outcomes = tuple(sorted({(_family(row), row.expected, row.found) for row in of_program}))
        lines.setdefault((number, outcomes), []).extend(of_program)
    return sorted(lines.values(), key=lambda line: line[0].row)


def _title(rows: Sequence[AuditRow]) -> Text:
    more = len({row.title for row in rows}) - 1
    return Text(clean(rows[0].title) + (f" (and {more} more)" if more else ""))


def _cells(rows: Sequence[AuditRow], columns: Sequence[str], plain: bool) -> Iterator[Text]:
    by_scheme: dict[str, list[AuditRow]] = {}
    for row in rows:
        by_scheme.setdefault(_family(row), []).append(row)
    for name in columns:
        if name != _OTHERS:
            yield _cell(by_scheme.pop(name, ()), plain)
    if _OTHERS in columns:
        others = (Text(f"{clean(name)} ").append_text(_cell(of, plain)) for name, of in sorted(by_scheme.items()))
        yield Text("\n").join(others)


def _cell(rows: Sequence[AuditRow], plain: bool) -> Text:
    """Return the worst outcome of `rows` and the number of executions that it took."""
    if not rows:
        return Text()
    wrong = [row for row in rows if not row.ok]
    mark = _UNEXPECTED if wrong else _MARKS[rows[0].found]
    return Text(f"{mark.plain if plain else mark.sign} {sum(row.executions for row in wrong or rows):,}", mark.style)


def _legend(plain: bool) -> Text:
    words = {
        RowResult.CLEAN: "proved: no execution fails",
        RowResult.VIOLATED: "a known hole, found",
        RowResult.OBSERVED: "allowed, and seen",
    }
    legend = Text()
    for found, meaning in words.items():
        mark = _MARKS[found]
        legend.append(mark.plain if plain else mark.sign, mark.style).append(f" {meaning}   ")
    return legend


def _lessons(report: AuditReport, explained: bool) -> Iterator[Text]:
    """Yield what the audit shows, in at most three sentences, and how to see a counterexample if none follows."""
    if not report.ok:
        return
    promises = [row for row in report.rows if row.found is RowResult.CLEAN]
    holes = [row for row in report.rows if row.found is RowResult.VIOLATED]
    allowed = [row for row in report.rows if row.found is RowResult.OBSERVED]
    yield Text()
    if promises:
        all_of_them = sum(row.executions for row in promises)
        yield Text(
            f"{len(promises)} times a scheme was expected to hold: it does in all {all_of_them:,} executions of the "
            f"small programs, and in {sum(row.larger_executions for row in promises):,} of larger ones."
        )
    if holes:
        most = max(row.executions for row in holes)
        yield Text(f"{len(holes)} times a hole was expected: random search found each within {most:,} executions.")
    if allowed:
        yield Text(f"{len(allowed)} times a surprising behaviour is allowed: it was seen, and no checker reports it.")
    if holes and not explained:
        shown = next((row for row in holes if row.row == 6), holes[0])
        yield Text()
        yield Text(f"The shortest counterexample of a row, for example {shown.row}:")
        yield command_line("  ", f"simaie audit --row {shown.row} --explain")


# -- the details -------------------------------------------------------------------------------------


def _table(report: AuditReport) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column("row", justify="right", no_wrap=True)
    table.add_column("case", ratio=1)
    table.add_column("program", style="cyan", overflow="fold")
    table.add_column("scheme", overflow="fold")
    table.add_column("expected", no_wrap=True)
    table.add_column("found")
    table.add_column("executions", justify="right", no_wrap=True)
    previous = 0
    for row in report.rows:
        number = "" if row.row == previous else str(row.row)
        previous = row.row
        found = Text(row.found.text, "green" if row.ok else "bold red")
        names = (clean(row.title), clean(row.program), clean(row.scheme))
        table.add_row(number, *map(Text, names), expectation_text(row.expected), found, _executions(row))
    return table


def _executions(row: AuditRow) -> str:
    """Return ``all 72 + 400`` for a complete small scope and the sample beyond it, or ``20`` for a search."""
    small = f"all {row.executions:,}" if row.complete else f"{row.executions:,}"
    return f"{small} + {row.larger_executions:,}" if row.larger_executions else small


def _commands(report: AuditReport) -> Iterator[Text]:
    shown = [row for row in report.rows if row.ok and row.command and row.expected is not Expect.MUST_NOT]
    if shown:
        yield Text("\nto reproduce what was found:", "bold")
    for row in shown:
        yield command_line(f"{row.row:>3}  ", row.command)


# -- both --------------------------------------------------------------------------------------------


def _unexpected(report: AuditReport) -> Iterator[Text]:
    if report.unexpected:
        yield Text("\nnot as expected:", "bold red")
    for row in report.unexpected:
        words = f"{row.program} under {row.scheme}: {row.text}: {row.explanation}"
        yield Text(f"{row.row:>3}  ").append(clean(words))
        yield Text("     why expected: ", "dim").append(clean(row.why), "dim")
        if row.command:
            yield command_line("     reproduce: ", row.command)


def _verdict(report: AuditReport) -> Text:
    done = f"{len(report.rows)} of {report.planned} checks in {report.seconds:.1f} s, seed {report.seed}"
    if report.interrupted:
        return Text("INTERRUPTED", "bold yellow").append(f"  {done}", "")
    if report.ok:
        return Text("AS EXPECTED", "bold green").append(f"  {done}", "")
    return Text("NOT AS EXPECTED", "bold red").append(f"  {len(report.unexpected)} differ; {done}", "")
