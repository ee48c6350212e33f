"""The documents on many programs: of the matrix, the audit, litmus tests, fuzzing, lists and campaigns."""

from __future__ import annotations

from typing import Any

import msgspec

from simaie.audit.report import AuditRow
from simaie.campaign.witnesses import Retried
from simaie.cli.documents.executions import ReplayedForm
from simaie.cli.documents.forms import Form, InputProblem, Outcome
from simaie.survey.cell import Cell

__all__ = ["Audited", "Fixed", "Fuzzed", "Listing", "LitmusRun", "MatrixForm"]


class DecidedCell(Cell, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A cell of the matrix; `differs` says whether the result is not the expected one."""

    differs: bool


class CellCounterexample(ReplayedForm, frozen=True, kw_only=True):
    """The shortest counterexample of a cell."""

    hole: str
    command: str


class MatrixForm(Form, frozen=True, kw_only=True):
    """What `simaie matrix` prints; the counterexamples are there with ``--explain``."""

    schema: str
    ok: bool
    interrupted: bool
    planned: int
    seconds: float
    cost: float
    cells: tuple[DecidedCell, ...]
    counterexamples: tuple[CellCounterexample, ...] | msgspec.UnsetType = msgspec.UNSET


class JudgedRow(AuditRow, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A row of the audit; `ok` says whether the outcome is the expected one."""

    ok: bool


class RowCounterexample(ReplayedForm, frozen=True, kw_only=True):
    """The shortest counterexample of a row."""

    row: int
    command: str


class Audited(Form, frozen=True, kw_only=True):
    """What `simaie audit` prints; the counterexamples are there with ``--explain``."""

    schema: str
    ok: bool
    interrupted: bool
    seed: int
    planned: int
    seconds: float
    rows: tuple[JudgedRow, ...]
    counterexamples: tuple[RowCounterexample, ...] | msgspec.UnsetType = msgspec.UNSET


class LitmusForm(Form, frozen=True, kw_only=True):
    """The result of one litmus test."""

    name: str
    arch: str
    file: str
    scheme: str
    host: str
    states: tuple[Outcome, ...]
    verdict: str
    conclusive: bool
    observation: str
    positive: int
    negative: int
    executions: int
    complete: bool
    bounded: bool
    interrupted: bool
    seconds: float


class LitmusRun(Form, frozen=True, kw_only=True):
    """What `simaie litmus` prints."""

    tests: tuple[LitmusForm, ...]
    schema: str
    errors: tuple[InputProblem, ...]
    interrupted: bool


class FuzzedFailure(Form, frozen=True, kw_only=True):
    """A generated program that fails; `program` is its text."""

    kind: str
    signature: str
    digest: str
    count: int
    program: str
    schedule: str
    findings: tuple[str, ...]
    saved: str | None


class Fuzzed(Form, frozen=True, kw_only=True):
    """What `simaie fuzz` prints."""

    schema: str
    examples: int
    executions: int
    traces: int
    failing: int
    interrupted: bool
    programs: int
    examples_per_second: float
    seconds: float
    failures: tuple[FuzzedFailure, ...]
    unlisted: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a list: a plug-in, or a program. Each list has more fields of its own."""

    name: str
    description: str
    isa: str | msgspec.UnsetType = msgspec.UNSET
    threads: int | msgspec.UnsetType = msgspec.UNSET
    expected: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    use: str | msgspec.UnsetType = msgspec.UNSET
    options: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


#: What `simaie list` prints: an array, which has no place for the name of its form.
Listing = tuple[Entry, ...]


class Fixed(Form, frozen=True, kw_only=True):
    """What `simaie campaign fixed` prints."""

    schema: str
    findings: tuple[Retried, ...]
