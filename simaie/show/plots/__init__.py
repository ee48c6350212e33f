"""Plots of results: what an exploration covered, how executions ended, what is allowed and possible, where vCPUs meet.

A plot is its rows and how to draw them (`simaie.show.plots.plot`), a table its rows; each other module says how its
rows come from a result. Reports and traces lie below this layer and ask for their plots by name
(`simaie.plugins.RENDERERS`).
"""

from simaie.show.plots.comparison import plot_comparison
from simaie.show.plots.conflicts import conflicts_of, plot_conflicts
from simaie.show.plots.coverage import plot_coverage
from simaie.show.plots.outcomes import plot_outcomes
from simaie.show.plots.plot import Axis, Plot, bars, heat_map, lines, points
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
