"""From an address to its locked entry: what the helpers call.

`Registry` is the RFC's: a granule counts as used atomically if it has an entry. `BitmapRegistry` is the later
revision's: it counts if its bit in a bitmap is set, which a plain store tests in one load instead of a walk.
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
    """The entries of one execution. address_bits: width of the addresses; granule: bytes, a power of two.

    make_entry is given the host and the granule's address, tree_class makes the tree. Raises UsageError if the granule
    is no power of two or as large as the address space.
    """

    def __init__(
        self,
        host: Host,
        *,
        address_bits: int,
        granule: int,
        make_entry: Callable[[Host, int], E],
        tree_class: type[RadixTree[E]] = RadixTree,
    ) -> None:
        if type(granule) is not int or granule < 1 or granule & (granule - 1):
            raise UsageError(f"granule must be a power of two, in bytes, not {granule!r}")
        self.granule_bits = bits = granule.bit_length() - 1
        if bits >= address_bits:
            raise UsageError(f"granule must be smaller than the address space of {address_bits} bits, not {granule}")
        self.tree = tree_class(host, address_bits - bits, lambda index: make_entry(host, index << bits))

    def number_of(self, address: int) -> int:
        """The number of the granule that `address` is in."""
        return address >> self.granule_bits

    def look_up(self, address: int) -> Awaitable[E | None]:
        """The entry of the granule, if it has one; never makes one."""
        return self.tree.find(address >> self.granule_bits, allocate=False)

    async def get_lock(self, address: int) -> E:
        """The entry of the granule, made if need be, locked."""
        entry = await self.tree.find(address >> self.granule_bits, allocate=True)
        assert entry is not None
        await entry.lock.lock()
        return entry


class BitmapRegistry(Registry[RegisteredEntry]):
    """A registry whose entries are announced in a bitmap of 2**bitmap_bits bits."""

    def __init__(
        self,
        host: Host,
        *,
        address_bits: int,
        granule: int,
        bitmap_bits: int,
        tree_class: type[RadixTree[RegisteredEntry]] = RadixTree,
    ) -> None:
        super().__init__(
            host, address_bits=address_bits, granule=granule, make_entry=RegisteredEntry, tree_class=tree_class
        )
        if type(bitmap_bits) is not int or not 0 <= bitmap_bits <= 32:
            raise UsageError(f"bitmap_bits must be an integer from 0 to 32, not {bitmap_bits!r}")
        self.bitmap = Bitmap(host, bitmap_bits)

    def is_registered(self, address: int) -> Awaitable[bool]:
        """Whether the granule may have been used atomically: one plain test of its bit."""
        return self.bitmap.test(self.number_of(address))

    async def get_lock(self, address: int) -> RegisteredEntry:
        """The entry of the granule, made if need be, locked, and announced."""
        entry = await super().get_lock(address)
        await self.announce(entry)
        return entry

    async def announce(self, entry: RegisteredEntry) -> None:
        """Set the bit of a locked entry, once: first the bit, then the flag that saves others the trouble."""
        if not await entry.bm_set.load():
            await self.bitmap.set(self.number_of(entry.address))
            await entry.bm_set.store(True)
