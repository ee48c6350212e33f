"""A lockless radix tree that only grows: granule number to entry, 8 bits a level, most significant bits first.

A slot is a pointer, empty at first. Whoever needs a child that is not there makes one, and publishes it with a
compare-and-swap of the empty slot. Of several racers one wins; a loser drops what it made, which nobody else has
ever seen, and goes on with the winner's. Since nothing is ever deleted, a reader needs no lock and no version.
Invariant: all who ask for one index get one entry, and a loser's entry is never reachable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from simaie import plugins
from simaie.errors import UsageError
from simaie.host.host import Host, SharedCell
from simaie.op import Order, Role

__all__ = ["BITS_PER_LEVEL", "Node", "RadixTree", "levels_for"]

BITS_PER_LEVEL = 8
_SLOT_MASK = (1 << BITS_PER_LEVEL) - 1
#: A child is only ever reached through the pointer just read: C11's "consume", of which acquire is the usual stand-in.
_DEPENDENT = Order.ACQUIRE

E = TypeVar("E")


def levels_for(index_bits: int) -> int:
    """Levels of a tree over indices of `index_bits` bits."""
    return -(-index_bits // BITS_PER_LEVEL)


class Node:
    """256 slots, empty; `path` leads here from the root, as in ``radix/07``, and `number` is its bits of an index.

    Cells are made when first named, which is not an access: a slot's cell exists once, and its value is only seen by
    operations.
    """

    __slots__ = ("_host", "_number", "_slots", "name", "path")

    constant_attributes = frozenset({"_slots"})

    def __init__(self, host: Host, path: str, number: int = 0) -> None:
        self._host = host
        self._slots: dict[int, SharedCell] = {}
        self.path = path
        self._number = number
        self.name = f"node {path}"

    def slot(self, number: int) -> SharedCell:
        """The cell of slot `number`, in [0, 256)."""
        cell = self._slots.get(number)
        if cell is None:
            cell = self._slots[number] = self._new_slot(number)
        return cell

    def _new_slot(self, number: int) -> SharedCell:
        index = self._number << BITS_PER_LEVEL | number
        return self._host.cell(f"{self.path}/{number:02x}", role=Role.SLOT, address=index)

    def children(self) -> list[tuple[int, Any]]:
        """(slot, child) of the slots that are not empty, in order: for who looks from outside, no step."""
        return [(number, cell.value) for number, cell in sorted(self._slots.items()) if cell.value is not None]


class RadixTree(Generic[E]):
    """Index to entry. index_bits: width of an index; make_entry: a fresh entry for an index, not yet shared."""

    def __init__(self, host: Host, index_bits: int, make_entry: Callable[[int], E]) -> None:
        if index_bits < 1:
            raise UsageError(f"a radix tree needs at least 1 index bit, not {index_bits}")
        self._host = host
        self._make_entry = make_entry
        self.index_bits = index_bits
        self.levels = levels_for(index_bits)
        self._shifts = tuple(BITS_PER_LEVEL * level for level in reversed(range(self.levels)))
        self.root = Node(host, Role.SLOT.value)

    def _repr_html_(self) -> str:
        drawn: str = plugins.resolve(plugins.RENDERERS, "radix-tree")(self)
        return drawn

    async def find(self, index: int, *, allocate: bool) -> E | None:
        """The entry of `index`; None if it has none and `allocate` is false.

        One step for each slot read, and one for each compare-and-swap of an empty slot. Raises UsageError for an index
        that the tree is too small for: the machine was given too few address bits.
        """
        if index >> self.index_bits:
            raise UsageError(
                f"granule {index:#x} does not fit in {self.index_bits} index bits; give the machine more address_bits"
            )
        child: Any = self.root
        for shift in self._shifts:
            slot = child.slot(index >> shift & _SLOT_MASK)
            child = await slot.load(_DEPENDENT)
            if child is None:
                if not allocate:
                    return None
                fresh = Node(self._host, slot.name, index >> shift) if shift else self._make_entry(index)
                child = await self.publish(slot, fresh)
        found: E = child
        return found

    async def publish(self, slot: SharedCell, fresh: Any) -> Any:
        """Put `fresh` in the empty `slot`, or lose the race; returns the child that everybody shall use."""
        winner = await slot.compare_and_swap(None, fresh)
        return fresh if winner is None else winner
