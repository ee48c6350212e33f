"""A trace as text: one lane per vCPU, the steps of a violation marked, the ending and the findings below.

    step      vCPU 0                          vCPU 1
              | add [0x100] = 0               :
       0      |   load slot 0x0 = none        :
       3 ~    :                               | str: store [0x100]/4 := 5
       9 ~ >1 #   store [0x100]/4 := 1        :

``~`` marks a step where the scheduler deviated from its default, ``^`` an access that took effect before earlier ones
of its vCPU, ``>1`` a step that finding 1 names. A lane is ``:`` between instructions, ``|`` inside one, ``#`` while a
lock is held. With more than six vCPUs, or in a terminal too narrow for their lanes, all share one column and each row
begins with the vCPU's name. The text is ASCII, in colour on a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from simaie.finding import Finding
from simaie.show.lines import prose
from simaie.show.trace_end import MOST_FINDINGS, ending_lines, finding_lines
from simaie.show.trace_table import Lane, Row, RowKind, TraceTable, title, trace_table
from simaie.trace import Trace

__all__ = ["table_lines", "trace_view"]

#: More vCPUs than this share one column.
MOST_LANES = 6
#: A lane narrower than this no longer reads as a column.
NARROWEST_LANE = 12
WIDEST_LANE = 44

_INK = {Lane.ABSENT: " ", Lane.OUTSIDE: ":", Lane.INSIDE: "|", Lane.LOCKED: "#"}
_COLOURS = ("cyan", "magenta", "blue", "green", "yellow", "bright_cyan")
_GUILTY = "bold red"


def trace_view(
    trace: Trace,
    findings: Sequence[Finding] = (),
    *,
    everything: bool = False,
    width: int | None = None,
    findings_below: bool = True,
) -> list[Text]:
    """Return the lines of `trace`, its ending and its findings.

    Args:
        trace: The execution.
        findings: Findings in it, whose steps are marked.
        everything: Fold nothing.
        width: Characters that a line may have; None for no limit. Prose breaks at words, in lines of 80 at most.
        findings_below: Whether the findings come last; False if the caller shows them itself.
    """
    table = trace_table(trace, findings[:MOST_FINDINGS], everything=everything)
    lines = [*table_lines(table, width=width)]
    for line in _legend(table):
        lines += prose(line, width)
    lines.append(Text())
    for line in ending_lines(trace):
        lines += prose(line, width, indent=10)
    return [*lines, *finding_lines(findings, width)] if findings_below else lines


#: The states of a vCPU that the legend explains, in its order.
_LANES = (
    (Lane.OUTSIDE, "between instructions"),
    (Lane.INSIDE, "in an instruction"),
    (Lane.LOCKED, "holds a lock"),
)


def _legend(table: TraceTable) -> list[Text]:
    """Return the signs that occur, with their meanings: the states of a vCPU on one line, the others on the next."""
    lanes = {lane for row in table.rows for lane in row.lanes}
    states = [f"{_INK[lane]} {meaning}" for lane, meaning in _LANES if lane in lanes]
    signs = []
    if any(row.switched for row in table.rows):
        signs.append("~ the scheduler switched")
    if any(row.early for row in table.rows):
        signs.append("^ took effect early")
    if any(row.marks for row in table.rows):
        signs.append(">n a step of finding n")
    if table.folded:
        signs.append(f"{table.folded} steps folded")
    return [Text("   ".join(line), "dim") for line in (states, signs) if line]


def table_lines(table: TraceTable, *, width: int | None = None) -> list[Text]:
    """Return the lines of the table alone, in at most `width` characters if they fit."""
    if not table.rows:
        return [Text("(no steps)", "dim")]
    gutter = _Gutter(table)
    stride = _stride(table, None if width is None else width - gutter.width)
    pen = _Column(table) if stride is None else _Lanes(table, stride)
    heading = gutter.heading()
    heading.append_text(pen.heading())
    return [heading, *_drawn(table.rows, gutter, pen)]


def _drawn(rows: Sequence[Row], gutter: _Gutter, pen: _Lanes | _Column) -> Iterator[Text]:
    for row in rows:
        line = gutter.of(row)
        line.append_text(pen.of(row))
        line.rstrip()
        yield line


def _stride(table: TraceTable, room: int | None) -> int | None:
    """Return the distance between two lanes, in characters; None if they do not fit.

    A row has text in one lane only, which may cover the lanes to its right. So the longest text of each lane has to
    fit between the lane and the right margin.
    """
    if len(table.columns) > MOST_LANES:
        return None
    longest = [0] * len(table.columns)
    for row in table.rows:
        if row.column is not None:
            longest[row.column] = max(longest[row.column], 1 + len(_body(row)))
    stride = max(NARROWEST_LANE, min(WIDEST_LANE, max(longest) + 1))
    if room is None:
        return stride
    for column in range(1, len(longest)):
        stride = min(stride, (room - longest[column]) // column)
    return stride if stride >= NARROWEST_LANE and longest[0] <= room else None


#: The characters in front of the text of a row, by its kind; for all others a space.
_BEFORE = {
    **dict.fromkeys((RowKind.OPERATION, RowKind.DRAIN, RowKind.WALK), "   "),
    RowKind.CYCLE_BEGIN: " ,-> ",
    RowKind.CYCLE_END: " `-- ",
}
_STYLES = {
    RowKind.INSTRUCTION: "bold",
    RowKind.WALK: "italic",
    **dict.fromkeys((RowKind.BLOCK, RowKind.CYCLE_BEGIN, RowKind.CYCLE_END), "italic dim"),
}


def _body(row: Row) -> str:
    """Return the text of a row as it follows its lane's own mark, indented."""
    return _BEFORE.get(row.kind, " ") + row.text


