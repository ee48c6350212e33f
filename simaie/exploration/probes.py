"""Random probes of what there is to explore: how many interleavings, how many Mazurkiewicz traces?

Knuth's estimator: walk from the root to a leaf, at each node to a random child, and divide 1 by the probability of each
step (multiply the numbers of children, if they are equally likely). The result, the walk's weight, is an unbiased
estimate of the number of leaves, whatever the shape of the tree.

**Interleavings** are the leaves of the tree of all schedules: the children of a node are its candidates, or the values
of a local choice.

**Traces.** Of the interleavings of each trace exactly one comes first in the order of the alphabet, if at each step the
letters are the actors in structural order. So the weight counts if the walk ended in such a first one, and is 0
if not: its expectation is the number of traces. To end there often enough, the walk prefers those who come early in the
order, by a factor of 2, and never takes a step that must end in another: who comes later in the order and goes
first puts to sleep whom it passed over, until something dependent
happens (sleep sets: P. Godefroid, "Partial-order methods for the verification of concurrent systems", 1996). What a
sleeper would write is not known, so sleep sets err on the side of too few asleep, and the finished execution, where it
is known, decides. Whether a word is the first of its trace shows in its factors (A. Anisimov, D. Knuth, "Inhomogeneous
sorting", 1979): no event may be able to move before one of a later actor.

Where most operations are independent nearly every walk ends with everybody asleep, and the few that do not say nothing
reliable: then there is no estimate. A probe is not judged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from simaie.dependence import conflict, may_write
from simaie.exploration.estimates import Interval, mean_of_probes
from simaie.op import Kind, Op
from simaie.predecessors import predecessors
from simaie.prng import Random
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.trace import Ending, Trace

__all__ = ["InterleavingProbe", "Probe", "Size", "TraceProbe", "is_first_of_its_trace"]

#: With fewer walks that count, an estimate and its interval would pretend to know.
FEWEST_HITS = 30


class Size(msgspec.Struct, frozen=True):
    """An estimate of how much there is to explore.

    counts: what is counted: ``"interleavings"`` or ``"traces"`` (Mazurkiewicz). total: their number; None if
    too few walks counted to tell. probes: walks made. hits: of these, how many counted.
    truncated: how many a limit of the machine cut; each is one interleaving, and no trace.
    """

    counts: str
    total: Interval | None
    probes: int
    hits: int
    truncated: int


class Probe(Scheduler):
    """A random walk that knows its weight.

    weights: of the finished walks, as natural logarithms. steps: events in all of them.
    """

    counts = ""

    def __init__(self) -> None:
        self.weights: list[float] = []
        self.steps = self.truncated = 0

    def start(self, info: ExecutionInfo) -> None:
        """At the root."""
        self._random = Random(info.seed)
        self._weight = 0.0

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Any value."""
        return self._uniform(arity)

    def finish(self, trace: Trace) -> None:
        """At a leaf."""
        self.steps += len(trace)
        self.truncated += trace.truncated
        self.weights.append(self._weight if self._counts(trace) else -math.inf)

    def size(self) -> Size:
        """The estimate so far."""
        hits = sum(weight > -math.inf for weight in self.weights)
        total = mean_of_probes(self.weights) if hits >= FEWEST_HITS else None
        return Size(self.counts, total, len(self.weights), hits, self.truncated)

    def _uniform(self, count: int) -> int:
        self._weight += math.log(count)
        return self._random.below(count)

    def _weighted(self, weights: Sequence[int]) -> int:
        picked = self._random.weighted(weights)
        self._weight += math.log(sum(weights) / weights[picked])
        return picked

    def _counts(self, trace: Trace) -> bool:
        return True


class InterleavingProbe(Probe):
    """Estimates the number of interleavings."""

    counts = "interleavings"

    def choose(self, offer: Offer) -> Candidate:
        """Any candidate."""
        candidate: Candidate = offer.candidates[self._uniform(len(offer.candidates))]
        return candidate


class TraceProbe(Probe):
    """Estimates the number of Mazurkiewicz traces. Gives up (PRUNED, weight 0) where everybody is asleep."""

    counts = "traces"

    def start(self, info: ExecutionInfo) -> None:
        """Nobody sleeps."""
        super().start(info)
        self._asleep: dict[str, Op] = {}
        self._ranks: dict[str, tuple[int, ...]] = {}

    def choose(self, offer: Offer) -> Candidate | None:
        """One of those who are awake, or None."""
        asleep = self._asleep
        awake: list[Candidate] = [c for c in offer.candidates if c.name not in asleep]
        if not awake:
            return None
        picked = self._weighted([1 << max(0, 15 - place) for place in range(len(awake))])
        chosen = awake[picked]
        asleep.update((passed.name, passed.op) for passed in awake[:picked])
        self._asleep = {name: op for name, op in asleep.items() if not _may_conflict(op, chosen.op)}
        self._ranks[chosen.name] = chosen.rank
        return chosen

    def _counts(self, trace: Trace) -> bool:
        # Which word of a trace comes first is not worked out for store buffers: without walks there is no estimate.
        cut = trace.truncated or trace.ending is Ending.PRUNED or Kind.BUFFER in trace.kinds
        return not cut and is_first_of_its_trace(trace, self._ranks)


def _may_conflict(a: Op, b: Op) -> bool:
    return conflict(a, may_write(a), b, may_write(b))


def is_first_of_its_trace(trace: Trace, ranks: dict[str, tuple[int, ...]]) -> bool:
    """Whether no equivalent execution comes before it in the order of the actors' `ranks`, step by step."""
    events = [event for event in trace.events if event.op.kind is not Kind.CHOICE]  # part of the step before it
    latest: dict[str, int] = {}  # position of each actor's last event
    for position, (event, before) in enumerate(zip(events, predecessors(events), strict=True)):
        after, rank = max(before, default=-1), ranks[event.actor]
        if any(other > after and ranks[name] > rank for name, other in latest.items()):
            return False
        latest[event.actor] = position
    return True
