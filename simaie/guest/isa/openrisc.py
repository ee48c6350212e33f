"""The OpenRISC guest (OpenRISC 1000 Architecture Manual, version 1.1; ORBIS32): l.lwa and l.swa, l.msync.

Memory may be weakly ordered (7.2), and is here. l.lwa and l.swa contain an l.msync, so that they are ordered on both
sides. All accesses must be aligned. l.swa returns the flag SR[F]: 1 if it stored and 0 if not.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.guest import form
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.load_store import LoadStoreCpu
from simaie.guest.reservation import Cause, Elsewhere, ReservationRule
from simaie.host.ram import Endian
from simaie.op import Order

__all__ = ["OpenRiscCpu"]

Loaded = Coroutine[Any, Any, int]
Nothing = Coroutine[Any, Any, None]


class OpenRiscCpu(LoadStoreCpu):
    """A vCPU of an OpenRISC guest. In all methods `address` is a guest-virtual address, `value` an unsigned integer."""

    isa: ClassVar[str] = "openrisc"
    address_bits: ClassVar[tuple[int, int]] = (32, 32)
    byte_order: ClassVar[Endian] = "big"
    register_width: ClassVar[int] = 4
    guarantees: ClassVar[Mapping[str, Guarantee]] = {"": Guarantee(4, 4, 4)}
    #: 7.3: another l.lwa, or the access of another master to the location, cancels the reservation. What an exception
    #: does is not said, nor what an l.swa to another address does; the granule is bounded by a page here.
    reservation: ClassVar[ReservationRule | None] = ReservationRule(
        least=4,
        most=8192,
        must=frozenset({Cause.FOREIGN_STORE, Cause.LOAD_LINKED, Cause.STORE_CONDITIONAL}),
        may=frozenset({Cause.NEIGHBOUR_STORE, Cause.OWN_STORE, Cause.EXCEPTION}),
        other_address=Elsewhere.UNPREDICTABLE,
        other_width=Elsewhere.UNPREDICTABLE,
    )
    forms: ClassVar[tuple[form.Form, ...]] = (
        *form.load_store(("l_lwz", "l_sw", 4), ("l_lbz", "l_sb", 1), ("l_lhz", "l_sh", 2), aligned=True),
        *form.pair("l_lwa", "l_swa", 4),
        form.Form("fence", "l_msync"),
    )

    def l_lbz(self, address: int) -> Loaded:
        """Load an unsigned byte: l.lbz."""
        return self._load("l.lbz", address, 1)

    def l_lbs(self, address: int) -> Loaded:
        """Load a signed byte: l.lbs."""
        return self._load_signed("l.lbs", address, 1)

    def l_lhz(self, address: int) -> Loaded:
        """Load 2 bytes, unsigned: l.lhz."""
        return self._load("l.lhz", address, 2, alignment=2)

    def l_lhs(self, address: int) -> Loaded:
        """Load 2 bytes, signed: l.lhs."""
        return self._load_signed("l.lhs", address, 2, alignment=2)

    def l_lwz(self, address: int) -> Loaded:
        """Load 4 bytes: l.lwz."""
        return self._load("l.lwz", address, 4, alignment=4)

    def l_sb(self, address: int, value: int) -> Nothing:
        """Store a byte: l.sb."""
        return self._store("l.sb", address, value, 1)

    def l_sh(self, address: int, value: int) -> Nothing:
        """Store 2 bytes: l.sh."""
        return self._store("l.sh", address, value, 2, alignment=2)

    def l_sw(self, address: int, value: int) -> Nothing:
        """Store 4 bytes: l.sw."""
        return self._store("l.sw", address, value, 4, alignment=4)

    def l_lwa(self, address: int) -> Loaded:
        """Load and reserve 4 bytes: l.lwa."""
        return self._load_linked("l.lwa", address, 4, Order.ACQ_REL)

    async def l_swa(self, address: int, value: int) -> int:
        """Store 4 bytes if the reservation holds; return SR[F], 1 if it stored, 0 if not: l.swa."""
        return int(await self._store_conditional("l.swa", address, value, 4, Order.ACQ_REL))

    def l_msync(self) -> Nothing:
        """Order all accesses: l.msync."""
        return self._fence("l.msync", "full")
