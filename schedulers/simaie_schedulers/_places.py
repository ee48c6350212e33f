"""Places that operations touch, and counts of the operations on them by actor."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from simaie.op import Op

__all__ = ["Counts", "place_of"]

#: The names of entries, bitmaps and locks of a chunk end in its address, e.g. ``lock 0x1000``.
_ADDRESS = re.compile(r"0x([0-9a-f]+)$")
_CHUNK = 16  # bytes


def place_of(op: Op) -> str | None:
    """Return the place of `op`: the chunk of guest RAM of it or of its cell, else the cell's name, else None."""
    if op.cell is None:
        return _chunk(op.address) if op.width else None
    return _place_of_cell(op.cell.name)


# Both functions run for every operation of every execution, but a program has few places.
@functools.lru_cache(maxsize=4096)
def _place_of_cell(name: str) -> str:
    found = _ADDRESS.search(name)
    return _chunk(int(found[1], 16)) if found else name


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
