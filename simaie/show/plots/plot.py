"""A plot: rows of data and how Altair draws them, or text bars without Altair.

A front end receives a Vega-Lite chart to hover over, a viewer without one (a notebook on the web) an SVG drawing, and a
terminal text bars. One drawing serves light and dark: it has no background, and its greys are legible on both. Colours
are Okabe and Ito's, and series never differ by colour alone. Altair is imported for a drawing only, so that results do
not need it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

from simaie.errors import UsageError
from simaie.show.format import clean

__all__ = [
    "BAD",
    "DOUBTFUL",
    "GOOD",
    "MISSING",
    "OTHER",
    "Axis",
    "Plot",
    "Value",
    "bars",
    "heat_map",
    "lines",
    "plot_text",
    "points",
    "require_fields",
]

MISSING = "charts need Altair: pip install 'simaie[notebook]'"

#: Colours with a meaning, the same in every plot.
GOOD, DOUBTFUL, BAD, OTHER = "#0072b2", "#e69f00", "#d55e00", "#8c8c8c"
_PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c8c"]
_GREY = "#777777"
_GRID = "#88888855"

Value = str | int | float
Mark = Literal["bar", "line", "point", "rect"]


@dataclass(frozen=True)
class Axis:
    """One channel of a plot.

    Attributes:
        field: Field of a row.
        title: Title, with the unit.
        numeric: Whether the values are numbers; else they are names, in the order of the rows.
        log: Whether the scale is logarithmic.
        names: Names that the axis has in this order, even if no row has them.
    """

    field: str
    title: str
    numeric: bool = False
    log: bool = False
    names: tuple[str, ...] = ()

    @property
    def channel(self) -> dict[str, Any]:
        """The arguments that every channel of Altair takes from the axis."""
        kind = "quantitative" if self.numeric else "nominal"
        return {"field": self.field, "type": kind, "title": self.title}


@dataclass(frozen=True)
class Plot:
    """Rows and how to draw them.

    Attributes:
        title: Title above the plot.
        mark: Bars, lines, points, or the cells of a heat map.
        rows: The data, a value for each field.
        x: Horizontal axis.
        y: Vertical axis.
        colour: Number in a cell of a heat map; in other plots, the field that distinguishes series.
        width: Width in pixels.
        height: Height in pixels; 0 for a height that follows from the number of names.
        meaning: Colours of series by their names; the others have the colours of the palette in turn.

    Raises:
        UsageError: A row lacks a field of an axis.
    """

    title: str
    mark: Mark
    rows: tuple[Mapping[str, Value], ...]
    x: Axis
    y: Axis
    colour: Axis | None = None
    width: int = 420
    height: int = 0
    meaning: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_fields(self.rows, [axis.field for axis in (self.x, self.y, self.colour) if axis])

    @property
    def chart(self) -> Any:
        """The `altair.Chart`, to change or to combine; raises UsageError if Altair is not installed."""
        try:
            import altair
        except ImportError as error:
            raise UsageError(MISSING) from error
        channels: dict[str, Any] = {"x": self._axis(altair.X, self.x), "y": self._axis(altair.Y, self.y)}
        if self.colour is not None:
            channels |= self._coloured(altair, self.colour)
        channels["tooltip"] = [altair.Tooltip(**a.channel) for a in (self.x, self.y, self.colour) if a]
        # Control characters in a name would abort the whole process in vl-convert.
        data = {"values": [_clean_row(row) for row in self.rows]}
        chart = altair.Chart.from_dict({"data": data, "title": clean(self.title), "mark": self.mark})
        marked = getattr(chart, f"mark_{self.mark}")(**self._look())
        drawn = marked.encode(**channels)
        if self.mark in ("bar", "rect"):
            drawn = altair.layer(drawn, self._figures(altair, chart, channels))
        sized = drawn.properties(width=self.width, **self._tall())
        return (
            sized.configure(background="transparent", font="sans-serif", padding=self._padding())
            .configure_view(stroke=None)
            .configure_axis(
                labelColor=_GREY, titleColor=_GREY, gridColor=_GRID, domainColor=_GREY, tickColor=_GREY, labelLimit=360
            )
            .configure_legend(labelColor=_GREY, titleColor=_GREY, labelLimit=360, offset=self._legend_offset())
            .configure_title(color=_GREY, anchor="start")
        )

    def _figures(self, altair: Any, chart: Any, channels: dict[str, Any]) -> Any:
        """Return the numbers at the ends of bars, which may be too short to see, or in the cells of a heat map."""
        axis = self.colour if self.mark == "rect" and self.colour else self.x
        place = {"x": channels["x"], "y": channels["y"], "text": altair.Text(**axis.channel, format=",")}
        if axis is self.x:
            return chart.mark_text(align="left", dx=4, color=_GREY).encode(**place)
        middle = max((float(row[axis.field]) for row in self.rows), default=0.0) / 2
        light = altair.condition(f"datum[{axis.field!r}] > {middle}", altair.value("#000"), altair.value("#fff"))
        return chart.mark_text().encode(**place, color=light)

    def _axis(self, channel: Any, axis: Axis) -> Any:
        if not axis.numeric:
            # Long names leave no room for a title.
            title = {"title": None} if axis is self.y else {}
            order = {"scale": {"domain": list(axis.names)}} if axis.names else {}
            return channel(**axis.channel | title, **order, sort=None, axis={"labelAngle": 0})
        scale = {"type": "log"} if axis.log else {"zero": self.mark == "bar"}
        integers = all(isinstance(row[axis.field], int) for row in self.rows)
        return channel(**axis.channel, scale=scale, axis={"tickMinStep": 1} if integers and not axis.log else {})

    def _coloured(self, altair: Any, axis: Axis) -> dict[str, Any]:
        if axis.numeric:
            return {"color": altair.Color(**axis.channel, scale={"scheme": "cividis"})}
        names = list(dict.fromkeys(_clean_row(row)[axis.field] for row in self.rows))
        colours = [self.meaning.get(str(name), _PALETTE[i % len(_PALETTE)]) for i, name in enumerate(names)]
        scale = {"domain": names, "range": colours}
        color = altair.Color(**axis.channel, scale=scale)
        if self.mark == "bar":
            return {"color": color}
        return {"color": color, "shape": altair.Shape(**axis.channel, scale={"domain": names})}

    def _legend_offset(self) -> int:
        """Return the distance to the legend in pixels; the numbers at bars need some."""
        return 50 if self.mark == "bar" else 18

    def _padding(self) -> dict[str, int]:
        """Return the padding in pixels: a text may be a quarter wider in the reader's font than in the measured one."""
        longest = 0 if self.y.numeric else max((len(str(row[self.y.field])) for row in self.rows), default=0)
        return {"left": 8 + 2 * longest, "right": 40, "top": 5, "bottom": 5}

    def _look(self) -> dict[str, Any]:
        looks: dict[str, dict[str, Any]] = {
            "bar": {"color": _PALETTE[0]},
            "line": {"point": True, "color": _PALETTE[0]},
            "point": {"filled": True, "size": 45, "opacity": 0.75, "color": _PALETTE[0]},
            "rect": {},
        }
        return looks[self.mark]

    def _tall(self) -> dict[str, Any]:
        if self.height:
            return {"height": self.height}
        return {"height": 260} if self.y.numeric else {"height": {"step": 24}}

    def __str__(self) -> str:
        """Return the rows as text, with bars."""
        return plot_text(self)

    __repr__ = __str__

    def to_svg(self) -> str:
        """Return the drawing.

        Raises:
            UsageError: Altair or vl-convert is not installed.
        """
        chart = self.chart
        try:
            import vl_convert
        except ImportError as error:
            raise UsageError(MISSING) from error
        drawn: str = vl_convert.vegalite_to_svg(chart.to_dict())
        return drawn

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        try:
            drawn = {_MIME: self.chart.to_dict(), "image/svg+xml": self.to_svg()}
        except UsageError as error:
            return {"text/plain": f"{self}\n({error})", "text/html": f"<pre>{escape(str(self))}</pre><p>{error}</p>"}
        return {"text/plain": str(self), **drawn}


