"""URW and SURW: random walks that are uniform over interleavings, of all events or of selected ones.

H. Zhao, D. Wolff, U. Mathur, A. Roychoudhury: "Selectively uniform concurrency testing" (ASPLOS 2025). A random walk
that is uniform at every step is far from uniform over interleavings. URW picks actor t with probability w_t / sum w,
where w_t counts the events that t and its unspawned children have left. With exact counts and no blocking, every
interleaving is equally likely. SURW applies this to the events of a set D only, which keeps the weights meaningful in
long executions: it holds an *intended* actor, drawn in proportion to the events of D left, and no other actor may
execute an event of D before it. A plain random walk interleaves all other events.

Deviation: an actor that spins, outside D, on an action of an actor that is held at an event of D never reaches an event
of D itself. Therefore, after as many steps as the whole profiling run took, the intention is dropped and one of the
held actors goes on.

The first execution of an instance is a random walk that counts the events; its counts are the profile. By default, D is
chosen anew in each execution: all operations on one place, that is a chunk (granule of 16 bytes) of guest RAM with its
entry and lock, among the places that two or more actors were seen to touch. Without such a place the walk is plain.
"""

from __future__ import annotations

from collections.abc import Callable

from simaie.callbacks import require_plain
from simaie.errors import UsageError
from simaie.op import Kind, Op
from simaie.protocols import Candidate, ExecutionInfo, Offer
from simaie.trace import Trace
from simaie_schedulers._places import place_of
from simaie_schedulers._profiled import Profiled
from simaie_schedulers._weights import Weights

__all__ = ["SelectiveRandomWalk", "UniformRandomWalk"]

_SPAWN = Kind.SPAWN  # looked up once, not per step


class UniformRandomWalk(Profiled):
    """URW: a random walk weighted by the number of events that each actor has left.

    Use it for actors of very different length, where a plain random walk rarely delays the short ones.

    Args:
        fair: Whether an actor that yields waits for those it has overtaken (see `simaie_schedulers.fair`).
    """

    by_profile = True

    def start(self, info: ExecutionInfo) -> None:
        """Set the weights to the event counts of the profiling run."""
        super().start(info)
        self._weights = Weights(self._counts.of("all") if self._counts is not None else {})
        self._candidates: tuple[Candidate, ...] = ()
        self._shares: list[int] = []  # events left of each candidate
        self._total = 0  # their sum

    def _group(self, op: Op) -> str | None:
        return "all"

    def pick(self, offer: Offer) -> Candidate:
        """Return a candidate that need not wait, with probability proportional to its events left."""
        if self._counts is None:
            return self._walk(offer)
        candidates = offer.candidates
        if candidates is not self._candidates:
            self._weigh(candidates)
        word = self._word
        ticket = (word() << 32 | word()) * self._total >> 64
        for index, share in enumerate(self._shares):  # noqa: B007 - both are used after the loop
            ticket -= share
            if ticket < 0:
                break
        chosen: Candidate = candidates[index]
        if share > 1:  # a candidate has at least one event left
            self._weights.ran(chosen.name)
            self._shares[index] = share - 1
            self._total -= 1
        if chosen.op.kind is _SPAWN:
            self._weights.spawned(chosen.name)
            self._candidates = ()
        return chosen

    def _weigh(self, candidates: tuple[Candidate, ...]) -> None:
        self._candidates = candidates
        self._shares = [self._weights.expect(c.name) for c in candidates]
        self._total = sum(self._shares)


