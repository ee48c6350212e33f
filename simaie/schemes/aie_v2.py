"""AIE's later revision, for x86 guests: cache-line granules, and a hashed bitmap that plain stores test.

A plain store asks one bit whether its granule was ever used atomically. The bit is set by the first to lock the
granule, before its load, so only the *first registration* leaves a window: the store tests and finds nothing; a
locked instruction registers, locks and loads; the store lands; the locked instruction stores over it.

Source: the x86 revision of the AIE series (see the docstring of `simaie.aie`). The spinlock is modelled as a mutex:
who waits for it takes no step. Two granules that share a bit make a plain store take a lock, and perhaps make an entry,
that nobody needs: `simaie.aie.bitmap` says how a trace shows this.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, ClassVar

from simaie.aie.entry import RegisteredEntry
from simaie.aie.radix_tree import RadixTree
from simaie.aie.registry import BitmapRegistry
from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.protocols import MachineFacts, VCpu
from simaie.schemes.aie import AieScheme

__all__ = ["AieV2"]


class AieV2(AieScheme):
    """Locked instructions of x86; LL/SC is not emulated.

    granule: bytes per lock, a power of two. bitmap_bits: the bitmap has 2**bitmap_bits bits.
    """

    name: ClassVar[str] = "aie-v2"
    tree_class: type[RadixTree[RegisteredEntry]] = RadixTree

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        granule: int = 64,
        bitmap_bits: int = 21,
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        self.registry = BitmapRegistry(
            host,
            address_bits=machine.address_bits,
            granule=granule,
            bitmap_bits=bitmap_bits,
            tree_class=self.tree_class,
        )

    def cmpxchg_unlocked(self, cpu: VCpu, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        """CMPXCHG8B and CMPXCHG16B lock, with the prefix or without."""
        return self.cmpxchg(cpu, address, width, expected, new)

    async def get_lock(self, cpu: VCpu, key: int) -> None:
        """Find or make the entry, lock it, announce it in the bitmap."""
        cpu.local.held = await self.registry.get_lock(key)

    async def check(self, cpu: VCpu, key: int) -> None:
        """One test of the bitmap; a set bit means to lock."""
        if await self.registry.is_registered(key):
            await self.get_lock(cpu, key)