def _body_style(row: Row) -> str:
    if row.marks or row.kind is RowKind.FAULT:
        return _GUILTY
    return _STYLES.get(row.kind, "")


class _Gutter:
    """The left margin: the step's number, ``~`` or ``^``, the findings that name the step."""

    def __init__(self, table: TraceTable) -> None:
        self._number = max(4, *(len(row.number) for row in table.rows))
        self._marks = max((len(row.mark) for row in table.rows), default=0)
        self.width = self._number + 3 + self._marks + 1

    def heading(self) -> Text:
        """Return the part above the numbers."""
        return Text("step".rjust(self._number).ljust(self.width), "bold")

    def of(self, row: Row) -> Text:
        """Return the margin of `row`."""
        line = Text()
        line.append(row.number.rjust(self._number), "dim")
        line.append(" ~ " if row.switched else " ^ " if row.early else "   ", "yellow")
        line.append(row.mark.ljust(self._marks) + " ", _GUILTY)
        return line


class _Lanes:
    """Lines with one lane per vCPU."""

    def __init__(self, table: TraceTable, stride: int) -> None:
        self._columns, self._stride = table.columns, stride

    def heading(self) -> Text:
        """Return the names above the lanes."""
        line = Text()
        for column, name in enumerate(self._columns):
            line.append(_cut(title(name), self._stride - 1).ljust(self._stride), f"bold {_colour(column)}")
        line.rstrip()
        return line

    def of(self, row: Row) -> Text:
        """Return the lanes with the row's text, which covers those to its right."""
        if row.column is None:
            return Text(row.text, "dim italic")
        line = Text()
        for column, lane in enumerate(row.lanes):
            place = column * self._stride
            if len(line) > place:
                continue  # the text of a lane further left covers this one
            line.append(" " * (place - len(line)))
            line.append(_INK[lane], _colour(column))
            if column == row.column:
                line.append(_body(row), _body_style(row))
                line.append(" ")
        return line


class _Column:
    """Lines with one column for all vCPUs, in which each row begins with its vCPU's name."""

    def __init__(self, table: TraceTable) -> None:
        self._names = [title(name) for name in table.columns]
        self._width = max(map(len, self._names)) + 1

    def heading(self) -> Text:
        """Return an empty heading: every row names its vCPU."""
        return Text()

    def of(self, row: Row) -> Text:
        """Return the vCPU's name and the row's text."""
        if row.column is None:
            return Text(row.text, "dim italic")
        line = Text().append(self._names[row.column].ljust(self._width), _colour(row.column))
        line.append(_INK[row.lanes[row.column]], _colour(row.column))
        return line.append(_body(row), _body_style(row))


def _colour(column: int) -> str:
    return _COLOURS[column % len(_COLOURS)]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 2] + ".."
