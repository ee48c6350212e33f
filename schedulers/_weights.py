"""How many events each actor has left, from counts of an earlier execution.

The events of children that are not spawned yet count as their parent's: they all wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["Weights"]


class Weights:
    """Names are structural: ``"0.1"`` is the second child of ``"0"``, in every execution.

    left: events left, by actor that exists; it may fall below zero where the counts were too low.
    """

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._total: dict[str, int] = {}  # with all descendants
        for name, count in sorted(counts.items()):  # a replay file may hold them in any order
            parts = name.split(".")
            for length in range(1, len(parts) + 1):
                ancestor = ".".join(parts[:length])
                self._total[ancestor] = self._total.get(ancestor, 0) + count
        self._children: dict[str, int] = {}
        self.left = {name: total for name, total in self._total.items() if "." not in name}

    def of(self, name: str) -> int:
        """What `name` has left, itself and its unspawned children: at least 1, for it is there to ask about."""
        return max(self.left.get(name, 0), 1)

    def ran(self, name: str) -> None:
        """`name` executes one of the events that are counted."""
        self.left[name] = self.left.get(name, 0) - 1

    def spawned(self, parent: str) -> str:
        """`parent` spawns its next child, which takes its share along. Returns the child's name."""
        number = self._children.get(parent, 0)
        self._children[parent] = number + 1
        child = f"{parent}.{number}"
        share = self._total.get(child, 0)
        self.left[parent] = self.left.get(parent, 0) - share
        self.left[child] = share
        return child
