"""The documents of comparisons with the guest's architecture: of `simaie compare` and `simaie barriers`."""

from __future__ import annotations

from simaie.cli.documents.forms import ForbiddenForm, Form, InputProblem, Outcome
from simaie.finding import Verdict

__all__ = ["Barred", "Compared", "ComparedAll", "Mapped"]


class OutcomeSet(Form, frozen=True, kw_only=True):
    """The outcomes of one search."""

    scheme: str
    host: str
    states: tuple[Outcome, ...]
    complete: bool
    reason: str
    executions: int
    limited: bool


class ComparisonForm(Form, frozen=True, kw_only=True):
    """The comparison of one program."""

    program: str
    isa: str
    scheme: str
    host: str
    verdict: Verdict
    reason: str
    model_note: str
    interrupted: bool
    unexplored: tuple[str, ...]
    allowed: OutcomeSet
    possible: OutcomeSet
    forbidden: tuple[ForbiddenForm, ...]
    unreached: tuple[Outcome, ...]
    seconds: float


class Compared(ComparisonForm, frozen=True, kw_only=True):
    """What `simaie compare` prints of one program."""

    schema: str
    saved: tuple[str, ...]


class ComparedAll(Form, frozen=True, kw_only=True):
    """What `simaie compare` prints of several programs, of folders and of lists."""

    schema: str
    comparisons: tuple[ComparisonForm, ...]
    errors: tuple[InputProblem, ...]
    saved: tuple[str, ...]
    interrupted: bool


class NeedForm(Form, frozen=True, kw_only=True):
    """A kind of barrier that a program needs."""

    program: str
    kind: str
    minimal: str
    without: str
    always: bool
    witness: ForbiddenForm


class BarredProgram(Form, frozen=True, kw_only=True):
    """The barriers of one program."""

    name: str
    minimal: tuple[str, ...]
    remaining: ForbiddenForm | None
    undecided: str
    unexplored: str
    executions: int
    seconds: float


class Barred(Form, frozen=True, kw_only=True):
    """What `simaie barriers` prints of a scheme without a mapping, and with ``--places``."""

    schema: str
    scheme: str
    host: str
    verdict: Verdict
    minimal: tuple[str, ...]
    kept: str
    model_notes: tuple[str, ...]
    programs: tuple[BarredProgram, ...]
    needs: tuple[NeedForm, ...]
    interrupted: bool
    seconds: float
    errors: tuple[InputProblem, ...]
    saved: tuple[str, ...]


class MappedProgramForm(Form, frozen=True, kw_only=True):
    """What a mapping does to one program."""

    name: str
    judgement: str
    forbidden: tuple[ForbiddenForm, ...]
    unreached: tuple[Outcome, ...]
    undecided: str
    executions: int


class PartForm(Form, frozen=True, kw_only=True):
    """One order of a mapping, and what becomes possible without it."""

    what: str
    change: str
    missed_by: str
    undecided: str
    witness: ForbiddenForm | None


class Mapped(Form, frozen=True, kw_only=True):
    """What `simaie barriers` prints of a scheme with a mapping."""

    schema: str
    scheme: str
    mapping: str
    host: str
    verdict: Verdict
    judgement: str
    programs: tuple[MappedProgramForm, ...]
    parts: tuple[PartForm, ...]
    never_missed: tuple[str, ...]
    weaker: str
    model_notes: tuple[str, ...]
    interrupted: bool
    seconds: float
    errors: tuple[InputProblem, ...]
    saved: tuple[str, ...]
