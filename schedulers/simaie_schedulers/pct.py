"""PCT: random priorities and a few random priority changes.

S. Burckhardt, P. Kothari, M. Musuvathi, S. Nagarakatte: "A randomized scheduler with probabilistic guarantees of
finding bugs" (ASPLOS 2010). Actors get distinct random priorities of at least d, and d - 1 change points are drawn
uniformly from [1, k]. The enabled actor of highest priority runs; after the step of change point i, its actor's
priority drops to i. Guarantee: an execution finds a bug of depth d in a program of n actors and at most k steps with
probability at least 1 / (n k^(d-1)).

Deviations: a step counts only if two or more actors are enabled, since no other step can be preempted; k is the longest
execution seen so far, and belongs to the profile; spawned actors get their priorities when they first appear.
Priorities starve an actor that waits for a spinner, so after `fair_after` counted steps the rest is a random walk,
without any guarantee. Choices are uniform and do not count as steps.

On hosts of execution graphs it is PCTWM (see `simaie_schedulers._pctwm`), with d - 1 communications; there a step is an
access, and each counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simaie.prng import Random
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler, require_at_most, require_count
from simaie.trace import Trace
from simaie_schedulers._pctwm import Communications

__all__ = ["Pct"]


#: Each execution draws a place for each change of priority.
MOST_DEPTH = 1_000


class Pct(Scheduler):
    """Runs the enabled actor of highest random priority, with a few random priority changes.

    Use it for long programs: it finds a bug that needs few ordering constraints with a known least probability. On
    hosts that reorder loads it draws a few communications between vCPUs instead (PCTWM).

    Args:
        depth: d, the number of ordering constraints of the bug; at most `MOST_DEPTH`.
        fair_after: Counted steps before the random suffix.
        history: On hosts that reorder loads, the number of newest stores among which a communication chooses.

    Raises:
        UsageError: An argument is not a positive integer, or `depth` is too large.
    """

    by_profile = True

    def __init__(self, depth: int = 3, fair_after: int = 1_000, history: int = 2) -> None:
        require_count(depth=depth, fair_after=fair_after, history=history)
        require_at_most(MOST_DEPTH, depth=depth)
        self._depth = depth
        self._fair_after = fair_after
        self._history = history
        self._longest = 1  # k: counted steps of the longest execution so far, at most `fair_after`
        self._steps = 0  # counted steps of this execution

    @property
    def bound_note(self) -> str:
        """The bugs for which there is no guarantee."""
        return f"a bug of depth more than {self._depth} was not looked for"

    def start(self, info: ExecutionInfo) -> None:
        """Draw fresh change points; priorities are drawn when an actor is first seen."""
        self._random = random = Random(info.seed)
        self._steps = 0
        self._weak: Communications | None = None
        if info.has_graphs:
            self._weak = Communications(
                random, self._depth - 1, self._history, self._longest, self._priority_of, self._lower
            )
        # If two changes fall on one step, the last counts, as if the lower priority came after the higher one.
        self._changes = {1 + random.below(self._longest): i for i in range(self._depth - 1, 0, -1)}
        #: Invariant: distinct; at least `depth` until lowered, then in [1, depth).
        self._priority: dict[str, int] = {}

    def choose(self, offer: Offer) -> Candidate:
        """Return the candidate of highest priority; in the random suffix, a random candidate."""
        candidates = offer.candidates
        if self._weak is not None:
            return self._choose_weak(offer, self._weak)
        if len(candidates) == 1:
            only: Candidate = candidates[0]
            return only
        self._steps += 1
        if self._steps > self._fair_after:
            walked: Candidate = self._random.choice(candidates)
            return walked
        chosen: Candidate = max(candidates, key=self._priority_of)
        lowered_to = self._changes.get(self._steps)
        if lowered_to is not None:
            self._lower(chosen, lowered_to)
        return chosen

    def _choose_weak(self, offer: Offer, weak: Communications) -> Candidate:
        if weak.waits or self._steps >= self._fair_after:
            walked: Candidate = self._random.choice(offer.candidates)
            return walked
        chosen = weak.choose(offer)
        self._steps = weak.count
        return chosen

    def _lower(self, candidate: Candidate, priority: int) -> None:
        self._priority[candidate.name] = priority

    def _priority_of(self, candidate: Candidate) -> int:
        priority = self._priority.get(candidate.name)
        if priority is None:
            # 64 random bits: distinct except for one pair in 2**64, for which the structural order decides.
            priority = self._priority[candidate.name] = self._depth + self._random.bits64()
        return priority

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return one of the `arity` alternatives, uniformly unless it is about a communication."""
        weak = self._weak
        if weak is not None and not weak.waits and self._steps < self._fair_after:
            return weak.choose_value(offer, arity)
        return self._random.below(arity)

    def finish(self, trace: Trace) -> None:
        """Update k, the length of the longest execution."""
        self._longest = max(self._longest, min(self._steps, self._fair_after))

    def profile(self) -> Mapping[str, Any]:
        """Return k."""
        return {"longest": self._longest}

    def restore(self, profile: Mapping[str, Any]) -> None:
        """Set k from a profile."""
        self._longest = profile.get("longest", 1)
