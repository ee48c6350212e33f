"""The registry, which the helpers call: it maps an address to its locked entry.

`Registry` is the RFC's: a granule counts as used atomically if it has an entry. `BitmapRegistry` is the later
revision's: a granule counts if its bit in a bitmap is set, which a plain store tests with one load instead of a walk.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from simaie.aie.bitmap import Bitmap
from simaie.aie.entry import Entry, RegisteredEntry
from simaie.aie.radix_tree import RadixTree
from simaie.errors import UsageError
from simaie.host.host import Host

__all__ = ["BitmapRegistry", "Registry"]

E = TypeVar("E", bound=Entry)


class Registry(Generic[E]):
    """The entries of one execution, by address.

    Args:
        host: Host port.
        address_bits: Width of an address in bits.
        granule: Bytes per granule, a power of two.
        make_entry: Creates an entry from the host port and the granule's address.
        tree_class: Class of the tree.
        inner_nodes: One of `simaie.aie.radix_tree.INNER_NODES`: whether vCPUs create the nodes of inner levels.

    Raises:
        UsageError: The granule is not a power of two, or is as large as the address space.
    """

    def __init__(
        self,
        host: Host,
        *,
        address_bits: int,
        granule: int,
        make_entry: Callable[[Host, int], E],
        tree_class: type[RadixTree[E]] = RadixTree,
        inner_nodes: str = "raced",
    ) -> None:
        if type(granule) is not int or granule < 1 or granule & (granule - 1):
            raise UsageError(f"granule must be a power of two, in bytes, not {granule!r}")
        self.granule_bits = bits = granule.bit_length() - 1
        if bits >= address_bits:
            raise UsageError(f"granule must be smaller than the address space of {address_bits} bits, not {granule}")
        self.tree = tree_class(host, address_bits - bits, lambda index: make_entry(host, index << bits), inner_nodes)

    def number_of(self, address: int) -> int:
        """Return the number of the granule that contains `address`."""
        return address >> self.granule_bits

    def look_up(self, address: int) -> Awaitable[E | None]:
        """Return the entry of the granule that contains `address`, or None; never create one."""
        return self.tree.find(address >> self.granule_bits, allocate=False)

    async def get_lock(self, address: int) -> E:
        """Return the entry of the granule that contains `address`, locked; create it if needed."""
        entry = await self.tree.find(address >> self.granule_bits, allocate=True)
        assert entry is not None
        await entry.lock.lock()
        return entry


class BitmapRegistry(Registry[RegisteredEntry]):
    """A registry that announces its entries in a bitmap.

    Args:
        host: Host port.
        address_bits: Width of an address in bits.
        granule: Bytes per granule, a power of two.
        bitmap_bits: The bitmap has 2**bitmap_bits bits.
        tree_class: Class of the tree.
        inner_nodes: One of `simaie.aie.radix_tree.INNER_NODES`: whether vCPUs create the nodes of inner levels.

    Raises:
        UsageError: The granule or `bitmap_bits` is out of range.
    """

    def __init__(
        self,
        host: Host,
        *,
        address_bits: int,
        granule: int,
        bitmap_bits: int,
        tree_class: type[RadixTree[RegisteredEntry]] = RadixTree,
        inner_nodes: str = "raced",
    ) -> None:
        super().__init__(
            host,
            address_bits=address_bits,
            granule=granule,
            make_entry=RegisteredEntry,
            tree_class=tree_class,
            inner_nodes=inner_nodes,
        )
        if type(bitmap_bits) is not int or not 0 <= bitmap_bits <= 32:
            raise UsageError(f"bitmap_bits must be an integer from 0 to 32, not {bitmap_bits!r}")
        self.bitmap = Bitmap(host, bitmap_bits)

    def is_registered(self, address: int) -> Awaitable[bool]:
        """Whether the granule that contains `address` may have been used atomically: one plain test of its bit."""
        return self.bitmap.test(self.number_of(address))

    async def announce(self, entry: RegisteredEntry) -> None:
        """Set the bit of a locked entry once: first the bit, then the flag that spares later callers the work."""
        if not await entry.bm_set.load():
            await self.bitmap.set(self.number_of(entry.address))
            await entry.bm_set.store(True)
