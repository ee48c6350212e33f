"""The results of a campaign as values: its units, its findings, and the curve over time."""

from __future__ import annotations

from typing import Any

import msgspec

from simaie.campaign.store import Run
from simaie.campaign.unit import Unit
from simaie.finding import Verdict

__all__ = ["Finding", "Point", "SchedulerStatus", "Status", "UnitStatus"]


class UnitStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The results of one unit.

    Attributes:
        number: Its number.
        name: The unit in words.
        unit: The unit.
        state: ``open``, or why there are no more shards: ``explored`` (everything was), ``done`` (all seeds were run),
            ``limit`` (of executions), ``failed`` (a shard was marked), ``refused`` (the scheme cannot run it).
        verdict: The verdict; of a refused unit inconclusive.
        reason: Why it is inconclusive.
        shards: The number of shards that are done.
        marked: The number of these that ended with an error, or killed their workers.
        executions: The number of executions.
        failing: The number of those that failed.
        steps: The number of steps.
        seconds: The time that the shards took, in seconds.
        traces: The number of distinct traces; `exact` says whether it is exact.
        exact: Whether it is no estimate.
        handoffs: The number of distinct hand-offs in the executions that were looked at, see
            `simaie.exploration.handoffs`.
        new_trace: The probability that the next execution of a random scheduler shows a new trace; else None.
    """

    number: int
    name: str
    unit: Unit
    state: str
    verdict: Verdict
    reason: str
    shards: int
    marked: int
    executions: int
    failing: int
    steps: int
    seconds: float
    traces: int
    exact: bool
    handoffs: int
    new_trace: float | None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding: all failing executions with the same signature under the same scheme.

    Attributes:
        finding: Its id.
        signature: The digest of the signature.
        text: The signature.
        kinds: The kinds of violations.
        scheme: The scheme.
        count: The number of executions.
        units: The names of the units that have it.
        schedulers: By scheduler, the number of executions that have it.
        first: The unit, the shard and the execution that have it first, in the order of the campaign.
        seen: When it was first seen, in seconds since 1970.
        version: The version of simaie that has seen it first; empty if another store has it from elsewhere.
        revision: The commit of the folder in which that was; empty if it is not known.
        length: The number of steps of the shortest execution.
        shortest: Its unit, its shard and its index.
        summary: What the checkers say about it.
        command: The command or the code that runs it again.
        accepted: Why it is accepted; empty if it is not.
        expired: The last day on which it was accepted, if that is over.
    """

    finding: str
    signature: str
    text: str
    kinds: tuple[str, ...]
    scheme: str
    count: int
    units: tuple[str, ...]
    first: tuple[int, int, int]
    seen: float
    length: int
    shortest: tuple[int, int, int]
    summary: str
    command: str
    accepted: str = ""
    expired: str = ""
    schedulers: dict[str, int] = {}
    version: str = ""
    revision: str = ""


class SchedulerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What one scheduler has done in all its units.

    Attributes:
        scheduler: The scheduler.
        units: The number of its units.
        executions: The number of executions.
        seconds: The time that its shards took, in seconds.
        findings: The number of findings that it has.
        alone: The number of those that no other scheduler has.
    """

    scheduler: str
    units: int
    executions: int
    seconds: float
    findings: int
    alone: int


class Point(msgspec.Struct, frozen=True, array_like=True):
    """A point of the curve over time: active seconds, executions, traces, findings, hand-offs.

    Traces and hand-offs are distinct within each unit.
    """

    active: float
    executions: int
    traces: int
    findings: int
    handoffs: int = 0


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a campaign.

    Attributes:
        schema: The name and the version of this form.
        store: The file.
        running: Whether a coordinator is at work.
        verdict: Violated if there is a finding that is not accepted; holds if every unit does; else inconclusive.
        units: The units that are planned.
        former: The number of units that are no longer planned.
        findings: The findings of the planned units, the most frequent first.
        schemes: By scheme, the number of distinct hand-offs of all its units.
        schedulers: What each scheduler has done.
        problems: By target, why it cannot be loaded.
        runs: The runs so far.
        growth: The curve over time.
        executions: The number of executions of all units.
        shards: The number of shards that are done.
        active: The time that all runs took, in seconds.
        since_new: The active time since the last new finding or trace, in seconds; None before the first.
        may_stop: Whether there is little reason to go on.
        why: The reason for that.
    """

    schema: str = "simaie-campaign-status-1"
    store: str
    running: bool
    verdict: Verdict
    units: tuple[UnitStatus, ...]
    former: int
    findings: tuple[Finding, ...]
    schemes: dict[str, int]
    problems: dict[str, str]
    runs: tuple[Run, ...]
    growth: tuple[Point, ...]
    executions: int
    shards: int
    active: float
    since_new: float | None
    may_stop: bool
    why: str
    schedulers: tuple[SchedulerStatus, ...] = ()

    @property
    def unaccepted(self) -> tuple[Finding, ...]:
        """The findings that are not accepted."""
        return tuple(each for each in self.findings if not each.accepted)

    def count(self, verdict: Verdict) -> int:
        """Return the number of units with a verdict."""
        return sum(unit.verdict is verdict for unit in self.units)

    def as_dict(self) -> dict[str, Any]:
        """Return the status as JSON values."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found
