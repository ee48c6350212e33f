"""POS, partial order sampling: every pending event has a random priority, and the highest runs.

X. Yuan, J. Yang, R. Gu: "Partial order aware concurrency sampling" (CAV 2018). Each event gets a fresh priority from
U(0, 1) when it becomes pending, and a new one whenever a dependent event is executed before it. An event on which no
other depends keeps its priority, so any number of others may overtake it: one event against m independent ones is last
with probability 1 / (m + 1), where a random walk has 1 / 2^m.

Deviations: the success of a compare-and-swap or store-conditional is not known beforehand, so both count as writes; an
event that is disabled for a while gets a new priority when it is enabled again, since only a dependent event can have
enabled it.
"""

from __future__ import annotations

from simaie.dependence import conflict, may_write
from simaie.op import Kind
from simaie.prng import Random
from simaie.protocols import Candidate, ExecutionInfo, Offer
from simaie_schedulers.fair import FairScheduler

__all__ = ["Pos"]

_LOCK = Kind.LOCK  # looked up once, not per step


class Pos(FairScheduler):
    """Runs the pending event of highest random priority, redrawn when a dependent event runs before it.

    Use it for programs with many conflicting accesses, whose orders a random walk covers unevenly.

    Args:
        fair: Whether an actor that yields waits for those it has overtaken (see `simaie_schedulers.fair`).
    """

    by_profile = True

    def start(self, info: ExecutionInfo) -> None:
        """Start a fresh random stream with no pending event."""
        super().start(info)
        self._random = Random(info.seed)
        self._priority: dict[str, int] = {}  # of the pending event of each candidate, by actor
        self._candidates: tuple[Candidate, ...] = ()

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the candidate whose pending event has the highest priority."""
        candidates = offer.candidates
        if candidates is not self._candidates:
            self._candidates = candidates
            old = self._priority
            self._priority = {c.name: old[c.name] for c in candidates if c.name in old}
        priority = self._priority
        if len(priority) < len(candidates):
            for candidate in candidates:
                if candidate.name not in priority:
                    priority[candidate.name] = self._random.bits64()
        chosen = super().choose(offer)
        if chosen is not None:
            self._executed(chosen, candidates)
        return chosen

    def pick(self, offer: Offer) -> Candidate:
        """Return the candidate of highest priority among those that need not wait."""
        priority = self._priority
        best: Candidate = offer.candidates[0]
        highest = priority[best.name]
        for candidate in offer.candidates:
            if priority[candidate.name] > highest:
                best, highest = candidate, priority[candidate.name]
        return best

    def _executed(self, chosen: Candidate, candidates: tuple[Candidate, ...]) -> None:
        """Drop the priorities of the chosen actor and of every pending event that depends on the executed one."""
        priority, op = self._priority, chosen.op
        del priority[chosen.name]
        if op.cell is None and not op.width and op.kind < _LOCK:
            return  # touches nothing
        op_writes = may_write(op)
        for other in candidates:
            if other is not chosen:
                pending = other.op
                if conflict(op, op_writes, pending, may_write(pending)):
                    del priority[other.name]

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return one of the `arity` alternatives, uniformly."""
        return self._random.below(arity)
