"""Random probes that estimate the size of a search: the numbers of interleavings and of Mazurkiewicz traces.

The estimator is Knuth's. A walk goes from the root of a tree to a leaf, at each node to a random child. Its weight is 1
divided by the probability of all its steps; if the children of each node are equally likely, it is the product of their
numbers. The weight is an unbiased estimate of the number of leaves, whatever the shape of the tree. No checkers judge
the executions of a probe.

**Interleavings** are the leaves of the tree of all schedules. The children of a node are its candidates, or the values
of a local choice.

**Traces.** An interleaving is a word whose letters are actors in structural order. Of the interleavings of each trace,
exactly one comes first in alphabetical order. The weight of a walk counts if the walk ends in such a first word, and is
0 otherwise; its expectation is therefore the number of traces. Two rules make the walk end in first words often enough.
It prefers early actors, each by a factor of 2 to the next. And it never takes a step after which the word cannot be the
first: when it chooses an actor, it puts the earlier candidates to sleep until a dependent operation is performed (sleep
sets: P. Godefroid, "Partial-order methods for the verification of concurrent systems", 1996). The walk does not know
what a sleeping actor would write, so it may put too few actors to sleep. The finished execution, where all writes are
known, decides whether the word is the first of its trace: no event may be movable to before an event of a later actor
(A. Anisimov, D. Knuth, "Inhomogeneous sorting", 1979).

If most operations are independent, nearly every walk ends with all actors asleep. The few others support no reliable
estimate, and then there is none.
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

__all__ = ["InterleavingProbe", "Probe", "SizeEstimate", "TraceProbe", "is_first_of_its_trace"]

#: The number of walks that must count at least; with fewer, estimate and interval would not be reliable.
FEWEST_HITS = 30


class SizeEstimate(msgspec.Struct, frozen=True):
    """An estimate of the size of a search.

    Attributes:
        counts: What is counted: ``"interleavings"`` or (Mazurkiewicz) ``"traces"``.
        total: The estimated number; None if too few walks counted.
        probes: The number of walks.
        hits: The number of walks that counted.
        truncated: The number of walks that a limit of the machine cut; each is one interleaving, and no trace.
    """

    counts: str
    total: Interval | None
    probes: int
    hits: int
    truncated: int


class Probe(Scheduler):
    """A scheduler that takes random walks and records their weights.

    Attributes:
        weights: The natural logarithms of the weights of the finished walks.
        steps: The number of events in all walks.
        truncated: The number of walks that a limit of the machine cut.
    """

    counts = ""

    def __init__(self) -> None:
        self.weights: list[float] = []
        self.steps = self.truncated = 0

    def start(self, info: ExecutionInfo) -> None:
        """Begin a walk at the root."""
        self._random = Random(info.seed)
        self._weight = 0.0

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Draw a value uniformly."""
        return self._uniform(arity)

    def finish(self, trace: Trace) -> None:
        """Record the weight of a walk that reached a leaf."""
        self.steps += len(trace)
        self.truncated += trace.truncated
        self.weights.append(self._weight if self._counts(trace) else -math.inf)

    def size(self) -> SizeEstimate:
        """Return the estimate so far."""
        hits = sum(weight > -math.inf for weight in self.weights)
        total = mean_of_probes(self.weights) if hits >= FEWEST_HITS else None
        return SizeEstimate(self.counts, total, len(self.weights), hits, self.truncated)

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
    """A probe that estimates the number of interleavings."""

    counts = "interleavings"

    def choose(self, offer: Offer) -> Candidate:
        """Draw a candidate uniformly."""
        candidate: Candidate = offer.candidates[self._uniform(len(offer.candidates))]
        return candidate


class TraceProbe(Probe):
    """A probe that estimates the number of Mazurkiewicz traces; a walk with all actors asleep has the weight 0."""

    counts = "traces"

    def start(self, info: ExecutionInfo) -> None:
        """Begin a walk with all actors awake."""
        super().start(info)
        self._asleep: dict[str, Op] = {}
        self._ranks: dict[str, tuple[int, ...]] = {}

    def choose(self, offer: Offer) -> Candidate | None:
        """Draw one of the candidates that are awake, earlier ones more often; None if all are asleep."""
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
        # The first word of a trace is not determined for store buffers, nor for graphs, so that no such walk counts.
        reorders = trace.graph is not None or Kind.BUFFER in trace.kinds
        cut = trace.truncated or trace.ending is Ending.PRUNED
        return not cut and not reorders and is_first_of_its_trace(trace, self._ranks)


def _may_conflict(a: Op, b: Op) -> bool:
    return conflict(a, may_write(a), b, may_write(b))


def is_first_of_its_trace(trace: Trace, ranks: dict[str, tuple[int, ...]]) -> bool:
    """Whether no equivalent execution is smaller in the lexicographic order of the actors' `ranks`."""
    events = [event for event in trace.events if event.op.kind is not Kind.CHOICE]  # it is part of the step before
    latest: dict[str, int] = {}  # position of each actor's last event
    for position, (event, before) in enumerate(zip(events, predecessors(events), strict=True)):
        after, rank = max(before, default=-1), ranks[event.actor]
        if any(other > after and ranks[name] > rank for name, other in latest.items()):
            return False
        latest[event.actor] = position
    return True
