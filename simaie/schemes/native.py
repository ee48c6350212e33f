"""The ideal guest architecture: every guest instruction is one indivisible operation.

What no emulator achieves and every emulator is measured against. LL/SC has an ideal monitor: a reservation covers
exactly the bytes that were loaded and falls to any foreign store to them, to the vCPU's next store-conditional and
to CLREX or an exception. With ``spurious_failures=True`` a store-conditional may also fail without cause, as every real
architecture allows.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, ClassVar, TypeVar

from simaie.barrier import Barrier
from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.op import Function, Kind, Op, Order
from simaie.protocols import MachineFacts, VCpu
from simaie.schemes.scheme import Scheme

__all__ = ["Native"]

T = TypeVar("T")

_RELEASE, _ACQUIRE = Barrier.LD_ST | Barrier.ST_ST, Barrier.LD_LD | Barrier.LD_ST
#: Which barriers on either side give an access its order.
_BEFORE = {
    Order.RELAXED: Barrier.NONE,
    Order.ACQUIRE: Barrier.NONE,
    Order.RELEASE: _RELEASE,
    Order.ACQ_REL: _RELEASE,
    Order.SEQ_CST: Barrier.ST_LD,
}
_AFTER = {
    order: _ACQUIRE if order in (Order.ACQUIRE, Order.ACQ_REL, Order.SEQ_CST) else Barrier.NONE for order in Order
}

_LOAD, _STORE = Kind.LOAD, Kind.STORE  # looked up once: plain accesses are most of what runs


class Native(Scheme):
    """One operation per guest instruction, whatever its width (and one translation before it in full-system mode)."""

    name: ClassVar[str] = "native"

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        spurious_failures: bool = False,
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        self.spurious_failures = spurious_failures

    def load(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """One load."""
        if self.flat:
            return Op(_LOAD, None, address, width)
        return self.on_ram(address, False, lambda at: Op(_LOAD, None, at, width))

    def store(self, cpu: VCpu, address: int, width: int, value: int) -> Awaitable[None]:
        """One store."""
        if self.flat:
            return Op(_STORE, None, address, width, value)
        return self.on_ram(address, True, lambda at: Op(_STORE, None, at, width, value))

    def load_linked(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """One load that sets the ideal monitor."""
        return self.on_ram(address, False, lambda at: Op(Kind.LOAD_LINKED, None, at, width))

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """One store, if the monitor still stands."""
        if self.spurious_failures and await self.host.choose(2, "the store-conditional fails without cause"):
            await Op(Kind.CLEAR_RESERVATION)
            return False
        stored: int = await self.on_ram(address, True, lambda at: Op(Kind.STORE_CONDITIONAL, None, at, width, value))
        return bool(stored)

    async def clear_exclusive(self, cpu: VCpu) -> None:
        """Clear the vCPU's own monitor."""
        await Op(Kind.CLEAR_RESERVATION)

    def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> Awaitable[int]:
        """One fetch-and-apply."""
        return self.on_ram(address, True, lambda at: self.host.fetch(at, width, function))

    def cmpxchg(self, cpu: VCpu, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        """One compare-and-swap; a failing one is a read."""
        return self.on_ram(address, True, lambda at: self.host.compare_and_swap(at, width, expected, new))

    def in_order(self, order: Order, body: Awaitable[T]) -> Awaitable[T]:
        """What the architecture asks for, and no more; but an LDAR waits for all stores before it, not just STLRs."""
        return self.between(_BEFORE[order], _AFTER[order], body)

    async def exception(self, cpu: VCpu, cause: str) -> None:
        """An exception clears the monitor, as on AArch64 and on exception return elsewhere."""
        await Op(Kind.CLEAR_RESERVATION)
