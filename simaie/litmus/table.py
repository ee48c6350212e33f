"""The program table: a header `P0 | P1 ;`, and rows with a cell for each column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from simaie.litmus.assembly import read_cell
from simaie.litmus.errors import PositionedError, quoted
from simaie.litmus.limits import DIGITS, THREADS
from simaie.litmus.model import Arch, LitmusThread, Statement
from simaie.litmus.source import Position, Source

__all__ = ["read_table"]


class _Cell(NamedTuple):
    text: str
    position: Position


def read_table(arch: Arch, source: Source, rows: tuple[tuple[int, int], ...], end: int) -> tuple[LitmusThread, ...]:
    """Read the program table.

    Args:
        arch: The architecture.
        source: The text of the file, without comments.
        rows: (start, end) offset of each row, without its `;`.
        end: Offset of the end of the program.

    Raises:
        Fault: The table is malformed.
    """
    if not rows:
        raise PositionedError(source.position(end), "there is no program", ["a row 'P0 | P1 ;'"])
    ids = _header(_cells(source, *rows[0]))
    columns: list[list[Statement]] = [[] for _ in ids]
    for start, stop in rows[1:]:
        if not source.text[start:stop].strip():
            continue
        cells = _cells(source, start, stop)
        _check_width(cells, len(ids))
        for column, cell in zip(columns, cells, strict=True):
            if cell.text:
                column.append(read_cell(arch, cell.text, cell.position))
    return tuple(LitmusThread(number, tuple(column)) for number, column in zip(ids, columns, strict=True))


def _cells(source: Source, start: int, end: int) -> list[_Cell]:
    return list(_each_cell(source, start, end))


def _each_cell(source: Source, start: int, end: int) -> Iterator[_Cell]:
    """Yield the cells of a row; of a row with far too many cells only enough to refuse it."""
    for raw in source.text[start:end].split("|", THREADS + 1):
        text = raw.strip()
        yield _Cell(text, source.position(start + len(raw) - len(raw.lstrip())))
        start += len(raw) + 1


def _header(cells: list[_Cell]) -> list[int]:
    if len(cells) > THREADS:
        raise PositionedError(cells[0].position, "there are too many threads", [f"at most {THREADS}"])
    ids: list[int] = []
    for cell in cells:
        digits = cell.text.removeprefix("P")
        if digits == cell.text or not (digits.isascii() and digits.isdigit()) or len(digits) > DIGITS:
            raise PositionedError(
                cell.position, f"unexpected {quoted(cell.text)} in the header of the program", ["'P0'"]
            )
        if int(digits) in ids:
            raise PositionedError(
                cell.position, f"there are two threads P{int(digits)}", ["a thread of its own a column"]
            )
        ids.append(int(digits))
    return ids


def _check_width(cells: list[_Cell], width: int) -> None:
    if len(cells) == width:
        return
    at = cells[min(width, len(cells) - 1)].position
    many = f"more than {THREADS}" if len(cells) > THREADS else str(len(cells))
    raise PositionedError(at, f"a row of {many} cells under a header of {width}", ["as many"])
