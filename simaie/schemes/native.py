"""The ideal guest architecture: every access that the architecture promises to be indivisible is one operation.

What no emulator achieves and every emulator is measured against. An access without the promise (`Cpu.guarantees`) is
several operations, which go up or down through memory. So a pair of two X registers is loaded exclusively as two
doublewords, on an AArch64 without FEAT_LSE2: the monitor covers both from the first on, so that a store-conditional
succeeds only if the pair was whole. A locked instruction of x86 is indivisible at any address (SDM 3A, 9.1.2); the
exclusives and atomics of the other architectures fault if they are misaligned.

LL/SC has an ideal monitor, which follows the rule of the guest's architecture (`simaie.schemes.monitor`); where that
allows both results, a decision tells which it is. With ``spurious_failures=True`` a store-conditional may also fail
without cause, as every real architecture allows.

Deviations: the parts of an access go up or down, in no other order. A locked instruction across two pages whose frames
are apart stops the world, so on a host with store buffers it also waits for those of other vCPUs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, TypeVar

from simaie.barrier import Barrier
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa import ISAS, isa_class
from simaie.guest.reservation import Place
from simaie.host.host import Host, Ranges, join_parts, split_parts
from simaie.host.pages import PageTable
from simaie.op import Function, Kind, Op, Order
from simaie.protocols import MachineFacts, VCpu, require_one_of
from simaie.schemes.monitor import IdealMonitor
from simaie.schemes.scheme import Scheme
from simaie.trace import AccessKind

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
#: What the option ``single_copy`` is called where every access is indivisible, whatever its width and address.
_EVERYTHING = "any"


class Native(Scheme):
    """One operation for each access that the architecture promises to be indivisible, several for the others.

    single_copy: whose promise, ``"isa"`` for that of the base architecture, the name of an extension that promises
    more (``"lpae"`` of Arm, ``"lse2"`` of AArch64; other architectures are as without it), or ``"any"`` if every access
    is to be indivisible. spurious_failures: whether a store-conditional may fail without cause. reservation:
    ``"architecture"`` for the rule of the guest's instruction set, or ``"exact"``: a store-conditional fails unless all
    that it stores to was load-linked, and then needs nothing but the reservation, which is the rule of herd7's models.
    """

    name: ClassVar[str] = "native"

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        spurious_failures: bool = False,
        reservation: str = "architecture",
        single_copy: str = "isa",
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        require_one_of("reservation", reservation, ("architecture", "exact"))
        self.spurious_failures = spurious_failures
        self._monitor = IdealMonitor(
            host, isa_class(machine.isa).reservation, exact=reservation == "exact", spurious=spurious_failures
        )
        self._guarantee = _guarantee(machine.isa, single_copy)
        #: An aligned access so wide is one operation in any case.
        self._widest = 16 if self._guarantee is None else self._guarantee.plain

    # -- plain accesses -----------------------------------------------------------------------

    def load(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """One load, or one for each part."""
        if self.flat and width <= self._widest and not address & width - 1:
            return Op(_LOAD, None, address, width)
        return self._load_parts(address, width)

    def store(self, cpu: VCpu, address: int, width: int, value: int) -> Awaitable[None]:
        """One store, or one for each part."""
        if self.flat and width <= self._widest and not address & width - 1:
            return Op(_STORE, None, address, width, value)
        return self._store_parts(address, width, value)

    async def _load_parts(self, address: int, width: int) -> int:
        parts = self._cut(address, await self.ranges(address, width, write=False))
        values: dict[int, int] = {}
        for number in await self._direction(parts):
            values[number] = await Op(_LOAD, None, *parts[number])
        return join_parts([values[i] for i in range(len(parts))], [each for _, each in parts], self.host.endian)

    async def _store_parts(self, address: int, width: int, value: int) -> None:
        parts = self._cut(address, await self.ranges(address, width, write=True))
        values = split_parts(value, [each for _, each in parts], self.host.endian)
        for number in await self._direction(parts):
            await Op(_STORE, None, *parts[number], values[number])

    def _cut(self, address: int, ranges: Ranges, access: AccessKind = AccessKind.LOAD) -> Ranges:
        """The places of an access at the guest's `address`, cut into parts that are indivisible."""
        if self._guarantee is None:
            return ranges
        widths = iter(self._guarantee.parts(access, address, sum(width for _, width in ranges)))
        parts: list[tuple[int, int]] = []
        for at, size in ranges:
            end = at + size
            while at < end:  # an indivisible access touches one page only, so a part ends where its range does
                parts.append((at, next(widths)))
                at += parts[-1][1]
        return tuple(parts)

    async def _direction(self, parts: Ranges) -> Sequence[int]:
        """The numbers of the parts in the order in which they are accessed: no architecture says which is first."""
        numbers = range(len(parts))
        if len(parts) > 1 and await self.host.choose(2, "the parts of the access go down through memory"):
            return numbers[::-1]
        return numbers

    # -- LL/SC --------------------------------------------------------------------------------

    def load_linked(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """One load that sets the ideal monitor; of a pair, another one of the half that is not read with it."""
        return self.on_ram(address, False, lambda at: self._linked(cpu, Place(address, at, width)))

    def _linked(self, cpu: VCpu, place: Place) -> Awaitable[int]:
        at, width = place.physical, place.width
        parts = self._cut(at, ((at, width),), AccessKind.LOAD_LINKED)
        return self._monitor.load_linked(cpu, place) if len(parts) == 1 else self._linked_parts(cpu, place, parts)

    async def _linked_parts(self, cpu: VCpu, place: Place, parts: Ranges) -> int:
        """The monitor covers all parts from the first access on, which says what the first part holds."""
        widths = [width for _, width in parts]
        _, *others = await self._direction(parts)
        values = split_parts(await self._monitor.load_linked(cpu, place), widths, self.host.endian)
        for number in others:
            values[number] = await Op(_LOAD, None, *parts[number])
        return join_parts(values, widths, self.host.endian)

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """One store, if the monitor allows it."""
        if await self._monitor.fails_early(cpu):
            return False
        monitor = self._monitor
        return await self.on_ram(
            address, True, lambda at: monitor.store_conditional(cpu, Place(address, at, width), value)
        )

    async def clear_exclusive(self, cpu: VCpu) -> None:
        """Clear the vCPU's own monitor."""
        await self._monitor.clear(cpu)

    # -- locked instructions ------------------------------------------------------------------

    def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> Awaitable[int]:
        """One fetch-and-apply."""
        if self.crosses(address, width):
            return self._alone(address, width, function.apply)
        return self.on_ram(address, True, lambda at: self.host.fetch(at, width, function))

    def cmpxchg(self, cpu: VCpu, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        """One compare-and-swap; a failing one is a read."""
        if self.crosses(address, width):
            return self._alone(address, width, lambda old: new if old == expected else None)
        return self.on_ram(address, True, lambda at: self.host.compare_and_swap(at, width, expected, new))

    async def _alone(self, address: int, width: int, new_value: Callable[[int], int | None]) -> int:
        """Load, and store what ``new_value(old)`` gives unless that is None, on two pages, with the world stopped."""
        ranges = await self.ranges(address, width, write=True)
        await self.host.begin_exclusive()
        widths, endian = [size for _, size in ranges], self.host.endian
        old = join_parts([await Op(_LOAD, None, *each) for each in ranges], widths, endian)
        new = new_value(old)
        if new is not None:
            for (at, size), part in zip(ranges, split_parts(new, widths, endian), strict=True):
                await Op(_STORE, None, at, size, part)
        await self.host.end_exclusive()
        return old

    def in_order(self, order: Order, body: Awaitable[T]) -> Awaitable[T]:
        """What the architecture asks for, and no more; but an LDAR waits for all stores before it, not just STLRs."""
        return self.between(_BEFORE[order], _AFTER[order], body)

    async def exception(self, cpu: VCpu, cause: str) -> None:
        """An exception clears the monitor, or may, or does not."""
        await self._monitor.exception(cpu)


def _guarantee(isa: str, single_copy: str) -> Guarantee | None:
    """The promise that the option ``single_copy`` names for an instruction set; None if everything is indivisible.

    UsageError if no instruction set has an extension of that name.
    """
    names = {"isa", _EVERYTHING, *(name for cls in ISAS.values() for name in cls.guarantees if name)}
    require_one_of("single_copy", single_copy, sorted(names))
    known = isa_class(isa).guarantees
    if single_copy == _EVERYTHING:
        return None
    return known.get(single_copy, known.get(""))
