"""The data of the page: rows of the table, changes of each step, findings, folds and arrows, as compact JSON values.

A trace may be long, so each text is stored once in a list and named by its number. A row is ``[kind, text, step,
column, marks, switched, lanes]``, with ``-1`` for a missing step or column and a letter for each lane; one more value,
1, follows if it took effect early. A change of a step is ``[place, old, new]``. `hidden` lists the ranges of rows that
are folded at first, `walks` the walks down the radix tree as ``[first row, last row, text]``, `arrows` the conflicts as
``[from step, to step, finding]``, `ending` the lines of the ending as ``[label, value]``, `source` what
`simaie.show.source` makes of a compiled guest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from simaie.replaying.target import sources_of
from simaie.show.arrows import conflict_arrows
from simaie.show.folding import kept_steps
from simaie.show.format import clean
from simaie.show.picture.state_history import StateHistory
from simaie.show.picture.subject import Subject
from simaie.show.source import source_document
from simaie.show.trace_end import ending_fields
from simaie.show.trace_table import Lane, Row, RowKind, title, trace_table, walks_of
from simaie.trace import Ending

__all__ = ["page_document"]

_KINDS = list(RowKind)
_LANES = {Lane.ABSENT: "a", Lane.OUTSIDE: "o", Lane.INSIDE: "i", Lane.LOCKED: "l"}


class _Texts:
    """The texts of a document, each stored once: called with a text, it returns the text's number."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


def page_document(subject: Subject) -> dict[str, Any]:
    """Return the JSON values that the page of `subject` shows."""
    explained = subject.explained
    findings = [finding for finding, _ in explained]
    table = trace_table(subject.trace, findings, everything=True)
    texts, history = _Texts(), StateHistory(subject)
    rows = [_row(row, texts) for row in table.rows]
    hidden = list(_hidden(subject, table.rows))
    return {
        "title": subject.title,
        "verdict": subject.verdict or "",
        "command": clean(subject.command),
        "columns": [title(name) for name in table.columns],
        "kinds": [kind.value for kind in _KINDS],
        "rows": rows,
        "hidden": hidden,
        "walks": list(_walks(subject, table.rows, hidden, texts)),
        "arrows": [list(arrow) for arrow in conflict_arrows(subject.trace, findings)],
        "places": [[place.group.value, texts(place.name), texts(place.before)] for place in history.places],
        "changes": [[[c.place, texts(c.old), texts(c.new)] for c in step] for step in history.changes],
        "touched": history.touched,
        "findings": [
            {"kind": clean(f.kind), "message": clean(f.message), "explanation": explanation, "steps": list(f.steps)}
            for f, explanation in explained
        ],
        "more": len(subject.findings) - len(explained),
        "over": subject.trace.ending is not Ending.PRUNED,
        "ending": [list(field) for field in ending_fields(subject.trace)],
        "source": {} if subject.program is None else source_document(subject.trace, sources_of(subject.program)),
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
        *([1] if row.early else []),
    ]


def _walks(
    subject: Subject, rows: Sequence[Row], hidden: Sequence[Sequence[int]], texts: _Texts
) -> Iterator[list[int]]:
    """Yield [first row, last row, text] of each walk; a walk that is hidden in part is cut in two there."""
    breaks = {index for first, last in hidden for index in (first, last + 1)}
    for index, walk in walks_of(subject.trace, rows, breaks):
        yield [index, index + walk.last - walk.first, texts(walk.text)]


def _hidden(subject: Subject, rows: Sequence[Row]) -> Iterator[list[int]]:
    """Yield [first, last] of each run of rows that is folded; a heading goes with the operation below it."""
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
