"""POS, partial order sampling: every pending event has a random priority; the highest runs.

X. Yuan, J. Yang, R. Gu: "Partial order aware concurrency sampling" (CAV 2018). Each event gets a fresh priority from
U(0, 1) when it becomes pending, and a new one whenever a dependent event is executed before it. An event that nothing
depends on keeps its priority and so may be delayed past any number of others: with one event against m independent
ones, to be the last has probability 1 / (m + 1), where a random walk gives 1 / 2^m.

Deviations: whether a compare-and-swap or store-conditional will store is not known beforehand, so both count as
writes; an event that is disabled for a while gets a new priority when it is enabled again, since only a dependent
event can have done that.
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
    """fair: whether those who yield wait for those they have overtaken (see `simaie_schedulers.fair`)."""

    def start(self, info: ExecutionInfo) -> None:
        """A fresh stream; nothing is pending."""
        super().start(info)
        self._random = Random(info.seed)
        self._priority: dict[str, int] = {}  # of the pending event of each candidate, by actor
        self._candidates: tuple[Candidate, ...] = ()

    def choose(self, offer: Offer) -> Candidate:
        """The candidate whose pending event has the highest priority."""
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
        self._executed(chosen, candidates)
        return chosen

    def pick(self, offer: Offer) -> Candidate:
        """The highest of those who need not wait."""
        priority = self._priority
        best: Candidate = offer.candidates[0]
        highest = priority[best.name]
        for candidate in offer.candidates:
            if priority[candidate.name] > highest:
                best, highest = candidate, priority[candidate.name]
        return best

    def _executed(self, chosen: Candidate, candidates: tuple[Candidate, ...]) -> None:
        """Its next event needs a priority, and so does every pending one that depends on it."""
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
        """One of the alternatives, uniformly."""
        return self._random.below(arity)
