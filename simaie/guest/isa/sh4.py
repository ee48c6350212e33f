"""The SuperH guest, SH-4A (SH-4A Software Manual, REJ09B0003): MOVLI.L and MOVCO.L, TAS.B, SYNCO.

Plain accesses are `load` and `store`. The byte order is set at reset; little-endian is usual. The manual defines no
memory order among several processors; here nothing is ordered without SYNCO.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.guest import form
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.load_store import LoadStoreCpu
from simaie.guest.reservation import Cause, Elsewhere, ReservationRule

__all__ = ["Sh4Cpu"]

_WIDTHS = (4, 1, 2)


class Sh4Cpu(LoadStoreCpu):
    """A vCPU of an SH-4A guest. In all methods `address` is a guest-virtual address."""

    isa: ClassVar[str] = "sh4"
    address_bits: ClassVar[tuple[int, int]] = (32, 32)
    register_width: ClassVar[int] = 4
    guarantees: ClassVar[Mapping[str, Guarantee]] = {"": Guarantee(4, 4, 4)}
    #: Descriptions of MOVLI and MOVCO: an interrupt or exception clears the flag LDST, and so does MOVCO; MOVCO stores
    #: if LDST is set, and compares no address. The manual describes a single processor. That a store of another
    #: processor clears the flag is assumed, since operating systems for several of them rely on it; the granule is not
    #: known, and is bounded by a page here.
    reservation: ClassVar[ReservationRule | None] = ReservationRule(
        least=4,
        most=4096,
        must=frozenset({Cause.FOREIGN_STORE, Cause.LOAD_LINKED, Cause.STORE_CONDITIONAL, Cause.EXCEPTION}),
        may=frozenset({Cause.NEIGHBOUR_STORE, Cause.OWN_STORE}),
        other_address=Elsewhere.RESERVED,
        other_width=Elsewhere.RESERVED,
    )
    forms: ClassVar[tuple[form.Form, ...]] = (
        form.load("load", *_WIDTHS),
        form.store("store", *_WIDTHS),
        *form.pair("movli_l", "movco_l", 4),
        form.atomic("tas_b", 0, 1),
        form.Form("fence", "synco"),
    )

    def movli_l(self, address: int) -> Coroutine[Any, Any, int]:
        """Load and reserve 4 bytes: MOVLI.L."""
        return self._load_linked("movli.l", address, 4)

    async def movco_l(self, address: int, value: int) -> int:
        """Store 4 bytes if the reservation holds; return the bit T, 1 if it stored, 0 if not: MOVCO.L."""
        return int(await self._store_conditional("movco.l", address, value, 4))

    async def tas_b(self, address: int) -> int:
        """Set the highest bit of a byte; return the bit T, 1 if the byte was 0: TAS.B."""
        return int(await self._atomic("tas.b", "or", address, 0x80, 1) == 0)

    def synco(self) -> Coroutine[Any, Any, None]:
        """Order all accesses: SYNCO."""
        return self._fence("synco", "full")
