"""A plot as text: a line for each row, with a bar for its number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simaie.show.format import clean

if TYPE_CHECKING:
    from simaie.show.plots.plot import Plot

__all__ = ["plot_text"]

#: The text has no more rows than this.
_MOST_ROWS = 60
_BAR = 32


def plot_text(plot: Plot) -> str:
    """The rows that a terminal has room for, each with its names, and with its number as a bar and in figures."""
    axes = list(dict.fromkeys(axis for axis in (plot.colour, plot.x, plot.y) if axis is not None))
    number = next((axis for axis in (plot.colour, plot.y, plot.x) if axis is not None and axis.numeric), None)
    names = [axis for axis in axes if axis is not number]
    shown = _evenly(plot.rows)
    labels = ["  ".join(clean(str(row[a.field])) for a in names) for row in shown]
    hidden = len(plot.rows) - len(shown)
    after = [f"({hidden:,} rows in between are left out)"] if hidden else []
    if number is None:
        return "\n".join([clean(plot.title), *labels, *after])
    heading = f"{clean(plot.title)}: {clean(number.title)} by {', '.join(clean(a.title) for a in names)}"
    return "\n".join([heading, *_bars(labels, [float(row[number.field]) for row in shown]), *after])


def _bars(labels: Sequence[str], numbers: Sequence[float]) -> Iterator[str]:
    wide = max(map(len, labels), default=0)
    most = max(numbers, default=0.0) or 1.0
    for label, number in zip(labels, numbers, strict=True):
        yield f"{label:<{wide}}  {'█' * round(_BAR * number / most)} {number:g}"


def _evenly(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """All of them; of many so many that lie evenly, so that no series is left out."""
    if len(rows) <= _MOST_ROWS:
        return list(rows)
    return [rows[i * (len(rows) - 1) // (_MOST_ROWS - 1)] for i in range(_MOST_ROWS)]
