"""The places of operations as small integers, so that a search compares two operations without inspecting them again.

The relation is exactly `simaie.dependence.conflict` (a test compares the two), but indexed: each distinct byte range
and each cell name gets a number once per exploration, with the numbers of the places that it overlaps. RAM accesses
nearly always agree on address and width, so the list of overlaps is nearly always the place alone.

A cell is identified by its name, which is structural: the same in every execution, while the object is not.
"""

from __future__ import annotations

from simaie.dependence import STOPS_WORLD, THREAD_KINDS, share_byte
from simaie.op import Kind, Op

__all__ = ["LOCAL", "THREADS", "WORLD", "Key", "Locations"]

#: No shared place: fences, pauses, the actor's own reservation. Conflicts only with a stopped world.
LOCAL = 0
#: Stop-the-world operations conflict with everything.
WORLD = 1
#: Thread operations conflict with each other: they allocate and release identities.
THREADS = 2

#: The meaning of a number: a special number, a cell's name, (address, width in bytes), or a set of places.
Key = int | str | tuple[int, int] | frozenset[int]

_SPECIAL: dict[Kind, int] = dict.fromkeys(STOPS_WORLD, WORLD) | dict.fromkeys(THREAD_KINDS, THREADS)

_EXCLUSIVE = (Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL)


class Locations:
    """The places seen so far.

    Attributes:
        keys: By place, its meaning.
        overlaps: By place, every known place that shares a byte with it, including itself.
        ranges: The places in RAM, by (address, width in bytes).
    """

    def __init__(self) -> None:
        self.keys: list[Key] = [LOCAL, WORLD, THREADS]
        self.overlaps: list[tuple[int, ...]] = [(), (WORLD,), (THREADS,)]
        self._cells: dict[str, int] = {}
        self.ranges: dict[tuple[int, int], int] = {}
        self._unions: dict[frozenset[int], int] = {}  # the places that an AWAIT reads at once

    def of(self, op: Op) -> int:
        """Return the place of `op`; if `op` watches more than it accesses, the place of all watched bytes."""
        cell = op.cell
        if cell is not None:
            place = self._cells.get(cell.name)
            return self._new_cell(cell.name) if place is None else place
        if op.kind in _EXCLUSIVE and op.watches_more:
            return self.number(frozenset([self.number((op.address, op.width)), self.number(op.reserved)]))
        width = op.width
        if width:
            place = self.ranges.get((op.address, width))
            return self._new_range(op.address, width) if place is None else place
        if op.kind is Kind.AWAIT and op.value is not None:
            return self.number(frozenset([self.of(part) for part in op.places]))
        return _SPECIAL.get(op.kind, LOCAL)

    def number(self, key: Key) -> int:
        """Return the place with the meaning `key`."""
        if isinstance(key, int):
            return key
        if isinstance(key, frozenset):
            return self._unions[key] if key in self._unions else self._new_union(key)
        if isinstance(key, str):
            return self._cells[key] if key in self._cells else self._new_cell(key)
        return self.ranges[key] if key in self.ranges else self._new_range(*key)

    def contains(self, outer: int, inner: int) -> bool:
        """Whether every byte of `inner` lies in `outer`; both are ranges of RAM."""
        whole, part = self.keys[outer], self.keys[inner]
        if not isinstance(whole, tuple) or not isinstance(part, tuple):
            return False
        return whole[0] <= part[0] and part[0] + part[1] <= whole[0] + whole[1]

    def dependent(self, a: int, a_wrote: bool, b: int, b_wrote: bool) -> bool:
        """Whether two accesses of different actors conflict.

        Args:
            a: Place of the first access.
            a_wrote: Whether the first access writes.
            b: Place of the second access.
            b_wrote: Whether the second access writes.
        """
        if a == WORLD or b == WORLD:
            return True
        return (a_wrote or b_wrote) and b in self.overlaps[a]

    def _new_cell(self, name: str) -> int:
        place = self._cells[name] = self._add(name)
        self.overlaps.append((place,))
        return place

    def _new_range(self, address: int, width: int) -> int:
        shared = [place for known, place in self.ranges.items() if share_byte(address, width, *known)]
        place = self.ranges[address, width] = self._add((address, width))
        for other in shared:
            self.overlaps[other] += (place,)
        self.overlaps.append((*shared, place))
        for parts, union in self._unions.items():
            if not parts.isdisjoint(shared):
                self._join(union, place)
        return place

    def _new_union(self, parts: frozenset[int]) -> int:
        place = self._unions[parts] = self._add(parts)
        self.overlaps.append((place,))
        touched = {other for part in parts for other in self.overlaps[part]}
        for other in sorted(touched):
            self._join(place, other)
        return place

    def _join(self, union: int, place: int) -> None:
        self.overlaps[union] += (place,)
        self.overlaps[place] += (union,)

    def _add(self, key: Key) -> int:
        self.keys.append(key)
        return len(self.keys) - 1
