"""Depth-first search: every interleaving and every local choice, once each, optionally within a bound.

Without a bound the search keeps only the stack of the current path. A bound is iterated (0, 1, 2, ...), so that the
simplest counterexample comes first and each finished round is a complete statement:

* `preemptions` (Musuvathi, Qadeer: "Iterative context bounding", PLDI 2007): a preemption is a switch away from an
  actor that is still a candidate and not yielding.
* `delays` (Emmi, Qadeer, Rakamaric: "Delay-bounded scheduling", POPL 2011): a deterministic round-robin continues the
  running actor until it blocks, ends or yields, then takes the next actor; each actor skipped in that order is a delay.

Guarantee: round b executes exactly the interleavings of cost b, so no interleaving is executed twice. Deviation:
instead of searching the tree again for each bound, an execution records where it could have branched at a higher cost,
for the round of that cost, in twelve bytes per branch and four per decision. The last round, the largest, records
nothing.

A local choice costs nothing. The drain of a store buffer costs nothing either: it is no switch to another vCPU. While
the search replays its own prefix, it compares each offer with the recorded one and raises NondeterminismError if they
differ; the comparison proves nothing about state that the offers do not show.

Without a bound on delays, the search can go back by undo (`simaie_schedulers.dfs_undo`). The executions, their order
and all counts are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simaie.errors import UsageError
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler, require_at_most, require_count
from simaie.small_steps import SmallSteps
from simaie.trace import Ending, Trace
from simaie_schedulers.dfs_tree import Branches, Frontier, Path
from simaie_schedulers.dfs_undo import UndonePath

__all__ = ["DepthFirst"]

_CUT_SHORT = frozenset({Ending.STEP_LIMIT, Ending.THREAD_LIMIT, Ending.LASSO})  # what is pruned only repeats tries

#: The largest bound: what waits is kept by its cost.
MOST_BOUND = 10_000


class DepthFirst(Scheduler):
    """Runs all interleavings, or those within a bound on preemptions or delays.

    Use it to prove a tiny program interleaving by interleaving, or, with a bound, to try every schedule with few
    preemptions.

    Args:
        preemptions: Maximum number of preemptions of an interleaving; None for no bound.
        delays: Maximum number of delays of an interleaving; None for no bound.
        memory_limit: Of a bounded search, most branches to keep for later rounds; the search ends beyond it.

    Attributes:
        per_bound: Number of executions after each round; the last entry counts an unfinished round.

    Raises:
        UsageError: A bound or limit is not a positive integer, both bounds are set, or a limit has no bound.
    """

    exhaustive = True

    def __init__(
        self, preemptions: int | None = None, delays: int | None = None, memory_limit: int | None = None
    ) -> None:
        require_count(preemptions=preemptions, delays=delays, memory_limit=memory_limit)
        require_at_most(MOST_BOUND, preemptions=preemptions, delays=delays)
        if preemptions is not None and delays is not None:
            raise UsageError("dfs takes a bound on preemptions or on delays, not both")
        if memory_limit is not None and preemptions is delays:
            raise UsageError("dfs without a bound keeps one path only: memory_limit goes with preemptions or delays")
        self._memory_limit = memory_limit
        self._by_delays = delays is not None
        self._limit = preemptions if delays is None else delays
        self._unit = "delays" if self._by_delays else "preemptions"
        self._restored = False  # whether there is one path to repeat and nothing to search
        self.begin()

    def begin(self) -> None:
        """Begin the search, or begin it anew."""
        self.per_bound: list[int] = [0]
        self._path = Path()
        self._frontier = Frontier(self._limit or 0)
        self._exhausted = self._over_limit = False
        self._cut_short = 0  # executions that ended at a limit

    # -- state of the search --------------------------------------------------------------------

    @property
    def exhausted(self) -> bool:
        """Whether every interleaving within the bound was executed."""
        return self._exhausted

    @property
    def complete(self) -> bool:
        """Whether every interleaving was executed: the bound excluded none, and no execution ended at a limit."""
        cut = self._frontier.beyond or self._cut_short or self._restored or self._over_limit
        return self._exhausted and not cut

    @property
    def bound_note(self) -> str:
        """What the search left out, as text; empty if nothing."""
        notes = []
        if self._over_limit:
            notes.append(f"the search ended at its memory limit of {self._memory_limit} waiting branches")
        if self._frontier.beyond:
            notes.append(f"interleavings with more than {self._limit} {self._unit} were left out")
        if self._cut_short:
            notes.append(f"executions cut short by a limit: {self._cut_short}")
        return "; ".join(notes)

    def profile(self) -> Mapping[str, Any]:
        """Return the path to the next execution: the alternative at each decision that has several."""
        return {"path": self._path.taken()}

    def restore(self, profile: Mapping[str, Any]) -> None:
        """Execute the path of `profile`, and nothing else."""
        self._restored = True
        self._path.follow(profile["path"])

    def by_undo(self, state: SmallSteps) -> DepthFirstByUndo | None:
        """Return the same search by undo; None with a bound on delays, or if this search has begun already."""
        if self._by_delays or self._restored or self.per_bound != [0]:
            return None
        self._path = path = UndonePath(state, bounded=self._limit is not None)
        return DepthFirstByUndo(self, path)

    # -- one execution ----------------------------------------------------------------------------

    def start(self, info: ExecutionInfo) -> None:
        """Return to the root of the search tree."""
        self._path.rewind()

    def choose(self, offer: Offer) -> Candidate:
        """Return the alternative that the path prescribes; beyond the path, the cheapest first."""
        candidates = offer.candidates
        if len(candidates) == 1:
            only: Candidate = candidates[0]
            return only
        if self._limit is None:
            order, free = _default_first(offer), len(candidates)
        elif self._by_delays:
            order = _round_robin(offer)
            free = 1 + _drains(order)
        else:
            order = _default_first(offer)
            free = 1 + _drains(order) if order[0] is offer.running else len(candidates)
        return order[self._path.advance(offer, len(order), free)]

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return each of the `arity` values in turn, one per execution."""
        return self._path.advance(offer, arity, arity)

    def finish(self, trace: Trace) -> None:
        """Count the execution, record its branches for later rounds, and go on to the next path."""
        self._path.check_consumed(len(trace))
        self._cut_short += trace.ending in _CUT_SHORT
        self.go_on()

    def go_on(self) -> None:
        """Count an execution, record its branches for later rounds, and prescribe the next path."""
        self.per_bound[-1] += 1
        if self._restored:
            self._exhausted = True
            return
        if self._limit is not None:
            self._leave_behind()
            self._over_limit = self._memory_limit is not None and self._frontier.kept > self._memory_limit
            if self._over_limit:
                self._exhausted = True
                return
        if self._path.backtrack():
            return
        found = self._frontier.next()
        while found is None and self._frontier.has_more_rounds():
            self.per_bound.append(self.per_bound[-1])
            found = self._frontier.next()
        self._exhausted = found is None
        if found is not None:
            self._path.follow(*found)

    def _leave_behind(self) -> None:
        branches = Branches(self._path.taken())
        for position, decision in self._path.new_decisions():
            for alternative in range(decision.free, decision.count):
                cost = alternative + 1 - decision.free if self._by_delays else 1
                self._frontier.add(branches, cost, position, alternative, decision.seen)
        self._frontier.keep(branches)


