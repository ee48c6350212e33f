"""Round robin: every actor in structural order takes `quantum` steps, then the next one.

No search: one deterministic execution, the smoke test of a program. An actor that is blocked or over
passes its turn on; a step that only waits (PAUSE, YIELD, WFE) ends the turn, as on a machine whose spinners yield.
"""

from __future__ import annotations

from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler, require_count
from simaie.trace import Trace

__all__ = ["RoundRobin"]


class RoundRobin(Scheduler):
    """One execution; `quantum` is the length of a turn in steps. UsageError unless it is positive."""

    independent = False

    def __init__(self, quantum: int = 1) -> None:
        require_count(quantum=quantum)
        self._quantum = quantum
        self._done = False

    @property
    def exhausted(self) -> bool:
        """After one execution: another would be the same."""
        return self._done

    def start(self, info: ExecutionInfo) -> None:
        """Nobody has had a turn."""
        self._turn: Candidate | None = None
        self._left = 0  # steps left of the turn

    def choose(self, offer: Offer) -> Candidate:
        """Whoever has the turn, else the next in structural order, cyclically."""
        chosen = self._turn
        if chosen is None or self._left <= 0 or chosen not in offer.candidates:
            chosen = self._next(offer)
            self._turn, self._left = chosen, self._quantum
        self._left = 0 if chosen.yielding else self._left - 1
        return chosen

    def _next(self, offer: Offer) -> Candidate:
        last = self._turn
        later = [c for c in offer.candidates if last is not None and c.rank > last.rank]
        chosen: Candidate = (later or offer.candidates)[0]
        return chosen

    def finish(self, trace: Trace) -> None:
        """One is enough."""
        self._done = True
