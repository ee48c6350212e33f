"""Schemes with one bug each, as emulators have had them; what each breaks is a regression of the corpus."""

from __future__ import annotations

from simaie import Scheme
from simaie.op import Function
from simaie.schemes.cas import CompareAndSwap
from simaie.schemes.linked import Linked
from simaie.schemes.monitor_spin import MonitorSpin
from simaie.schemes.stop_world_value import StopWorldValue
from simaie.schemes.tlb_excl import TlbExcl
from simaie.schemes.tlib import Tlib


class LockKept(MonitorSpin):
    """A store-conditional without a reservation returns with the lock."""

    async def store_conditional(self, cpu, address, width, value):
        if cpu.local.linked is None:
            await self.lock(cpu, self.spinlock)
            return False
        return await super().store_conditional(cpu, address, width, value)


class ReservedBeforeFault(StopWorldValue):
    """A load-linked reserves first, with the value 0, and a fault leaves the reservation."""

    def __init__(self, *args, **options):
        super().__init__(*args, on_exception="leave", **options)

    async def load_linked(self, cpu, address, width):
        cpu.local.linked = Linked(address, 0)
        return await super().load_linked(cpu, address, width)


class AddressIgnored(Tlib):
    """The store-conditional asks only whether there is a reservation."""

    def take_linked(self, cpu, address):
        linked, cpu.local.linked = cpu.local.linked, None
        return linked

    async def store_conditional(self, cpu, address, width, value):
        if self.take_linked(cpu, address) is None:
            return False
        await self.store(cpu, address, width, value)
        return True


class ReservationKept(StopWorldValue):
    """A failed store-conditional keeps the reservation."""

    def take_linked(self, cpu, address):
        linked = cpu.local.linked
        return linked if linked is not None and linked.address == address else None


class ReservedZero(StopWorldValue):
    """A vCPU begins with a reservation of address 0, where the value is 0."""

    def enter(self, cpu):
        super().enter(cpu)
        cpu.local.linked = Linked(0, 0)


class ForeignFlush(TlbExcl):
    """The load-linked flushes the TLBs of others while they are in an instruction."""

    async def stop_world(self, cpu):
        pass


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


class WordForByte(CompareAndSwap):
    """A byte is swapped by a load, and a store of its word."""

    def cmpxchg(self, cpu, address, width, expected, new):
        return self._by_word(cpu, address, width, expected, new)

    async def _by_word(self, cpu, address, width, expected, new):
        word, shift = address & -4, 8 * (address & 3)
        mask = (1 << 8 * width) - 1 << shift
        whole = await self.host.load(word, 4)
        old = (whole & mask) >> shift
        if old == expected:
            await self.host.store(word, 4, whole & ~mask | new << shift)
        return old


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


#: By the name of a regression: a scheme with the bug, and the same without it.
BUGS = {
    "bug-lock-kept": (LockKept, MonitorSpin),
    "bug-reserved-before-fault": (ReservedBeforeFault, StopWorldValue),
    "bug-address-ignored": (AddressIgnored, Tlib),
    "bug-reservation-kept": (ReservationKept, StopWorldValue),
    "bug-reserved-zero": (ReservedZero, StopWorldValue),
    "bug-burst-base": (BurstBase, "pst"),
    "bug-foreign-flush": (ForeignFlush, TlbExcl),
    "bug-read-twice": (ReadTwice, CompareAndSwap),
    "bug-unchanged-data": (UnchangedData, CompareAndSwap),
    "bug-amo-leaves-reservation": (AmoLeavesReservation, Tlib),
    "bug-word-for-byte": (WordForByte, CompareAndSwap),
    "bug-reservation-across-exception": ("cas:on_exception=leave", CompareAndSwap),
    "bug-two-owners": (SwapByLoadAndStore, CompareAndSwap),
    "bug-wide-mutex": ("wide-mutex", CompareAndSwap),
    "bug-mark-first": ("hst", Tlib),
}
