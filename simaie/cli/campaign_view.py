"""Campaigns as text: the figures, the report, and what became of findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from simaie.campaign.status import clock_text, counted
from simaie.campaign.summary import Finding, Status, UnitStatus
from simaie.campaign.witnesses import Fate, Retried
from simaie.finding import Verdict
from simaie.printable import clean, clean_lines
from simaie.show.lines import command_line

__all__ = ["fixed_lines", "report_lines", "status_lines"]

_COLOURS = {Verdict.HOLDS: "bold green", Verdict.VIOLATED: "bold red", Verdict.INCONCLUSIVE: "bold yellow"}
#: The number of the last runs that a report shows.
_MOST_RUNS = 10
#: The number of units that a report names of each finding.
_MOST_NAMES = 5
_FATES = {Fate.STILL: "bold red", Fate.CHANGED: "bold yellow", Fate.GONE: "bold green"}


def status_lines(found: Status) -> list[Any]:
    """Return the figures of a campaign as lines."""
    verdict = Text().append(str(found.verdict).upper(), _COLOURS[found.verdict])
    lines = [verdict.append(f"  {clean(found.store)}", "bold")]
    lines.append(Text(_units(found)))
    lines.append(Text(
        f"{counted(found.executions, 'execution')} in {counted(found.shards, 'shard')}, "
        f"{counted(len(found.findings), 'finding')}"
        f"{_accepted(found)}, {_time(found.active)} in "
        f"{counted(len(found.runs), 'run')}"
    ))  # fmt: skip
    if found.since_new is not None:
        lines.append(Text(f"the last new trace or finding came {_time(found.since_new)} of running time ago"))
    lines.append(Text(f"{'may stop now' if found.may_stop else 'go on'}: {found.why}"))
    if found.running:
        lines.append(Text("a coordinator is at work", "dim"))
    if found.former:
        lines.append(Text(f"{found.former:,} units are no longer planned, and do not count", "dim"))
    return lines


def _accepted(found: Status) -> str:
    """Return how many findings are accepted, if any are."""
    number = len(found.findings) - len(found.unaccepted)
    return f" ({number:,} accepted)" if number else ""


def _units(found: Status) -> str:
    refused = sum(unit.state == "refused" for unit in found.units)
    counts = {
        "hold": found.count(Verdict.HOLDS),
        "violated": found.count(Verdict.VIOLATED),
        "open": found.count(Verdict.INCONCLUSIVE) - refused,
        "refused": refused,
    }
    return f"{counted(len(found.units), 'unit')}: " + ", ".join(f"{count:,} {what}" for what, count in counts.items())


def report_lines(found: Status) -> list[Any]:
    """Return the complete report as lines."""
    lines = status_lines(found)
    for finding in found.findings:
        lines += [Text(), *_finding(finding)]
    for heading, verdict in (("holds", Verdict.HOLDS), ("open", Verdict.INCONCLUSIVE)):
        units = [unit for unit in found.units if unit.verdict is verdict and not _is_untouched(unit)]
        if units:
            lines += [Text(), Text(heading, "bold"), *_listed(units)]
    lines += _not_begun([unit for unit in found.units if _is_untouched(unit)])
    lines += [*_covered(found), *_by_scheduler(found)]
    if found.problems:
        lines += [Text(), Text("cannot be loaded", "bold")]
        lines += [Text(f"  {clean(target)}: {clean(problem)}") for target, problem in found.problems.items()]
    return [*lines, *_history(found)]


def _is_untouched(unit: UnitStatus) -> bool:
    return unit.state == "open" and not unit.executions and not unit.marked


def _not_begun(units: Sequence[UnitStatus]) -> Iterator[Text]:
    """Yield one line for all units of which nothing was run, since there may be thousands."""
    if units:
        yield from (Text(), Text("not begun", "bold"))
        rest = f" and {len(units) - 1:,} more" if len(units) > 1 else ""
        yield Text(f"  {clean(units[0].name)}{rest}")


def _covered(found: Status) -> Iterator[Text]:
    """Yield what was covered of each scheme."""
    seen = {scheme: number for scheme, number in found.schemes.items() if number}
    if seen:
        yield from (Text(), Text("covered of the schemes", "bold"))
    yield from (Text(f"  {clean(scheme)}: {counted(number, 'kind')} of hand-offs") for scheme, number in seen.items())


def _by_scheduler(found: Status) -> Iterator[Text]:
    """Yield what each scheduler has found, if there are several."""
    if len(found.schedulers) < 2:
        return
    yield from (Text(), Text("schedulers", "bold"))
    for each in found.schedulers:
        alone = f" ({each.alone:,} that no other has)" if each.alone else ""
        yield Text(
            f"  {clean(each.scheduler)}: {counted(each.findings, 'finding')}{alone}, in "
            f"{counted(each.executions, 'execution')} of {counted(each.units, 'unit')}, {_time(each.seconds)} of work"
        )


def _history(found: Status) -> Iterator[Text]:
    """Yield the last runs, with what ran them."""
    if found.runs:
        yield from (Text(), Text("runs", "bold"))
    if len(found.runs) > _MOST_RUNS:
        yield Text(f"  {counted(len(found.runs) - _MOST_RUNS, 'earlier run')}", "dim")
    for run in found.runs[-_MOST_RUNS:]:
        yield Text(
            f"  {clock_text(run.began)}: {_time(run.active)}, {clean(run.ending) or 'running, or killed'}, "
            f"{clean(run.workers)}, simaie {clean(run.version)}{_commit(run.revision)}"
        )


def _commit(revision: str) -> str:
    return f" at commit {clean(revision)}" if revision else ""


def _finding(finding: Finding) -> Iterator[Text]:
    yield Text(finding.finding, "bold red" if not finding.accepted else "bold").append(
        f"  under {clean(finding.scheme)}: {clean(finding.text)}"
    )
    first, shard, index = finding.first
    yield Text(
        f"  {counted(finding.count, 'execution')} in {counted(len(finding.units), 'unit')}, first in unit {first}, "
        f"shard {shard}, execution {index}; the shortest has {finding.length:,} steps"
    )
    by = ", ".join(f"{clean(name)} ({count:,})" for name, count in finding.schedulers.items())
    version = f" with simaie {clean(finding.version)}{_commit(finding.revision)}" if finding.version else ""
    yield Text(f"  found by {by}; first seen {clock_text(finding.seen)}{version}")
    yield from (Text(f"  in {clean(name)}") for name in finding.units[:_MOST_NAMES])
    if len(finding.units) > _MOST_NAMES:
        yield Text(f"  and in {len(finding.units) - _MOST_NAMES:,} more", "dim")
    yield from (Text(f"  {line}") for line in clean_lines(finding.summary).split("\n"))
    if finding.accepted:
        yield Text(f"  accepted: {clean(finding.accepted)}", "dim")
    if finding.expired:
        yield Text(f"  was accepted until {finding.expired}", "bold yellow")
    if "\n" not in finding.command:
        yield command_line("  reproduce: ", finding.command)


def _listed(units: Sequence[UnitStatus]) -> Iterator[Text]:
    for unit in units:
        about = "" if unit.exact else "about "
        figures = f"{unit.executions:,} executions, {about}{unit.traces:,} traces"
        line = Text(f"  {clean(unit.name)}: {figures}")
        if unit.new_trace is not None and unit.executions:
            line.append(f", the next is new with probability {unit.new_trace:.2g}")
        if unit.reason:
            line.append(f"; {clean(unit.reason)}")
        yield line


def fixed_lines(retried: Sequence[Retried]) -> list[Any]:
    """Return what became of the findings as lines."""
    if not retried:
        return [Text("there are no findings")]
    lines = []
    for each in retried:
        line = Text(f"{each.fate:<11}", _FATES[each.fate]).append(f"  {each.finding}  {clean(each.text)}")
        lines.append(line.append(f"; {clean(each.reason)}") if each.reason else line)
    return lines


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.0f} s"
