"""Depth-first search: every interleaving and every local choice, once each, optionally within a bound.

Unbounded, it keeps the stack of the current path and nothing else. A bound is iterated, 0, 1, 2, ..., so that the
simplest counterexample is found first and each finished round is a complete statement:

* `preemptions` (Musuvathi, Qadeer: "Iterative context bounding", PLDI 2007): a preemption is a switch away from an
  actor that is still a candidate and not yielding.
* `delays` (Emmi, Qadeer, Rakamaric: "Delay-bounded scheduling", POPL 2011): a deterministic round-robin continues the
  running actor until it blocks, ends or yields, then takes the next; each actor passed over in that order is a delay.

Guarantee: round b executes exactly the interleavings that cost b, so none is executed twice. Deviation: instead of
searching the tree anew for each bound, an execution leaves behind where it could have branched at a higher cost, twelve
bytes a branch and four a decision, for the round of that cost. The last round, the largest, leaves nothing behind.

A local choice costs nothing, and neither does a store buffer that drains: it is no switch to another vCPU. Replaying
its own prefix, the search compares what it is offered with what it saw, and raises NondeterminismError if they differ;
that proves nothing about what the offers do not show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simaie.errors import UsageError
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler, require_count
from simaie.trace import Ending, Trace
from simaie_schedulers.dfs_tree import Branches, Frontier, Path

__all__ = ["DepthFirst"]

_CUT_SHORT = frozenset({Ending.STEP_LIMIT, Ending.THREAD_LIMIT, Ending.PRUNED})


class DepthFirst(Scheduler):
    """All interleavings; of those with at most so many `preemptions`, or `delays`, if one is given.

    memory_limit: of a bounded search, how many branches may wait for later rounds; where there are more, it ends.
    per_bound: after each round, the number of executions so far (the last entry counts an unfinished round).
    Raises UsageError for a bound or limit that is no positive integer, for both bounds, or for a limit without a bound.
    """

    exhaustive = True

    def __init__(
        self, preemptions: int | None = None, delays: int | None = None, memory_limit: int | None = None
    ) -> None:
        require_count(preemptions=preemptions, delays=delays, memory_limit=memory_limit)
        if preemptions is not None and delays is not None:
            raise UsageError("dfs takes a bound on preemptions or on delays, not both")
        if memory_limit is not None and preemptions is delays:
            raise UsageError("dfs without a bound keeps one path only: memory_limit goes with preemptions or delays")
        self._memory_limit = memory_limit
        self._by_delays = delays is not None
        self._limit = preemptions if delays is None else delays
        self._unit = "delays" if self._by_delays else "preemptions"
        self.per_bound: list[int] = [0]
        self._path = Path()
        self._frontier = Frontier(self._limit or 0)
        self._exhausted = self._over_limit = False
        self._restored = False  # there is one path to repeat, nothing to search
        self._cut_short = 0  # executions that ended at a limit

    # -- what there is to explore ---------------------------------------------------------------

    @property
    def exhausted(self) -> bool:
        """Whether every interleaving within the bound was executed."""
        return self._exhausted

    @property
    def complete(self) -> bool:
        """Whether the bound cut nothing, and no execution ended at a limit."""
        cut = self._frontier.beyond or self._cut_short or self._restored or self._over_limit
        return self._exhausted and not cut

    @property
    def bound_note(self) -> str:
        """What was left out."""
        notes = []
        if self._over_limit:
            notes.append(f"the search ended at its memory limit of {self._memory_limit} waiting branches")
        if self._frontier.beyond:
            notes.append(f"interleavings with more than {self._limit} {self._unit} were left out")
        if self._cut_short:
            notes.append(f"executions cut short by a limit: {self._cut_short}")
        return "; ".join(notes)

    def profile(self) -> Mapping[str, Any]:
        """The path to the next execution: which alternative at each decision that has several."""
        return {"path": self._path.taken()}

    def restore(self, profile: Mapping[str, Any]) -> None:
        """Execute that path, and nothing else."""
        self._restored = True
        self._path.follow(profile["path"])

    # -- one execution ----------------------------------------------------------------------------

    def start(self, info: ExecutionInfo) -> None:
        """Back to the root."""
        self._path.rewind()

    def choose(self, offer: Offer) -> Candidate:
        """The alternative that the path prescribes; beyond it, the cheapest first."""
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
        """Every value in turn."""
        return self._path.advance(offer, arity, arity)

    def finish(self, trace: Trace) -> None:
        """Count the execution, keep what it leaves to later rounds, and go on to the next path."""
        self._path.check_consumed(len(trace))
        self.per_bound[-1] += 1
        self._cut_short += trace.ending in _CUT_SHORT
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


def _default_first(offer: Offer) -> list[Candidate]:
    """The running actor if it can go on, store buffers, the others in structural order; who yields comes last."""
    running = offer.running
    others = [c for c in offer.candidates if c is not running]
    if len(others) == len(offer.candidates):
        return others
    if running.yielding:
        return [*others, running]
    return _buffers_second([running, *others])


def _round_robin(offer: Offer) -> list[Candidate]:
    """The running actor if it can go on and does not yield, store buffers, the others in cyclic structural order."""
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
    """Whoever comes first, then all store buffers, then the rest."""
    first, rest = order[:1], order[1:]
    return first + [c for c in rest if c.internal] + [c for c in rest if not c.internal]


def _drains(order: list[Candidate]) -> int:
    """How many store buffers follow the first."""
    return sum(candidate.internal for candidate in order[1:])