class DepthFirstByUndo:
    """A depth-first search by undo: the path of its scheduler leads to the ends of executions.

    Args:
        scheduler: The scheduler, which says where the path goes.
        path: Its path.
    """

    def __init__(self, scheduler: DepthFirst, path: UndonePath) -> None:
        self._scheduler, self._path = scheduler, path
        self._began = False
        self._before: list[int] = []  # the path that was prescribed for the execution before the one found last

    @property
    def exhausted(self) -> bool:
        """Whether no execution is left."""
        return self._scheduler.exhausted

    def advance(self) -> bool:
        """Go to the end of the next execution; return False if none is left."""
        if self._began:
            self._before = self._path.prescribed()
            self._scheduler.go_on()
            if self._scheduler.exhausted:
                return False
        self._began = True
        self._path.descend()
        return True

    def abandon(self) -> None:
        """End the search: the scheduler begins anew."""
        self._scheduler.begin()

    def profile(self, actors: Sequence[str]) -> Mapping[str, Any]:
        """Return the profile of the execution before the one found last; see `SearchByUndo`."""
        return {"path": self._before}


def _default_first(offer: Offer) -> list[Candidate]:
    """Return the running actor if it can continue, then store buffers, then the others; a yielding actor is last."""
    running = offer.running
    others = [c for c in offer.candidates if c is not running]
    if running is None or len(others) == len(offer.candidates):
        return others
    if running.yielding:
        return [*others, running]
    return _buffers_second([running, *others])


def _round_robin(offer: Offer) -> list[Candidate]:
    """Return the running actor if it can go on and does not yield, then store buffers, then the others cyclically."""
    running = offer.running
    if running is None:
        return _buffers_second(list(offer.candidates))
    later = [c for c in offer.candidates if c.rank > running.rank]
    earlier = [c for c in offer.candidates if c.rank < running.rank]
    order = [*later, *earlier]
    if offer.can_continue:
        order = [*order, running] if running.yielding else [running, *order]
    return _buffers_second(order)


def _buffers_second(order: list[Candidate]) -> list[Candidate]:
    """Return the first candidate, then all store buffers, then the rest."""
    first, rest = order[:1], order[1:]
    return first + [c for c in rest if c.internal] + [c for c in rest if not c.internal]


def _drains(order: list[Candidate]) -> int:
    """Return the number of store buffers after the first candidate."""
    return sum(candidate.internal for candidate in order[1:])
