"""URW and SURW: random walks that are uniform over interleavings, of all events or of those of interest.

H. Zhao, D. Wolff, U. Mathur, A. Roychoudhury: "Selectively uniform concurrency testing" (ASPLOS 2025). A random walk
that is uniform at every step is far from uniform over interleavings. URW picks actor t with probability w_t / sum w,
where w_t counts the events that t and its unspawned children have left: with exact counts and nothing that blocks,
every interleaving is equally likely. SURW does so for the events of a set D only, which keeps the weights meaningful in
long executions: it holds an *intended* actor, drawn by what is left of D, and lets nobody else execute an event of D
before it; all other events are interleaved by a plain random walk.

The first execution of an instance counts the events, walking at random; its counts are the profile. D is by default,
anew in each execution, what touches one place: a chunk (granule of 16 bytes) of guest RAM, its entry and its lock,
among the places that two or more actors were seen to touch; without any such place the walk is a plain one.
"""

from __future__ import annotations

from collections.abc import Callable

from schedulers._places import place_of
from schedulers._profiled import Profiled
from schedulers._weights import Weights
from simaie.errors import UsageError
from simaie.op import Kind, Op
from simaie.protocols import Candidate, ExecutionInfo, Offer
from simaie.trace import Trace

__all__ = ["SelectiveRandomWalk", "UniformRandomWalk"]


class UniformRandomWalk(Profiled):
    """URW. fair: whether those who yield wait for those they have overtaken (see `schedulers.fair`)."""

    def start(self, info: ExecutionInfo) -> None:
        """Weights are the events of the profiling run."""
        super().start(info)
        self._weights = Weights(self._counts.of("all")) if self._counts is not None else None

    def _group(self, op: Op) -> str | None:
        return "all"

    def choose(self, offer: Offer) -> Candidate:
        """A candidate in proportion to what it has left."""
        chosen = super().choose(offer)
        if self._weights is None:
            self._count(chosen)
            return chosen
        self._weights.ran(chosen.name)
        if chosen.op.kind is Kind.SPAWN:
            self._weights.spawned(chosen.name)
        return chosen

    def pick(self, offer: Offer) -> Candidate:
        """One of those who need not wait, in proportion."""
        candidates, weights = offer.candidates, self._weights
        if weights is None:
            index = self._random.below(len(candidates))
        else:
            index = self._random.weighted([weights.of(c.name) for c in candidates])
        chosen: Candidate = candidates[index]
        return chosen


class SelectiveRandomWalk(Profiled):
    """SURW. interesting: whether an operation belongs to D; None for a place chosen by the seed.

    fair: whether those who yield wait for those they have overtaken (see `schedulers.fair`).
    Raises UsageError at the end of the profiling run if `interesting` held of no operation.
    """

    def __init__(self, interesting: Callable[[Op], bool] | None = None, fair: bool = True) -> None:
        super().__init__(fair)
        if interesting is not None and not callable(interesting):
            raise UsageError(f"interesting must be a function of an operation, not {interesting!r}")
        self._predicate = interesting

    def start(self, info: ExecutionInfo) -> None:
        """Choose the place, and draw nobody yet."""
        super().start(info)
        self._place: str | None = None  # the group that is D in this execution
        self._weights = Weights({})
        self._intended: str | None = None  # None: to be drawn
        self._blocked: set[str] = set()  # whose pending event of D is not their turn
        if self._counts is not None and (places := self._counts.shared()):
            self._place = self._random.choice(places)
            self._weights = Weights(self._counts.of(self._place))

    def _group(self, op: Op) -> str | None:
        if self._predicate is None:
            return place_of(op)
        return "interesting" if self._predicate(op) else None

    def choose(self, offer: Offer) -> Candidate:
        """An event outside D, or the intended actor's event of D."""
        chosen = super().choose(offer)
        if self._counts is None:
            self._count(chosen)
        elif self._place is not None:
            self._executed(chosen)
        return chosen

    def pick(self, offer: Offer) -> Candidate:
        """Uniformly among those who are not blocked; who is found to be out of turn gets blocked."""
        chosen: Candidate
        if self._place is None:
            chosen = self._random.choice(offer.candidates)
            return chosen
        while True:
            if self._intended is None:
                self._intended = self._draw(offer)
            free = [c for c in offer.candidates if c.name not in self._blocked]
            while free:
                index = self._random.below(len(free))
                chosen = free[index]
                if chosen.name == self._intended or self._group(chosen.op) != self._place:
                    return chosen
                self._blocked.add(chosen.name)
                del free[index]
            # The intended one is no candidate: draw among those who are waiting for their turn.
            self._blocked.clear()
            self._intended = self._draw_waiting(offer)

    def _draw(self, offer: Offer) -> str:
        """Whose event of D comes next, in proportion to what is left of D."""
        left = {name: max(count, 0) for name, count in self._weights.left.items()}
        for candidate in offer.candidates:
            if self._group(candidate.op) == self._place:
                left[candidate.name] = self._weights.of(candidate.name)
        names = list(left)
        if not any(left.values()):
            return ""  # D is over as far as anybody knows; who comes to it yet is drawn when all wait
        return names[self._random.weighted(list(left.values()))]

    def _draw_waiting(self, offer: Offer) -> str:
        weights = [self._weights.of(c.name) for c in offer.candidates]
        chosen: Candidate = offer.candidates[self._random.weighted(weights)]
        return chosen.name

    def _executed(self, chosen: Candidate) -> None:
        if self._group(chosen.op) == self._place:
            self._weights.ran(chosen.name)
            self._intended = None
            self._blocked.clear()
        if chosen.op.kind is Kind.SPAWN:
            before = self._weights.of(chosen.name)
            child = self._weights.spawned(chosen.name)
            if self._intended == chosen.name and self._random.below(before) < self._weights.left[child]:
                self._intended = child

    def finish(self, trace: Trace) -> None:
        """Keep the counts of the first execution; UsageError if there is nothing in D."""
        if self._counts is None and self._predicate is not None and not self._counting:
            raise UsageError(
                f"surw: none of the {len(trace)} operations of the profiling run is interesting; "
                "pass another `interesting`, or none for a place chosen by the seed"
            )
        super().finish(trace)
