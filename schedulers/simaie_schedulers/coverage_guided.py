"""Coverage-guided: executions that showed something new are repeated with a few of their decisions changed.

This is fuzzing of schedules instead of inputs. The coverage of an execution is its *fingerprint*: the set of hand-offs
in it. A hand-off is a pair of consecutive operations on one place by different actors, at least one of them a write,
described by the place and by actor and kind of both. On a host of execution graphs, where the order of the events is
only one of several, a hand-off is a read with the store of another actor that it read or with the initial value, or a
pair of consecutive stores to a place. An execution with a new fingerprint becomes a parent. The search
alternates between one execution by plain POS and `MUTANTS` mutants of one parent, the parent with the rarest
fingerprint. A mutant follows the parent's decisions except for a few, which are redrawn; where a decision no longer
fits, POS decides. Compare D. Wolff et al., "Greybox fuzzing for concurrency testing" (ASPLOS 2024), which is guided by
reads-from pairs, also prefers rare ones, and constrains them directly.

Guarantee: only that of POS, for its share of one execution in seventeen. It does best on bugs that need several
unlikely hand-offs: the costs add rather than multiply, since each hand-off shows as something new.
Only decisions with an alternative are counted. The profile of an execution is its parent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from simaie.execution_graph import ExecutionGraph
from simaie.prng import Random, derive
from simaie.protocols import Candidate, ExecutionInfo, Offer
from simaie.trace import Ending, Event, Trace
from simaie_schedulers.pos import Pos

__all__ = ["MUTANTS", "CoverageGuided"]

#: Executions derived from each parent.
MUTANTS = 16
#: Maximum number of decisions of a parent to redraw; at least one. Three on average, of which two vCPUs repeat half.
MOST_CHANGES = 5
#: Maximum number of parents in the queue, and of fingerprints remembered; beyond that no fingerprint counts as new.
MOST_PARENTS, MOST_FINGERPRINTS = 256, 100_000

#: The name of the actor that ran, or the value of a local choice.
Decision: TypeAlias = str | int
Handoff: TypeAlias = tuple[Any, ...]
Fingerprint: TypeAlias = frozenset[int]


class CoverageGuided(Pos):
    """Mutates the decisions of executions that covered something new; POS fills the gaps.

    Use it for long searches of programs with many states, where a plain sample no longer covers anything new.

    Args:
        fair: Whether an actor that yields waits for those it has overtaken (see `simaie_schedulers.fair`).
    """

    independent = False

    def __init__(self, fair: bool = True) -> None:
        super().__init__(fair)
        self._parents: deque[tuple[Fingerprint, list[Decision]]] = deque(maxlen=MOST_PARENTS)  # newest first
        self._parent: list[Decision] = []  # of the next execution; empty for plain POS
        self._mutants = 0  # mutants of the parent still to run; meaningless without a parent
        self._numbers: dict[Handoff, int] = {}  # in the order of their first occurrence
        self._seen: dict[Fingerprint, int] = {}  # number of occurrences

    def start(self, info: ExecutionInfo) -> None:
        """Draw which decisions of the parent to change."""
        super().start(info)
        self._taken: list[Decision] = []  # so far, only decisions with an alternative
        self._changed: set[int] = set()  # positions; only tested for membership, never iterated
        if self._parent:
            draw = Random(derive(info.seed, 1))  # separate from the stream of POS
            self._changed = {draw.below(len(self._parent)) for _ in range(1 + draw.below(MOST_CHANGES))}

    def pick(self, offer: Offer) -> Candidate:
        """Return the parent's choice, a random candidate if this decision is to change, or the choice of POS."""
        candidates = offer.candidates
        if len(candidates) == 1:
            only: Candidate = candidates[0]
            return only
        chosen = self._inherited(candidates) or super().pick(offer)
        self._taken.append(chosen.name)
        return chosen

    def _inherited(self, candidates: tuple[Candidate, ...]) -> Candidate | None:
        position = len(self._taken)
        if position in self._changed:
            return self._random.choice(candidates)
        if position < len(self._parent):
            name = self._parent[position]
            return next((candidate for candidate in candidates if candidate.name == name), None)
        return None

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the parent's value if it fits and is not to change; otherwise a random one."""
        position = len(self._taken)
        value = self._parent[position] if position < len(self._parent) else None
        if type(value) is not int or value >= arity or position in self._changed:
            value = self._random.below(arity)
        self._taken.append(value)
        return value

    def finish(self, trace: Trace) -> None:
        """Keep the execution if it covered something new, and select the next: a mutant, plain POS, or a new parent.

        The new parent is the one with the rarest fingerprint, the newest if several are equally rare.
        """
        if trace.ending is not Ending.PRUNED:
            self._count(trace)
        if self._parent:
            self._mutants -= 1
            if not self._mutants:
                self._parent = []
        elif self._parents:
            _, self._parent = min(self._parents, key=lambda parent: self._seen[parent[0]])
            self._mutants = MUTANTS

    def _count(self, trace: Trace) -> None:
        found = _handoffs(trace) if trace.graph is None else _handoffs_of(trace.graph, trace.events)
        fingerprint = frozenset([self._numbers.setdefault(h, len(self._numbers)) for h in found])
        times = self._seen.get(fingerprint, 0)
        if times or len(self._seen) < MOST_FINGERPRINTS:
            self._seen[fingerprint] = times + 1
            if not times and self._taken:
                self._parents.appendleft((fingerprint, self._taken))

    def profile(self) -> Mapping[str, Any]:
        """Return the decisions of the parent."""
        return {"parent": self._parent} if self._parent else {}

    def restore(self, profile: Mapping[str, Any]) -> None:
        """Make the next execution a mutant of the parent in `profile`."""
        self._parent = list(profile.get("parent", ()))
        self._mutants = 1


def _handoffs_of(graph: ExecutionGraph, events: Sequence[Event]) -> dict[Handoff, None]:
    """Return the hand-offs of an execution graph, each once."""
    pairs = [*graph.sources, *[pair[::-1] for stores in graph.coherence for pair in pairwise(stores)]]
    found: dict[Handoff, None] = {}
    for later, earlier in pairs:
        event = events[later]
        before = None if earlier < 0 else (events[earlier].actor, int(events[earlier].op.kind))
        if before is None or before[0] != event.actor:
            found[event.op.location, before, (event.actor, int(event.op.kind))] = None
    return found


def _handoffs(trace: Trace) -> dict[Handoff, None]:
    """Return the hand-offs of an execution, each once, in the order of their first occurrence."""
    last: dict[Any, tuple[str, int, bool]] = {}  # by place: actor and kind of the last operation, whether it wrote
    found: dict[Handoff, None] = {}
    for event in trace.events:
        for op in event.op.places:
            if op.cell is None and not op.width:
                continue
            place = op.address if op.cell is None else op.cell.name
            now = (event.actor, int(event.op.kind), event.wrote)
            before = last.get(place)
            if before is not None and before[0] != now[0] and (before[2] or now[2]):
                found[place, before, now] = None
            last[place] = now
    return found
