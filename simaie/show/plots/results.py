"""Plots of results: outcomes, comparisons, coverage, and conflicts of vCPUs."""

from __future__ import annotations

from collections import Counter

from simaie.arguments import is_integer
from simaie.dependence import overlap
from simaie.errors import UsageError
from simaie.exploration.compare import Comparison
from simaie.exploration.report import Report
from simaie.exploration.subject import FinalValues, state_text
from simaie.op import owner_of
from simaie.show.format import clean
from simaie.show.plots.plot import BAD, DOUBTFUL, GOOD, OTHER, Axis, Plot, bars, heat_map, lines, points
from simaie.show.trace_table import structural_order
from simaie.trace import Event, Trace

__all__ = ["conflicts_of", "plot_comparison", "plot_conflicts", "plot_coverage", "plot_outcomes"]

_MEANING = {"accepted": GOOD, "in a failure": DOUBTFUL, "refused": BAD, "others": OTHER}
#: Outcomes after the first ones share the last bar.
_MOST = 30


def plot_outcomes(report: Report) -> Plot:
    """Return a plot of executions by outcome, the most frequent first.

    Raises:
        UsageError: No execution ran to its end.
    """
    if not report.outcomes:
        raise UsageError("this report has no outcomes to plot: no execution ran to its end")
    refused = {f.trace.outcome for f in report.failures if f.trace.accepted is False}
    failed = {f.trace.outcome for f in report.failures}
    ranked = sorted(report.outcomes.items(), key=lambda item: (-item[1], item[0].items))
    rows: list[dict[str, str | int]] = [
        {
            "outcome": clean(str(outcome)) or "(nothing watched)",
            "executions": count,
            "seen": "refused" if outcome in refused else "in a failure" if outcome in failed else "accepted",
        }
        for outcome, count in ranked[:_MOST]
    ]
    if len(ranked) > _MOST:
        rest = sum(count for _, count in ranked[_MOST:])
        rows.append({"outcome": f"{len(ranked) - _MOST} others", "executions": rest, "seen": "others"})
    name = clean(f"{report.program.name} under {report.machine.scheme} on {report.machine.host}")
    return bars(
        name,
        rows,
        Axis("executions", "executions", numeric=True),
        Axis("outcome", "final state"),
        Axis("seen", "judged"),
        meaning=_MEANING,
    )


#: Maximum number of outcomes in a plot; if there are more, those in both sets are left out first.
_MOST_COMPARED = 60
_SETS = ("allowed", "possible", "forbidden")
_RANK = {"forbidden": 0, "unreached": 1, "both": 2}
_MEANING_OF_PARTS = {"forbidden": BAD, "unreached": OTHER, "both": GOOD}


def plot_comparison(comparison: Comparison) -> Plot:
    """Return a plot of outcomes by set: allowed by the architecture, possible in the emulator; forbidden ones first.

    Raises:
        UsageError: Neither search found an outcome.
    """
    allowed, possible = set(comparison.allowed.states), set(comparison.possible.states)
    # Both are sorted; their order is kept within each of the three parts.
    states = dict.fromkeys((*comparison.possible.states, *comparison.allowed.states))
    if not states:
        raise UsageError("this comparison has no outcomes to plot: no execution ran to its end")

    def part(state: FinalValues) -> str:
        return "both" if state in allowed and state in possible else "forbidden" if state in possible else "unreached"

    ranked = sorted(states, key=lambda state: _RANK[part(state)])[:_MOST_COMPARED]
    rows: list[dict[str, str]] = []
    for state in ranked:
        row = {"outcome": clean(state_text(state)), "part": part(state)}
        held = state in allowed, state in possible, state in possible and state not in allowed
        rows += [row | {"set": name} for name, there in zip(_SETS, held, strict=True) if there]
    machine = comparison.possible.machine
    title = clean(f"{comparison.name} under {machine.scheme} on {machine.host}")
    axes = Axis("set", "set", names=_SETS), Axis("outcome", "final state"), Axis("part", "in")
    return points(title, rows, *axes, meaning=_MEANING_OF_PARTS)


def plot_coverage(report: Report) -> Plot:
    """Return a plot of distinct traces, or graphs, over complete executions.

    Raises:
        UsageError: The exploration did not count them.
    """
    coverage = report.statistics.coverage
    if coverage is None:
        raise UsageError("this report has no coverage to plot: explore again with coverage=True")
    name = clean(f"{report.program.name} under {report.machine.scheme}, {report.scheduler}")
    rows = [{"executions": executions, "traces": traces} for executions, traces in coverage.growth]
    return lines(
        name,
        rows,
        Axis("executions", "complete executions", numeric=True),
        Axis("traces", f"distinct {coverage.counts}", numeric=True),
    )


def conflicts_of(trace: Trace, granule: int = 16) -> dict[tuple[int, str], tuple[int, int]]:
    """Return the conflicting accesses by granule and vCPU.

    Args:
        trace: The execution.
        granule: Size of a granule in bytes, a power of two. An access that touches two granules counts in both.

    Returns:
        By the granule's address and the vCPU: the number of conflicting accesses, and of those that share no byte.

    Raises:
        UsageError: `granule` is no power of two.
    """
    if not is_integer(granule) or granule < 1 or granule & granule - 1:
        raise UsageError(f"a granule is a power of two of bytes, not {granule!r}")
    last: dict[int, Event] = {}
    found: Counter[tuple[int, str]] = Counter()
    false: Counter[tuple[int, str]] = Counter()
    for event in trace.events:
        if not (event.reads_ram or event.writes_ram):
            continue
        op, vcpu = event.op, owner_of(event.actor)
        for number in range(op.address // granule, (op.address + op.width - 1) // granule + 1):
            place = number * granule
            before = last.get(place)
            last[place] = event
            found[place, vcpu] += 0
            if before is not None and owner_of(before.actor) != vcpu and (before.writes_ram or event.writes_ram):
                found[place, vcpu] += 1
                false[place, vcpu] += not overlap(before.op, event.op)
    ranked = sorted(found, key=lambda key: (key[0], structural_order(key[1])))
    return {key: (found[key], false[key]) for key in ranked}


def plot_conflicts(trace: Trace, *, granule: int = 16) -> Plot:
    """Return a heat map of conflicting accesses by granule and vCPU.

    Raises:
        UsageError: No vCPU accesses guest memory, or `granule` is no power of two.
    """
    found = conflicts_of(trace, granule)
    if not found:
        raise UsageError("this trace has no access to guest memory: there is no conflict to plot")
    vcpus = sorted({vcpu for _, vcpu in found}, key=structural_order)
    rows: list[dict[str, str | int]] = [
        {"granule": f"{place:#x}", "vcpu": clean(vcpu), "conflicts": count, "false": false}
        for (place, vcpu), (count, false) in found.items()
    ]
    return heat_map(
        f"{clean(trace.program)}: conflicts per granule of {granule} bytes",
        rows,
        Axis("vcpu", "vCPU", names=tuple(clean(vcpu) for vcpu in vcpus)),
        Axis("granule", "granule"),
        Axis("conflicts", "conflicting accesses", numeric=True),
    )
