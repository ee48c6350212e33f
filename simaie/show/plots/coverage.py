"""How many distinct traces an exploration had seen after so many executions: a curve that flattens has seen most."""

from __future__ import annotations

from simaie.errors import UsageError
from simaie.exploration.report import Report
from simaie.show.format import clean
from simaie.show.plots.plot import Axis, Plot, lines

__all__ = ["plot_coverage"]


def plot_coverage(report: Report) -> Plot:
    """Distinct traces over complete executions; UsageError if the exploration did not count them."""
    coverage = report.statistics.coverage
    if coverage is None:
        raise UsageError("this report has no coverage to plot: explore again with coverage=True")
    name = clean(f"{report.program.name} under {report.machine.scheme}, {report.scheduler}")
    rows = [{"executions": executions, "traces": traces} for executions, traces in coverage.growth]
    return lines(
        name,
        rows,
        Axis("executions", "complete executions", numeric=True),
        Axis("traces", "distinct traces", numeric=True),
    )
