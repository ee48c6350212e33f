"""Random walk: every step uniformly among the enabled actors.

The only guarantee: an interleaving of n steps with k_i candidates at step i has probability 1 / (k_1 ... k_n), so
shallow bugs are found quickly and deep ones practically never.
"""

from __future__ import annotations

from simaie.prng import Random
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler

__all__ = ["RandomWalk"]


class RandomWalk(Scheduler):
    """Chooses uniformly among the candidates, and among the alternatives of a choice.

    Use it for a quick sample, and as the baseline of other strategies.
    """

    draws_uniformly = True
    by_profile = True

    def start(self, info: ExecutionInfo) -> None:
        """Start a fresh random stream for each execution."""
        self._random = Random(info.seed)
        self.word = self._random.word

    def choose(self, offer: Offer) -> Candidate:
        """Return one of the candidates, uniformly."""
        candidates = offer.candidates
        chosen: Candidate = candidates[self.word() * len(candidates) >> 32]
        return chosen

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return one of the `arity` alternatives, uniformly."""
        return self._random.below(arity)
