"""AIE's later revision, for x86 guests: cache-line granules, and a hashed bitmap that plain stores test.

A plain store tests one bit: was its granule ever used atomically? The first locked instruction on the granule sets
the bit before its load. Therefore only the *first registration* has a window: the store tests the bit and finds it
clear; a locked instruction registers, locks and loads; the store lands; the locked instruction overwrites it.

Source: the x86 revision of the AIE series (see the docstring of `simaie.aie`). The spinlock is modelled as a mutex:
a waiting vCPU takes no step. If two granules share a bit, a plain store may take a needless lock and create a needless
entry; `simaie.aie.bitmap` describes how a trace shows this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, ClassVar

from simaie.aie.entry import RegisteredEntry
from simaie.aie.radix_tree import RadixTree
from simaie.aie.registry import BitmapRegistry
from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.protocols import MachineFacts, VCpu
from simaie.schemes.aie import AieScheme, present_if_deep
from simaie.schemes.holes import Hole, Variant

__all__ = ["AieV2"]


#: Bytes per lock, by default.
_GRANULE = 64


class AieV2(AieScheme):
    """AIE's later revision: locked x86 instructions with a bitmap for plain stores; LL/SC is not emulated.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        granule: Bytes per lock, a power of two.
        bitmap_bits: The bitmap has 2**bitmap_bits bits.
        inner_nodes: Whether the vCPUs create the nodes of the tree's inner levels and race for them, ``"raced"``, as in
            the emulator, or find them there, ``"present"``, as if granules nearby had been registered before. The race
            for the entry of a granule is modelled in either case, and outcomes and kinds of finding are the same (see
            `simaie.aie.radix_tree`), but each raced level multiplies the executions of two vCPUs by up to 4. A search
            that runs every execution takes ``"present"`` if the option is not given.
        **usual: Options of `Scheme`.
    """

    name: ClassVar[str] = "aie-v2"
    variants: ClassVar[tuple[Variant, ...]] = (Variant("", frozenset({Hole.RMW_STORE, Hole.SPLIT_STORE})),)
    tree_class: type[RadixTree[RegisteredEntry]] = RadixTree

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        granule: int = _GRANULE,
        bitmap_bits: int = 21,
        inner_nodes: str = "raced",
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        self.registry = BitmapRegistry(
            host,
            address_bits=machine.address_bits,
            granule=granule,
            bitmap_bits=bitmap_bits,
            tree_class=self.tree_class,
            inner_nodes=inner_nodes,
        )

    @classmethod
    def search_options(cls, machine: MachineFacts, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return ``inner_nodes="present"`` if the tree has inner levels."""
        return present_if_deep(machine, options.get("granule", _GRANULE))

    def cmpxchg_unlocked(self, cpu: VCpu, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        """Perform CMPXCHG8B or CMPXCHG16B under the lock, with the LOCK prefix or without."""
        return self.cmpxchg(cpu, address, width, expected, new)

    async def get_lock(self, cpu: VCpu, key: int) -> None:
        """Find or create the entry of `key`, lock it, and announce it in the bitmap."""
        entry = cpu.local.held = await self.registry.get_lock(key)
        await self.registry.announce(entry)

    async def check(self, cpu: VCpu, key: int) -> None:
        """Test the granule's bit with one load; lock the granule if the bit is set."""
        if await self.registry.is_registered(key):
            await self.get_lock(cpu, key)
