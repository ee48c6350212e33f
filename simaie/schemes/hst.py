"""LL/SC by store tags: HST, which tests at the store-conditional which vCPU touched the word last.

Each word has an entry in a hash table. A load-linked and every plain store write their vCPU into it, the *mark*. The
store-conditional stores if the mark is still its own vCPU's. As published, a plain store marks *before* it stores. So
two stores may mark before a load-linked does and store after it: the store-conditional succeeds across both.

On a host with store buffers the mark of the load-linked waits in the buffer while the load overtakes it. Then a
single storer breaks the scheme; one store-load barrier between mark and load repairs that (``barrier="st-ld"``). On a
host that reorders stores it does not: there the mark and the store of a plain store may change places, too.

Source: Z. Zhao, Z. Jiang, Y. Chen, X. Gong, W. Wang, P.-C. Yew, "Enhancing Atomic Instruction Emulation for Cross-ISA
Dynamic Binary Translation", CGO 2021. The options other than the defaults span the design space of schemes
with store tags.
"""

from __future__ import annotations

from typing import Any, ClassVar

from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.op import Function
from simaie.protocols import MachineFacts, VCpu, require_one_of
from simaie.schemes.holes import BY_VALUE, Hole, Variant
from simaie.schemes.linked import Linked, LinkedScheme
from simaie.schemes.tables import Cells

__all__ = ["BY_VALUE_AFTER_MARKS", "Hst"]

#: What two marks before the load-linked hide, if the store-conditional compares values.
BY_VALUE_AFTER_MARKS = frozenset({Hole.SAME_VALUE, Hole.ABA_TWO_STORERS, Hole.WIDE, Hole.WIDTH})
#: What one storer hides from a load-linked whose mark waits in the store buffer.
_ABA_OF_ONE = frozenset({Hole.ABA_ONE_STORER, Hole.ABA_FAILED_SC})
#: An entry is for one word, so that the upper half of an access of two words is outside of it.
_OTHER_HALF = frozenset({Hole.WIDE})
_ALL_LLSC = BY_VALUE | {Hole.NEIGHBOUR, Hole.LLSC, Hole.STORE, Hole.ABA_BY_SC, Hole.LLSC_RMW}

class Hst(LinkedScheme):
    """LL: T = me; ld. Plain store: T = me; st. SC: stop the world; if T == me and the value is unchanged: st.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        order: Whether a plain store is to ``"mark-first"`` or to ``"store-first"``.
        sc: The protection of the store-conditional: ``"stop-world"``, ``"mutex"`` or ``"transaction"``.
        aborts: Whether a transaction may abort without cause; then the store-conditional fails.
        compare: Whether the store-conditional also needs memory to hold the value that its load-linked read.
        marks: Whether plain stores mark.
        barrier: The host barrier between the mark and the load of a load-linked: ``"none"`` or a set of orders.
        granule: Bytes per entry, a power of two.
        **usual: Options of `LinkedScheme`.
    """

    name: ClassVar[str] = "hst"
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("", BY_VALUE_AFTER_MARKS, reordered=_ABA_OF_ONE),
        Variant("barrier=st-ld", BY_VALUE_AFTER_MARKS, armv8=_ABA_OF_ONE),
        Variant("compare=false", BY_VALUE | {Hole.STORE, Hole.NEIGHBOUR}),
        Variant("order=store-first", _OTHER_HALF, reordered=BY_VALUE),
        Variant("order=store-first,compare=false", _OTHER_HALF | {Hole.NEIGHBOUR}, reordered=BY_VALUE | {Hole.STORE}),
        Variant(
            "order=store-first,compare=false,barrier=st-ld",
            _OTHER_HALF | {Hole.NEIGHBOUR},
            armv8=BY_VALUE | {Hole.STORE},
        ),
        Variant(
            "order=store-first,compare=false,granule=8",
            frozenset({Hole.NEIGHBOUR}),
            reordered=BY_VALUE | {Hole.STORE},
        ),
        Variant("sc=mutex", BY_VALUE, reordered=frozenset({Hole.ABA_BY_SC})),
        Variant("sc=mutex,order=store-first", BY_VALUE, reordered=frozenset({Hole.ABA_BY_SC})),
        Variant("sc=mutex,order=store-first,compare=false", _ALL_LLSC),
    )

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        order: str = "mark-first",
        sc: str = "stop-world",
        aborts: bool = False,
        compare: bool = True,
        marks: bool = True,
        barrier: str | None = "none",
        granule: int = 4,
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        require_one_of("order", order, ("mark-first", "store-first"))
        require_one_of("sc", sc, ("stop-world", "mutex", "transaction"))
        self.order, self.sc, self.compare, self.marks = order, sc, compare, marks
        self.aborts = aborts
        self.barrier = None if barrier in (None, "none") else barrier
        self.tags = Cells(host, "tag", granule)
        self.mutex = host.mutex("store-conditional mutex")

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Mark, then load."""
        at = await self.physical(address, write=False)
        await self.mark(cpu, at)
        if self.barrier is not None:
            await self.host.fence(self.barrier)
        value = await self.host.load(at, width)
        cpu.local.linked = Linked(address, value)
        return value

    async def store(self, cpu: VCpu, address: int, width: int, value: int) -> None:
        """Mark and store, in the order of the option."""
        ranges = await self.ranges(address, width, write=True)
        if self.marks and self.order == "mark-first":
            await self.mark(cpu, ranges[0][0])
        await self.host.store_ranges(ranges, value)
        if self.marks and self.order == "store-first":
            await self.mark(cpu, ranges[0][0])

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Under protection, store if the mark is this vCPU's and the value is unchanged."""
        linked = self.take_linked(cpu, address)
        if linked is None:
            return False
        at = await self.physical(address, write=True)
        if self.aborts and await self.host.choose(2, "the transaction aborts"):
            return False
        await self.protect(cpu)
        stored = bool(await self.tags.at(at).load() == cpu.identity)
        if stored:
            stored = await self.conditional(at, width, linked, value)
        await self.unprotect(cpu)
        return stored

    async def conditional(self, at: int, width: int, linked: Linked, value: int) -> bool:
        """Store if the value is unchanged or need not be compared; return whether it stored.

        Args:
            at: Physical address.
            width: Width in bytes.
            linked: The record of the load-linked.
            value: The value to store.
        """
        if not self.compare:
            await self.host.store(at, width, value)
            return True
        swap = self.swap if self.sc == "mutex" else self.store_if  # a mutex does not exclude plain stores
        return await swap(at, width, linked.value, value)

    async def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Mark, load and store under the protection of the store-conditional."""
        ranges = await self.ranges(address, width, write=True)
        await self.protect(cpu)
        await self.mark(cpu, ranges[0][0])
        if self.sc == "mutex" and width <= self.host.word and len(ranges) == 1:
            old = await self.host.fetch(*ranges[0], function)
        else:
            old = await self.apply(ranges, function)
        await self.unprotect(cpu)
        return old

    async def mark(self, cpu: VCpu, at: int) -> None:
        """Write the vCPU into the entry of the physical address `at`."""
        await self.tags.at(at).store(cpu.identity)

    async def protect(self, cpu: VCpu) -> None:
        """Begin the protected part of a store-conditional."""
        if self.sc == "mutex":
            await self.lock(cpu, self.mutex)
        elif self.sc == "transaction":
            await self.begin_section(cpu)
        else:
            await self.stop_world(cpu)

    async def unprotect(self, cpu: VCpu) -> None:
        """End the protected part of a store-conditional."""
        await self.end_section(cpu)
        await self.unlock(cpu)
        await self.resume_world(cpu)
