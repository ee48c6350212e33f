"""The page's data: rows of the table, what each step changes, the findings; short, since a trace may be long.

Texts and values are kept once in a list and named by number. A row is
``[kind, text, step, column, marks, switched, lanes]`` with ``-1`` for "none" and a letter for each lane; the changes of
a step are ``[place, old, new]``. `hidden` has the ranges of rows that are folded at first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simaie.show.folding import kept_steps
from simaie.show.format import clean
from simaie.show.picture.state_history import Places
from simaie.show.picture.subject import Subject
from simaie.show.trace_end import ending_lines
from simaie.show.trace_table import Lane, Row, RowKind, title, trace_table
from simaie.trace import Ending

__all__ = ["page_document"]

_KINDS = list(RowKind)
_LANES = {Lane.ABSENT: "a", Lane.OUTSIDE: "o", Lane.INSIDE: "i", Lane.LOCKED: "l"}


class _Texts:
    """Each text once, by number."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


def page_document(subject: Subject) -> dict[str, Any]:
    """JSON values for the page of `subject`."""
    told = subject.told
    table = trace_table(subject.trace, [finding for finding, _ in told], everything=True)
    texts, places = _Texts(), Places(subject)
    rows = [_row(row, texts) for row in table.rows]
    return {
        "title": subject.title,
        "command": clean(subject.command),
        "columns": [title(name) for name in table.columns],
        "kinds": [kind.value for kind in _KINDS],
        "rows": rows,
        "hidden": list(_hidden(subject, table.rows)),
        "places": [[place.group.value, texts(place.name), texts(place.before)] for place in places.places],
        "changes": [[[c.place, texts(c.old), texts(c.new)] for c in step] for step in places.changes],
        "touched": places.touched,
        "findings": [
            {"kind": clean(f.kind), "message": clean(f.message), "told": told_as, "steps": list(f.steps)}
            for f, told_as in told
        ],
        "more": len(subject.findings) - len(told),
        "over": subject.trace.ending is not Ending.PRUNED,
        "ending": [line.plain for line in ending_lines(subject.trace)],
        "texts": list(texts.numbers),
    }


def _row(row: Row, texts: _Texts) -> list[Any]:
    return [
        _KINDS.index(row.kind),
        texts(row.text),
        -1 if row.step is None else row.step,
        -1 if row.column is None else row.column,
        list(row.marks),
        int(row.switched),
        texts("".join(_LANES[lane] for lane in row.lanes)),
    ]


def _hidden(subject: Subject, rows: tuple[Row, ...]) -> Iterator[list[int]]:
    """[first, last] of each run of rows that is folded; a heading goes with the operation below it."""
    kept = kept_steps(subject.trace, subject.findings)
    first: int | None = None
    ahead: list[int] = []
    for index, row in enumerate(rows):
        if row.step is None:
            ahead.append(index)
            continue
        if row.step in kept:
            if first is not None:
                yield [first, ahead[0] - 1 if ahead else index - 1]
            first = None
        elif first is None:
            first = ahead[0] if ahead else index
        ahead.clear()
    if first is not None:
        yield [first, len(rows) - 1]
