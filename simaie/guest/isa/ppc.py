"""The 64-bit POWER guest (Power ISA, books I and II): loads, stores, reservations in four sizes, and barriers.

LARX and STCX must be aligned (book II, 1.7.2.1); plain accesses need not be. STCX returns 1 when it stored and 0 when
not: what it puts in CR0.EQ. The machine says in which order the bytes lie; plain values do not depend on it.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.load_store import LoadStoreCpu
from simaie.guest.reservation import Cause, Elsewhere, ReservationRule

__all__ = ["PpcCpu"]

Loaded = Coroutine[Any, Any, int]
Nothing = Coroutine[Any, Any, None]


class PpcCpu(LoadStoreCpu):
    """A vCPU of a POWER guest."""

    isa: ClassVar[str] = "ppc"
    guarantees: ClassVar[Mapping[str, Guarantee]] = {"": Guarantee(8, 8, 8)}
    #: Book II, 1.7.3 and 4.6.2: the granule has 16 bytes or more (the book sets no upper bound, here it is a page). Any
    #: STCX clears the reservation; an interrupt does not, the operating system executes a STCX for that. Whether a STCX
    #: to another real address, or of another length, stores is undefined if there is a reservation.
    reservation: ClassVar[ReservationRule | None] = ReservationRule(
        least=16,
        most=4096,
        must=frozenset({Cause.FOREIGN_STORE, Cause.LOAD_LINKED, Cause.STORE_CONDITIONAL}),
        may=frozenset({Cause.NEIGHBOUR_STORE, Cause.OWN_STORE, Cause.EXCEPTION}),
        other_address=Elsewhere.RESERVED,
        other_width=Elsewhere.RESERVED,
        physical=True,
    )

    def lbz(self, address: int) -> Loaded:
        """LBZ: a byte."""
        return self._load("lbz", address, 1)

    def lhz(self, address: int) -> Loaded:
        """LHZ: 2 bytes."""
        return self._load("lhz", address, 2)

    def lha(self, address: int) -> Loaded:
        """LHA: 2 bytes, their sign extended to 8."""
        return self._load_signed("lha", address, 2)

    def lwz(self, address: int) -> Loaded:
        """LWZ: 4 bytes."""
        return self._load("lwz", address, 4)

    def lwa(self, address: int) -> Loaded:
        """LWA: 4 bytes, their sign extended to 8."""
        return self._load_signed("lwa", address, 4)

    def ld(self, address: int) -> Loaded:
        """LD: 8 bytes."""
        return self._load("ld", address, 8)

    def stb(self, address: int, value: int) -> Nothing:
        """STB: store a byte."""
        return self._store("stb", address, value, 1)

    def sth(self, address: int, value: int) -> Nothing:
        """STH: store 2 bytes."""
        return self._store("sth", address, value, 2)

    def stw(self, address: int, value: int) -> Nothing:
        """STW: store 4 bytes."""
        return self._store("stw", address, value, 4)

    def std(self, address: int, value: int) -> Nothing:
        """STD: store 8 bytes."""
        return self._store("std", address, value, 8)

    # -- reservations -------------------------------------------------------------------------

    def lbarx(self, address: int) -> Loaded:
        """LBARX: load a byte, and reserve for this vCPU."""
        return self._load_linked("lbarx", address, 1)

    def lharx(self, address: int) -> Loaded:
        """LHARX: 2 bytes."""
        return self._load_linked("lharx", address, 2)

    def lwarx(self, address: int) -> Loaded:
        """LWARX: 4 bytes."""
        return self._load_linked("lwarx", address, 4)

    def ldarx(self, address: int) -> Loaded:
        """LDARX: 8 bytes."""
        return self._load_linked("ldarx", address, 8)

    async def stbcx(self, address: int, value: int) -> int:
        """STBCX.: store a byte if the reservation still stands. Returns CR0.EQ: 1 if it stored, 0 if not."""
        return int(await self._store_conditional("stbcx.", address, value, 1))

    async def sthcx(self, address: int, value: int) -> int:
        """STHCX.: 2 bytes."""
        return int(await self._store_conditional("sthcx.", address, value, 2))

    async def stwcx(self, address: int, value: int) -> int:
        """STWCX.: 4 bytes."""
        return int(await self._store_conditional("stwcx.", address, value, 4))

    async def stdcx(self, address: int, value: int) -> int:
        """STDCX.: 8 bytes."""
        return int(await self._store_conditional("stdcx.", address, value, 8))

    # -- barriers -----------------------------------------------------------------------------

    def sync(self) -> Nothing:
        """SYNC (HWSYNC): orders everything."""
        return self._fence("sync", "full")

    def lwsync(self) -> Nothing:
        """LWSYNC: orders everything but a store before a load."""
        return self._fence("lwsync", "ld-ld+ld-st+st-st")

    def eieio(self) -> Nothing:
        """EIEIO: of ordinary memory, orders stores."""
        return self._fence("eieio", "st-st")

    def isync(self) -> Nothing:
        """ISYNC: an instruction barrier, which by itself orders no data."""
        return self._no_access("isync")
