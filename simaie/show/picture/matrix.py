"""The matrix as a drawing, and as a page with the drawing and a line for each cell.

The drawing is SVG that needs nothing else and follows the reader's choice of light or dark. A sign goes with each
colour, and the text that appears over a cell says what became of it and how to show it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from simaie.schemes.holes import Hole
from simaie.show.format import clean
from simaie.show.html_page import html_page
from simaie.show.matrix_view import by_host, by_scheme
from simaie.show.picture.svg_elements import rect, text
from simaie.survey import Cell, CellResult, Matrix

__all__ = ["matrix_page", "matrix_svg"]

_CELL, _CHAR, _PAD = 22, 7.3, 14
#: The length of a name along the slanted head of a column, per character, and the slant in degrees.
_HEAD_CHAR, _SLANT = 5.4, -50
_SIGNS = {CellResult.PROVED: "✓", CellResult.FOUND: "✗", CellResult.OPEN: "?", CellResult.ABSENT: ""}
_CLASSES = {
    CellResult.PROVED: "mx-proved",
    CellResult.FOUND: "mx-found",
    CellResult.OPEN: "mx-open",
    CellResult.ABSENT: "mx-absent",
}

_STYLE = """.mx text{font:12px ui-monospace,"SF Mono","DejaVu Sans Mono",Menlo,Consolas,monospace;fill:#1b1b1b}
.mx .mx-paper{fill:#fff}.mx .mx-head{font-weight:600}.mx .mx-dim{fill:#5f5f5f}
.mx .mx-proved{fill:#d3e7f3}.mx .mx-found{fill:#f6cfa5}.mx .mx-open{fill:#e4d9ee}.mx .mx-absent{fill:#f2f2ef}
.mx .mx-differs{stroke:#c00000;stroke-width:2.5}
@media (prefers-color-scheme:dark){.mx text{fill:#e8e6e1}.mx .mx-paper{fill:#16181b}.mx .mx-dim{fill:#a3a19b}
.mx .mx-proved{fill:#123a52}.mx .mx-found{fill:#6b3a0c}.mx .mx-open{fill:#46305c}.mx .mx-absent{fill:#1f2226}
.mx .mx-differs{stroke:#ff6b6b}}
"""


def matrix_svg(matrix: Matrix, *, links: bool = False) -> str:
    """Return the drawing: a table for each host, a row for each scheme, a column for each class.

    Args:
        matrix: The matrix.
        links: Whether each cell is a link to its line on the page that has the drawing.
    """
    places = {id(cell): number for number, cell in enumerate(matrix.cells)} if links else {}
    holes = [hole for hole in Hole if any(cell.hole is hole for cell in matrix.cells)]
    names = max((len(clean(cell.scheme)) for cell in matrix.cells), default=0)
    left = _PAD + names * _CHAR + 8
    rise = max((len(hole) for hole in holes), default=0) * _HEAD_CHAR + 12
    width = left + len(holes) * _CELL + rise + _PAD
    parts, y = list[str](), float(_PAD)
    for host, cells in by_host(matrix).items():
        y += rise
        parts.append(text(_PAD, y - 6, f"on {clean(host)}", "mx-head"))
        for column, hole in enumerate(holes):
            parts.append(_head(left + (column + 0.6) * _CELL, y - 6, hole))
        for scheme, of_scheme in by_scheme(cells).items():
            parts.append(text(_PAD, y + 15, clean(scheme)))
            parts += _cells(left, y, holes, of_scheme, places)
            y += _CELL
    parts.append(text(_PAD, y + 24, _legend(matrix), "mx-dim"))
    size = f'width="{width:.0f}" height="{y + 38:.0f}" viewBox="0 0 {width:.0f} {y + 38:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="mx" role="img" {size}><title>{escape(str(matrix))}</title>'
        f'<style>{_STYLE}</style><rect class="mx-paper" width="100%" height="100%"/>{"".join(parts)}</svg>'
    )


def _legend(matrix: Matrix) -> str:
    """Return the meaning of the signs that the drawing has."""
    there = {cell.result for cell in matrix.cells}
    signs = [f"{_SIGNS[result] or '(empty)'} {result}" for result in CellResult if result in there]
    return "   ".join([*signs, *["framed: not as expected"] * bool(matrix.unexpected)])


def _head(x: float, y: float, hole: Hole) -> str:
    return f'<g transform="translate({x:.1f} {y:.1f}) rotate({_SLANT})"><title>{escape(hole.meaning)}</title>' + (
        text(0, 0, str(hole)) + "</g>"
    )


def _cells(
    left: float, y: float, holes: Sequence[Hole], cells: Mapping[Hole, Cell], places: Mapping[int, int]
) -> Iterator[str]:
    for column, hole in enumerate(holes):
        cell = cells.get(hole)
        if cell is None:
            continue
        x, name = left + column * _CELL, _CLASSES[cell.result] + (" mx-differs" if cell.differs else "")
        box = rect(x + 1, y + 1, _CELL - 2, _CELL - 2, name=name, more=' rx="3"')
        sign = text(x + _CELL / 2, y + 15, _SIGNS[cell.result], anchor="middle")
        drawn = f"<g><title>{escape(_said(cell))}</title>{box}{sign}</g>"
        yield f'<a href="#{_LINE}{places[id(cell)]}">{drawn}</a>' if places else drawn


def _said(cell: Cell) -> str:
    lines = [f"{cell.scheme}, {cell.hole}: {cell.text}{f', level {cell.level}' if cell.level else ''}"]
    lines.append(f"{cell.executions:,} executions")
    return clean("; ".join([*lines, *filter(None, (cell.reason, cell.command))]))


#: What the name of a cell's line on the page begins with.
_LINE = "cell-"
_PAGE_STYLE = """:root{color-scheme:light dark}
body{font:15px/1.45 system-ui,sans-serif;margin:1.2em}
table{border-collapse:collapse;font-size:13px}td,th{text-align:left;vertical-align:top;padding:2px 10px 2px 0}
.figure{overflow-x:auto}code{overflow-wrap:anywhere}
thead th{position:sticky;top:0;background:Canvas}tr{scroll-margin-top:3em}tr:target{background:Mark;color:MarkText}
"""
_BODY = """<h1>Schemes and classes of violations</h1>
<p>{title}</p>
<div class="figure">{drawing}</div>
<h2>Classes</h2>
<table><tbody>{classes}</tbody></table>
<h2>Cells</h2>
<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>
"""
_HEADS = ("scheme", "class", "host", "result", "level", "executions", "steps", "CPU s", "reproduce, or why open")


def matrix_page(matrix: Matrix) -> str:
    """Return the page; it needs no script, no network and no other file."""
    classes = [hole for hole in Hole if any(cell.hole is hole for cell in matrix.cells)]
    body = _BODY.format(
        title=escape(str(matrix)),
        drawing=matrix_svg(matrix, links=True),
        classes="".join(f"<tr><td><code>{hole}</code></td><td>{escape(hole.meaning)}</td></tr>" for hole in classes),
        heads="".join(f"<th>{name}</th>" for name in _HEADS),
        rows="".join(_row(number, cell) for number, cell in enumerate(matrix.cells)),
    )
    return html_page(str(matrix), _PAGE_STYLE, body)


def _row(number: int, cell: Cell) -> str:
    last = f"<code>{escape(clean(cell.command))}</code>" if cell.command else escape(clean(cell.reason))
    words = (
        cell.scheme, str(cell.hole), cell.host, cell.text, cell.level, f"{cell.executions:,}", str(cell.steps or ""),
        f"{cell.seconds:.2f}",
    )  # fmt: skip
    shown = "".join(f"<td>{escape(clean(each))}</td>" for each in words)
    return f'<tr id="{_LINE}{number}">{shown}<td>{last}</td></tr>'
