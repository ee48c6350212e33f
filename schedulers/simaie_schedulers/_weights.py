"""The number of events that each actor has left, estimated from the counts of an earlier execution.

The events of children not yet spawned count as their parent's, because all of them wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping

from simaie.prng import Random

__all__ = ["Weights"]


class Weights:
    """Events left by actor, updated while an execution runs.

    Names are structural: ``"0.1"`` is the second child of ``"0"``, in every execution.

    Args:
        counts: Events of the earlier execution, by actor.

    Attributes:
        left: Events left, by existing actor; never negative, even if the counts were too low.
        total: The sum of `left` (invariant), kept so that a draw need not compute it.
    """

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._shares: dict[str, int] = {}  # by actor, its events and those of all its descendants
        for name, count in sorted(counts.items()):  # a replay file may hold them in any order
            parts = name.split(".")
            for length in range(1, len(parts) + 1):
                ancestor = ".".join(parts[:length])
                self._shares[ancestor] = self._shares.get(ancestor, 0) + count
        self._children: dict[str, int] = {}
        self.left = {name: share for name, share in self._shares.items() if "." not in name}
        self.total = sum(self.left.values())

    def expect(self, name: str) -> int:
        """Return the events left of `name` and its unspawned children: at least 1, since it has an event to execute."""
        left = self.left.get(name, 0)
        if left > 0:
            return left
        self.left[name] = 1
        self.total += 1
        return 1

    def ran(self, name: str) -> None:
        """Count one event that `name` executes; `expect` was called for it before."""
        self.left[name] -= 1
        self.total -= 1

    def spawned(self, parent: str) -> str:
        """Move the share of the next child of `parent` from the parent to the child; return the child's name."""
        number = self._children.get(parent, 0)
        self._children[parent] = number + 1
        child = f"{parent}.{number}"
        share = self._shares.get(child, 0)
        before = self.left.get(parent, 0)
        self.left[parent] = max(before - share, 0)
        self.left[child] = share
        self.total += self.left[parent] + share - before
        return child

    def draw(self, random: Random) -> str | None:
        """Return an actor, with probability proportional to its events left; None if no actor has any left."""
        if not self.total:
            return None
        word = random.word
        ticket = (word() << 32 | word()) * self.total >> 64
        for name, weight in self.left.items():
            ticket -= weight
            if ticket < 0:
                return name
        raise AssertionError("the total is the sum of what is left")