class SelectiveRandomWalk(Profiled):
    """SURW: a random walk that is uniform over the interleavings of selected events.

    Use it where the bug lies at few places: select them by `interesting`, or let the seed select one place a run.

    Args:
        interesting: Whether an operation belongs to D; None for a place chosen by the seed.
        fair: Whether an actor that yields waits for those it has overtaken (see `simaie_schedulers.fair`).

    Raises:
        UsageError: `interesting` held of no operation; raised at the end of the profiling run.
    """

    by_profile = True

    def __init__(self, interesting: Callable[[Op], bool] | None = None, fair: bool = True) -> None:
        super().__init__(fair)
        if interesting is not None:
            require_plain("interesting", interesting)
        self._predicate = interesting

    def start(self, info: ExecutionInfo) -> None:
        """Choose the place; the intended actor is drawn later.

        Between two steps with the same candidates, only the actor of the first step has a new pending event, so only it
        moves between the free and the held actors.
        """
        super().start(info)
        self._place: str | None = None  # the group that is D in this execution
        self._weights = Weights({})
        self._intended: str | None = None  # None: still to be drawn
        self._candidates: tuple[Candidate, ...] = ()
        self._free: list[Candidate] = []  # candidates with a pending event outside D
        self._held: dict[str, Candidate] = {}  # the other candidates, of which only the intended one may go on
        self._last: Candidate | None = None  # the actor of the last step
        self._patience = self._length  # steps that the others may still take until the intended actor reaches D
        if self._counts is not None and (places := self._counts.shared()):
            self._place = self._random.choice(places)
            self._weights = Weights(self._counts.of(self._place))

    def _group(self, op: Op) -> str | None:
        if self._predicate is None:
            return place_of(op)
        return "interesting" if self._predicate(op) else None

    def pick(self, offer: Offer) -> Candidate:
        """Return an event outside D or the intended actor's event of D, uniformly among the actors that may go on."""
        if self._place is None:
            return self._walk(offer)
        candidates, last = offer.candidates, self._last
        if last is None or candidates is not self._candidates:
            self._sort(candidates)
        else:
            self._announced(last)
        if self._intended is None:
            # Empty if no event of D is expected any more; an actor that still reaches D is drawn when all are held.
            self._intended = self._weights.draw(self._random) or ""
        free, due = self._free, self._held.get(self._intended)
        index = self._word() * (len(free) + (due is not None)) >> 32 if free else 0
        chosen: Candidate
        if index < len(free) and (due is not None or self._patience > 0 or not self._held):
            chosen = free[index]
            self._patience -= due is None
        else:
            chosen = due if due is not None else self._draw_held()
            self._weights.ran(chosen.name)
            self._intended = None
            self._patience = self._length
        if chosen.op.kind is _SPAWN:
            self._spawned(chosen.name)
        self._last = chosen
        return chosen

    def _sort(self, candidates: tuple[Candidate, ...]) -> None:
        """Sort the candidates into free and held ones."""
        self._candidates, self._free, self._held = candidates, list(candidates), {}
        for candidate in candidates:
            self._announced(candidate)

    def _announced(self, candidate: Candidate) -> None:
        """Move `candidate`, which has a new pending event, to the free or the held ones."""
        name, held = candidate.name, self._held
        if self._group(candidate.op) == self._place:
            self._weights.expect(name)
            if name not in held:
                held[name] = candidate
                self._free.remove(candidate)
        elif name in held:
            del held[name]
            self._free.append(candidate)

    def _draw_held(self) -> Candidate:
        """Draw one of the held actors, when all are held and the intended actor is not among them."""
        held, left = list(self._held.values()), self._weights.left
        return held[self._random.weighted([left[candidate.name] for candidate in held])]

    def _spawned(self, parent: str) -> None:
        """Move the child's share of D to it, and the intention too if it meant one of the child's events."""
        before = self._weights.left.get(parent, 0)  # at least 1 if it is intended
        child = self._weights.spawned(parent)
        if self._intended == parent and self._random.below(before) < self._weights.left[child]:
            self._intended = child

    def finish(self, trace: Trace) -> None:
        """Keep the counts of the first execution; raise UsageError if no operation is in D."""
        if self._counts is None and self._predicate is not None and not self._counting:
            raise UsageError(
                f"surw: none of the {len(trace)} operations of the profiling run is interesting; "
                "pass another `interesting`, or None for a place chosen by the seed"
            )
        super().finish(trace)
