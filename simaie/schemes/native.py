"""The ideal guest architecture: each access that the architecture guarantees to be indivisible is one operation.

No emulator achieves this; it is the reference for all of them. An access without the guarantee (`Cpu.guarantees`) is
several operations, in ascending or descending address order. For example, on an AArch64 without FEAT_LSE2 an exclusive
load of two X registers is two doubleword loads. The monitor covers both from the first load on, so the
store-conditional succeeds only if the pair was read untorn. A locked x86 instruction is indivisible at any address
(SDM 3A, 9.1.2); the exclusives and atomics of the other architectures fault if they are misaligned.

LL/SC has an ideal monitor, which follows the rule of the guest's architecture (`simaie.schemes.monitor`). If that rule
allows both results, a decision determines the result. With ``spurious_failures=True`` a store-conditional may also
fail spuriously, as every real architecture allows.

Deviations: the parts of an access go up or down, in no other order. A locked instruction across two pages whose frames
are not adjacent stops the world, so on a host with store buffers it also waits for the buffers of other vCPUs. So does
a compare-and-swap of two locations.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, TypeVar

from simaie.guest.guarantee import Guarantee
from simaie.guest.isa import ISAS, isa_class
from simaie.guest.reservation import Place
from simaie.host.host import Host, Ranges, join_parts, split_parts
from simaie.host.loaded import like, plain
from simaie.host.ordered import ordered
from simaie.host.pages import PageTable
from simaie.op import Function, Kind, Op, Order
from simaie.protocols import MachineFacts, VCpu, require_one_of
from simaie.schemes.holes import Hole, Variant
from simaie.schemes.mapped import AFTER, BEFORE
from simaie.schemes.monitor import IdealMonitor
from simaie.schemes.scheme import Scheme
from simaie.schemes.two_places import compare_two_alone
from simaie.trace import AccessKind

__all__ = ["Native"]

T = TypeVar("T")

_LOAD, _STORE = Kind.LOAD, Kind.STORE  # looked up once: plain accesses are most of what runs
#: The value of the option ``single_copy`` that makes every access indivisible, whatever its width and address.
_EVERYTHING = "any"


class Native(Scheme):
    """The ideal architecture: one operation per access that is guaranteed indivisible, several for any other access.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        spurious_failures: Whether a store-conditional may fail spuriously; on hosts that take orders it may always.
        reservation: ``"architecture"`` for the rule of the guest's instruction set. ``"exact"`` for the rule of herd7's
            models: a store-conditional fails unless all bytes that it stores to were load-linked, and then needs only
            the reservation.
        single_copy: The guarantee to apply: ``"isa"`` for that of the base architecture; the name of an extension with
            a stronger guarantee (``"lpae"`` of Arm, ``"lse2"`` of AArch64, ``"avx"`` of x86; other architectures are
            unaffected); or ``"any"`` to make every access indivisible.
        **usual: Options of `Scheme`.
    """

    name: ClassVar[str] = "native"
    only_returns_old: ClassVar[bool] = True
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant(armv8=frozenset({Hole.LIVELOCK}), whole_16=True),  # where a store-conditional may fail without cause
    )

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
            host,
            isa_class(machine.isa).reservation,
            exact=reservation == "exact",
            spurious=spurious_failures,
            host_decides=machine.host_takes_orders,
        )
        self._guarantee = _guarantee(machine.isa, single_copy)
        if self.mapping is None and machine.host_takes_orders:
            self.atomic_order = isa_class(machine.isa).atomic_order
        #: Bytes: an aligned access of at most this width is always one operation.
        self._widest = 16 if self._guarantee is None else self._guarantee.plain

    # -- plain accesses -----------------------------------------------------------------------

    def load(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """Load with one operation, or one for each indivisible part."""
        at = address if type(address) is int else plain(address)
        if self.flat and width <= self._widest and not at & width - 1:
            return Op(_LOAD, None, address, width)
        return self._load_parts(address, width)

    def store(self, cpu: VCpu, address: int, width: int, value: int) -> Awaitable[None]:
        """Store with one operation, or one for each indivisible part."""
        at = address if type(address) is int else plain(address)
        if self.flat and width <= self._widest and not at & width - 1:
            return Op(_STORE, None, address, width, value)
        return self._store_parts(address, width, value)

    def load_pair(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """Load both registers with one operation if that is guaranteed, else each half with one."""
        return self._load_parts(address, width, pair=True)

    def store_pair(self, cpu: VCpu, address: int, width: int, value: int) -> Awaitable[None]:
        """Store both registers with one operation if that is guaranteed, else each half with one."""
        return self._store_parts(address, width, value, pair=True)

    async def _load_parts(self, address: int, width: int, *, pair: bool = False) -> int:
        parts = self._cut(address, await self.ranges(address, width, write=False), pair=pair)
        values: dict[int, int] = {}
        for number in await self._direction(parts):
            values[number] = await Op(_LOAD, None, *parts[number])
        return join_parts([values[i] for i in range(len(parts))], [each for _, each in parts], self.host.endian)

    async def _store_parts(self, address: int, width: int, value: int, *, pair: bool = False) -> None:
        parts = self._cut(address, await self.ranges(address, width, write=True), pair=pair)
        values = split_parts(value, [each for _, each in parts], self.host.endian)
        for number in await self._direction(parts):
            await Op(_STORE, None, *parts[number], values[number])

    def _cut(
        self, address: int, ranges: Ranges, access: AccessKind = AccessKind.LOAD, *, pair: bool = False
    ) -> Ranges:
        """Return the ranges of an access at the guest's `address`, cut into indivisible parts.

        pair: whether it is an access of two registers.
        """
        if self._guarantee is None:
            return ranges
        cut = self._guarantee.parts_of_pair if pair else self._guarantee.parts
        widths = iter(cut(access, plain(address), sum(width for _, width in ranges)))
        parts: list[tuple[int, int]] = []
        for first, size in ranges:
            at: int = plain(first)
            end = at + size
            while at < end:  # an indivisible access touches one page only, so a part ends where its range does
                parts.append((like(at, first), next(widths)))
                at += parts[-1][1]
        return tuple(parts)

    async def _direction(self, parts: Ranges) -> Sequence[int]:
        """Decide the order in which the parts are accessed, which no architecture specifies; return their indices."""
        numbers = range(len(parts))
        if len(parts) > 1 and await self.host.choose(2, "the parts of the access go down through memory"):
            return numbers[::-1]
        return numbers

    # -- LL/SC --------------------------------------------------------------------------------

    def load_linked(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """Load and set the ideal monitor; of a pair read in two halves, load the other half too."""
        return self.on_ram(address, False, lambda at: self._linked(cpu, Place(address, at, width)))

    def _linked(self, cpu: VCpu, place: Place) -> Awaitable[int]:
        at, width = place.physical, place.width
        parts = self._cut(at, ((at, width),), AccessKind.LOAD_LINKED)
        return self._monitor.load_linked(cpu, place) if len(parts) == 1 else self._linked_parts(cpu, place, parts)

    async def _linked_parts(self, cpu: VCpu, place: Place, parts: Ranges) -> int:
        """Load a pair in parts; the first access sets the monitor over all parts and reads the first one."""
        widths = [width for _, width in parts]
        _, *others = await self._direction(parts)
        values = split_parts(await self._monitor.load_linked(cpu, place), widths, self.host.endian)
        for number in others:
            values[number] = await Op(_LOAD, None, *parts[number])
        return join_parts(values, widths, self.host.endian)

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Store with one operation, if the monitor allows it."""
        if await self._monitor.fails_early(cpu):
            return False
        monitor = self._monitor
        return await self.on_ram(
            address, True, lambda at: monitor.store_conditional(cpu, Place(address, at, width), value)
        )

    async def clear_exclusive(self, cpu: VCpu) -> None:
        """Clear the vCPU's own monitor."""
        await self._monitor.clear(cpu)

    def watched_reservation(self, cpu: VCpu) -> Op | None:
        """Ask the monitor: the loss of a reservation wakes up its vCPU."""
        return self._monitor.watched(cpu)

    async def watch(self, cpu: VCpu, address: int) -> None:
        """Set the monitor of the line around `address`."""
        await self.on_ram(address, False, lambda at: self._monitor.watch(cpu, plain(at)))

    # -- locked instructions ------------------------------------------------------------------

    def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> Awaitable[int]:
        """Perform one fetch-and-apply."""
        if self.crosses(address, width):
            return self._alone(address, width, function.apply)
        order, form = self.atomic_order, self.atomic_form
        return self.on_ram(address, True, lambda at: self.host.fetch(at, width, function, order, form))

    def cmpxchg(self, cpu: VCpu, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        """Perform one compare-and-swap; a failing one only reads."""
        if self.crosses(address, width):
            return self._alone(address, width, lambda old: new if old == expected else None)
        order, form = self.atomic_order, self.atomic_form
        return self.on_ram(address, True, lambda at: self.host.compare_and_swap(at, width, expected, new, order, form))

    def cmpxchg_two(
        self, cpu: VCpu, addresses: tuple[int, int], width: int, expected: tuple[int, int], new: tuple[int, int]
    ) -> Awaitable[int]:
        """Perform the instruction with the world stopped."""
        return compare_two_alone(self, cpu, addresses, width, expected, new)

    async def _alone(self, address: int, width: int, new_value: Callable[[int], int | None]) -> int:
        """With the world stopped, load from two pages, store ``new_value(old)`` unless it is None, return the old."""
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
        """Perform an access with exactly the order of the architecture.

        The exception: on a host that takes no orders, an LDAR waits for all earlier stores, not only for STLRs.
        """
        if self.passes_orders:
            return ordered(self.host, order, body)
        return self.between(BEFORE[order], AFTER[order], body)

    async def exception(self, cpu: VCpu, cause: str) -> None:
        """Take an exception: it clears the monitor, may clear it, or leaves it, as the rule says."""
        await self._monitor.exception(cpu)


def _guarantee(isa: str, single_copy: str) -> Guarantee | None:
    """Return the guarantee that the option ``single_copy`` selects for an instruction set.

    Returns:
        The guarantee, or None if every access is indivisible.

    Raises:
        UsageError: No instruction set has an extension of that name.
    """
    known = isa_class(isa).guarantees
    if single_copy == _EVERYTHING:
        return None
    if single_copy != "isa" and single_copy not in known:
        names = {"isa", _EVERYTHING, *(name for cls in ISAS.values() for name in cls.guarantees if name)}
        require_one_of("single_copy", single_copy, sorted(names))
    return known.get(single_copy, known.get(""))
