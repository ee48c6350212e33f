"""LL/SC by a table of exclusive addresses under one spinlock: the exclusive monitor of Dynarmic.

A load-linked takes the spinlock, sets the vCPU's monitor, and loads. The store-conditional takes it, tests its monitor,
clears all monitors of the address, and compares and swaps. Plain stores take no lock and clear no monitor, so an A-B-A
by plain stores is possible. Traffic by LL/SC alone is safe.

Source: Dynarmic, src/dynarmic/interface/exclusive_monitor.h (ReadAndMark, DoExclusiveOperation).
"""

from __future__ import annotations

from typing import Any, ClassVar

from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.op import Function
from simaie.protocols import MachineFacts, VCpu
from simaie.schemes.holes import BY_VALUE, Hole, Variant
from simaie.schemes.linked import Linked, LinkedScheme
from simaie.schemes.tables import Monitors

__all__ = ["MonitorSpin"]


class MonitorSpin(LinkedScheme):
    """LL: lock; monitor; ld; unlock. SC: lock; test; clear all monitors of the address; compare-and-swap; unlock.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        granule: Bytes per monitor, a power of two.
        unlocks: Whether a store-conditional that finds no monitor releases the spinlock; without that, the vCPU keeps
            it for ever.
        **usual: Options of `LinkedScheme`.
    """

    name: ClassVar[str] = "monitor-spin"
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("", BY_VALUE),
        Variant("unlocks=false", BY_VALUE | {Hole.DEADLOCK, Hole.LEAK}),
    )

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        granule: int = 16,
        unlocks: bool = True,
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        self.unlocks = unlocks
        self.spinlock = host.mutex("monitor spinlock")
        self.monitors = Monitors(host, granule, self.spinlock)

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Set the monitor and load, under the spinlock."""
        at = await self.physical(address, write=False)
        await self.lock(cpu, self.spinlock)
        await self.monitors.set(cpu, at)
        value = await self.host.load(at, width)
        await self.unlock(cpu)
        cpu.local.linked = Linked(address, value)
        return value

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Under the spinlock, clear all monitors of the address and swap, if the own monitor is set."""
        linked = self.take_linked(cpu, address)
        if linked is None and self.unlocks:
            return False  # no step is needed, since the lock would be released at once
        at = await self.physical(address, write=True)
        await self.lock(cpu, self.spinlock)
        if linked is None or not await self.monitors.holds(cpu, at):
            if self.unlocks:
                await self.unlock(cpu)
            return False
        await self.monitors.clear(at)
        stored = await self.swap(at, width, linked.value, value)
        await self.unlock(cpu)
        return stored

    async def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Clear all monitors of the address and perform one host atomic, under the spinlock."""
        ranges = await self.ranges(address, width, write=True)
        await self.lock(cpu, self.spinlock)
        await self.monitors.clear(ranges[0][0])
        if width <= self.host.word and len(ranges) == 1:
            old = await self.host.fetch(*ranges[0], function)
        else:
            old = await self.apply(ranges, function)
        await self.unlock(cpu)
        return old
