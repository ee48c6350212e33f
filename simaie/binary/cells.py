"""Registers as numbered cells: registers of Sleigh that overlap (RAX, EAX, AX, AL) share one cell."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

from simaie.binary.operations import Varnode
from simaie.errors import UsageError

__all__ = ["CAPACITY", "Cells", "mask"]

#: The number of cells of a thread; no instruction set has as many registers that compiled code uses.
CAPACITY = 128


def mask(size: int) -> int:
    """Return the largest number of `size` bytes."""
    return (1 << 8 * size) - 1


class Cells:
    """Assigns numbers to the registers that code uses, in the order of their first use.

    Args:
        registers: All registers, by name.
        big_endian: Whether the low bytes of a register are at its end.
    """

    def __init__(self, registers: Mapping[str, Varnode], *, big_endian: bool) -> None:
        self._registers, self.big_endian = registers, big_endian
        self._groups: list[tuple[int, int]] = []  # the extent of each cell in Sleigh's register space
        for first, last in sorted((node.offset, node.offset + node.size) for node in registers.values()):
            if self._groups and first < self._groups[-1][1]:
                self._groups[-1] = self._groups[-1][0], max(last, self._groups[-1][1])
            else:
                self._groups.append((first, last))
        self._numbers: dict[int, int] = {}
        self._by_name: dict[str, int] = {}  # the same for names, which every call of a hook asks for

    def node(self, name: str) -> Varnode:
        """Return the register called `name`."""
        return self._registers[name]

    def number(self, name: str) -> int:
        """Return the number of the cell of a register."""
        found = self._by_name.get(name)
        if found is None:
            found = self._by_name[name] = self.place(self._registers[name])[0]
        return found

    def has(self, name: str) -> bool:
        """Return whether there is such a register."""
        return name in self._registers

    def place(self, node: Varnode) -> tuple[int, int, bool]:
        """Return the number of the cell that contains a register, the shift in it, and whether it is all of it."""
        index = bisect_right(self._groups, (node.offset, 1 << 62)) - 1
        first, last = self._groups[index] if index >= 0 else (0, 0)
        if not first <= node.offset or node.offset + node.size > last:  # a register that has no name
            first, last = node.offset, node.offset + node.size
        number = self._numbers.setdefault(first, len(self._numbers))
        if number >= CAPACITY:
            raise UsageError(f"the code uses more than {CAPACITY} registers")
        below = last - node.offset - node.size if self.big_endian else node.offset - first
        return number, 8 * below, last - first == node.size
