"""PCTWM: PCT for weak memory, where a bug needs few communications between vCPUs instead of few preemptions.

M. Gao, S. Chakraborty, B. Kulahcioglu Ozkan: "Probabilistic concurrency testing for weak memory programs" (ASPLOS
2023). Actors get random priorities, and some of the accesses, the *sinks*, are drawn at random. A read that is no sink
reads what its vCPU already knows: the oldest store that it may read. An actor that comes to a sink gets the i-th of the
lowest priorities, so that others go on first. Then it communicates: a read reads one of the `history` newest stores.

Deviations: since stores take effect in any order here, and loads after later stores, a write may be a sink too. It then
takes any place among the stores of its location, or feeds an earlier load, with equal probability; a write that is no
sink becomes the newest store. The d - 1 sinks of depth d are drawn from [0, k], independently, where 0 is no access. So
an execution may have fewer of them, and a bug of lower depth keeps its chance. A vCPU that waits in a loop of its own
reads the same stale value for ever, so after `MOST_VISITS` accesses of one vCPU to one place the rest of the execution
is a random walk, without any guarantee.

Guarantee: let an execution have b < d communications, and be determined by them, by their order, and by the order of
the n initial priorities. It occurs with probability at least 1 / (n! (k + 1)^(d-1) c^b), with k accesses at most, and c
alternatives at most of a communication (`history` for a read). Often any order of the priorities does, as for the
classical shapes; then there is no n! in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simaie.prng import Random
from simaie.protocols import Candidate, Offer, Question

__all__ = ["MOST_VISITS", "Communications"]

#: The number of accesses of one vCPU to one place after which it seems to wait for other vCPUs.
MOST_VISITS = 64


class Communications:
    """The accesses of one execution that communicate, and the values that are chosen for them.

    Args:
        random: The random numbers.
        sinks: The number of sinks to draw.
        history: The number of newest stores among which a read that communicates chooses.
        longest: k, the largest number of accesses of an execution so far.
        priority_of: Returns the priority of a candidate.
        lower: Gives an actor one of the lowest priorities, from 1.

    Attributes:
        count: The number of accesses that had their turn so far. One that is done again counts once.
        waits: Whether a vCPU seems to wait for others.
    """

    def __init__(
        self,
        random: Random,
        sinks: int,
        history: int,
        longest: int,
        priority_of: Callable[[Candidate], int],
        lower: Callable[[Candidate, int], None],
    ) -> None:
        self._random, self._history = random, history
        self._priority_of, self._lower = priority_of, lower
        # If two sinks fall on one access, the last counts.
        self._sinks = {random.below(longest + 1): slot for slot in range(sinks, 0, -1)}
        self.count = 0
        self.waits = False
        self._visits: dict[tuple[str, Any], int] = {}  # the number of accesses by actor and place
        self._is_sink: dict[tuple[str, int], bool] = {}  # by actor and number, of accesses that had their turn
        self._communicates = False  # whether the access that is performed is a sink

    def choose(self, offer: Offer) -> Candidate:
        """Return the candidate of highest priority that is not at a sink for the first time."""
        while True:
            chosen: Candidate = max(offer.candidates, key=self._priority_of)
            access = chosen.name, offer.numbers[chosen.name]
            if access in self._is_sink or not chosen.op.accesses_memory:
                break
            self._count(chosen)
            slot = self._sinks.get(self.count)
            self._is_sink[access] = slot is not None
            if slot is None:
                break
            self._lower(chosen, slot)
        self._communicates = self._is_sink.get(access, False)
        return chosen

    def _count(self, candidate: Candidate) -> None:
        self.count += 1
        op = candidate.op
        visit = candidate.name, op.address if op.cell is None else op.cell
        self._visits[visit] = visits = self._visits.get(visit, 0) + 1
        self.waits = self.waits or visits > MOST_VISITS

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the alternative for a read or a write; for a local choice, a random one."""
        if offer.question is Question.READ:
            return self._random.below(min(self._history, arity)) if self._communicates else arity - 1
        if offer.question is Question.WRITE and not self._communicates:
            return 0
        return self._random.below(arity)
