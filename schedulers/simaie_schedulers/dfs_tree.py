"""The search tree of a depth-first search: the path to the current position, and the branches kept for later.

A decision is a point with two or more alternatives. The searcher numbers them from 0 in its own order: first the free
ones, then those with a cost. A path is the alternative taken at each decision; beyond its prescribed part all are 0.
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
    """One decision of a path.

    Attributes:
        seen: Checksum of all offers up to this decision.
        count: Number of alternatives.
        free: Number of alternatives without cost.
        taken: Index of the alternative taken.
    """

    __slots__ = ("count", "free", "seen", "taken")

    def __init__(self, seen: int, count: int, free: int, taken: int) -> None:
        self.seen, self.count, self.free, self.taken = seen, count, free, taken


class Path:
    """The decisions of the current execution, some of them prescribed.

    Invariants: `_decisions` are the first `_position` decisions of this execution, or all prescribed ones while its
    beginning repeats the last execution. `_plan` prescribes the decisions not yet in `_decisions`. Decisions below
    `_base` never change.
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
        self._names = ""  # of `_candidates`

    def follow(self, taken: Iterable[int], expected: int | None = None) -> None:
        """Prescribe a path from the root; backtracking never changes it.

        Args:
            taken: The alternative at each decision.
            expected: Checksum at the last decision, if another execution recorded it.
        """
        self._decisions.clear()
        self._plan = list(taken)
        self._base = self._prescribed = len(self._plan)
        self._expected = expected

    def rewind(self) -> None:
        """Return to the root."""
        self._position = self._seen = 0

    def advance(self, offer: Offer, count: int, free: int) -> int:
        """Pass one decision and return the alternative to take.

        Args:
            offer: The offer, whose checksum is compared with the recorded one.
            count: Number of alternatives.
            free: Number of alternatives without cost.

        Raises:
            NondeterminismError: The offer differs from the recorded one.
        """
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
        """Return a description of the offer: the candidates, and the operation of the actor that stepped last.

        No other actor can have announced a new operation.
        """
        if self._candidates is not offer.candidates:
            self._candidates = offer.candidates
            self._names = " ".join(c.name for c in offer.candidates)
        if offer.running is None:
            return f"{offer.step} {[(c.name, str(c.op)) for c in offer.candidates]}"
        op = offer.running.op
        return f"{offer.step} {self._names} {offer.running.name} {op.kind} {op.address} {op.width}"

    def check_consumed(self, steps: int) -> None:
        """Raise NondeterminismError if the execution ended before all prescribed decisions."""
        if self._position < self._prescribed:
            raise _nondeterminism(steps)

    def backtrack(self) -> bool:
        """Prescribe the next path through free alternatives; return False if there is no such path."""
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
        """Yield (position, decision) of the finished execution that no earlier execution had."""
        for position in range(self._prescribed, len(self._decisions)):
            yield position, self._decisions[position]

    def taken(self) -> list[int]:
        """Return the prescribed path, or that of the finished execution."""
        return [d.taken for d in self._decisions] if self._decisions else list(self._plan)


class Branches:
    """The branches of one execution that have a cost: flat triples (position, alternative, checksum), by cost."""

    __slots__ = ("by_cost", "taken")

    def __init__(self, taken: Iterable[int]) -> None:
        self.taken = array("I", taken)
        self.by_cost: dict[int, array[int]] = {}

    def path(self, position: int, alternative: int) -> list[int]:
        """Return the path to one of the branches."""
        return [*self.taken[:position], alternative]


class Frontier:
    """The branches kept for the round of their cost.

    Args:
        limit: The highest cost of a round.

    Attributes:
        kept: Number of branches.
        beyond: Whether any branch costs more than `limit`.
    """

    def __init__(self, limit: int) -> None:
        self.kept = 0
        self.beyond = False
        self._limit = limit
        self._round = 0
        self._rounds: list[deque[tuple[Branches, array[int]]]] = [deque() for _ in range(limit + 1)]

    def add(self, branches: Branches, cost: int, position: int, alternative: int, seen: int) -> None:
        """Add a branch of an execution of this round; drop it if its cost exceeds the limit.

        Args:
            branches: The branches of the execution.
            cost: Cost of the branch beyond this round.
            position: Index of the decision.
            alternative: Index of the alternative to take there.
            seen: Checksum of the offers up to the decision.
        """
        if self._round + cost > self._limit:
            self.beyond = True
            return
        branches.by_cost.setdefault(cost, array("I")).extend((position, alternative, seen))
        self.kept += 1

    def keep(self, branches: Branches) -> None:
        """Store the branches of one execution, after all of them were added."""
        for cost, flat in branches.by_cost.items():
            self._rounds[self._round + cost].append((branches, flat))

    def has_more_rounds(self) -> bool:
        """Advance to the next non-empty round; return False if there is no such round."""
        if not any(self._rounds[self._round + 1 :]):
            return False
        self._round += 1
        return True

    def next(self) -> tuple[list[int], int] | None:
        """Return (path, checksum) of a branch of this round; None at its end."""
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
