"""Read the state of a campaign from its store: what was proved, what was found, and what is open and why."""

from __future__ import annotations

import datetime
import shlex
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from simaie.campaign.adding import POINT_SECONDS
from simaie.campaign.campaign_file import Accepted, CampaignFile
from simaie.campaign.schema import is_locked, undamaged
from simaie.campaign.sketch import Sketch
from simaie.campaign.store import FINISHED, Run, Store
from simaie.campaign.summary import Finding, Point, SchedulerStatus, Status, UnitStatus
from simaie.campaign.unit import Unit
from simaie.errors import UsageError
from simaie.finding import Verdict

__all__ = ["campaign_in", "clock_text", "counted", "status_of"]

#: If the next execution shows a new trace with a smaller probability than this, a random scheduler may stop.
RARE = 1e-4


def campaign_in(store: Store) -> CampaignFile:
    """Return the campaign of a store; UsageError if nothing was planned in it."""
    description = store.description
    if description is None:
        raise UsageError(f"{store.path}: the store is empty; begin with: simaie campaign run ... --store {store.path}")
    with undamaged(store.path):
        return msgspec.json.decode(description, type=CampaignFile)


def status_of(store: Store, today: datetime.date | None = None) -> Status:
    """Return the state of a campaign.

    Args:
        store: The store.
        today: The day on which findings are accepted or not; None for the day of the clock.
    """
    with undamaged(store.path):
        return _status(store, campaign_in(store), today or datetime.date.today())


def _status(store: Store, campaign: CampaignFile, today: datetime.date) -> Status:
    units = tuple(_units(store))
    accepted = {each.finding: each for each in campaign.accepted}
    runs = tuple(store.runs())
    findings = tuple(_findings(store, units, accepted, today))
    active = sum(run.active for run in runs)
    growth = _growth(store, active)
    may_stop, why = _may_stop(units)
    (former,) = store.rows("SELECT count(*) FROM units WHERE NOT planned")[0]
    problems = msgspec.json.decode(store.meta("problems", b"{}"), type=dict[str, str])
    return Status(
        store=str(store.path),
        running=is_locked(store.path),
        verdict=_verdict(units, findings, problems),
        units=units,
        former=former,
        findings=findings,
        schemes=_schemes(store),
        problems=problems,
        runs=runs,
        growth=growth,
        executions=sum(unit.executions for unit in units),
        shards=sum(unit.shards for unit in units),
        active=active,
        since_new=_since_new(growth, active),
        may_stop=may_stop,
        why=why,
        schedulers=_schedulers(units, findings),
    )


def _growth(store: Store, active: float) -> tuple[Point, ...]:
    """Return the curve over time, to which results that arrived soon after its last point are added."""
    points = [Point(*row) for row in store.rows("SELECT * FROM growth ORDER BY active")]
    now = store.totals()
    if points and msgspec.structs.astuple(points[-1])[1:] != now:
        last = points[-1].active
        points.append(Point(max(last, min(active, last + POINT_SECONDS)), *now))
    return tuple(points)


def _schedulers(units: Sequence[UnitStatus], findings: Sequence[Finding]) -> tuple[SchedulerStatus, ...]:
    """Return what each scheduler has done, in the order of the units."""
    found = []
    for name in dict.fromkeys(unit.unit.scheduler for unit in units):
        own = [unit for unit in units if unit.unit.scheduler == name]
        has = [finding for finding in findings if name in finding.schedulers]
        found.append(SchedulerStatus(
            scheduler=name, units=len(own), executions=sum(unit.executions for unit in own),
            seconds=sum(unit.seconds for unit in own), findings=len(has),
            alone=sum(len(finding.schedulers) == 1 for finding in has),
        ))  # fmt: skip
    return tuple(found)


def _verdict(units: Sequence[UnitStatus], findings: Sequence[Finding], problems: dict[str, str]) -> Verdict:
    if any(not each.accepted for each in findings):
        return Verdict.VIOLATED
    open_units = [unit for unit in units if unit.verdict is Verdict.INCONCLUSIVE and unit.state != "refused"]
    unlisted = any(unit.verdict is Verdict.VIOLATED for unit in units)
    return Verdict.INCONCLUSIVE if open_units or problems or unlisted or not units else Verdict.HOLDS


def _units(store: Store) -> list[UnitStatus]:
    columns = (
        "number, spec, state, problem, shards, marked, executions, failing, steps, seconds, flaw, sketch, handoffs"
    )
    rows = store.rows(f"SELECT {columns} FROM units WHERE planned ORDER BY number")
    return [_unit(*row) for row in rows]


def _unit(
    number: int, spec: bytes, state: str, problem: str, shards: int, marked: int, executions: int, failing: int,
    steps: int, seconds: float, flaw: str, sketch: bytes, handoffs: bytes,
) -> UnitStatus:  # fmt: skip
    unit, traces = msgspec.json.decode(spec, type=Unit), Sketch.read(sketch)
    verdict, reason = Verdict.INCONCLUSIVE, problem or flaw or _why_open(unit, state, shards, executions)
    if failing:
        verdict, reason = Verdict.VIOLATED, ""
    elif state == "explored":
        verdict, reason = Verdict.HOLDS, ""
    return UnitStatus(
        number=number, name=unit.name, unit=unit, state=state, verdict=verdict, reason=reason, shards=shards,
        marked=marked, executions=executions, failing=failing, steps=steps, seconds=seconds, traces=traces.traces,
        exact=traces.exact, handoffs=Sketch.read(handoffs).traces,
        new_trace=None if unit.exhaustive else traces.new_trace,
    )  # fmt: skip


