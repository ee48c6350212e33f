"""Campaigns as text: the figures, the report, and what became of findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from simaie.campaign.status import clock_text
from simaie.campaign.summary import Finding, Status, UnitStatus
from simaie.campaign.witnesses import Fate, Retried
from simaie.finding import Verdict
from simaie.printable import clean, clean_lines
from simaie.show.lines import command_line

__all__ = ["fixed_lines", "report_lines", "status_lines"]

_COLOURS = {Verdict.HOLDS: "bold green", Verdict.VIOLATED: "bold red", Verdict.INCONCLUSIVE: "bold yellow"}
_FATES = {Fate.STILL: "bold red", Fate.CHANGED: "bold yellow", Fate.GONE: "bold green"}


def status_lines(found: Status) -> list[Any]:
    """Return the figures of a campaign as lines."""
    verdict = Text().append(str(found.verdict).upper(), _COLOURS[found.verdict])
    lines = [verdict.append(f"  {clean(found.store)}", "bold")]
    lines.append(Text(_units(found)))
    lines.append(Text(
        f"{_count(found.executions, 'execution')} in {_count(found.shards, 'shard')}, "
        f"{_count(len(found.findings), 'finding')} "
        f"({len(found.findings) - len(found.unaccepted):,} accepted), {_time(found.active)} in "
        f"{_count(len(found.runs), 'run')}"
    ))  # fmt: skip
    if found.since_new is not None:
        lines.append(Text(f"the last new trace or finding came {_time(found.since_new)} of running time ago"))
    lines.append(Text(f"{'may stop now' if found.may_stop else 'go on'}: {found.why}"))
    if found.running:
        lines.append(Text("a coordinator is at work", "dim"))
    if found.former:
        lines.append(Text(f"{found.former:,} units are no longer planned, and do not count", "dim"))
    return lines


def _units(found: Status) -> str:
    refused = sum(unit.state == "refused" for unit in found.units)
    counts = {
        "hold": found.count(Verdict.HOLDS),
        "violated": found.count(Verdict.VIOLATED),
        "open": found.count(Verdict.INCONCLUSIVE) - refused,
        "refused": refused,
    }
    return f"{_count(len(found.units), 'unit')}: " + ", ".join(f"{count:,} {what}" for what, count in counts.items())


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
    lines += _covered(found)
    if found.problems:
        lines += [Text(), Text("cannot be loaded", "bold")]
        lines += [Text(f"  {clean(target)}: {clean(problem)}") for target, problem in found.problems.items()]
    return lines


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
    yield from (Text(f"  {clean(scheme)}: {_count(number, 'kind')} of hand-offs") for scheme, number in seen.items())


def _finding(finding: Finding) -> Iterator[Text]:
    yield Text(finding.finding, "bold red" if not finding.accepted else "bold").append(
        f"  under {clean(finding.scheme)}: {clean(finding.text)}"
    )
    first, shard, index = finding.first
    yield Text(
        f"  {_count(finding.count, 'execution')} in {_count(len(finding.units), 'unit')}, first in unit {first}, shard "
        f"{shard}, execution {index} ({clock_text(finding.seen)}); the shortest has {finding.length:,} steps"
    )
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


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.0f} s"