def require_fields(rows: Sequence[Mapping[str, Value]], fields: Iterable[str]) -> None:
    """Raise UsageError, which names the row, unless all rows have all `fields`."""
    for number, row in enumerate(rows):
        for name in fields:
            if name not in row:
                raise UsageError(f"row {number} has no field {name!r}; it has {', '.join(map(repr, row)) or 'none'}")


def _clean_row(row: Mapping[str, Value]) -> dict[str, Value]:
    return {key: clean(value) if isinstance(value, str) else value for key, value in row.items()}


#: JupyterLab and VS Code draw version 5 without an extension; these charts use nothing newer.
_MIME = "application/vnd.vegalite.v5+json"


def bars(
    title: str, rows: Sequence[Mapping[str, Value]], x: Axis, y: Axis, colour: Axis | None = None, **look: Any
) -> Plot:
    """Return a plot with one bar for each row; `x` is numeric, and `look` is passed to `Plot`."""
    return Plot(title, "bar", tuple(rows), x, y, colour, **look)


def lines(title: str, rows: Sequence[Mapping[str, Value]], x: Axis, y: Axis, colour: Axis | None = None) -> Plot:
    """Return a plot with one line for each series, which `colour` distinguishes."""
    return Plot(title, "line", tuple(rows), x, y, colour)


def points(
    title: str, rows: Sequence[Mapping[str, Value]], x: Axis, y: Axis, colour: Axis | None = None, **look: Any
) -> Plot:
    """Return a plot with one point for each row; `look` is passed to `Plot`."""
    return Plot(title, "point", tuple(rows), x, y, colour, **look)


def heat_map(title: str, rows: Sequence[Mapping[str, Value]], x: Axis, y: Axis, colour: Axis) -> Plot:
    """Return a heat map with one cell for each row, whose number is that of `colour`."""
    return Plot(title, "rect", tuple(rows), x, y, colour)


#: Maximum number of rows of the text.
_MOST_ROWS = 60
_BAR = 32


def plot_text(plot: Plot) -> str:
    """Return at most 60 rows as text, each with its names and with its number as a bar and in digits."""
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
    """Return `rows`, or an even selection of many rows, so that no series is left out."""
    if len(rows) <= _MOST_ROWS:
        return list(rows)
    return [rows[i * (len(rows) - 1) // (_MOST_ROWS - 1)] for i in range(_MOST_ROWS)]
