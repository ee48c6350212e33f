"""LL/SC in the slow path of memory accesses: exclusive pages in the software TLB.

A load-linked marks the page as exclusive and flushes it from the TLBs of the other vCPUs, so that their next store
takes the slow path. It loads, and sets its vCPU's exclusive range. A store in the slow path clears the ranges of others
that it hits, and stores, under a lock. A store-conditional stores under the same lock if its range is still set.

Load and range must be under that lock too, and after the flush (``order="locked"``). Otherwise a store comes between
them unseen: the two other orders occurred in real patches. The flush waits until no other vCPU is inside an
instruction, so it must come before the lock.

Source: A. Rigo, "Slow-path for atomic instruction translation", QEMU mailing list, May 2015 and later versions. Those
flushed the page with the help of asynchronous work of each vCPU; here the world stops for it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from simaie.host.host import Host
from simaie.host.pages import PAGE_SIZE, PageTable
from simaie.op import Function
from simaie.protocols import MachineFacts, VCpu, require_one_of
from simaie.schemes.holes import BY_VALUE, Hole, Variant
from simaie.schemes.linked import Linked, LinkedScheme
from simaie.schemes.tables import Cells, Monitors, clear_others, insert

__all__ = ["TlbExcl"]

#: What comes between load and range, if the lock does not cover them.
_UNLOCKED = BY_VALUE | {Hole.LLSC, Hole.STORE, Hole.NEIGHBOUR, Hole.ABA_BY_SC}
#: What a store misses that has looked into its TLB before a flush, and stores after it.
_MISSED_STORES = frozenset({Hole.STORE, Hole.NEIGHBOUR, Hole.RMW_STORE, Hole.SPLIT_STORE})


class TlbExcl(LinkedScheme):
    """LL: page exclusive; flush; lock; ld; range; unlock. Plain store: fast, or in the slow path under the lock.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        order: How a load-linked proceeds: ``"locked"``: flush, then load and range under the lock; ``"flush-first"``:
            flush, load, range; ``"load-first"``: load, flush, range.
        flush: When the TLBs of the others are flushed: ``"stopped"``: when no other vCPU is inside an instruction;
            ``"at-once"``: by the thread of the load-linked, also between another vCPU's look-up and its store.
        granule: Bytes per exclusive range, a power of two.
        **usual: Options of `LinkedScheme`.
    """

    name: ClassVar[str] = "tlb-excl"
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant(""),
        Variant("flush=at-once", BY_VALUE | _MISSED_STORES),
        Variant("order=flush-first", _UNLOCKED),
        Variant("order=load-first", _UNLOCKED | {Hole.LLSC_RMW}),
    )

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        order: str = "locked",
        flush: str = "stopped",
        granule: int = 8,
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        require_one_of("order", order, ("locked", "flush-first", "load-first"))
        require_one_of("flush", flush, ("stopped", "at-once"))
        self.order, self.flush = order, flush
        self.slow_path_lock = host.mutex("slow-path lock")
        self.exclusive = Cells(host, "exclusive page", PAGE_SIZE, False)
        #: By page, the vCPUs with a TLB entry that lets stores take the fast path.
        self.fast = Cells(host, "tlb", PAGE_SIZE, ())
        self.monitors = Monitors(host, granule)

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Make the page exclusive, load, and set the range."""
        at = await self.physical(address, write=False)
        value = await self.host.load(at, width) if self.order == "load-first" else None
        await self._make_exclusive(cpu, at)
        if self.order == "locked":
            await self.lock(cpu, self.slow_path_lock)
        if value is None:
            value = await self.host.load(at, width)
        await self.monitors.set(cpu, at)
        await self.unlock(cpu)
        cpu.local.linked = Linked(address, value)
        return value

    async def _make_exclusive(self, cpu: VCpu, at: int) -> None:
        """Mark the page as exclusive, and flush it from the TLBs of all other vCPUs."""
        await self.exclusive.at(at).store(True)
        if self.flush == "stopped":
            await self.stop_world(cpu)
        await clear_others(self.fast.at(at), cpu)
        await self.resume_world(cpu)

    async def store(self, cpu: VCpu, address: int, width: int, value: int) -> None:
        """Store by the fast path if the TLB has the page, else by the slow path."""
        ranges = await self.ranges(address, width, write=True)
        at = ranges[0][0]
        if not await self._is_fast(cpu, at):
            await self.lock(cpu, self.slow_path_lock)
            await self.monitors.clear_others(cpu, at)
        await self.host.store_ranges(ranges, value)
        await self.unlock(cpu)

    async def _is_fast(self, cpu: VCpu, at: int) -> bool:
        """Whether the vCPU's TLB has the page for fast stores; if the page is not exclusive, it has it from now on."""
        entry = self.fast.at(at)
        if cpu.identity in await entry.load():
            return True
        if await self.exclusive.at(at).load():
            return False
        await insert(entry, cpu)
        return True

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Store under the lock if the range is still set, and clear all ranges that it hits."""
        if self.take_linked(cpu, address) is None:
            return False
        at = await self.physical(address, write=True)
        await self.lock(cpu, self.slow_path_lock)
        stored = await self.monitors.holds(cpu, at)
        if stored:
            await self.monitors.clear(at)
            await self.host.store(at, width, value)
        await self.unlock(cpu)
        return stored

    async def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Make the page exclusive; load and store under the lock, and clear all ranges that it hits."""
        ranges = await self.ranges(address, width, write=True)
        at = ranges[0][0]
        await self._make_exclusive(cpu, at)
        await self.lock(cpu, self.slow_path_lock)
        await self.monitors.clear(at)
        old = await self.apply(ranges, function)
        await self.unlock(cpu)
        return old
