"""LL/SC by store tags under the lock of their entry: tlib, the core of Renode.

Each word has an entry in a hash table, with a lock. A load-linked, a plain store and a locked instruction hold the lock
of their entry while they write their vCPU into it and access memory. The store-conditional stores under the same lock
if the tag is still its vCPU's. Since mark and store are one critical section, no store is missed, unless the vCPU
itself stores into the entry afterwards, and thereby marks it again.

Source: tlib, the translation library of Renode.
"""

from __future__ import annotations

from typing import Any, ClassVar

from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.op import Function
from simaie.protocols import MachineFacts, VCpu
from simaie.schemes.holes import Hole, Variant
from simaie.schemes.linked import Linked, LinkedScheme
from simaie.schemes.tables import Cells, Mutexes

__all__ = ["Tlib"]

#: What goes wrong where an access touches two entries, since it locks the first one only.
_FIRST_ENTRY_ONLY = frozenset({Hole.SPLIT_LOCK, Hole.SPLIT_STORE, Hole.WIDE_LOCK})


class Tlib(LinkedScheme):
    """Every access but a plain load: lock the entry; access; T = me; unlock.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        granule: Bytes per entry, a power of two.
        **usual: Options of `LinkedScheme`.
    """

    name: ClassVar[str] = "tlib"
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("", _FIRST_ENTRY_ONLY | {Hole.NEIGHBOUR, Hole.WIDE}),
        Variant("granule=8", _FIRST_ENTRY_ONLY | {Hole.NEIGHBOUR}),
    )

    def __init__(
        self, host: Host, pages: PageTable, machine: MachineFacts, *, granule: int = 4, **usual: Any
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        self.tags = Cells(host, "tag", granule)
        self.locks = Mutexes(host, granule)

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Mark and load under the entry's lock."""
        at = await self.physical(address, write=False)
        await self.lock(cpu, self.locks.at(at))
        await self.tags.at(at).store(cpu.identity)
        value = await self.host.load(at, width)
        await self.unlock(cpu)
        cpu.local.linked = Linked(address, value)
        return value

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Store under the entry's lock if the tag is this vCPU's."""
        if self.take_linked(cpu, address) is None:
            return False
        at = await self.physical(address, write=True)
        await self.lock(cpu, self.locks.at(at))
        stored = bool(await self.tags.at(at).load() == cpu.identity)
        if stored:
            await self.host.store(at, width, value)
        await self.unlock(cpu)
        return stored

    async def store(self, cpu: VCpu, address: int, width: int, value: int) -> None:
        """Store and mark under the entry's lock."""
        ranges = await self.ranges(address, width, write=True)
        at = ranges[0][0]
        await self.lock(cpu, self.locks.at(at))
        await self.host.store_ranges(ranges, value)
        await self.tags.at(at).store(cpu.identity)
        await self.unlock(cpu)

    async def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Load, store and mark under the entry's lock."""
        ranges = await self.ranges(address, width, write=True)
        at = ranges[0][0]
        await self.lock(cpu, self.locks.at(at))
        old = await self.apply(ranges, function)
        await self.tags.at(at).store(cpu.identity)
        await self.unlock(cpu)
        return old
