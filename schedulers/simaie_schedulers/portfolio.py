"""Portfolio: several strategies in turn, since no single strategy finds every kind of bug.

Execution i runs under strategy i modulo their number: random walk, PCT of depth 2 and 3, POS, SURW. Guarantee: that of
each strategy for its share of the executions. If one strategy finds a bug with probability p per execution, then n
executions miss it with a probability of at most (1 - p)^(n // 5).
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
    """Runs several strategies in turn (the default); the execution's index alone selects the strategy.

    Use it first: without knowledge of the program it is the safest sample.
    """

    by_profile = True

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
        """Switch to the strategy of this execution, and start it."""
        strategies = list(self._strategies.values())
        self._current = strategies[info.index % len(strategies)]
        self._current.start(info)

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the choice of the current strategy."""
        return self._current.choose(offer)

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the value that the current strategy chooses."""
        return self._current.choose_value(offer, arity)

    def finish(self, trace: Trace) -> None:
        """Pass the finished execution to the current strategy."""
        self._current.finish(trace)

    def profile(self) -> Mapping[str, Any]:
        """Return the non-empty profiles, by strategy."""
        profiles = {name: dict(strategy.profile()) for name, strategy in self._strategies.items()}
        return {name: profile for name, profile in profiles.items() if profile}

    def restore(self, profile: Mapping[str, Any]) -> None:
        """Restore the profile of each strategy."""
        for name, strategy in self._strategies.items():
            strategy.restore(profile.get(name, {}))
