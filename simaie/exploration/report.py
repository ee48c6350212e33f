"""Reports of explorations: what was found, and how certain it is."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from simaie import plugins
from simaie.decision import Schedule
from simaie.exploration.estimates import Interval
from simaie.exploration.goals import Goal
from simaie.exploration.signatures import FailureGroup, strongest_of
from simaie.exploration.statistics import Statistics
from simaie.finding import Verdict
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.plugins import Spec
from simaie.replaying.failure import Failure
from simaie.replaying.run import Driver, run
from simaie.trace import Outcome

if TYPE_CHECKING:
    from simaie.show.plots.plot import Plot
    from simaie.show.widgets.make import Still
    from simaie.show.widgets.player import Player

__all__ = ["Report"]


@dataclass(frozen=True)
class Report:
    """The result of `simaie.explore`.

    Attributes:
        program: The program.
        machine: The machine.
        scheduler: The scheduler, with its options.
        seed: The seed of the exploration.
        verdict: ``"holds"`` only if all executions were run and judged; otherwise ``"violated"`` or ``"inconclusive"``.
        reason: The reason for the verdict, in words.
        complete: Whether everything was explored.
        interrupted: Whether Ctrl-C ended the exploration.
        failures: The first failing executions, in order of their index.
        failing: The number of all failing executions.
        outcomes: The number of executions for each outcome.
        statistics: The figures of the exploration.
        signatures: The failing executions grouped by their signatures, the strongest first, each group with its first
            and its shortest failure.
        unlisted: The number of failing executions whose signature was not kept (see `simaie.exploration.signatures`).
        goals: The goals of the program, and how often each happened (see `simaie.guest.goals`).
        example_schedule: The decisions of `example`; None if there is none.
        driver: The driver that ran the guest code.
    """

    program: Program = field(repr=False)
    machine: Machine = field(repr=False)
    scheduler: str
    seed: int
    verdict: Verdict
    reason: str
    complete: bool
    interrupted: bool
    failures: tuple[Failure, ...] = field(repr=False)
    failing: int
    outcomes: Mapping[Outcome, int] = field(repr=False, default_factory=Counter)
    statistics: Statistics = field(repr=False, kw_only=True)
    signatures: tuple[FailureGroup, ...] = field(repr=False, default=(), kw_only=True)
    unlisted: int = field(default=0, repr=False, kw_only=True)
    goals: tuple[Goal, ...] = field(default=(), repr=False, kw_only=True)
    example_schedule: Schedule | None = field(default=None, repr=False, kw_only=True)
    driver: Driver = field(default="inline", repr=False, kw_only=True)

    @property
    def executions(self) -> int:
        """The number of executions that were run."""
        return self.statistics.executions

    @property
    def unmet_goals(self) -> tuple[Goal, ...]:
        """The goals that happened in no execution; if `complete`, none of them can happen."""
        return tuple([goal for goal in self.goals if not goal.happened])

    @functools.cached_property
    def example(self) -> Failure | None:
        """An execution that did not fail, to replay, draw and save it as a failure; None if there is none.

        It is the first with the most switches, up to `simaie.exploration.examples.MOST_SWITCHES` of them. A search of
        graphs makes no decisions, so that it has no example.
        """
        if self.example_schedule is None:
            return None
        decisions = self.example_schedule.text
        script = Spec("scripted", {"schedule": decisions})
        scheduler = plugins.resolve(plugins.SCHEDULERS, "scripted")(decisions)
        trace = run(self.program, self.machine, scheduler, seed=self.seed, driver=self.driver)
        return Failure(self.program, self.machine, script, self.seed, 0, trace, (), driver=self.driver)

    @property
    def executions_left(self) -> float | None:
        """The estimated number of executions that an unfinished ``dpor`` still needs; None if unknown."""
        total = self._all_executions
        return None if total is None else total.value - self.statistics.executions

    @property
    def seconds_left(self) -> float | None:
        """The estimated time for `executions_left` at the rate so far, in seconds; None if unknown."""
        left, rate = self.executions_left, self.statistics.executions_per_second
        return None if left is None or not rate else left / rate

    @property
    def most_seconds_left(self) -> float | None:
        """The time at the upper end of the 95 % interval of the estimate, which can be too low; None if unknown."""
        total, rate = self._all_executions, self.statistics.executions_per_second
        return None if total is None or not rate else (total.high - self.statistics.executions) / rate

    @property
    def _all_executions(self) -> Interval | None:
        """The estimated number of executions of an unfinished ``dpor``; None if unknown, or if more have run."""
        figures = self.statistics
        if figures.coverage is None or self.scheduler != "dpor" or self.complete or self.failing:
            return None
        totals = [size.total for size in figures.coverage.sizes if size.counts == "traces" and size.total is not None]
        return next((total for total in totals if total.value > figures.executions), None)

    @property
    def strongest(self) -> Failure | None:
        """The first failure of the strongest signature (see `Failure.strength`); None if nothing failed."""
        return strongest_of(self.signatures)

    @property
    def kept(self) -> tuple[Failure, ...]:
        """All failures of `failures` and `signatures`, in order of their index."""
        grouped = [failure for group in self.signatures for failure in (group.first, group.shortest)]
        found = {failure.index: failure for failure in (*grouped, *self.failures)}
        return tuple(found[index] for index in sorted(found))

    def __str__(self) -> str:
        return f"{self.program.name} under {self.machine.scheme}: {self.verdict} ({self.reason})"

    def _repr_html_(self) -> str:
        drawn: str = plugins.resolve(plugins.RENDERERS, "notebook")(self)
        return drawn

    def player(self) -> Player | Still:
        """Return a widget that steps through the first failure (see `Failure.player`); UsageError without a failure."""
        made: Player | Still = plugins.resolve(plugins.RENDERERS, "player")(self)
        return made

    def plot_coverage(self) -> Plot:
        """Return a plot of distinct traces over executions; raise UsageError without ``coverage=True``."""
        made: Plot = plugins.resolve(plugins.RENDERERS, "coverage-plot")(self)
        return made

    def plot_outcomes(self) -> Plot:
        """Return a plot of the number of executions for each outcome; raise UsageError if none ran to its end."""
        made: Plot = plugins.resolve(plugins.RENDERERS, "outcomes-plot")(self)
        return made

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "program": self.program.name,
            "scheme": self.machine.scheme,
            "host": self.machine.host,
            "full_system": self.machine.full_system,
            "host_word": self.machine.host_word,
            "address_bits": self.machine.facts_of(self.program).address_bits,
            "scheduler": self.scheduler,
            "seed": self.seed,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "complete": self.complete,
            "executions_left": self.executions_left,
            "seconds_left": self.seconds_left,
            "interrupted": self.interrupted,
            "executions": self.executions,
            "failing": self.failing,
            "failures": [failure.as_dict() for failure in self.failures],
            "signatures": [group.as_dict() for group in self.signatures],
            "unlisted": self.unlisted,
            "example": None if self.example_schedule is None else self.example_schedule.text,
            "goals": msgspec.to_builtins(self.goals),
            "outcomes": [{"outcome": o.as_dict(), "count": n} for o, n in sorted(self.outcomes.items(), key=str)],
            "statistics": msgspec.to_builtins(self.statistics),
        }
