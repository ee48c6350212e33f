"""Coverage-guided: executions that showed something new are repeated with a few of their decisions changed.

As fuzzers do with inputs. What an execution showed is its *fingerprint*, the set of hand-offs in it: at which place
whose operation of which kind was followed by whose of which kind, one of them a write. Executions with a new
fingerprint become parents. In turn one execution is run by POS alone, then `MUTANTS` are made of one parent, of that
whose fingerprint was seen least often: they follow its decisions but for a few, chosen anew, and where a decision no
longer fits, POS decides. Compare D. Wolff et al., "Greybox fuzzing for concurrency testing" (ASPLOS 2024), which is
guided by reads-from pairs, prefers rare ones likewise, and constrains them directly.

No guarantee but that of POS for its share of one execution in seventeen. What it is good at are bugs that lie behind
several unlikely hand-offs in a row, each of which shows as something new: what they cost adds up instead of
multiplying. Decisions are counted only where there was an alternative. The parent of an execution is its profile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, TypeAlias

from simaie.prng import Random, derive
from simaie.protocols import Candidate, ExecutionInfo, Offer
from simaie.trace import Ending, Trace
from simaie_schedulers.pos import Pos

__all__ = ["MUTANTS", "CoverageGuided"]

#: Executions made from each parent.
MUTANTS = 16
#: At most so many decisions of a parent are chosen anew, at least one: three on average, of which two vCPUs leave half.
MOST_CHANGES = 5
#: Parents that wait for their turn, and fingerprints that are remembered; beyond it nothing new is noticed.
MOST_PARENTS, MOST_FINGERPRINTS = 256, 100_000

#: Who went on, by name, or as what a local choice was resolved.
Decision: TypeAlias = str | int
Handoff: TypeAlias = tuple[Any, ...]
Fingerprint: TypeAlias = frozenset[int]


class CoverageGuided(Pos):
    """fair: whether those who yield wait for those they have overtaken (see `simaie_schedulers.fair`)."""

    independent = False

    def __init__(self, fair: bool = True) -> None:
        super().__init__(fair)
        self._parents: deque[tuple[Fingerprint, list[Decision]]] = deque(maxlen=MOST_PARENTS)  # the newest first
        self._parent: list[Decision] = []  # of the next execution; empty: POS alone
        self._mutants = 0  # that the parent has still to get; without a parent it means nothing
        self._numbers: dict[Handoff, int] = {}  # in the order in which they were first seen
        self._seen: dict[Fingerprint, int] = {}  # how often

    def start(self, info: ExecutionInfo) -> None:
        """Draw which decisions of the parent are chosen anew."""
        super().start(info)
        self._taken: list[Decision] = []  # so far, where there was an alternative
        self._changed: set[int] = set()  # positions; only asked, never listed
        if self._parent:
            draw = Random(derive(info.seed, 1))  # apart from the stream of POS
            self._changed = {draw.below(len(self._parent)) for _ in range(1 + draw.below(MOST_CHANGES))}

    def pick(self, offer: Offer) -> Candidate:
        """As the parent did, or at random, or as POS does."""
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
        """As the parent did, if that fits and is not to be changed."""
        position = len(self._taken)
        value = self._parent[position] if position < len(self._parent) else None
        if type(value) is not int or value >= arity or position in self._changed:
            value = self._random.below(arity)
        self._taken.append(value)
        return value

    def finish(self, trace: Trace) -> None:
        """Keep what showed something new; then comes the parent's next mutant, an execution by POS, or another parent.

        That is the one whose fingerprint was seen least often, of several the newest.
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
        fingerprint = frozenset([self._numbers.setdefault(h, len(self._numbers)) for h in _handoffs(trace)])
        times = self._seen.get(fingerprint, 0)
        if times or len(self._seen) < MOST_FINGERPRINTS:
            self._seen[fingerprint] = times + 1
            if not times and self._taken:
                self._parents.appendleft((fingerprint, self._taken))

    def profile(self) -> Mapping[str, Any]:
        """The decisions of the parent."""
        return {"parent": self._parent} if self._parent else {}

    def restore(self, profile: Mapping[str, Any]) -> None:
        """Make the next execution one of that parent's."""
        self._parent = list(profile.get("parent", ()))
        self._mutants = 1


def _handoffs(trace: Trace) -> dict[Handoff, None]:
    """Which operation of whom followed which of another at one place, one of them a write; each once, in order."""
    last: dict[Any, tuple[str, int, bool]] = {}  # by place: who was there, by what kind of operation, whether it wrote
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
