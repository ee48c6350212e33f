"""Random walk: every step uniformly among the enabled actors.

No guarantee but this: an interleaving of n steps with k_i candidates at step i has probability 1 / (k_1 ... k_n), so
shallow bugs are found quickly and deep ones practically never.
"""

from __future__ import annotations

from simaie.prng import Random
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler

__all__ = ["RandomWalk"]


class RandomWalk(Scheduler):
    """Uniform over the candidates, and over the alternatives of a choice."""

    def start(self, info: ExecutionInfo) -> None:
        """A fresh stream for each execution."""
        self._random = Random(info.seed)
        self._word = self._random.word

    def choose(self, offer: Offer) -> Candidate:
        """One of the candidates, uniformly."""
        candidates = offer.candidates
        chosen: Candidate = candidates[self._word() * len(candidates) >> 32]
        return chosen

    def choose_value(self, offer: Offer, arity: int) -> int:
        """One of the alternatives, uniformly."""
        return self._random.below(arity)
