"""Software LL/SC with checked stores: PICO-ST.

A load-linked stops the world, loads, flags the address in a hash table, and sets the vCPU's monitor. Every plain store
tests the flag of its address; if it is set, it clears the monitors of the address under a lock. Then it stores. The
store-conditional stops the world and stores if its monitor is still set and the value is the loaded one.

Check and store must not be separated by a point where another vCPU may stop the world, that is, they must be in one
translation block. Otherwise a load-linked in between is not seen by the store (option ``window="split"``).

Source: E. G. Cota, P. Bonzini, A. Bennée, L. P. Carloni, "Cross-ISA Machine Emulation for Multicores", CGO 2017.
"""

from __future__ import annotations

from typing import Any, ClassVar

from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.protocols import MachineFacts, VCpu, require_one_of
from simaie.schemes.holes import Hole, Variant
from simaie.schemes.linked import Linked, LinkedScheme
from simaie.schemes.tables import Cells, Monitors

__all__ = ["PicoSt"]


class PicoSt(LinkedScheme):
    """LL: stop the world; ld; flag; monitor. Plain store: test the flag; clear monitors; st.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        window: ``"block"`` if the test and the store of a plain store share a translation block, ``"split"`` if a block
            ends between them.
        granule: Bytes per flag and monitor, a power of two.
        **usual: Options of `LinkedScheme`.
    """

    name: ClassVar[str] = "pico-st"
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("", frozenset({Hole.WIDE})),
        Variant("granule=8"),
        Variant("window=split", frozenset({Hole.WIDE, Hole.WIDTH, Hole.SAME_VALUE, Hole.ABA_TWO_STORERS})),
    )

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        window: str = "block",
        granule: int = 4,
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        require_one_of("window", window, ("block", "split"))
        self.window = window
        self.flags = Cells(host, "flag", granule, False)
        self.monitors = Monitors(host, granule)
        self.helper_lock = host.mutex("store-helper lock")

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Load, flag the address and set the monitor, in a stopped world."""
        at = await self.physical(address, write=False)
        await self.stop_world(cpu)
        value = await self.host.load(at, width)
        await self.flags.at(at).store(True)
        await self.monitors.set(cpu, at)
        await self.resume_world(cpu)
        cpu.local.linked = Linked(address, value)
        return value

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Store in a stopped world, if the monitor is still set and the value is the recorded one."""
        linked = self.take_linked(cpu, address)
        if linked is None:
            return False
        at = await self.physical(address, write=True)
        await self.stop_world(cpu)
        stored = await self.monitors.holds(cpu, at) and await self.store_if(at, width, linked.value, value)
        if stored:
            await self.monitors.clear(at)
        await self.resume_world(cpu)
        return stored

    async def store(self, cpu: VCpu, address: int, width: int, value: int) -> None:
        """Clear the monitors of a flagged address, then store."""
        ranges = await self.ranges(address, width, write=True)
        at = ranges[0][0]
        if await self.flags.at(at).load():
            await self.lock(cpu, self.helper_lock)
            await self.monitors.clear(at)
            await self.unlock(cpu)
        if self.window == "split":
            await self._end_block(cpu)
        await self.host.store_ranges(ranges, value)

    async def _end_block(self, cpu: VCpu) -> None:
        """End the translation block: here another vCPU may have the world for itself."""
        await self.stop_world(cpu)
        await self.resume_world(cpu)

    async def end_reservations(self, cpu: VCpu, at: int) -> None:
        """Clear the monitors of the address."""
        await self.monitors.clear(at)
