"""Schemes with one bug each that is no option of a scheme; what each breaks is a regression of the corpus."""

from __future__ import annotations

from simaie import Scheme
from simaie.op import Function
from simaie.schemes.cas import CompareAndSwap
from simaie.schemes.linked import Linked
from simaie.schemes.monitor_spin import MonitorSpin
from simaie.schemes.tlib import Tlib


class ReadTwice(CompareAndSwap):
    """The value that is recorded is that of a second load."""

    async def load_linked(self, cpu, address, width):
        value = await self.load(cpu, address, width)
        await super().load_linked(cpu, address, width)
        return value


class UnchangedData(CompareAndSwap):
    """A store-conditional of the loaded value succeeds without looking."""

    async def store_conditional(self, cpu, address, width, value):
        linked = cpu.local.linked
        if linked is not None and linked == (address, value):
            cpu.local.linked = None
            return True
        return await super().store_conditional(cpu, address, width, value)


class AmoLeavesReservation(Tlib):
    """An AMO does not mark."""

    async def atomic_rmw(self, cpu, address, width, function):
        ranges = await self.ranges(address, width, write=True)
        return await self.host.fetch(*ranges[0], function)


class BurstBase(MonitorSpin):
    """A plain store of any width clears the monitors of the word at its first address only."""

    def __init__(self, *args, **options):
        super().__init__(*args, granule=4, **options)

    async def store(self, cpu, address, width, value):
        await self.lock(cpu, self.spinlock)
        await self.monitors.clear(address)
        await self.host.store(address, width, value)
        await self.unlock(cpu)


class SwapByLoadAndStore(Scheme):
    """A swap is a load and a store."""

    async def atomic_rmw(self, cpu, address, width, function: Function):
        old = await self.host.load(address, width)
        await self.host.store(address, width, function.apply(old))
        return old


class ComparesHalf(CompareAndSwap):
    """A store-conditional of two words that compares the lower word only."""

    async def store_conditional(self, cpu, address, width, value):
        if await self.host.load(address, 4) == cpu.local.linked.value & 0xFFFFFFFF:
            cpu.local.linked = Linked(address, await self.host.load(address, width))
        return await super().store_conditional(cpu, address, width, value)


#: By the name of a regression: a scheme with the bug, and the same without it.
BUGS = {
    "bug-burst-base": (BurstBase, "pst"),
    "bug-half-compared": (ComparesHalf, CompareAndSwap),
    "bug-read-twice": (ReadTwice, CompareAndSwap),
    "bug-unchanged-data": (UnchangedData, CompareAndSwap),
    "bug-amo-leaves-reservation": (AmoLeavesReservation, Tlib),
    "bug-two-owners": (SwapByLoadAndStore, CompareAndSwap),
}
