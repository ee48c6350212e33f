"""How a long command is getting on, on stderr, and only if that is a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from simaie.show.format import clean
from simaie.show.progress import bar, format_progress, used

if TYPE_CHECKING:
    from simaie.audit import AuditRow
    from simaie.exploration.explorer import Exploration
    from simaie.replaying.shrink import ShrinkProgress

__all__ = [
    "audit_progress",
    "barriers_progress",
    "comparison_progress",
    "comparisons_progress",
    "exploration_progress",
    "format_progress",
    "litmus_progress",
    "shrink_progress",
]


@contextlib.contextmanager
def exploration_progress(what: str) -> Iterator[Callable[[Exploration], None] | None]:
    """Yields the callback that draws the progress line; None where nobody would see it."""
    with bar() as draw:
        yield None if draw is None else lambda e: draw(used(e), f"{clean(what)}: {format_progress(e)}")


@contextlib.contextmanager
def audit_progress() -> Iterator[Callable[[int, int, AuditRow], None] | None]:
    """Likewise for the audit: how many rows are done, and the last of them."""
    with bar() as draw:
        yield (
            None
            if draw is None
            else lambda done, planned, row: draw(
                done / planned, f"{done}/{planned}: row {row.row}, {clean(row.program)} under {clean(row.scheme)}"
            )
        )


@contextlib.contextmanager
def litmus_progress(files: Sequence[str]) -> Iterator[Callable[[int, int], None] | None]:
    """Likewise for litmus tests: which file is at hand, and its executions. Not while results go to a terminal."""
    with contextlib.nullcontext() if sys.stdout.isatty() else bar() as draw:
        yield (
            None
            if draw is None
            else lambda number, count: draw(number / len(files), _at(number, len(files), files[number], count))
        )


@contextlib.contextmanager
def comparison_progress(what: str) -> Iterator[Callable[[str, int], None] | None]:
    """Likewise for a comparison: which set is being explored; its end is not known."""
    with bar() as draw:
        yield (
            None
            if draw is None
            else lambda which, count: draw(
                0.5 * (which == "possible"), f"{clean(what)}: what is {which}, {count:,} executions"
            )
        )


@contextlib.contextmanager
def comparisons_progress(names: Sequence[str]) -> Iterator[Callable[[int], Callable[[str, int], None]] | None]:
    """Likewise for several: gives the callback for the program of a number. Not while results go to a terminal."""
    with contextlib.nullcontext() if sys.stdout.isatty() else bar() as draw:
        if draw is None:
            yield None
            return

        def of(number: int) -> Callable[[str, int], None]:
            def told(which: str, count: int) -> None:
                words = f"{_at(number, len(names), names[number], count)} of what is {which}"
                draw(number / len(names), words)

            draw(number / len(names), _at(number, len(names), names[number], 0))
            return told

        yield of


@contextlib.contextmanager
def barriers_progress() -> Iterator[Callable[[int, int, str, int], None] | None]:
    """Likewise for barriers: which program is at hand, and how many executions the search that it is at has run."""
    with bar() as draw:
        yield (
            None
            if draw is None
            else lambda number, planned, name, count: draw(number / planned, _at(number, planned, name, count))
        )


def _at(number: int, planned: int, name: str, executions: int) -> str:
    return f"{number + 1}/{planned}: {clean(name)}" + (f", {executions:,} executions" if executions else "")


@contextlib.contextmanager
def shrink_progress(what: str) -> Iterator[ShrinkProgress | None]:
    """Likewise for shrinking: how much of the budget is used, and the best so far."""
    with bar() as draw:
        yield None if draw is None else lambda spent, limit, size: draw(spent / limit, f"{clean(what)}: {size}")
