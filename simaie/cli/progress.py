"""How an exploration is getting on, on stderr, and only if that is a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simaie.explore.explorer import Exploration

__all__ = ["exploration_progress", "progress_words"]


@contextlib.contextmanager
def exploration_progress(what: str) -> Iterator[Callable[[Exploration], None] | None]:
    """Yields the callback that draws the progress line; None where nobody would see it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.text import Text

    class Words(TextColumn):
        def render(self, task: Any) -> Text:
            return Text(task.description)  # what names a program is never markup

    bar = Progress(
        BarColumn(bar_width=20), Words(""), console=Console(stderr=True), transient=True, auto_refresh=False
    )
    with bar:
        task = bar.add_task(what, total=1.0)

        def show(exploration: Exploration) -> None:
            words = f"{what}: {progress_words(exploration)}"
            bar.update(task, completed=fraction(exploration), description=words, refresh=True)

        yield show


def progress_words(exploration: Exploration) -> str:
    """Executions, rate, failures, time."""
    count, elapsed = exploration.statistics.executions, exploration.elapsed
    words = f"{count:,} executions, {count / elapsed if elapsed else 0:,.0f}/s, {exploration.failing:,} failed, "
    limit = f"/{exploration.seconds:g}" if exploration.seconds is not None else ""
    return words + f"{elapsed:.0f}{limit} s"


def fraction(exploration: Exploration) -> float:
    """How much of the nearest limit is used up, from 0 to 1."""
    used = exploration.statistics.executions / exploration.execution_limit
    if exploration.seconds is not None:
        used = max(used, exploration.elapsed / exploration.seconds)
    return min(1.0, used)
