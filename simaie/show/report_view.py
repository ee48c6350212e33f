"""The report of an exploration as text: verdict, figures, outcomes, failures and their signatures."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from rich.text import Text

from simaie.engine.meetings import MOST_ACCESSES
from simaie.exploration.coverage import Coverage
from simaie.exploration.estimates import Interval
from simaie.exploration.report import Report
from simaie.exploration.signatures import FailureGroup
from simaie.finding import Verdict
from simaie.replaying.failure import Failure
from simaie.show.format import clean, number_of, rough
from simaie.show.lines import PROSE, command_line, prose
from simaie.show.trace_end import finding_lines
from simaie.trace import Outcome

__all__ = ["VERDICT_STYLE", "report_view"]

#: Of more outcomes, failures and signatures, the rest is only counted; the JSON report has them all.
MOST_OUTCOMES = 20
MOST_FAILURES = 10
MOST_SIGNATURES = 20
MOST_GOALS = 20
MOST_MISSED = 8

VERDICT_STYLE = {
    Verdict.HOLDS: "bold green",
    Verdict.VIOLATED: "bold red",
    Verdict.INCONCLUSIVE: "bold yellow",
}


def report_view(
    report: Report, saved: Mapping[int, Path] | None = None, *, timed: bool = True, width: int | None = None
) -> list[Text]:
    """Return the lines of `report`.

    Args:
        report: What to show.
        saved: Replay files that were written, by the index of the execution.
        timed: Whether to show the speed, the only part that differs between two equal explorations.
        width: Characters that a line of prose may have, at most 80; None for no limit. Commands are never broken.
    """
    lines: list[Text] = []
    for line in (_verdict(report), *_figures(report, timed)):
        lines += prose(line, width, indent=2)
    for goal in _goals(report):
        lines += prose(goal, width, indent=2)
    if report.outcomes:
        lines += [Text(), *_outcomes(report)]
    for failure in report.failures[:MOST_FAILURES]:
        lines += [Text(), *_failure(failure, (saved or {}).get(failure.index), width)]
    unshown = report.failing - min(len(report.failures), MOST_FAILURES)
    if unshown > 0:
        lines += [Text(), Text(f"... and {number_of(unshown, 'more failing execution')}", "dim")]
    if len(report.signatures) > 1 or unshown > 0:
        lines += [Text(), *_signatures(report, saved or {})]
    return lines


def _verdict(report: Report) -> Text:
    machine = report.machine
    line = Text().append(report.verdict.value.upper(), VERDICT_STYLE[report.verdict])
    line.append(f"  {clean(report.program.name)}", "bold")
    line.append(f" under {clean(machine.scheme)} on {clean(machine.host)}")
    line.append(", full system" if machine.full_system else "")
    line.append(f", {machine.host_word}-bit host" if machine.host_word != 64 else "")
    return line.append(f": {clean(report.reason)}")


def _figures(report: Report, timed: bool) -> Iterator[Text]:
    figures = report.statistics
    rate = figures.executions_per_second
    speed = f" ({rate:,.0f} per second)" if timed and rate else ""
    steps = f"{number_of(figures.steps, 'step')}, at most {figures.longest:,} in one"
    executions = number_of(figures.executions, "execution")
    yield _dim(f"{clean(report.scheduler)}, seed {report.seed}: {executions}{speed}, {steps}")
    special = {
        "cut by a limit": figures.truncated,
        "blocked forever": figures.blocked,
        "ended in a lasso": figures.lassos,
        "given up by the scheduler": figures.pruned,
    }
    parts = [f"{number:,} {what}" for what, number in special.items() if number]
    if parts:
        yield _dim(", ".join(parts))
    if timed and figures.engine_note:
        yield _dim(figures.engine_note)
    if figures.processes_note:
        yield _dim(figures.processes_note)
    if figures.coverage is not None:
        yield _dim("; ".join(_covered(figures.coverage)))
        yield from _never(figures.coverage)
    left, most = report.seconds_left, report.most_seconds_left
    if timed and left is not None and most is not None:
        yield _dim(f"at this rate about {rough(left)} s are left ({rough(most)} s at the upper end of the estimate)")
    if figures.failure_rate is not None and report.failing:
        yield _dim(f"an execution fails with probability {_interval(figures.failure_rate)}")


def _goals(report: Report) -> Iterator[Text]:
    """Yield how many goals happened, and each that did not; nothing if failures ended the exploration early."""
    if not report.goals or (report.failing and not report.complete):
        return
    unmet = report.unmet_goals
    yield _dim(f"{len(report.goals) - len(unmet):,} of {number_of(len(report.goals), 'goal')} happened")
    for goal in unmet[:MOST_GOALS]:
        line = Text("never happened: ", "yellow").append(clean(goal.name))
        yield line.append(f" (reached in {number_of(goal.reached, 'execution')})" if goal.reached else "", "dim")
    if len(unmet) > MOST_GOALS:
        yield _dim(f"... and {number_of(len(unmet) - MOST_GOALS, 'more goal')} that never happened")


def _never(coverage: Coverage) -> Iterator[Text]:
    """Yield what no execution covered of the scheme, and how much was covered."""
    if not coverage.steps:
        return
    pairs = f"{number_of(len(coverage.met), 'pair')} of guest instructions met"
    yield _dim(f"{number_of(len(coverage.steps), 'step')} of the scheme's helpers ran; {pairs}")
    missed = [("never ran: ", step) for step in coverage.never_ran]
    missed += [("never met: ", f"{one} before {two}") for one, two in coverage.never_met or ()]
    for label, what in missed[:MOST_MISSED]:
        yield Text(label, "yellow").append(clean(what))
    if len(missed) > MOST_MISSED:
        yield _dim(f"... and {len(missed) - MOST_MISSED:,} more that never ran or met")
    if coverage.never_met is None:
        yield _dim(f"which instructions never met is not known, after more than {MOST_ACCESSES:,} different accesses")


def _covered(coverage: Coverage) -> Iterator[str]:
    bound = "" if coverage.traces_complete else "at least "
    counted = coverage.counts.removesuffix("s")
    traces = number_of(coverage.traces, f"distinct {counted}")
    if coverage.counts == "graphs":  # the order in which vCPUs add their events says nothing about time
        yield f"{bound}{traces}"
    else:
        yield f"{bound}{traces}, at most {number_of(coverage.most_preemptions, 'preemption')} in one execution"
    if coverage.since_new:
        yield f"nothing new in the last {number_of(coverage.since_new, 'execution')}"
    if coverage.new_trace is not None:
        yield f"the next execution shows a new {counted} with probability {_interval(coverage.new_trace)}"
    for size in coverage.sizes:
        if size.total is not None:
            total = size.total
            yield f"about {rough(total.value)} {size.counts} in all ({rough(total.low)} to {rough(total.high)})"


def _interval(interval: Interval) -> str:
    return f"{interval.value:.2g} ({interval.low:.2g} to {interval.high:.2g})"


def _outcomes(report: Report) -> Iterator[Text]:
    ranked = sorted(report.outcomes.items(), key=lambda item: (-item[1], item[0].items))
    bad = _refused(report.kept)
    width = max(len(f"{count:,}") for _, count in ranked)
    yield Text("outcomes (executions)", "bold")
    for outcome, count in ranked[:MOST_OUTCOMES]:
        line = Text().append(f"  {count:>{width},}  ", "dim")
        line.append(clean(str(outcome)), "red" if outcome in bad else "")
        yield line.append("  (refused)" if outcome in bad else "", "red")
    if len(ranked) > MOST_OUTCOMES:
        yield _dim(f"  ... and {len(ranked) - MOST_OUTCOMES:,} others")


def _refused(failures: Sequence[Failure]) -> frozenset[Outcome]:
    """Return the outcomes that the program's own final check rejected."""
    return frozenset(f.trace.outcome for f in failures if f.trace.accepted is False)


