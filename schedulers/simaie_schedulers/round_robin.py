"""Round robin: each actor in structural order takes `quantum` steps, then the next one.

This is no search but one deterministic execution, a smoke test of a program. An actor that is blocked or has ended
loses its turn; a step that only waits (PAUSE, YIELD, WFE) ends the turn, as on a machine whose spinners yield.
"""

from __future__ import annotations

from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler, require_count
from simaie.trace import Trace

__all__ = ["RoundRobin"]


class RoundRobin(Scheduler):
    """Runs one execution in which each actor takes a turn of `quantum` steps.

    Use it to see that a program runs at all, or where one fixed schedule is enough.

    Args:
        quantum: Length of a turn in steps.

    Raises:
        UsageError: `quantum` is not a positive integer.
    """

    independent = False

    def __init__(self, quantum: int = 1) -> None:
        require_count(quantum=quantum)
        self._quantum = quantum
        self._done = False

    @property
    def exhausted(self) -> bool:
        """Whether the one execution is done; another would be the same."""
        return self._done

    def start(self, info: ExecutionInfo) -> None:
        """Start with no actor's turn."""
        self._turn: Candidate | None = None
        self._left = 0  # steps left of the turn

    def choose(self, offer: Offer) -> Candidate:
        """Return the actor whose turn it is; after its turn, the next in structural order, cyclically."""
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
        """Mark the one execution as done."""
        self._done = True
