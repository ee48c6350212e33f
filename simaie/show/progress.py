"""The progress of an exploration while it runs: in a notebook's cell, or as a line in a terminal.

A cell shows executions, rate and findings so far, by updates of one display, which every front end supports. It needs
no channel back: an interrupt of the kernel ends the exploration (`simaie.Interrupted`). The text that stays in the cell
in the end has no times, so that a stored notebook is the same in every run.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from html import escape
from importlib import import_module
from typing import Any, TypeAlias

from simaie.exploration.in_progress import Exploration
from simaie.exploration.signatures import FailureGroup
from simaie.show.format import clean, rough, shorten

__all__ = ["bar", "format_progress", "live_progress", "numbers_first", "used"]

#: The characters that a name may have in a progress line; the middle of a longer one is left out.
_NAME = 28
#: More kinds of findings than these are counted only.
_MOST_KINDS = 5
_Draw: TypeAlias = Callable[[float, str], None]


def live_progress() -> Callable[[Exploration], None]:
    """Return the callback of ``explore(progress=True)``, which draws in a notebook or a terminal and nowhere else."""
    return _Cell() if _in_notebook() else _Line()


def format_progress(exploration: Exploration) -> str:
    """Return executions, rate, failures with their kinds, time, and an estimate of what is left, in one line."""
    count, elapsed = exploration.statistics.executions, exploration.elapsed
    rate = exploration.statistics.executions_per_second
    speed = f", {rate:,.0f}/s" if rate else ""
    words = f"{count:,} executions{speed}, {exploration.failing:,} failed"
    kinds = dict.fromkeys(finding.kind for group in _groups(exploration) for finding in group.first.findings)
    if kinds:
        words += f" ({', '.join(clean(kind) for kind in list(kinds)[:_MOST_KINDS])})"
    limit = f"/{exploration.seconds:g}" if exploration.seconds is not None else ""
    return f"{words}, {elapsed:.0f}{limit} s{_estimate(exploration)}"


def _groups(exploration: Exploration) -> list[FailureGroup]:
    """Return the failures so far by signature, in the order in which they were found."""
    return sorted(exploration.kept.signatures.groups, key=lambda group: group.first.index)


def _estimate(exploration: Exploration) -> str:
    """Return the estimated number of traces, or the chance that the next one is new; empty without coverage."""
    collector, scheduler = exploration.statistics.coverage, exploration.scheduler
    if collector is None or exploration.ended:
        return ""
    coverage = collector.summary()
    if coverage.new_trace is not None:
        chance = f"the next is new with probability {coverage.new_trace.value:.2g}"
        return f"; {coverage.traces:,} {coverage.counts}, {chance}"
    wanted = "traces" if scheduler.up_to_commutation else "interleavings"
    totals = [size.total.value for size in coverage.sizes if size.counts == wanted and size.total is not None]
    if not totals or totals[0] < exploration.statistics.executions:  # an estimate that is known to be too low
        return ""
    return f"; about {rough(totals[0])} {wanted} in all"


def used(exploration: Exploration) -> float:
    """Return the share of the nearest limit that is used up, from 0 to 1."""
    part = exploration.statistics.executions / exploration.execution_limit
    if exploration.seconds is not None:
        part = max(part, exploration.elapsed / exploration.seconds)
    return min(1.0, part)


def numbers_first(numbers: str, name: str) -> str:
    """Return a progress line: what changes, then the name of what is run, cut in the middle if it is long."""
    return f"{numbers}  {shorten(clean(name), _NAME)}"


@contextlib.contextmanager
def bar() -> Iterator[_Draw | None]:
    """Yield a function that draws a bar with a text on stderr; None if stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    one_line = Column(no_wrap=True, overflow="ellipsis")
    words = TextColumn("{task.description}", markup=False, table_column=one_line)  # names of programs are not markup
    drawn = Progress(BarColumn(20), words, console=Console(stderr=True), transient=True, auto_refresh=False)
    with drawn:
        task = drawn.add_task("", total=1.0)
        yield lambda part, text: drawn.update(task, completed=part, description=text, refresh=True)


# -- in a terminal ------------------------------------------------------------------------------------


class _Line:
    """A bar in a terminal, from the first call until the exploration has ended."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._draw: _Draw | None = None

    def __call__(self, exploration: Exploration) -> None:
        if self._draw is None:
            self._draw = self._open.enter_context(bar()) or _draw_nothing
        self._draw(used(exploration), numbers_first(format_progress(exploration), exploration.program.name))
        if exploration.ended:
            self._open.close()


def _draw_nothing(part: float, text: str) -> None:
    """Draw nothing, where stderr is no terminal."""


# -- in a notebook ------------------------------------------------------------------------------------


def _in_notebook() -> bool:
    """Return whether a Jupyter kernel runs this process; the kernel has imported IPython then."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class _Cell:
    """A display in a cell: the first call makes it, and the others update it."""

    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, exploration: Exploration) -> None:
        display: Any = import_module("IPython.display").display
        lines = list(_lines(exploration))
        drawn = "".join(f"<div>{escape(line)}</div>" for line in lines)
        part = f'<progress value="{used(exploration):.3f}"></progress>' * (not exploration.ended)
        bundle = {"text/plain": "\n".join(lines), "text/html": f'<div style="max-width:60em">{part}{drawn}</div>'}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


def _lines(exploration: Exploration) -> Iterator[str]:
    name = clean(exploration.program.name)
    if exploration.ended:
        how = "interrupted" if exploration.interrupted else "ended"
        count = exploration.statistics.executions
        yield f"{name}: {how} after {count:,} executions, {exploration.failing:,} failed"
    else:
        yield f"{name}: {format_progress(exploration)}. Interrupt the kernel to end it: sys.last_value.report is kept."
    firsts: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for group in _groups(exploration):
        findings, index = group.first.findings, group.first.index
        for finding in findings:
            firsts.setdefault(finding.kind, f"{finding.message} (execution {index})")
        counts.update(dict.fromkeys((finding.kind for finding in findings), group.count))
    if exploration.kept.signatures.unlisted:
        yield f"without {exploration.kept.signatures.unlisted:,} failures with more signatures than are kept:"
    for kind in list(firsts)[:_MOST_KINDS]:
        yield f"{counts[kind]} \u00d7 {clean(kind)}, first: {clean(firsts[kind])}"
    if len(firsts) > _MOST_KINDS:
        yield f"... and {len(firsts) - _MOST_KINDS} more kinds"
