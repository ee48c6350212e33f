"""How executions ended: a bar for each distinct outcome, those that the program refuses told apart."""

from __future__ import annotations

from simaie.errors import UsageError
from simaie.exploration.report import Report
from simaie.show.format import clean
from simaie.show.plots.plot import BAD, DOUBTFUL, GOOD, OTHER, Axis, Plot, bars

__all__ = ["plot_outcomes"]

_MEANING = {"accepted": GOOD, "in a failure": DOUBTFUL, "refused": BAD, "others": OTHER}
#: More outcomes than this share the last bar.
_MOST = 30


def plot_outcomes(report: Report) -> Plot:
    """Executions by outcome, the most frequent first; UsageError if none ran to its end."""
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
