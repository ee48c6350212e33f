"""The matrix in a terminal: a summary that fits 80 columns, or every cell with the command that reproduces it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import ascii_letters
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from simaie.plugins import Spec
from simaie.schemes.holes import Hole
from simaie.show.format import clean
from simaie.show.lines import PROSE, command_line, wrapped
from simaie.survey import Cell, CellResult, Matrix

__all__ = ["LETTERS", "by_host", "by_scheme", "matrix_details", "matrix_summary"]

#: The letter of each class, which heads its column.
LETTERS = dict(zip(Hole, ascii_letters, strict=False))
#: The widest column of names; next to it is place for the signs of this many classes with spaces between them.
_NAMES, _SPACED = 40, 20
#: The number of signs without a space between them, if there are more classes.
_GROUP = 5
#: The number of dear cells that a summary names.
_DEAREST = 3
#: From this processor time on, in seconds, a cell counts as dear.
_DEAR = 1.0


class _Mark(NamedTuple):
    """The sign of a result, another one for a terminal that knows ASCII only, the style and the meaning."""

    sign: str
    plain: str
    style: str
    meaning: str


_MARKS = {
    CellResult.PROVED: _Mark("✓", "+", "green", "proved: no violation"),
    CellResult.FOUND: _Mark("✗", "x", "yellow", "a violation was found"),
    CellResult.OPEN: _Mark("?", "?", "magenta", "open"),
    CellResult.ABSENT: _Mark("·", ".", "dim", "not emulated"),
}
_DIFFERS = _Mark("!", "!", "bold red", "not as expected")


def by_host(matrix: Matrix) -> dict[str, list[Cell]]:
    """Return the cells of each host."""
    found: dict[str, list[Cell]] = {}
    for cell in matrix.cells:
        found.setdefault(cell.host, []).append(cell)
    return found


def by_scheme(cells: Sequence[Cell]) -> dict[str, dict[Hole, Cell]]:
    """Return the cells of one host by scheme and class."""
    found: dict[str, dict[Hole, Cell]] = {}
    for cell in cells:
        found.setdefault(cell.scheme, {})[cell.hole] = cell
    return found


def matrix_summary(matrix: Matrix) -> RenderableType:
    """Return a table for each host with a sign for each cell, the meaning of the letters, and the verdict."""
    holes = [hole for hole in Hole if any(cell.hole is hole for cell in matrix.cells)]
    tables = [_Table(host, cells, holes) for host, cells in by_host(matrix).items()]
    return Group(*tables, *_letters(holes), *_ending(matrix))


def matrix_details(matrix: Matrix) -> RenderableType:
    """Return a line for each cell, the commands that show the violations again, and the verdict."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for name, options in (("scheme", {"overflow": "fold"}), ("class", {}), ("host", {}), ("result", {})):
        table.add_column(name, **options)  # type: ignore[arg-type]  # rich's names of overflows are literals
    for name in ("executions", "steps", "CPU s"):
        table.add_column(name, justify="right", no_wrap=True)
    for cell in matrix.cells:
        result = Text(cell.text + (f" ({cell.level})" if cell.level else ""), _mark(cell).style)
        figures = f"{cell.executions:,}", f"{cell.steps or ''}", f"{cell.seconds:.2f}"
        table.add_row(Text(clean(cell.scheme)), str(cell.hole), Text(clean(cell.host)), result, *figures)
    return Group(table, *_commands(matrix), *_ending(matrix))


class _Table:
    """The table of one host, with signs that the console can show."""

    def __init__(self, host: str, cells: Sequence[Cell], holes: Sequence[Hole]) -> None:
        self._host, self._schemes, self._holes = host, by_scheme(cells), holes

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        plain = options.ascii_only
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        table.add_column(f"on {clean(self._host)}", max_width=_NAMES, overflow="fold")
        size = 1 if len(self._holes) <= _SPACED else _GROUP
        groups = [self._holes[first : first + size] for first in range(0, len(self._holes), size)]
        for group in groups:
            table.add_column("".join(LETTERS[hole] for hole in group), no_wrap=True)
        previous = ""
        for scheme, cells in self._schemes.items():
            spec = Spec.of(scheme)
            options_only = spec.name == previous and bool(spec.options)
            name = "  " + scheme.removeprefix(f"{spec.name}:") if options_only else scheme
            previous = spec.name
            signs = (Text("").join(_sign(cells.get(hole), plain) for hole in group) for group in groups)
            lines = wrapped(Text(clean(name.replace(",", ", "))), _NAMES, indent=4)
            table.add_row(Text("\n").join(lines), *signs)
        yield table
        yield from wrapped(_legend(self._schemes, plain), PROSE, indent=0)
        yield Text()


