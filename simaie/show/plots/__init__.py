"""Plots of results: coverage, outcomes, comparisons, and the conflicts of vCPUs by granule.

A plot consists of rows and how to draw them (`simaie.show.plots.plot`); `results` makes the rows from a result. Reports
and traces are in layers below this one and ask for their plots by name (`simaie.plugins.RENDERERS`).
"""

from simaie.show.plots.plot import Axis, Plot, bars, heat_map, lines, points
from simaie.show.plots.results import conflicts_of, plot_comparison, plot_conflicts, plot_coverage, plot_outcomes
from simaie.show.plots.table import Table, table

__all__ = [
    "Axis",
    "Plot",
    "Table",
    "bars",
    "conflicts_of",
    "heat_map",
    "lines",
    "plot_comparison",
    "plot_conflicts",
    "plot_coverage",
    "plot_outcomes",
    "points",
    "table",
]
