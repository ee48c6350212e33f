"""Plots of results: what an exploration covered, how executions ended, what is allowed and possible, where vCPUs meet.

A plot is its rows and how to draw them (`simaie.show.plots.plot`), a table its rows; each other module says how its
rows come from a result. Reports and traces lie below this layer and ask for their plots by name
(`simaie.plugins.RENDERERS`).
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
