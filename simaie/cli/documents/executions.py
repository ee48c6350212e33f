"""The documents on executions: of explorations, replays, checks and shrunk failures."""

from __future__ import annotations

import msgspec

from simaie.cli.documents.forms import Form, Outcome
from simaie.decision import Choice, Switch
from simaie.exploration.goals import Goal
from simaie.exploration.statistics import Statistics
from simaie.finding import Finding, Verdict
from simaie.trace import Fault

__all__ = ["Checked", "Explored", "ProgressProved", "Replayed", "ReplayedForm", "Shrunken"]


class KeptFailure(Form, frozen=True, kw_only=True):
    """A failing execution, without its trace."""

    index: int
    digest: str
    signature: str
    command: str
    findings: tuple[Finding, ...]
    switches: tuple[Switch, ...]
    choices: tuple[Choice, ...]


class Group(Form, frozen=True, kw_only=True):
    """The failing executions with one signature."""

    signature: str
    digest: str
    kinds: tuple[str, ...]
    count: int
    first: KeptFailure
    shortest: KeptFailure


class Counted(Form, frozen=True, kw_only=True):
    """An outcome, and the number of executions that ended in it."""

    outcome: Outcome
    count: int


class Explored(Form, frozen=True, kw_only=True):
    """What `simaie explore` prints; see `simaie.Report`."""

    schema: str
    program: str
    scheme: str
    host: str
    full_system: bool
    host_word: int
    address_bits: int
    scheduler: str
    seed: int
    verdict: Verdict
    reason: str
    complete: bool
    executions_left: float | None
    seconds_left: float | None
    interrupted: bool
    executions: int
    failing: int
    failures: tuple[KeptFailure, ...]
    signatures: tuple[Group, ...]
    unlisted: int
    example: str | None
    goals: tuple[Goal, ...]
    outcomes: tuple[Counted, ...]
    statistics: Statistics
    saved: tuple[str, ...]


class Step(Form, frozen=True, kw_only=True):
    """One event of a trace; `operation`, `reads_from` and `before` are of execution graphs, `code` of machine code."""

    step: int
    actor: str
    op: str
    kind: str
    location: str
    value: int | str | None
    instruction: str | None
    number: int | None
    findings: tuple[int, ...]
    code: str | msgspec.UnsetType = msgspec.UNSET
    operation: int | msgspec.UnsetType = msgspec.UNSET
    reads_from: tuple[int, ...] | msgspec.UnsetType = msgspec.UNSET
    before: tuple[int, ...] | msgspec.UnsetType = msgspec.UNSET


class TraceForm(Form, frozen=True, kw_only=True):
    """A trace; `cycle` is the step from which it repeats for ever, and `goals` are those that it reached."""

    program: str
    digest: str
    ending: str
    outcome: Outcome | None
    accepted: bool | None
    waiting: dict[str, str]
    cycle: int | msgspec.UnsetType = msgspec.UNSET
    goals: dict[str, bool] | msgspec.UnsetType = msgspec.UNSET
    faults: tuple[Fault, ...]
    switches: tuple[Switch, ...]
    choices: tuple[Choice, ...]
    events: tuple[Step, ...]


class ReplayedForm(Form, frozen=True, kw_only=True):
    """A failure with its trace.

    `how_to_reproduce` is there if the file was shown as recorded, `diverged` if a best-effort replay left what was
    recorded.
    """

    program: str
    scheme: str
    host: str
    scheduler: str | None
    seed: int
    index: int
    verdict: Verdict
    findings: tuple[Finding, ...]
    explanation: str
    diverged: str | msgspec.UnsetType = msgspec.UNSET
    trace: TraceForm
    how_to_reproduce: str | msgspec.UnsetType = msgspec.UNSET


class Replayed(ReplayedForm, frozen=True, kw_only=True):
    """What `simaie replay` prints."""

    schema: str


class Judged(Form, frozen=True, kw_only=True):
    """What one checker has found."""

    checker: str
    findings: tuple[Finding, ...]


class Checked(ReplayedForm, frozen=True, kw_only=True):
    """What `simaie check` prints."""

    schema: str
    checkers: tuple[Judged, ...]


class HowShrunk(Form, frozen=True, kw_only=True):
    """How a failure was shrunk, and what of the program was left out."""

    kind: str | None
    kept: tuple[str, ...]
    executions: int
    interrupted: bool
    before: dict[str, int]
    after: dict[str, int]
    left_out: tuple[str, ...]


class Shrunken(ReplayedForm, frozen=True, kw_only=True):
    """What `simaie shrink` prints."""

    schema: str
    shrunk: HowShrunk
    command: str
    saved: str | None


class ProgressProved(Form, frozen=True, kw_only=True):
    """What `simaie prove-progress` prints; see `simaie.ProgressProof`."""

    schema: str
    program: str
    scheme: str
    verdict: Verdict
    reason: str
    states: int
    failure: ReplayedForm | None
    saved: tuple[str, ...]
