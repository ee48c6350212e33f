"""What an exploration found, and how sure that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from simaie import plugins
from simaie.exploration.signatures import FailureGroup, strongest_of
from simaie.exploration.statistics import Statistics
from simaie.finding import Verdict
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.replaying.failure import Failure
from simaie.trace import Outcome

__all__ = ["Report"]


@dataclass(frozen=True)
class Report:
    """The result of `simaie.explore`.

    verdict: ``"holds"`` only if every execution there is was run and judged; reason says why it is not more.
    failures: the first failing executions, in order of their index. failing: how many there were in all.
    signatures: all failing executions by what is wrong in them, the strongest first, each signature with its first and
    its shortest failure; unlisted: failing executions whose signature was not kept (`simaie.exploration.signatures`).
    outcomes: how often each final outcome was seen. complete: whether everything was explored. interrupted: by Ctrl-C.
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

    @property
    def executions(self) -> int:
        """How many executions were run."""
        return self.statistics.executions

    @property
    def strongest(self) -> Failure | None:
        """The first failure of the strongest signature; None if nothing failed. See `Failure.strength`."""
        return strongest_of(self.signatures)

    @property
    def kept(self) -> tuple[Failure, ...]:
        """All failures that are kept with their traces, in order of their index: also those of `signatures`."""
        grouped = [failure for group in self.signatures for failure in (group.first, group.shortest)]
        found = {failure.index: failure for failure in (*grouped, *self.failures)}
        return tuple(found[index] for index in sorted(found))

    def __str__(self) -> str:
        return f"{self.program.name} under {self.machine.scheme}: {self.verdict} ({self.reason})"

    def _repr_html_(self) -> str:
        drawn: str = plugins.resolve(plugins.RENDERERS, "notebook")(self)
        return drawn

    def player(self) -> Any:
        """A widget to step through the first failure (see `Failure.player`); UsageError if there is none."""
        return plugins.resolve(plugins.RENDERERS, "player")(self)

    def plot_coverage(self) -> Any:
        """Distinct traces over executions, as a `simaie.show.plots.Plot`; UsageError without ``coverage=True``."""
        return plugins.resolve(plugins.RENDERERS, "coverage-plot")(self)

    def plot_outcomes(self) -> Any:
        """Executions by outcome, as a `simaie.show.plots.Plot`; UsageError if none ran to its end."""
        return plugins.resolve(plugins.RENDERERS, "outcomes-plot")(self)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "program": self.program.name,
            "scheme": self.machine.scheme,
            "host": self.machine.host,
            "address_bits": self.machine.facts_of(self.program).address_bits,
            "scheduler": self.scheduler,
            "seed": self.seed,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "complete": self.complete,
            "interrupted": self.interrupted,
            "executions": self.executions,
            "failing": self.failing,
            "failures": [failure.as_dict() for failure in self.failures],
            "signatures": [group.as_dict() for group in self.signatures],
            "unlisted": self.unlisted,
            "outcomes": [{"outcome": o.as_dict(), "count": n} for o, n in sorted(self.outcomes.items(), key=str)],
            "statistics": {
                **msgspec.to_builtins(self.statistics),
                "executions_per_second": self.statistics.executions_per_second,
            },
        }
