"""How a long command is getting on, on stderr, and only if that is a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from simaie.show.words import clean

if TYPE_CHECKING:
    from simaie.audit import AuditRow
    from simaie.explore.explorer import Exploration
    from simaie.replay.shrink import ShrinkProgress

__all__ = ["audit_progress", "exploration_progress", "litmus_progress", "progress_words", "shrink_progress"]


@contextlib.contextmanager
def exploration_progress(what: str) -> Iterator[Callable[[Exploration], None] | None]:
    """Yields the callback that draws the progress line; None where nobody would see it."""
    with _bar() as draw:
        yield None if draw is None else lambda e: draw(_used(e), f"{clean(what)}: {progress_words(e)}")


@contextlib.contextmanager
def audit_progress() -> Iterator[Callable[[int, int, AuditRow], None] | None]:
    """Likewise for the audit: how many rows are done, and the last of them."""
    with _bar() as draw:
        yield (
            None
            if draw is None
            else lambda done, planned, row: draw(
                done / planned, f"{done}/{planned}: row {row.row}, {clean(row.program)} under {clean(row.scheme)}"
            )
        )


@contextlib.contextmanager
def litmus_progress(planned: int) -> Iterator[Callable[[int, str], None] | None]:
    """Likewise for litmus tests: how many files are done, and the last of them. Not while results go to a terminal."""
    with contextlib.nullcontext() if sys.stdout.isatty() else _bar() as draw:
        yield (
            None
            if draw is None
            else lambda done, file: draw(min(1.0, done / planned), f"{done}/{planned}: {clean(file)}")
        )


@contextlib.contextmanager
def shrink_progress(what: str) -> Iterator[ShrinkProgress | None]:
    """Likewise for shrinking: how much of the budget is used, and the best so far."""
    with _bar() as draw:
        yield None if draw is None else lambda spent, limit, size: draw(spent / limit, f"{clean(what)}: {size}")


def progress_words(exploration: Exploration) -> str:
    """Executions, rate, failures, time."""
    count, elapsed = exploration.statistics.executions, exploration.elapsed
    words = f"{count:,} executions, {count / elapsed if elapsed else 0:,.0f}/s, {exploration.failing:,} failed, "
    limit = f"/{exploration.seconds:g}" if exploration.seconds is not None else ""
    return words + f"{elapsed:.0f}{limit} s"


def _used(exploration: Exploration) -> float:
    """How much of the nearest limit is used up, from 0 to 1."""
    used = exploration.statistics.executions / exploration.execution_limit
    if exploration.seconds is not None:
        used = max(used, exploration.elapsed / exploration.seconds)
    return min(1.0, used)


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[float, str], None] | None]:
    """Yields what draws a bar with words beside it, given the part done; the bar goes away in the end."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    words = TextColumn("{task.description}", markup=False)  # what names a program is never markup
    bar = Progress(BarColumn(20), words, console=Console(stderr=True), transient=True, auto_refresh=False)
    with bar:
        task = bar.add_task("", total=1.0)
        yield lambda part, text: bar.update(task, completed=part, description=text, refresh=True)
