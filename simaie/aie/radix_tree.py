"""A lockless radix tree that only grows: granule number to entry, 8 bits per level, most significant bits first.

A slot is a pointer, initially empty. A vCPU that needs a missing child creates one and publishes it with a
compare-and-swap of the empty slot. If several vCPUs race, one wins; a loser drops its own child, which no other vCPU
has ever seen, and continues with the winner's. Since nothing is ever deleted, a reader needs no lock and no version.
Invariant: all lookups of one index return the same entry, and a loser's entry is never reachable.

Every slot read and every compare-and-swap is a step, on every level. With ``inner_nodes="present"`` the nodes of the
inner levels exist from the start and take no steps; only the slots of entries are read and raced for. That leaves the
entries that lookups return and the possible orders of everything else as they are:

- A lookup that ends at an empty inner slot returns None while the slot of the entry is empty too, since an entry is
  reached only through its inner nodes. Reading the slot of the entry at that moment returns the same.
- A lookup that passes the inner levels reads the slot of the entry at the same moment as before. If it had to create
  an inner node or lost that race, it went on with the one node that is there, so only the creator of the node differs.

Both rest on a compare-and-swap that is right on the inner levels. A mutant of the insertion needs ``"raced"``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

from simaie import plugins
from simaie.errors import UsageError
from simaie.host.host import Host, SharedCell
from simaie.op import Order, Role
from simaie.protocols import require_one_of

__all__ = ["BITS_PER_LEVEL", "INNER_NODES", "Node", "RadixTree", "levels_for"]

#: Whether vCPUs create the nodes of inner levels and race for them, or find them there.
INNER_NODES = ("raced", "present")

BITS_PER_LEVEL = 8
_SLOT_MASK = (1 << BITS_PER_LEVEL) - 1
#: A child is reached only through the pointer just read: C11's "consume", which compilers implement as acquire.
_DEPENDENT = Order.ACQUIRE

E = TypeVar("E")


def levels_for(index_bits: int) -> int:
    """Return the number of levels of a tree over indices of `index_bits` bits."""
    return -(-index_bits // BITS_PER_LEVEL)


class Node:
    """A tree node: 256 slots, initially empty.

    A cell is created when its slot is first named, which is not an access: each slot has exactly one cell, and only
    operations see its value.

    Args:
        host: Host port, which creates the cells.
        path: Path of the node from the root, as in ``radix/07``.
        number: The bits of an index that lead to the node.
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
        """Return the cell of slot `number`, in [0, 256)."""
        cell = self._slots.get(number)
        if cell is None:
            cell = self._slots[number] = self._new_slot(number)
        return cell

    def present(self, number: int) -> Any:
        """Return the child node of slot `number`, in [0, 256), which is there from the start."""
        cell = self._slots.get(number)
        if cell is None:
            child = Node(self._host, self._path_of(number), self._number << BITS_PER_LEVEL | number)
            cell = self._slots[number] = self._new_slot(number, child)
        return cell.value

    def _new_slot(self, number: int, child: Any = None) -> SharedCell:
        index = self._number << BITS_PER_LEVEL | number
        return self._host.cell(self._path_of(number), child, role=Role.SLOT, address=index)

    def _path_of(self, number: int) -> str:
        return f"{self.path}/{number:02x}"

    def children(self) -> list[tuple[int, Any]]:
        """Return (slot, child) of each slot in use, in order; this is for outside observers and is no step."""
        return [(number, cell.value) for number, cell in sorted(self._slots.items()) if cell.value is not None]


class RadixTree(Generic[E]):
    """A tree from index to entry.

    Args:
        host: Host port, which creates the slots.
        index_bits: Width of an index in bits.
        make_entry: Creates the entry of an index, not yet shared.
        inner_nodes: One of `INNER_NODES`; see the module.

    Raises:
        UsageError: `index_bits` is less than 1, or `inner_nodes` is not one of `INNER_NODES`.
    """

    constant_attributes = frozenset({"_leaves"})  # naming a node that is there is no access

    def __init__(
        self, host: Host, index_bits: int, make_entry: Callable[[int], E], inner_nodes: str = "raced"
    ) -> None:
        if index_bits < 1:
            raise UsageError(f"a radix tree needs at least 1 index bit, not {index_bits}")
        require_one_of("inner_nodes", inner_nodes, INNER_NODES)
        self._host = host
        self._make_entry = make_entry
        self.index_bits = index_bits
        self.levels = levels_for(index_bits)
        self._shifts = tuple(BITS_PER_LEVEL * level for level in reversed(range(self.levels)))
        self.root = Node(host, Role.SLOT.value)
        #: The nodes of the last level by the bits that lead to them, if inner nodes are present; else None.
        self._leaves: dict[int, Node] | None = {} if inner_nodes == "present" and self.levels > 1 else None

    def _repr_html_(self) -> str:
        drawn: str = plugins.resolve(plugins.RENDERERS, "radix-tree")(self)
        return drawn

    async def find(self, index: int, *, allocate: bool) -> E | None:
        """Return the entry of `index`.

        Each slot read is one step, and so is each compare-and-swap of an empty slot.

        Args:
            index: Index of the entry, for example a granule number.
            allocate: Whether to create a missing entry.

        Returns:
            The entry; None if it is missing and `allocate` is false.

        Raises:
            UsageError: The tree is too small for the index, because the machine has too few address bits.
        """
        if index >> self.index_bits:
            raise UsageError(
                f"granule {index:#x} does not fit in {self.index_bits} index bits; raise address_bits of the machine"
            )
        child: Any = self.root
        shifts = self._shifts
        if self._leaves is not None:
            child, shifts = self._leaf(index >> BITS_PER_LEVEL), shifts[-1:]
        for shift in shifts:
            slot = child.slot(index >> shift & _SLOT_MASK)
            child = await slot.load(_DEPENDENT)
            if child is None:
                if not allocate:
                    return None
                child = await self.publish(slot, self._fresh(slot.name, index, shift))
        found: E = child
        return found

    def _leaf(self, number: int) -> Node:
        """Return the node of the last level to which the bits `number` lead, with all nodes above it in their slots."""
        assert self._leaves is not None  # the caller has looked
        leaf = self._leaves.get(number)
        if leaf is None:
            leaf = self.root
            for shift in self._shifts[1:]:  # `number` lacks the bits of the last level
                leaf = leaf.present(number >> shift & _SLOT_MASK)
            self._leaves[number] = leaf
        return leaf

    def _fresh(self, path: str, index: int, shift: int) -> Any:
        """Return a new child for the slot `path`: a node, or on the last level the entry of `index`."""
        make = partial(Node, self._host, path, index >> shift) if shift else partial(self._make_entry, index)
        return self._host.made(make)

    async def publish(self, slot: SharedCell, fresh: Any) -> Any:
        """Put `fresh` into the empty `slot` or lose the race; return the child that is now in the slot.

        Args:
            slot: The slot, which was seen empty.
            fresh: The node or entry to publish, not yet shared.
        """
        winner = await slot.compare_and_swap(None, fresh)
        return fresh if winner is None else winner
