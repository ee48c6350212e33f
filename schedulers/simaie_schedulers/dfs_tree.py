"""The tree that a depth-first search walks: the path to where it is, and the branches that it keeps for later.

A decision is a point with two or more alternatives, numbered from 0 in the searcher's own order: those that are free of
cost, then the costly ones. A path is the number taken at each decision; beyond its prescribed part everything is 0.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from zlib import crc32

from simaie.errors import NondeterminismError
from simaie.protocols import Candidate, Offer

__all__ = ["Branches", "Decision", "Frontier", "Path"]


class Decision:
    """seen: checksum of all offers up to here. count: of alternatives. free: how many cost nothing. taken: which."""

    __slots__ = ("count", "free", "seen", "taken")

    def __init__(self, seen: int, count: int, free: int, taken: int) -> None:
        self.seen, self.count, self.free, self.taken = seen, count, free, taken


class Path:
    """The decisions of the current execution, some of them prescribed.

    Invariants: `_decisions` are the first `_position` of this execution, or, while its beginning repeats the last one,
    all that are prescribed; `_plan` prescribes what has no decision yet; below `_base` nothing may be changed.
    """

    def __init__(self) -> None:
        self._decisions: list[Decision] = []
        self._plan: list[int] = []
        self._base = 0
        self._expected: int | None = None  # checksum at the last prescribed decision, if another execution saw it
        self._prescribed = 0
        self._position = 0
        self._seen = 0
        self._candidates: tuple[Candidate, ...] = ()
        self._names = ""  # of those candidates

    def follow(self, taken: Iterable[int], expected: int | None = None) -> None:
        """Prescribe `taken` from the root on; never to be backtracked into."""
        self._decisions.clear()
        self._plan = list(taken)
        self._base = self._prescribed = len(self._plan)
        self._expected = expected

    def rewind(self) -> None:
        """Start at the root."""
        self._position = self._seen = 0

    def advance(self, offer: Offer, count: int, free: int) -> int:
        """Pass one decision; returns the alternative to take."""
        position = self._position
        self._position = position + 1
        self._seen = seen = crc32(self._description(offer).encode(), self._seen)
        if position < len(self._decisions):
            decision = self._decisions[position]
            if decision.seen != seen or decision.count != count:
                raise _nondeterminism(offer.step)
            return decision.taken
        taken = self._plan[position] if position < len(self._plan) else 0
        last = position == self._base - 1 and self._expected is not None
        if taken >= count or (last and seen != self._expected):
            raise _nondeterminism(offer.step)
        self._decisions.append(Decision(seen, count, free, taken))
        return taken

    def _description(self, offer: Offer) -> str:
        """Who is offered, and what the last to run is about to do: nobody else can have announced anything new."""
        if self._candidates is not offer.candidates:
            self._candidates = offer.candidates
            self._names = " ".join(c.name for c in offer.candidates)
        if offer.running is None:
            return f"{offer.step} {[(c.name, str(c.op)) for c in offer.candidates]}"
        op = offer.running.op
        return f"{offer.step} {self._names} {offer.running.name} {op.kind} {op.address} {op.width}"

    def check_consumed(self, steps: int) -> None:
        """NondeterminismError if the execution ended before all that was prescribed was done."""
        if self._position < self._prescribed:
            raise _nondeterminism(steps)

    def backtrack(self) -> bool:
        """Prescribe the next path through free alternatives; False if there is none."""
        decisions = self._decisions
        while len(decisions) > self._base:
            last = decisions[-1]
            if last.taken + 1 < last.free:
                last.taken += 1
                self._prescribed = len(decisions)
                return True
            decisions.pop()
        return False

    def new_decisions(self) -> Iterator[tuple[int, Decision]]:
        """The decisions of the finished execution that no earlier one had, each with its position."""
        for position in range(self._prescribed, len(self._decisions)):
            yield position, self._decisions[position]

    def taken(self) -> list[int]:
        """The prescribed path, or that of the finished execution."""
        return [d.taken for d in self._decisions] if self._decisions else list(self._plan)


class Branches:
    """Where one execution could have gone another way at a cost: (position, alternative, checksum), flat, by cost."""

    __slots__ = ("by_cost", "taken")

    def __init__(self, taken: Iterable[int]) -> None:
        self.taken = array("I", taken)
        self.by_cost: dict[int, array[int]] = {}

    def path(self, position: int, alternative: int) -> list[int]:
        """The path to one of them."""
        return [*self.taken[:position], alternative]


class Frontier:
    """The branches that wait for the round of their cost. kept: how many. beyond: if any costs more than `limit`."""

    def __init__(self, limit: int) -> None:
        self.kept = 0
        self.beyond = False
        self._limit = limit
        self._round = 0
        self._rounds: list[deque[tuple[Branches, array[int]]]] = [deque() for _ in range(limit + 1)]

    def add(self, branches: Branches, cost: int, position: int, alternative: int, seen: int) -> None:
        """A branch of an execution of this round, which costs `cost` more; forgotten if that is beyond the limit."""
        if self._round + cost > self._limit:
            self.beyond = True
            return
        branches.by_cost.setdefault(cost, array("I")).extend((position, alternative, seen))
        self.kept += 1

    def keep(self, branches: Branches) -> None:
        """All branches of one execution have been added."""
        for cost, flat in branches.by_cost.items():
            self._rounds[self._round + cost].append((branches, flat))

    def has_more_rounds(self) -> bool:
        """Go on to the next round that has anything; False if there is none."""
        if not any(self._rounds[self._round + 1 :]):
            return False
        self._round += 1
        return True

    def next(self) -> tuple[list[int], int] | None:
        """The path and the checksum of a branch of this round; None at its end."""
        waiting = self._rounds[self._round]
        if not waiting:
            return None
        branches, flat = waiting[0]
        seen, alternative, position = flat.pop(), flat.pop(), flat.pop()
        self.kept -= 1
        if not flat:
            waiting.popleft()
        return branches.path(position, alternative), seen


def _nondeterminism(step: int) -> NondeterminismError:
    return NondeterminismError(
        f"the same decisions led to another offer at step {step} (or before): the guest must not depend on clocks, "
        "random numbers, set order or anything kept from one execution to the next",
        step=step,
    )
