"""A drawing of an execution: the table of the text trace, folded in the same way, with bars for instructions and locks.

It is one SVG element that needs nothing else. Its classes have a prefix, so that it can be part of a page, and it
follows the reader's choice of light or dark. The hues are Okabe and Ito's, which colour-blind readers can tell apart,
and a colour never carries a meaning alone: a step of a violation also has its finding's number, a lock a thicker bar.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from html import escape
from itertools import accumulate

from simaie.finding import Finding
from simaie.replaying.failure import Failure
from simaie.show.arrows import Arrow, conflict_arrows
from simaie.show.fitting import fit
from simaie.show.format import clean
from simaie.show.picture.subject import Subject, subject_of
from simaie.show.picture.svg_elements import arrow, rect, text
from simaie.show.trace_end import ending_fields
from simaie.show.trace_table import Lane, Row, RowKind, TraceTable, title, trace_table
from simaie.trace import Trace

__all__ = ["to_svg"]

_CHAR, _LINE, _PAD = 7.25, 19, 14
_NARROWEST, _LONGEST, _LEAST = 150.0, 72, 560.0
#: Widths between the numbers of the steps, the sign of a switch, the marks and the first column.
_TO_SWITCH, _TO_MARKS, _TO_LANES = 8, 22, 17
#: Where the values of the ending begin.
_VALUES = 76
#: With more columns than this, each is a bare lane of width `_LANE`, and a text covers the lanes to its right.
_MANY, _LANE = 8, 26.0
#: The colours of page.css: on white, and on black.
_LIGHT = ("#0072b2", "#b97a00", "#00875f", "#b5568b", "#2b8cc4", "#857300", "#767676")
_DARK = ("#4aa8e8", "#e69f00", "#1fb98c", "#d98ab8", "#9ad4f5", "#cbb53a", "#a9a9a9")
_BAR = {Lane.OUTSIDE: 1.0, Lane.INSIDE: 2.5, Lane.LOCKED: 7.0}
_INDENTED = (RowKind.OPERATION, RowKind.DRAIN, RowKind.WALK)
_CLASSES = {
    RowKind.INSTRUCTION: "sim-bold",
    RowKind.SINGLE: "sim-bold",
    RowKind.FAULT: "sim-bold",
    **dict.fromkeys((RowKind.BLOCK, RowKind.CYCLE_BEGIN, RowKind.CYCLE_END), "sim-dim"),
    RowKind.WALK: "sim-dim",
}


def _fills(colours: Sequence[str]) -> str:
    return "".join(f".sim-svg .sim-c{number}{{fill:{colour}}}" for number, colour in enumerate(colours))


_STYLE = f"""{_fills(_LIGHT)}
@media (prefers-color-scheme:dark){{{_fills(_DARK)}}}""" + """
.sim-svg text{font:12px ui-monospace,"SF Mono","DejaVu Sans Mono",Menlo,Consolas,monospace;fill:#1b1b1b;white-space:pre}
.sim-svg .sim-prose{font:13px system-ui,sans-serif}
.sim-svg .sim-paper{fill:#fff}.sim-svg .sim-dim{fill:#5f5f5f}.sim-svg .sim-bold{font-weight:600}
.sim-svg .sim-mark{fill:#b34e00;font-weight:700}.sim-svg .sim-guilty{fill:#fdeadd;stroke:#d55e00}
.sim-svg .sim-fold{fill:#f2f2ef}.sim-svg .sim-idle{fill:#b4b4ae}.sim-svg .sim-sign{fill:#5f5f5f}
.sim-svg .sim-arrow{fill:none;stroke:#d55e00;stroke-width:1.4}.sim-svg .sim-head{fill:#d55e00}
@media (prefers-color-scheme:dark){.sim-svg text{fill:#e8e6e1}.sim-svg .sim-paper{fill:#16181b}
.sim-svg .sim-dim{fill:#a3a19b}.sim-svg .sim-mark{fill:#ff9248}.sim-svg .sim-guilty{fill:#43260f;stroke:#ff9248}
.sim-svg .sim-fold{fill:#1f2226}.sim-svg .sim-idle{fill:#4a4e55}.sim-svg .sim-sign{fill:#a3a19b}
.sim-svg .sim-arrow{stroke:#ff9248}.sim-svg .sim-head{fill:#ff9248}}
"""


def to_svg(given: Failure | Trace, findings: Sequence[Finding] = (), *, everything: bool = False) -> str:
    """Return the drawing of a failure, or of a trace with `findings` in it, as an SVG element.

    Args:
        given: What to draw.
        findings: Findings in a trace; a failure has its own.
        everything: Fold nothing.

    Raises:
        UsageError: `given` is neither a failure nor a trace.
    """
    return _Drawing(subject_of(given, findings), everything).svg()


class _Drawing:
    def __init__(self, subject: Subject, everything: bool) -> None:
        self._subject = subject
        findings = [finding for finding, _ in subject.explained]
        self._table = trace_table(subject.trace, findings, everything=everything)
        self._arrows = conflict_arrows(subject.trace, findings)
        widths = _widths(self._table)
        many = len(widths) > _MANY
        room = max(widths) if many else 0.0
        if many:
            widths = [_LANE] * len(widths)
        self._many = many
        rows = self._table.rows
        self._texts = [fit(row.text, _LONGEST) for row in rows]
        self._tops = [0, *accumulate(_LINE * len(lines) for lines in self._texts)]  # of each row, and the end
        number, marks = (max((len(each) for each in found), default=0) for found in zip(*_gutter(rows), strict=True))
        self._number = _PAD + max(len("step"), number) * _CHAR  # where the numbers of the steps end
        gutter = self._number + _TO_MARKS + marks * _CHAR + _TO_LANES
        self._left = [gutter + sum(widths[:column]) for column in range(len(widths) + 1)]
        self._width = max(self._left[-1] + room + _PAD, _LEAST, len(subject.headline) * 8.0 + 2 * _PAD)
        self._legend = list(_placed(_signs(self._table, bool(self._arrows)), self._width - 2 * _PAD))
        self._top = 58 + 18 * len({line for line, _, _ in self._legend})

    def svg(self) -> str:
        """Return the element."""
        parts = [*self._head(), *self._signs(), *self._lanes(), *self._rows(), *self._conflicts(), *self._cycle()]
        y = self._top + self._tops[-1] + 24
        below = list(self._below())
        for number, line in enumerate(below):
            parts += [text(_PAD + x, y + number * 18, words, name) for x, words, name in line]
        height = y + 18 * len(below) + 4
        size = f'width="{self._width:.0f}" height="{height:.0f}" viewBox="0 0 {self._width:.0f} {height:.0f}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="sim-svg" role="img" {size}>'
            f"<title>{escape(self._subject.headline)}</title><style>{_STYLE}</style>"
            f'<rect class="sim-paper" width="100%" height="100%" rx="6"/>{"".join(parts)}</svg>'
        )

    def _head(self) -> Iterator[str]:
        verdict = "" if self._subject.verdict is None else self._subject.verdict.upper()
        yield text(_PAD, 22, verdict, "sim-mark")
        yield text(_PAD + (len(verdict) + 1) * _CHAR * bool(verdict), 22, self._subject.title, "sim-bold")
        yield text(self._number, self._top - 12, "step", "sim-dim", anchor="end")
        for column, name in enumerate(self._table.columns):
            shown = title(name).removeprefix("vCPU ") if self._many else title(name)
            yield text(self._left[column] + 2, self._top - 12, shown, "sim-bold")
            width = self._left[column + 1] - self._left[column] - (4 if self._many else 16)
            yield rect(self._left[column], self._top - 6, width, 2.5, name=_colour(column))

    def _signs(self) -> Iterator[str]:
        """Yield the legend, which is above the table, where a reader begins."""
        for line, x, (sign, meaning) in self._legend:
            base = 42 + 18 * line
            if sign in _GLYPHS:
                name = "sim-idle" if sign == ":" else "sim-sign"
                yield rect(_PAD + x + 5 - _GLYPHS[sign] / 2, base - 10, _GLYPHS[sign], 13, name=name)
            else:
                yield text(_PAD + x, base, sign, "sim-mark" if sign in (">1", "\u2192") else "sim-bold")
            yield text(_PAD + x + _CHAR * (len(sign) + 1), base, meaning, "sim-dim")

    def _lanes(self) -> Iterator[str]:
        """Yield the bars, each as long as its vCPU does the same."""
        rows = self._table.rows
        for column in range(len(self._table.columns)):
            begun = 0
            for index in range(1, len(rows) + 1):
                lane = rows[begun].lanes[column]
                if index < len(rows) and rows[index].lanes[column] is lane:
                    continue
                if lane in _BAR:
                    yield self._bar(column, lane, begun, index)
                begun = index

    def _bar(self, column: int, lane: Lane, begun: int, end: int) -> str:
        width = _BAR[lane]
        x, y = self._left[column] + 4 - width / 2, self._top + self._tops[begun]
        name = "sim-idle" if lane is Lane.OUTSIDE else _colour(column)
        return rect(x, y, width, self._tops[end] - self._tops[begun], name=name)

    def _rows(self) -> Iterator[str]:
        for index, row in enumerate(self._table.rows):
            yield from self._row(row, self._texts[index], self._top + self._tops[index])

    def _row(self, row: Row, lines: Sequence[str], y: float) -> Iterator[str]:
        base, height = y + 13.5, _LINE * len(lines)
        if row.column is None:
            yield rect(0, y, self._width, _LINE, name="sim-fold")
            yield text(self._left[0], base, row.text, "sim-dim")
            return
        yield text(self._number, base, row.number, "sim-dim", anchor="end")
        if row.switched or row.early:
            yield text(self._number + _TO_SWITCH, base, "~" if row.switched else "^", "sim-dim")
        left, right = self._box(row, lines)
        if self._many:  # the text covers the bars of other columns
            yield rect(left + 2, y, right - left - 4, height, name="sim-paper")
        if row.marks:
            yield text(self._number + _TO_MARKS, base, row.mark, "sim-mark")
            yield rect(left, y + 1, right - left, height - 2, name="sim-guilty", more=' rx="3"')
        for number, words in enumerate(lines):
            yield text(left + 5, base + number * _LINE, words, _CLASSES.get(row.kind, ""))

    def _box(self, row: Row, lines: Sequence[str]) -> tuple[float, float]:
        """Return the left and the right end of the row's text, with a margin."""
        assert row.column is not None
        left = self._left[row.column] + (25 if row.kind in _INDENTED else 9)
        return left, left + max(map(len, lines), default=0) * _CHAR + 10

    def _conflicts(self) -> Iterator[str]:
        """Yield the arrows between steps that are in sight."""
        lines = {row.step: (index, row) for index, row in enumerate(self._table.rows) if row.step is not None}
        for number, each in enumerate(self._arrows):
            if each.source in lines and each.target in lines:
                yield self._arrow(number, each, lines)

    def _arrow(self, number: int, each: Arrow, lines: dict[int, tuple[int, Row]]) -> str:
        """Return an arrow through the gap between two columns; of many columns, to the right of both texts."""
        (above, source), (below, target) = lines[each.source], lines[each.target]
        assert source.column is not None
        assert target.column is not None
        start, end = self._box(source, self._texts[above]), self._box(target, self._texts[below])
        y0, y1 = self._top + self._tops[above] + 13, self._top + self._tops[below] + 6
        spread = 4 * (number % 3)  # so that arrows in one gap do not hide each other
        if self._many:
            return arrow((start[1], y0), (end[1], y1), max(start[1], end[1]) + 12 + spread)
        if source.column < target.column:
            return arrow((start[1], y0), (end[0], y1), self._left[target.column] - 13 + spread)
        return arrow((start[0], y0), (end[1], y1), self._left[source.column] - 13 + spread)

    def _cycle(self) -> Iterator[str]:
        """Yield the arrow from the end of a lasso back to where its cycle begins, to the right of the steps."""
        kinds = [row.kind for row in self._table.rows]
        if RowKind.CYCLE_BEGIN not in kinds:
            return  # no lasso, or the place is folded
        boxes = {
            index: self._box(self._table.rows[index], self._texts[index])[1]
            for index in range(kinds.index(RowKind.CYCLE_BEGIN), len(kinds))
            if self._table.rows[index].column is not None
        }
        begin, *_, end = boxes
        y0, y1 = (self._top + self._tops[index] + _LINE / 2 for index in (end, begin))
        turn = min(max(boxes.values()) + 12, self._width - 5)
        yield arrow((boxes[end], y0), (boxes[begin], y1), turn)

    def _below(self) -> Iterator[list[tuple[float, str, str]]]:
        """Yield the lines under the table, the findings and the ending, as parts: an offset, words, and a class."""
        room = max(60, int((self._width - 2 * _PAD) / 7.0))
        for number, (finding, explanation) in enumerate(self._subject.explained, 1):
            yield [(0, f">{number} {clean(finding.kind)}", "sim-mark")]
            for words in (finding.message, explanation):
                for line in textwrap.wrap(clean(words), room, break_on_hyphens=False):
                    yield [(0, line, "sim-prose")]
            yield []
        for label, value in ending_fields(self._subject.trace):
            for line_number, line in enumerate(textwrap.wrap(value, room - 10) or [""]):
                yield [(0, "" if line_number else label, "sim-dim"), (_VALUES, line, "")]


#: The signs that are drawn as a bar, with its width.
_GLYPHS = {":": _BAR[Lane.OUTSIDE], "|": _BAR[Lane.INSIDE], "#": _BAR[Lane.LOCKED]}


def _gutter(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return what stands to the left of the columns: the number and the marks of each row."""
    return [("", ""), *((row.number, row.mark) for row in rows)]


def _signs(table: TraceTable, arrows: bool) -> list[tuple[str, str]]:
    """Return the signs that occur, each with its meaning."""
    rows = table.rows
    signs = [
        (":", "between instructions", any(Lane.OUTSIDE in row.lanes for row in rows)),
        ("|", "inside an instruction", any(Lane.INSIDE in row.lanes for row in rows)),
        ("#", "holding a lock", any(Lane.LOCKED in row.lanes for row in rows)),
        ("~", "the scheduler switched", any(row.switched for row in rows)),
        ("^", "took effect early", any(row.early for row in rows)),
        (">1", "a step of finding 1", any(row.marks for row in rows)),
        ("\u2192", "conflicting accesses", arrows),
    ]
    return [(sign, meaning) for sign, meaning, occurs in signs if occurs]


def _placed(signs: Sequence[tuple[str, str]], room: float) -> Iterator[tuple[int, float, tuple[str, str]]]:
    """Yield line, x and sign: as many signs on a line as fit."""
    line, x = 0, 0.0
    for sign, meaning in signs:
        width = (len(sign) + 1 + len(meaning)) * _CHAR
        if x and x + width > room:
            line, x = line + 1, 0.0
        yield line, x, (sign, meaning)
        x += width + 3 * _CHAR


def _widths(table: TraceTable) -> list[float]:
    longest = [len(title(name)) for name in table.columns]
    for row in table.rows:
        if row.column is not None:
            longest[row.column] = max(longest[row.column], max(map(len, fit(row.text, _LONGEST)), default=0) + 2)
    return [max(_NARROWEST, length * _CHAR + 48) for length in longest]


def _colour(column: int) -> str:
    return f"sim-c{column % len(_LIGHT)}"
