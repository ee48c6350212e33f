"""The results of an audit, row by row."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from simaie import plugins
from simaie.corpus import Expect

__all__ = ["AuditReport", "AuditRow", "RowResult", "expectation_text"]


class RowResult(StrEnum):
    """The outcome of one program under one scheme."""

    CLEAN = "clean"  # the small scope was explored completely, and neither it nor the sample has a finding
    VIOLATED = "violated"  # a finding of a kind that counts
    OBSERVED = "observed"  # the behaviour was seen, without a finding
    NOT_FOUND = "not-found"  # the search ended without the finding or behaviour
    FLAGGED = "flagged"  # a finding of a kind that does not count: it shows something other than the row's hole
    INCOMPLETE = "incomplete"  # a limit ended the search, or cut an execution short

    @property
    def meets(self) -> Expect | None:
        """The expectation that the outcome meets, if any."""
        return _MEETS.get(self)

    @property
    def text(self) -> str:
        """The outcome in words, as reports show it."""
        return _FOUND_TEXTS[self]


_MEETS = {RowResult.CLEAN: Expect.MUST_NOT, RowResult.VIOLATED: Expect.FINDABLE, RowResult.OBSERVED: Expect.MODEL}
_FOUND_TEXTS = {
    RowResult.CLEAN: "holds",
    RowResult.VIOLATED: "violated",
    RowResult.OBSERVED: "allowed",
    RowResult.NOT_FOUND: "nothing found",
    RowResult.FLAGGED: "violated in another way",
    RowResult.INCOMPLETE: "inconclusive",
}


#: After "expected", in the text of an outcome that differs.
_EXPECTED = {
    Expect.MUST_NOT: "to hold",
    Expect.FINDABLE: "to be violated",
    Expect.MODEL: "to be seen and allowed",
}


def expectation_text(expected: Expect) -> str:
    """Return an expectation in words, as reports show it: ``holds``, ``violated`` or ``allowed``."""
    return next(found.text for found, met in _MEETS.items() if met is expected)


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one program under one scheme.

    Attributes:
        row: Row of the design's table.
        title: The row's case.
        program: Name of the program.
        scheme: The scheme with its options.
        expected: The expectation.
        found: The outcome.
        executions: Executions run at the small scope.
        complete: Whether these are all (with the scheduler "dpor": one for every order of conflicting operations).
        scheduler: The scheduler of the small scope.
        seed: Seed of every random part.
        explanation: The outcome in a sentence.
        why: Why the outcome must happen or can happen.
        larger_program: The program sampled at a larger scope by a random walk; None if there was no sample.
        larger_executions: Executions of that sample.
        index: Index in its exploration of the execution that shows the outcome.
        command: The command that shows it again; empty if there is nothing to show, or the scheme has no name.
        seconds: Wall-clock time.
    """

    row: int
    title: str
    program: str
    scheme: str
    expected: Expect
    found: RowResult
    executions: int
    complete: bool
    scheduler: str
    seed: int
    explanation: str
    why: str
    larger_program: str | None = None
    larger_executions: int = 0
    index: int | None = None
    command: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the outcome is the expected one."""
        return self.found.meets is self.expected

    @property
    def text(self) -> str:
        """The outcome in words, with the expectation if they differ: ``violated, expected to hold``."""
        return self.found.text if self.ok else f"{self.found.text}, expected {_EXPECTED[self.expected]}"

    def as_dict(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return fields | {"ok": self.ok}


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `simaie.audit.audit`.

    Attributes:
        rows: The rows examined.
        planned: Number of rows to examine.
        seed: Seed of every random part.
        seconds: Wall-clock time.
        interrupted: Whether Ctrl-C ended the audit.
    """

    rows: tuple[AuditRow, ...]
    planned: int
    seed: int
    seconds: float
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """Whether every row was examined and is as expected."""
        return not self.interrupted and len(self.rows) == self.planned and all(row.ok for row in self.rows)

    def _repr_html_(self) -> str:
        drawn: str = plugins.resolve(plugins.RENDERERS, "audit")(self)
        return drawn

    def __str__(self) -> str:
        how = "interrupted" if self.interrupted else "as expected" if self.ok else "not as expected"
        return f"audit: {how}, {len(self.rows)} of {self.planned} checks, {len(self.unexpected)} differ"

    @property
    def unexpected(self) -> tuple[AuditRow, ...]:
        """The rows that are not as expected."""
        return tuple(row for row in self.rows if not row.ok)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "ok": self.ok,
            "interrupted": self.interrupted,
            "seed": self.seed,
            "planned": self.planned,
            "seconds": self.seconds,
            "rows": [row.as_dict() for row in self.rows],
        }
