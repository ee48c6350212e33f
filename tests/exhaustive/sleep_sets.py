"""A search that is simple enough to be right: depth first, with sleep sets and nothing else.

P. Godefroid, "Partial-order methods for the verification of concurrent systems" (1996), chapter 5: who was explored
from a node, or sleeps there, sleeps below its later siblings until something dependent happens. At least one execution
of each Mazurkiewicz trace is run to its end; many more are begun and given up where everybody sleeps. It shares with
DPOR the relation `conflict` only: no races, no wake-up trees, no happens-before. Where all interleavings are too many
it stands in for them.
"""

from __future__ import annotations

from simaie.dependence import conflict, writes
from simaie.op import Kind, Op, owner_of
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.trace import Trace


class _Node:
    """A point on the current path. left: who (or which value) is to be explored, the current one first."""

    def __init__(self, left: list[str] | list[int], asleep: set[str]) -> None:
        self.left, self.asleep = left, asleep


class SleepSets(Scheduler):
    """Every Mazurkiewicz trace at least once, until exhausted."""

    exhaustive = True

    def __init__(self) -> None:
        self._path: list[_Node] = []
        self._done = False

    @property
    def exhausted(self) -> bool:
        return self._done

    def start(self, info: ExecutionInfo) -> None:
        self._at = 0
        self._asleep: set[str] = set()

    def choose(self, offer: Offer) -> Candidate:
        offered = {candidate.name: candidate for candidate in offer.candidates}
        if self._at == len(self._path):
            awake = [name for name in offered if name not in self._asleep]
            if not awake:
                return None  # type: ignore[return-value]  # the engine's sign for "give it up"
            self._path.append(_Node(awake, self._asleep))
        node = self._path[self._at]
        self._at += 1
        chosen: Candidate = offered[node.left[0]]
        self._asleep = {name for name in node.asleep if not _may_depend(offered[name], chosen)}
        return chosen

    def choose_value(self, offer: Offer, arity: int) -> int:
        if self._at == len(self._path):
            self._path.append(_Node(list(range(arity)), set()))
        self._at += 1
        return int(self._path[self._at - 1].left[0])

    def finish(self, trace: Trace) -> None:
        while self._path:
            node = self._path[-1]
            explored = node.left.pop(0)
            if node.left:
                if isinstance(explored, str):
                    node.asleep.add(explored)
                return
            self._path.pop()
        self._done = True


def _may_depend(one: Candidate, other: Candidate) -> bool:
    """Whether the pending operations could turn out to be dependent."""
    if owner_of(one.name) == owner_of(other.name):
        return True
    return conflict(one.op, _may_write(one.op), other.op, _may_write(other.op))


def _may_write(op: Op) -> bool:
    return op.kind in (Kind.CAS, Kind.STORE_CONDITIONAL) or writes(op, None)
