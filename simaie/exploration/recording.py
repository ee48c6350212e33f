"""Explorations as `simaie.explore` runs them, whose result has the digests of the traces and the hand-offs too."""

from __future__ import annotations

import inspect
from array import array
from typing import Any

from simaie.exploration.coverage import CoverageCollector
from simaie.exploration.explorer import explore, shown_progress
from simaie.exploration.handoffs import HandoffCounter
from simaie.exploration.in_progress import Exploration
from simaie.exploration.resumable import Stretch, flaw_of
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.protocols import Scheduler
from simaie.trace import Trace

__all__ = ["explore_recorded"]


def explore_recorded(program: Program, machine: Machine, **options: Any) -> Stretch:
    """Explore a program to the end, as one stretch with nothing left.

    Args:
        program: The program.
        machine: The machine.
        options: Those of `simaie.explore`, which also says what is raised. Coverage is always counted. With several
            jobs, the hand-offs are those of this process.
    """
    given = inspect.signature(explore).bind(program, machine, **options)
    given.apply_defaults()
    progress = shown_progress(given.arguments["progress"])
    return _Recording(**given.arguments | {"coverage": True, "progress": progress}).recorded()


class _Recording(Exploration):
    """An exploration that records."""

    def recorded(self) -> Stretch:
        """Run, and return the result."""
        report = self.run()
        assert isinstance(self._coverage, _Collector)
        handoffs = frozenset(self._coverage.handoffs.found)
        return Stretch(report, None, self._coverage.digests, flaw_of(self, report), handoffs)

    def _collector(self) -> CoverageCollector:
        return _Collector(self.scheduler, graphs=self.machine.has_graphs)


class _Collector(CoverageCollector):
    """Counts, and records what it counts; it makes no probes."""

    def __init__(self, scheduler: Scheduler, *, graphs: bool) -> None:
        super().__init__(scheduler, graphs=graphs)
        self._probes = []

    def forget(self) -> None:
        """Forget the executions so far."""
        super().forget()
        self.digests = array("Q")
        self.handoffs = HandoffCounter()

    def add(self, trace: Trace) -> None:
        """Count one execution."""
        super().add(trace)
        self.handoffs.look_at(trace)

    def _count(self, digest: int) -> None:
        super()._count(digest)
        self.digests.append(digest)
