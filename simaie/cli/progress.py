"""Progress lines of long commands, on stderr and only if it is a terminal.

Each function is a context manager that yields the callback for its command, or None if there is no terminal.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from simaie.show.format import clean
from simaie.show.progress import bar, format_progress, numbers_first, used

if TYPE_CHECKING:
    from simaie.audit import AuditRow
    from simaie.exploration.in_progress import Exploration
    from simaie.replaying.shrink import ShrinkProgress
    from simaie.survey import Cell

__all__ = [
    "audit_progress",
    "barriers_progress",
    "comparison_progress",
    "comparisons_progress",
    "exploration_progress",
    "format_progress",
    "litmus_progress",
    "matrix_progress",
    "shrink_progress",
]


@contextlib.contextmanager
def exploration_progress(what: str) -> Iterator[Callable[[Exploration], None] | None]:
    """Yield the callback of an exploration, which draws the figures so far."""
    with bar() as draw:
        yield None if draw is None else lambda e: draw(used(e), numbers_first(format_progress(e), what))


@contextlib.contextmanager
def audit_progress() -> Iterator[Callable[[int, int, AuditRow], None] | None]:
    """Yield the callback of the audit, which draws the number of rows done and the last row."""
    with bar() as draw:
        yield (
            None
            if draw is None
            else lambda done, planned, row: draw(
                done / planned,
                numbers_first(f"{done}/{planned} checks, row {row.row} under {clean(row.scheme)}", row.program),
            )
        )


@contextlib.contextmanager
def matrix_progress() -> Iterator[Callable[[int, int, Cell], None] | None]:
    """Yield the callback of the matrix, which draws the number of cells done and the last cell."""
    with bar() as draw:
        yield (
            None
            if draw is None
            else lambda done, planned, cell: draw(
                done / planned, numbers_first(f"{done}/{planned} cells, {cell.hole}", clean(cell.scheme))
            )
        )


@contextlib.contextmanager
def litmus_progress(files: Sequence[str]) -> Iterator[Callable[[int, int], None] | None]:
    """Yield the callback of litmus tests, which draws file and executions; None also if results go to a terminal."""
    with contextlib.nullcontext() if sys.stdout.isatty() else bar() as draw:
        yield (
            None
            if draw is None
            else lambda number, count: draw(number / len(files), _at(number, len(files), files[number], count))
        )


@contextlib.contextmanager
def comparison_progress(what: str) -> Iterator[Callable[[str, int], None] | None]:
    """Yield the callback of a comparison, which draws the set of outcomes that is being explored."""
    with bar() as draw:
        yield (
            None
            if draw is None
            else lambda which, count: draw(
                0.5 * (which == "possible"), numbers_first(f"{count:,} executions, {which} outcomes", what)
            )
        )


@contextlib.contextmanager
def comparisons_progress(names: Sequence[str]) -> Iterator[Callable[[int], Callable[[str, int], None]] | None]:
    """Yield a function from a program's number to its callback; None also if results go to a terminal."""
    with contextlib.nullcontext() if sys.stdout.isatty() else bar() as draw:
        if draw is None:
            yield None
            return

        def of(number: int) -> Callable[[str, int], None]:
            def callback(which: str, count: int) -> None:
                draw(number / len(names), _at(number, len(names), names[number], count, f", {which} outcomes"))

            draw(number / len(names), _at(number, len(names), names[number], 0))
            return callback

        yield of


@contextlib.contextmanager
def barriers_progress() -> Iterator[Callable[[int, int, str, int], None] | None]:
    """Yield the callback of barriers, which draws the program and the executions of its present search."""
    with bar() as draw:
        yield (
            None
            if draw is None
            else lambda number, planned, name, count: draw(number / planned, _at(number, planned, name, count))
        )


def _at(number: int, planned: int, name: str, executions: int, what: str = "") -> str:
    ran = f", {executions:,} executions{what}" if executions else ""
    return numbers_first(f"{number + 1}/{planned}{ran}", name)


@contextlib.contextmanager
def shrink_progress(what: str) -> Iterator[ShrinkProgress | None]:
    """Yield the callback of shrinking, which draws the used part of the budget and the best size so far."""
    with bar() as draw:
        yield None if draw is None else lambda spent, limit, size: draw(spent / limit, numbers_first(str(size), what))
