"""Places that operations touch, and counts of the operations on them by actor."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from simaie.op import Op, Role

__all__ = ["Counts", "place_of"]

_SLOT = Role.SLOT  # looked up once, not per step
_CHUNK = 16  # bytes


def place_of(op: Op) -> str | None:
    """Return the place of `op`: the chunk of guest RAM of it or of its cell, else the cell's name, else None."""
    if op.cell is None:
        return _chunk(op.address) if op.width else None
    cell = op.cell
    return cell.name if cell.address is None or cell.role is _SLOT else _chunk(cell.address)


# Asked of every operation of every execution; the places of a program are few.
@functools.lru_cache(maxsize=4096)
def _chunk(address: int) -> str:
    return f"{address - address % _CHUNK:#x}"


class Counts:
    """The number of operations that each actor performed, by group; convertible from and to JSON values.

    Args:
        counts: Counts to start from, by group and actor.
    """

    def __init__(self, counts: Mapping[str, Mapping[str, int]] | None = None) -> None:
        self._counts = {group: dict(by_actor) for group, by_actor in (counts or {}).items()}

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, group: str, actor: str) -> None:
        """Count one more operation of `actor` in `group`."""
        by_actor = self._counts.setdefault(group, {})
        by_actor[actor] = by_actor.get(actor, 0) + 1

    def of(self, group: str) -> dict[str, int]:
        """Return the counts of one group, by actor."""
        return self._counts.get(group, {})

    def shared(self) -> list[str]:
        """Return the groups shared by two or more actors, sorted; all groups if no group is shared."""
        shared = [group for group, by_actor in self._counts.items() if len(by_actor) > 1]
        return sorted(shared or self._counts)

    def as_dict(self) -> dict[str, dict[str, int]]:
        """Return the counts as plain dictionaries, which the caller must not change."""
        return self._counts
