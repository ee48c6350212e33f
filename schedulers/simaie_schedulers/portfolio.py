"""Portfolio: several strategies in turn, since no one of them finds every kind of bug.

Execution i runs under strategy i modulo their number: random walk, PCT of depth 2 and 3, POS, SURW. Guarantee: that of
each for its share of the executions; what one strategy finds with probability p an execution, n executions miss with a
probability of at most (1 - p)^(n // 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.trace import Trace
from simaie_schedulers.pct import Pct
from simaie_schedulers.pos import Pos
from simaie_schedulers.random_walk import RandomWalk
from simaie_schedulers.surw import SelectiveRandomWalk

__all__ = ["Portfolio"]


class Portfolio(Scheduler):
    """The default: which strategy runs depends on the execution's index alone."""

    def __init__(self) -> None:
        self._strategies: dict[str, Scheduler] = {
            "random-walk": RandomWalk(),
            "pct-2": Pct(depth=2),
            "pct-3": Pct(depth=3),
            "pos": Pos(),
            "surw": SelectiveRandomWalk(),
        }
        self._current: Scheduler = self._strategies["random-walk"]

    def start(self, info: ExecutionInfo) -> None:
        """The next strategy's turn."""
        strategies = list(self._strategies.values())
        self._current = strategies[info.index % len(strategies)]
        self._current.start(info)

    def choose(self, offer: Offer) -> Candidate | None:
        """As the current strategy does."""
        return self._current.choose(offer)

    def choose_value(self, offer: Offer, arity: int) -> int:
        """As the current strategy does."""
        return self._current.choose_value(offer, arity)

    def finish(self, trace: Trace) -> None:
        """Tell the current strategy."""
        self._current.finish(trace)

    def profile(self) -> Mapping[str, Any]:
        """The profiles of all that have one."""
        profiles = {name: dict(strategy.profile()) for name, strategy in self._strategies.items()}
        return {name: profile for name, profile in profiles.items() if profile}

    def restore(self, profile: Mapping[str, Any]) -> None:
        """To each its own."""
        for name, strategy in self._strategies.items():
            if name in profile:
                strategy.restore(profile[name])