def _mark(cell: Cell) -> _Mark:
    return _DIFFERS if cell.differs else _MARKS[cell.result]


def _sign(cell: Cell | None, plain: bool) -> Text:
    if cell is None:
        return Text(" ")
    mark = _mark(cell)
    return Text(mark.plain if plain else mark.sign, mark.style)


def _legend(schemes: dict[str, dict[Hole, Cell]], plain: bool) -> Text:
    there = {_mark(cell) for cells in schemes.values() for cell in cells.values()}
    legend = Text()
    for mark in (*_MARKS.values(), _DIFFERS):
        if mark in there:
            legend.append(mark.plain if plain else mark.sign, mark.style).append(f" {mark.meaning}   ")
    return legend


def _letters(holes: Sequence[Hole]) -> Iterator[Text]:
    column = max((len(hole) for hole in holes), default=0)
    for hole in holes:
        line = Text(f"{LETTERS[hole]} ", "bold").append(f"{hole:<{column}}  {hole.meaning}", "not bold")
        yield from wrapped(line, PROSE, indent=column + 4)


def _ending(matrix: Matrix) -> Iterator[Text]:
    """Yield what is below the tables: the open cells and those that differ, the cost, and the verdict."""
    yield from _open(matrix)
    yield from _unexpected(matrix)
    yield Text()
    yield from _cost(matrix)
    yield _verdict(matrix)


def _commands(matrix: Matrix) -> Iterator[Text]:
    shown = [cell for cell in matrix.cells if cell.command]
    if shown:
        yield Text("\nto reproduce what was found:", "bold")
    for cell in shown:
        yield command_line("  ", cell.command)


def _open(matrix: Matrix) -> Iterator[Text]:
    if matrix.open:
        yield Text("\nopen:", "bold magenta")
    for cell in matrix.open:
        yield from wrapped(Text(clean(f"  {_named(cell)}: {cell.reason}")), PROSE)


def _unexpected(matrix: Matrix) -> Iterator[Text]:
    if matrix.unexpected:
        yield Text("\nnot as expected:", "bold red")
    for cell in matrix.unexpected:
        yield from wrapped(Text(clean(f"  {_named(cell)}: {cell.text}")), PROSE)
        if cell.command:
            yield command_line("    reproduce: ", cell.command)


def _named(cell: Cell) -> str:
    return f"{cell.scheme}, {cell.hole}, on {cell.host}"


def _cost(matrix: Matrix) -> Iterator[Text]:
    dear = sorted((cell for cell in matrix.cells if cell.seconds >= _DEAR), key=lambda cell: -cell.seconds)
    listed = "; ".join(f"{cell.scheme}, {cell.hole}: {cell.seconds:.1f} s" for cell in dear[:_DEAREST])
    line = f"{sum(cell.executions for cell in matrix.cells):,} executions, {matrix.cost:.1f} s of processor time"
    yield from wrapped(Text(clean(line + (f" (the most: {listed})" if listed else "")), "dim"), PROSE, indent=0)


def _verdict(matrix: Matrix) -> Text:
    differ, undecided = len(matrix.unexpected), len(matrix.open)
    found = sum(cell.result is CellResult.FOUND for cell in matrix.cells)
    word, style, count = (
        ("NOT AS EXPECTED", "bold red", f"{differ} differ; ")
        if differ
        else ("INTERRUPTED", "bold yellow", "")
        if matrix.interrupted
        else ("INCONCLUSIVE", "bold yellow", f"{undecided} open; ")
        if undecided
        else ("AS EXPECTED", "bold green", "")
        if matrix.compared
        else ("DECIDED", "bold", f"{found} with a violation; ")
    )
    left = len(matrix.cells) - len(matrix.compared)
    rest = f", {left} without an expectation" if left else ""
    done = f"{len(matrix.cells)} of {len(matrix.items)} cells in {matrix.seconds:.1f} s{rest}"
    return Text(word, style).append(f"  {count}{done}", "")
