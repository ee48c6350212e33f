"""The Hexagon guest (Qualcomm Hexagon Programmer's Reference Manual, 80-N2040): locked loads and stores, barriers.

Memory is weakly ordered. The processor is little-endian. The load-acquires and store-releases are of version 68. All
accesses must be aligned. A locked store returns its predicate: 1 if it stored and 0 if not. Plain accesses are `load`
and `store`.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.guest import form
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.load_store import LoadStoreCpu
from simaie.guest.reservation import Cause, Elsewhere, ReservationRule
from simaie.op import Order

__all__ = ["HexagonCpu"]

Loaded = Coroutine[Any, Any, int]
Nothing = Coroutine[Any, Any, None]


class HexagonCpu(LoadStoreCpu):
    """A vCPU (a hardware thread) of a Hexagon guest.

    In all methods `address` is a guest-virtual address and `value` an unsigned integer.
    """

    isa: ClassVar[str] = "hexagon"
    address_bits: ClassVar[tuple[int, int]] = (32, 36)
    register_width: ClassVar[int] = 4
    guarantees: ClassVar[Mapping[str, Guarantee]] = {"": Guarantee(8, 8, 8)}
    #: Chapter "Memory", "Atomic operations": the lock of a memw_locked or memd_locked is lost when another thread
    #: stores to the location. The granule, the effect of an exception, and a locked store to another address or of
    #: another width are not known; the granule is bounded by a page here.
    reservation: ClassVar[ReservationRule | None] = ReservationRule(
        least=8,
        most=4096,
        must=frozenset({Cause.FOREIGN_STORE, Cause.LOAD_LINKED, Cause.STORE_CONDITIONAL}),
        may=frozenset({Cause.NEIGHBOUR_STORE, Cause.OWN_STORE, Cause.EXCEPTION}),
        other_address=Elsewhere.UNPREDICTABLE,
        other_width=Elsewhere.UNPREDICTABLE,
    )
    forms: ClassVar[tuple[form.Form, ...]] = (
        form.load("load", *form.ANY_WIDTH, aligned=True),
        form.store("store", *form.ANY_WIDTH, aligned=True),
        *form.pair("memw_locked", "memw_locked_store", 4),
        *form.pair("memd_locked", "memd_locked_store", 8),
        form.load("memw_aq", 4, kind="acquire", aligned=True),
        form.store("memw_rl", 4, kind="release", aligned=True),
        form.Form("fence", "barrier"),
    )

    def memw_locked(self, address: int) -> Loaded:
        """Load and reserve 4 bytes: ``Rd = memw_locked(Rs)``."""
        return self._load_linked("memw_locked", address, 4)

    def memd_locked(self, address: int) -> Loaded:
        """Load and reserve 8 bytes: ``Rdd = memd_locked(Rs)``."""
        return self._load_linked("memd_locked", address, 8)

    async def memw_locked_store(self, address: int, value: int) -> int:
        """Store 4 bytes if the reservation holds; return 1 if it stored, 0 if not: ``memw_locked(Rs, Pd) = Rt``."""
        return int(await self._store_conditional("memw_locked store", address, value, 4))

    async def memd_locked_store(self, address: int, value: int) -> int:
        """Store 8 bytes if the reservation holds; return 1 if it stored, 0 if not: ``memd_locked(Rs, Pd) = Rtt``."""
        return int(await self._store_conditional("memd_locked store", address, value, 8))

    def memw_aq(self, address: int) -> Loaded:
        """Load-acquire 4 bytes: ``Rd = memw_aq(Rs)``."""
        return self._load("memw_aq", address, 4, Order.ACQUIRE, 4)

    def memd_aq(self, address: int) -> Loaded:
        """Load-acquire 8 bytes: ``Rdd = memd_aq(Rs)``."""
        return self._load("memd_aq", address, 8, Order.ACQUIRE, 8)

    def memw_rl(self, address: int, value: int) -> Nothing:
        """Store-release 4 bytes: ``memw_rl(Rs) = Rt``."""
        return self._store("memw_rl", address, value, 4, Order.RELEASE, 4)

    def memd_rl(self, address: int, value: int) -> Nothing:
        """Store-release 8 bytes: ``memd_rl(Rs) = Rtt``."""
        return self._store("memd_rl", address, value, 8, Order.RELEASE, 8)

    def barrier(self) -> Nothing:
        """Order all accesses: BARRIER."""
        return self._fence("barrier", "full")

    def syncht(self) -> Nothing:
        """Wait until all earlier accesses are complete: SYNCHT."""
        return self._fence("syncht", "full")
