"""How many events each actor has left, from counts of an earlier execution.

The events of children that are not spawned yet count as their parent's: they all wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping

from simaie.prng import Random

__all__ = ["Weights"]


class Weights:
    """Names are structural: ``"0.1"`` is the second child of ``"0"``, in every execution.

    left: events left, by actor that exists; never negative, also where the counts were too low.
    total: invariant: their sum, kept so that a draw need not add them up.
    """

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._shares: dict[str, int] = {}  # of each actor with all its descendants
        for name, count in sorted(counts.items()):  # a replay file may hold them in any order
            parts = name.split(".")
            for length in range(1, len(parts) + 1):
                ancestor = ".".join(parts[:length])
                self._shares[ancestor] = self._shares.get(ancestor, 0) + count
        self._children: dict[str, int] = {}
        self.left = {name: share for name, share in self._shares.items() if "." not in name}
        self.total = sum(self.left.values())

    def expect(self, name: str) -> int:
        """What `name`, seen with an event to execute, has left, itself and its unspawned children: at least 1."""
        left = self.left.get(name, 0)
        if left > 0:
            return left
        self.left[name] = 1
        self.total += 1
        return 1

    def ran(self, name: str) -> None:
        """`name`, of whom it was expected, executes one of the events that are counted."""
        self.left[name] -= 1
        self.total -= 1

    def spawned(self, parent: str) -> str:
        """`parent` spawns its next child, which takes its share along. Returns the child's name."""
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
        """An actor in proportion to what it has left; None if nobody has anything left."""
        if not self.total:
            return None
        word = random.word
        ticket = (word() << 32 | word()) * self.total >> 64
        for name, weight in self.left.items():
            ticket -= weight
            if ticket < 0:
                return name
        raise AssertionError("the total is the sum of what is left")