def _schemes(store: Store) -> dict[str, int]:
    """Return the number of distinct hand-offs of each scheme in all its units."""
    covered: dict[str, Sketch] = {}
    for spec, handoffs in store.rows("SELECT spec, handoffs FROM units WHERE planned ORDER BY number"):
        scheme = msgspec.json.decode(spec, type=_OfScheme).scheme
        covered.setdefault(scheme, Sketch()).unite(Sketch.read(handoffs))
    return {scheme: covered[scheme].traces for scheme in sorted(covered)}


class _OfScheme(msgspec.Struct):
    """The scheme of a unit."""

    scheme: str


def _why_open(unit: Unit, state: str, shards: int, executions: int) -> str:
    if state == "done":
        return f"a sample of {executions:,} executions, not all there are"
    if state == "limit":
        return f"the limit of {unit.executions:,} executions was reached before the end"
    if unit.exhaustive:
        return f"the search goes on after {executions:,} executions"
    return f"{shards:,} of {unit.seeds:,} seeds were run"


def _findings(
    store: Store, units: Sequence[UnitStatus], accepted: dict[str, Accepted], today: datetime.date
) -> list[Finding]:
    by_number = {unit.number: unit for unit in units}
    runs = dict(enumerate(store.runs(), start=1))
    columns = (
        "finding, unit, signature, text, kinds, scheme, count, first_shard, first_index, seen, length, shard, idx,"
        " summary, command, run"
    )
    by_id: dict[str, list[tuple[Any, ...]]] = {}
    for row in store.rows(f"SELECT {columns} FROM findings ORDER BY finding, unit"):
        if row[1] in by_number:
            by_id.setdefault(row[0], []).append(row)
    found = [_finding(store, rows, by_number, runs, accepted.get(name), today) for name, rows in by_id.items()]
    return sorted(found, key=lambda each: (-each.count, each.finding))


def _finding(
    store: Store, rows: Sequence[tuple[Any, ...]], units: dict[int, UnitStatus], runs: dict[int, Run],
    known: Accepted | None, today: datetime.date,
) -> Finding:  # fmt: skip
    name, _, signature, text, kinds, scheme, *_ = rows[0]
    first = min((row[1], row[7], row[8]) for row in rows)
    shortest = min(rows, key=lambda row: (row[10], row[1], row[11], row[12]))
    run = runs.get(min((row[15] for row in rows if row[15]), default=0))
    is_valid = known is not None and today <= known.until
    schedulers: Counter[str] = Counter()
    for row in rows:
        schedulers[units[row[1]].unit.scheduler] += row[6]
    return Finding(
        finding=name, signature=signature, text=text, kinds=tuple(kinds.split(", ")), scheme=scheme,
        count=sum(row[6] for row in rows), units=tuple(units[row[1]].name for row in rows), first=first,
        seen=min(row[9] for row in rows), length=shortest[10], shortest=(shortest[1], shortest[11], shortest[12]),
        summary=shortest[13], command=_command(store, name, units[shortest[1]].unit, shortest[14]),
        accepted=known.reason if known is not None and is_valid else "",
        expired="" if known is None or is_valid else known.until.isoformat(),
        schedulers=dict(schedulers), version=run.version if run else "", revision=run.revision if run else "",
    )  # fmt: skip


def _command(store: Store, finding: str, unit: Unit, command: str) -> str:
    """Return the command that runs a finding again; a generated program is in the store alone."""
    return shlex.join(["simaie", "campaign", "replay", str(store.path), finding]) if unit.kind == "fuzz" else command


def _since_new(growth: Sequence[Point], active: float) -> float | None:
    if not growth:
        return None
    last = growth[-1]
    since = next(each for each in growth if (each.traces, each.findings) == (last.traces, last.findings))
    return max(0.0, active - since.active)


def _may_stop(units: Sequence[UnitStatus]) -> tuple[bool, str]:
    """Return whether there is little reason to go on, and why."""
    left = [unit for unit in units if unit.state not in FINISHED]
    if not left:
        return True, "every unit is finished"
    searches = sum(unit.unit.exhaustive for unit in left)
    if searches:
        return False, f"{searches:,} exhaustive search{'' if searches == 1 else 'es'} may still prove something"
    likely = [unit for unit in left if unit.new_trace is None or unit.new_trace >= RARE]
    if likely:
        return False, f"in {len(likely):,} of {len(left):,} open units the next execution may well show a new trace"
    return True, f"in no open unit a new trace is more likely than 1 in {round(1 / RARE):,} executions"


def counted(number: int, what: str) -> str:
    """Return a number with a noun, which is plural unless the number is one."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def clock_text(seconds: float) -> str:
    """Return a time since 1970 as a date."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
