"""What the audit found, row by row."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from simaie import plugins
from simaie.corpus import Expect

__all__ = ["AuditReport", "AuditRow", "Found"]


class Found(StrEnum):
    """What came of one program under one scheme."""

    CLEAN = "clean"  # everything at the small scope was explored, and nothing there or in the sample is a finding
    VIOLATED = "violated"  # a finding of a kind that counts
    OBSERVED = "observed"  # the behaviour was seen, and nothing is a finding
    NOT_FOUND = "not-found"  # the search ended without what it was for
    FLAGGED = "flagged"  # a finding of a kind that does not count: it shows something else than the row is about
    INCOMPLETE = "incomplete"  # a limit ended the search, or cut an execution short

    @property
    def meets(self) -> Expect | None:
        """The expectation that is met by this, if any."""
        return _MEETS.get(self)


_MEETS = {Found.CLEAN: Expect.MUST_NOT, Found.VIOLATED: Expect.FINDABLE, Found.OBSERVED: Expect.MODEL}


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """One program under one scheme.

    row: of the design's table; title: its case; why: why it must or can be so. executions, complete: how many were run
    at the small scope under `scheduler`, and whether they are all there are (under "dpor": one for every order of the
    operations that conflict). larger_program, larger_executions: what was sampled beyond, by a random walk. seed: of
    every random part. index: of the execution that shows what was found, in its exploration; command: shows it again,
    empty if there is nothing to show, or the scheme has no name. explanation: what was found, in a sentence.
    """

    row: int
    title: str
    program: str
    scheme: str
    expected: Expect
    found: Found
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
        """Whether what was found is what was expected."""
        return self.found.meets is self.expected

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON values."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return fields | {"ok": self.ok}


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `simaie.audit.audit`. planned: how many rows there were to be; interrupted: by Ctrl-C."""

    rows: tuple[AuditRow, ...]
    planned: int
    seed: int
    seconds: float
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """Whether every row was run and is as expected."""
        return not self.interrupted and len(self.rows) == self.planned and all(row.ok for row in self.rows)

    def _repr_html_(self) -> str:
        drawn: str = plugins.resolve(plugins.RENDERERS, "audit")(self)
        return drawn

    @property
    def unexpected(self) -> tuple[AuditRow, ...]:
        """The rows that are not as expected."""
        return tuple(row for row in self.rows if not row.ok)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "ok": self.ok,
            "interrupted": self.interrupted,
            "seed": self.seed,
            "planned": self.planned,
            "seconds": self.seconds,
            "rows": [row.as_dict() for row in self.rows],
        }