def _failure(failure: Failure, path: Path | None, width: int | None) -> Iterator[Text]:
    schedule = failure.trace.schedule
    heading = f"execution {failure.index} failed"
    yield Text().append(heading, "bold").append(f" ({number_of(len(schedule.switches), 'switch', 'switches')})", "dim")
    room = None if width is None else min(width, PROSE) - 2
    yield from (Text("  ").append_text(line) for line in finding_lines(failure.findings, room))
    yield command_line("  reproduce: ", failure.how_to_reproduce)
    if path is not None:
        yield command_line("  saved: ", failure.replay_command(path))


def _signatures(report: Report, saved: Mapping[int, Path]) -> Iterator[Text]:
    """Yield each signature with its count; with the command of its shortest failure, if none of it is shown yet."""
    shown = {failure.index for failure in report.failures[:MOST_FAILURES]}
    yield Text("signatures of the failures, the strongest first (executions)", "bold")
    width = max((len(f"{group.count:,}") for group in report.signatures), default=0)
    for group in report.signatures[:MOST_SIGNATURES]:
        yield from _group(group, width, shown, saved)
    rest = len(report.signatures) - MOST_SIGNATURES
    if rest > 0:
        yield _dim(f"  ... and {rest:,} others")
    if report.unlisted:
        executions = number_of(report.unlisted, "failing execution")
        yield _dim(f"  {executions} with more signatures than the {len(report.signatures)} that are kept")


def _group(group: FailureGroup, width: int, shown: Collection[int], saved: Mapping[int, Path]) -> Iterator[Text]:
    shortest = group.shortest
    yield Text().append(f"  {group.count:>{width},}  ", "dim").append(clean(group.signature.text))
    indent = " " * (width + 4)
    steps = number_of(len(shortest.trace), "step")
    where = f"first in execution {group.first.index}, shortest in execution {shortest.index} ({steps})"
    yield _dim(f"{indent}{group.signature.digest}: {where}")
    if {group.first.index, shortest.index}.isdisjoint(shown):
        yield command_line(f"{indent}reproduce: ", shortest.how_to_reproduce)
        if shortest.index in saved:
            yield command_line(f"{indent}saved: ", shortest.replay_command(saved[shortest.index]))


def _dim(words: str) -> Text:
    return Text(words, "dim")
