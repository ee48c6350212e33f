"""PST-REMAP: page protection without a stopped world; a store-conditional unmaps the page and stores by an alias.

The store-conditional takes a lock and unmaps the page, so that every other access to it faults and waits for the lock.
Then it tests its monitor, compares and swaps by a second mapping of the page, and maps the page back.

The published artifact returns without unlocking if the value has changed, which deadlocks (``unlocks=False``). With the
unlock added, an A-B-A remains: a store-conditional clears no monitor but its own, so others on the word see its store
by its value only (``clears_others=True`` repairs that).

Sources: as for `simaie.schemes.hst`, and the artifact of that paper.
"""

from __future__ import annotations

from typing import Any, ClassVar

from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.op import Function
from simaie.protocols import MachineFacts, VCpu
from simaie.schemes.holes import Hole, Variant
from simaie.schemes.linked import Linked
from simaie.schemes.pst import READ_ONLY, WRITABLE, Pst

__all__ = ["PstRemap"]

_UNMAPPED = "--"


class PstRemap(Pst):
    """LL: lock; monitor; page read-only; unlock; ld. SC: lock; unmap; test; compare-and-swap by the alias; map; unlock.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        unlocks: Whether a store-conditional that finds another value releases the lock.
        clears_others: Whether a store-conditional that stores clears the monitors of other vCPUs on the page.
        **usual: Options of `LinkedScheme`.
    """

    name: ClassVar[str] = "pst-remap"
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("", frozenset({Hole.ABA_BY_SC})),
        Variant("unlocks=false", frozenset({Hole.ABA_BY_SC, Hole.DEADLOCK, Hole.LEAK})),
        Variant("clears_others=true"),
    )

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        unlocks: bool = True,
        clears_others: bool = False,
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        self.unlocks, self.clears_others = unlocks, clears_others
        self.remap_lock = host.mutex("remap lock")

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Set the monitor and protect the page under the lock, then load."""
        at = await self.physical(address, write=False)
        await self.lock(cpu, self.remap_lock)
        await self.monitors.set(cpu, at)
        await self.protect(at, READ_ONLY)
        await self.unlock(cpu)
        value = await self.host.load(at, width)
        cpu.local.linked = Linked(address, value)
        return value

    async def handle_fault(self, cpu: VCpu, at: int) -> None:
        """Under the lock, clear the monitors on the page and make it writable."""
        await self.lock(cpu, self.remap_lock)
        await self.monitors.clear(at)
        await self.protect(at, WRITABLE)
        await self.unlock(cpu)

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Unmap the page and swap by the alias, if the value is unchanged."""
        linked = self.take_linked(cpu, address)
        if linked is None:
            return False
        at = await self.physical(address, write=True)
        current = await self.host.load(at, width)
        await self.lock(cpu, self.remap_lock)
        if current != linked.value & (1 << 8 * width) - 1:
            if self.unlocks:
                await self.unlock(cpu)
            return False
        await self.protect(at, _UNMAPPED)
        stored = await self.monitors.holds(cpu, at) and await self.swap(at, width, linked.value, value)
        if stored and self.clears_others:
            await self.monitors.clear(at)
        await self.protect(at, WRITABLE)
        await self.unlock(cpu)
        return stored

    async def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Under the lock, clear the monitors, unmap the page, load and store by the alias, map the page back."""
        ranges = await self.ranges(address, width, write=True)
        at = ranges[0][0]
        await self.lock(cpu, self.remap_lock)
        await self.monitors.clear(at)
        await self.protect(at, _UNMAPPED)
        old = await self.apply(ranges, function)
        await self.protect(at, WRITABLE)
        await self.unlock(cpu)
        return old
