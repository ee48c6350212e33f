"""LL/SC by page protection: PST.

A load-linked sets the vCPU's monitor and makes the page read-only, so that stores to it fault. The fault handler makes
the page writable again, clears the monitors on the page, and the store is tried again. The store-conditional stops the
world, makes the page writable, and stores if its monitor is still set and the value is the loaded one.

As published, a store-conditional that fails leaves the page writable and the monitors of others set. Stores that follow
do not fault, so the store-conditional of another vCPU on the page sees them by their values only.

The check of the page's permission and the access are one indivisible section: a host changes a permission only when no
access is in flight.

Source: as for `simaie.schemes.hst`.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, ClassVar

from simaie.host.host import Host, Ranges
from simaie.host.pages import PAGE_SIZE, PageTable
from simaie.protocols import MachineFacts, VCpu
from simaie.schemes.holes import Hole, Variant
from simaie.schemes.linked import Linked, LinkedScheme
from simaie.schemes.tables import Cells, Monitors

__all__ = ["Pst"]

WRITABLE, READ_ONLY = "rw", "r-"


class Pst(LinkedScheme):
    """LL: monitor; page read-only; ld. Plain store: on a fault, page writable and monitors cleared. SC: stop the world.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        **usual: Options of `LinkedScheme`.
    """

    name: ClassVar[str] = "pst"
    variants: ClassVar[tuple[Variant, ...]] = (Variant("", frozenset({Hole.ABA_FAILED_SC})),)

    def __init__(self, host: Host, pages: PageTable, machine: MachineFacts, **usual: Any) -> None:
        super().__init__(host, pages, machine, **usual)
        self.permissions = Cells(host, "host page", PAGE_SIZE, WRITABLE)
        self.monitors = Monitors(host, PAGE_SIZE)

    def protect(self, at: int, permission: str) -> Awaitable[Any]:
        """Set the permission of a page: a system call, which waits for the vCPU's own buffered stores.

        Args:
            at: Physical address in the page.
            permission: The new permission.
        """
        return self.permissions.at(at).exchange(permission)

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Set the monitor, protect the page, load."""
        at = await self.physical(address, write=False)
        await self.monitors.set(cpu, at)
        await self.protect(at, READ_ONLY)
        value = await self.host.load(at, width)
        cpu.local.linked = Linked(address, value)
        return value

    async def store(self, cpu: VCpu, address: int, width: int, value: int) -> None:
        """Store; as long as the store faults, handle the fault and try again."""
        ranges = await self.ranges(address, width, write=True)
        while (fault := await self.try_store(cpu, ranges, value)) is not None:
            await self.handle_fault(cpu, fault)

    async def try_store(self, cpu: VCpu, ranges: Ranges, value: int) -> int | None:
        """Store if every page is writable; otherwise return the address of the fault.

        Args:
            cpu: The vCPU that stores.
            ranges: (physical address, width in bytes) of each part.
            value: The value to store.
        """
        await self.begin_section(cpu)
        fault = None
        for page in sorted({at & -PAGE_SIZE for first, size in ranges for at in (first, first + size - 1)}):
            if await self.permissions.at(page).load() != WRITABLE:
                fault = page
                break
        if fault is None:
            await self.host.store_ranges(ranges, value)
        await self.end_section(cpu)
        return fault

    async def handle_fault(self, cpu: VCpu, at: int) -> None:
        """Make the page writable and clear the monitors on it.

        Args:
            cpu: The vCPU whose store has faulted.
            at: Physical address in the page.
        """
        await self.protect(at, WRITABLE)
        await self.monitors.clear(at)

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """In a stopped world, make the page writable; store if the monitor is set and the value is unchanged."""
        linked = self.take_linked(cpu, address)
        at = await self.physical(address, write=True)
        await self.stop_world(cpu)
        await self.protect(at, WRITABLE)
        stored = False
        if linked is not None and await self.monitors.holds(cpu, at):
            stored = await self.store_if(at, width, linked.value, value)
        if stored:
            await self.monitors.clear(at)
        await self.resume_world(cpu)
        return stored

    async def end_reservations(self, cpu: VCpu, at: int) -> None:
        """Make the page writable and clear the monitors on it."""
        await self.protect(at, WRITABLE)
        await self.monitors.clear(at)
