"""A drawing of an execution: the table of the text trace, folded as it is, with bars for instructions and locks.

One SVG element that needs nothing else; the classes have a prefix, so that it can stand in a page. It follows
the reader's choice of light or dark. Colours have Okabe and Ito's hues, which the colour-blind tell apart, and never
say anything alone: a guilty access also has its number, a lock a thicker bar.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from html import escape

from simaie.finding import Finding
from simaie.replaying.failure import Failure
from simaie.show.format import clean
from simaie.show.picture.subject import Subject, subject_of
from simaie.show.trace_end import ending_lines
from simaie.show.trace_table import Lane, Row, RowKind, TraceTable, title, trace_table
from simaie.trace import Trace

__all__ = ["to_svg"]

_CHAR, _LINE, _TOP, _GUTTER, _PAD = 7.25, 19, 58, 92, 14
_NARROWEST, _LONGEST, _LEAST = 150.0, 64, 560.0
#: More columns than this are no more than lanes of that width, over which the texts run on to the right.
_MANY, _LANE = 8, 26.0
#: Those of page.css: on white, and on black.
_LIGHT = ("#0072b2", "#b97a00", "#00875f", "#b5568b", "#2b8cc4", "#857300", "#767676")
_DARK = ("#4aa8e8", "#e69f00", "#1fb98c", "#d98ab8", "#9ad4f5", "#cbb53a", "#a9a9a9")
_BAR = {Lane.OUTSIDE: 1.0, Lane.INSIDE: 2.5, Lane.LOCKED: 7.0}


def _fills(colours: Sequence[str]) -> str:
    return "".join(f".sim-svg .sim-c{number}{{fill:{colour}}}" for number, colour in enumerate(colours))


_STYLE = f"""{_fills(_LIGHT)}
@media (prefers-color-scheme:dark){{{_fills(_DARK)}}}""" + """
.sim-svg text{font:12px ui-monospace,"SF Mono","DejaVu Sans Mono",Menlo,Consolas,monospace;fill:#1b1b1b;white-space:pre}
.sim-svg .sim-prose{font:13px system-ui,sans-serif}
.sim-svg .sim-paper{fill:#fff}.sim-svg .sim-dim{fill:#5f5f5f}.sim-svg .sim-bold{font-weight:600}
.sim-svg .sim-mark{fill:#b34e00;font-weight:700}.sim-svg .sim-guilty{fill:#fdeadd;stroke:#d55e00}
.sim-svg .sim-fold{fill:#f2f2ef}.sim-svg .sim-idle{fill:#cfcfca}
@media (prefers-color-scheme:dark){.sim-svg text{fill:#e8e6e1}.sim-svg .sim-paper{fill:#16181b}
.sim-svg .sim-dim{fill:#a3a19b}.sim-svg .sim-mark{fill:#ff9248}.sim-svg .sim-guilty{fill:#43260f;stroke:#ff9248}
.sim-svg .sim-fold{fill:#1f2226}.sim-svg .sim-idle{fill:#4a4e55}}
"""


def to_svg(given: Failure | Trace, findings: Sequence[Finding] = (), *, everything: bool = False) -> str:
    """The drawing of a failure, or of a trace with `findings` in it. everything: fold nothing."""
    return _Drawing(subject_of(given, findings), everything).svg()


class _Drawing:
    def __init__(self, subject: Subject, everything: bool) -> None:
        self._subject = subject
        told = [finding for finding, _ in subject.told]
        self._table = trace_table(subject.trace, told, everything=everything)
        widths = _widths(self._table)
        many = len(widths) > _MANY
        room = max(widths) if many else 0.0
        if many:
            widths = [_LANE] * len(widths)
        self._many = many
        self._left = [_GUTTER + sum(widths[:column]) for column in range(len(widths) + 1)]
        self._width = max(self._left[-1] + room + _PAD, _LEAST, len(subject.title) * 8.0 + 2 * _PAD)

    def svg(self) -> str:
        """The whole element."""
        parts = [*self._head(), *self._lanes(), *self._rows()]
        y = _TOP + _LINE * len(self._table.rows) + 24
        below = list(self._below())
        for number, (words, name) in enumerate(below):
            parts.append(_text(_PAD, y + number * 18, words, name))
        height = y + 18 * len(below) + 4
        size = f'width="{self._width:.0f}" height="{height:.0f}" viewBox="0 0 {self._width:.0f} {height:.0f}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="sim-svg" role="img" {size}>'
            f"<title>{escape(self._subject.title)}</title><style>{_STYLE}</style>"
            f'<rect class="sim-paper" width="100%" height="100%" rx="6"/>{"".join(parts)}</svg>'
        )

    def _head(self) -> Iterator[str]:
        yield _text(_PAD, 22, self._subject.title, "sim-bold")
        yield _text(40, _TOP - 12, "step", "sim-dim", anchor="end")
        for column, name in enumerate(self._table.columns):
            shown = title(name).removeprefix("vCPU ") if self._many else title(name)
            yield _text(self._left[column] + 2, _TOP - 12, shown, "sim-bold")
            width = self._left[column + 1] - self._left[column] - (4 if self._many else 16)
            yield _rect(self._left[column], _TOP - 6, width, 2.5, name=_colour(column))

    def _lanes(self) -> Iterator[str]:
        """The bars, each as long as its vCPU does the same."""
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
        x, y, height = self._left[column] + 4 - width / 2, _TOP + begun * _LINE, (end - begun) * _LINE
        if lane is Lane.OUTSIDE:
            return _rect(x, y, width, height, name="sim-idle")
        return _rect(x, y, width, height, name=_colour(column))

    def _rows(self) -> Iterator[str]:
        for index, row in enumerate(self._table.rows):
            yield from self._row(row, _TOP + index * _LINE)

    def _row(self, row: Row, y: float) -> Iterator[str]:
        base = y + 13.5
        if row.column is None:
            yield _rect(0, y, self._width, _LINE, name="sim-fold")
            yield _text(_GUTTER, base, row.text, "sim-dim")
            return
        if row.step is not None:
            yield _text(40, base, str(row.step), "sim-dim", anchor="end")
        if row.switched:
            yield _text(46, base, "~", "sim-dim")
        x = self._left[row.column] + (30 if row.kind in (RowKind.OPERATION, RowKind.DRAIN) else 14)
        if self._many:  # the text runs over the bars of other columns
            yield _rect(x - 3, y, len(_cut(row.text)) * _CHAR + 6, _LINE, name="sim-paper")
        if row.marks:
            yield _text(58, base, ">" + ",".join(map(str, row.marks[:3])), "sim-mark")
            width = len(_cut(row.text)) * _CHAR + 10
            yield _rect(x - 5, y + 1, width, _LINE - 2, name="sim-guilty", more=' rx="3"')
        heavy = row.kind in (RowKind.INSTRUCTION, RowKind.SINGLE, RowKind.FAULT)
        yield _text(x, base, _cut(row.text), "sim-bold" if heavy else "sim-dim" if row.kind is RowKind.BLOCK else "")

    def _signs(self) -> Iterator[str]:
        """What the signs mean, of those that occur; the spaces in a meaning do not break."""
        rows = self._table.rows
        signs = {
            "thin bar: inside an instruction": any(Lane.INSIDE in row.lanes for row in rows),
            "thick bar: holding a lock": any(Lane.LOCKED in row.lanes for row in rows),
            "~ the scheduler switched": any(row.switched for row in rows),
            ">1 a step that finding 1 names": any(row.marks for row in rows),
        }
        return (sign.replace(" ", "\u00a0") for sign, occurs in signs.items() if occurs)

    def _below(self) -> Iterator[tuple[str, str]]:
        """What stands under the table, line by line, with the class of each."""
        for line in textwrap.wrap("   ".join(self._signs()), int((self._width - 2 * _PAD) / _CHAR)):
            yield line, "sim-dim"
        yield "", ""
        room = max(60, int((self._width - 2 * _PAD) / 7.0))
        for number, (finding, told) in enumerate(self._subject.told, 1):
            yield f">{number} {clean(finding.kind)}", "sim-mark"
            for words in (finding.message, told):
                for line in textwrap.wrap(clean(words), room, break_on_hyphens=False):
                    yield line, "sim-prose"
            yield "", ""
        for text in ending_lines(self._subject.trace):
            for line in textwrap.wrap(text.plain, room, subsequent_indent=" " * 10) or [""]:
                yield line, "sim-dim"


def _widths(table: TraceTable) -> list[float]:
    longest = [len(title(name)) for name in table.columns]
    for row in table.rows:
        if row.column is not None:
            longest[row.column] = max(longest[row.column], len(_cut(row.text)) + 2)
    return [max(_NARROWEST, length * _CHAR + 42) for length in longest]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 2] + ".."


def _colour(column: int) -> str:
    return f"sim-c{column % len(_LIGHT)}"


def _rect(x: float, y: float, width: float, height: float, *, name: str, more: str = "") -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="{name}"{more}/>'


def _text(x: float, y: float, words: str, name: str = "", *, anchor: str = "") -> str:
    if not words:
        return ""
    looks = (f' class="{name}"' if name else "") + (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text x="{x:.1f}" y="{y:.1f}"{looks} xml:space="preserve">{escape(words, quote=False)}</text>'
