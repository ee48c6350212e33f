"""A table of values: markup in a notebook, aligned text elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from simaie.show.format import clean
from simaie.show.plots.plot import Value, require_fields

__all__ = ["Table", "table"]


@dataclass(frozen=True)
class Table:
    """A table of values.

    Attributes:
        title: Title above the table.
        rows: A value for each column, by its heading; the headings are those of the first row.
        strong: Texts whose cells are bold.

    Raises:
        UsageError: A row lacks a column.
    """

    title: str
    rows: tuple[Mapping[str, Value], ...]
    strong: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        require_fields(self.rows, self.columns)

    @property
    def columns(self) -> list[str]:
        """The headings, from left to right."""
        return list(self.rows[0]) if self.rows else []

    def __str__(self) -> str:
        lines = [self.columns, *([_words(row[column]) for column in self.columns] for row in self.rows)]
        widths = [max(len(clean(line[i])) for line in lines) for i in range(len(self.columns))]
        numbers = [bool(self.rows) and not isinstance(self.rows[0][column], str) for column in self.columns]
        laid = (
            "  ".join(clean(cell).rjust(w) if right else clean(cell).ljust(w) for cell, w, right in
                      zip(line, widths, numbers, strict=True)).rstrip()
            for line in lines
        )  # fmt: skip
        return "\n".join([clean(self.title), *laid])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th{_LEFT}>{escape(clean(column))}</th>" for column in self.columns)
        body = "".join(f"<tr>{''.join(self._cells(row))}</tr>" for row in self.rows)
        return (
            f"<p><b>{escape(clean(self.title))}</b></p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def _cells(self, row: Mapping[str, Value]) -> Iterable[str]:
        for column in self.columns:
            value = row[column]
            shown = escape(clean(_words(value)))
            shown = f"<b>{shown}</b>" if value in self.strong else shown
            yield f"<td{_LEFT if isinstance(value, str) else ''}>{shown}</td>"


_LEFT = ' style="text-align:left"'


def _words(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:,}"


def table(title: str, rows: Sequence[Mapping[str, Value]], *, strong: Collection[str] = ()) -> Table:
    """Return a table of `rows`; cells with a text in `strong` are bold."""
    return Table(title, tuple(rows), frozenset(strong))
