"""The 64-bit POWER guest (Power ISA, books I and II): loads, stores, reservations in four sizes, and barriers.

LARX and STCX must be aligned (book II, 1.7.2.1); plain accesses may be unaligned. STCX returns what it puts in CR0.EQ:
1 if it stored and 0 if not. The machine defines the byte order; plain values do not depend on it.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.guest import form
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.load_store import LoadStoreCpu
from simaie.guest.reservation import Cause, Elsewhere, ReservationRule

__all__ = ["PpcCpu"]

Loaded = Coroutine[Any, Any, int]
Nothing = Coroutine[Any, Any, None]


class PpcCpu(LoadStoreCpu):
    """A vCPU of a POWER guest. In all methods `address` is a guest-virtual address and `value` an unsigned integer."""

    isa: ClassVar[str] = "ppc"
    guarantees: ClassVar[Mapping[str, Guarantee]] = {"": Guarantee(8, 8, 8)}
    #: Book II, 1.7.3 and 4.6.2: the granule has 16 bytes or more (the book sets no upper bound; here it is a page). Any
    #: STCX clears the reservation; an interrupt does not, so the operating system executes a STCX for that. Whether a
    #: STCX to another real address, or of another length, stores is undefined if there is a reservation.
    reservation: ClassVar[ReservationRule | None] = ReservationRule(
        least=16,
        most=4096,
        must=frozenset({Cause.FOREIGN_STORE, Cause.LOAD_LINKED, Cause.STORE_CONDITIONAL}),
        may=frozenset({Cause.NEIGHBOUR_STORE, Cause.OWN_STORE, Cause.EXCEPTION}),
        other_address=Elsewhere.RESERVED,
        other_width=Elsewhere.RESERVED,
        physical=True,
    )
    forms: ClassVar[tuple[form.Form, ...]] = (
        *form.load_store(("lwz", "stw", 4), ("lbz", "stb", 1), ("lhz", "sth", 2), ("ld", "std", 8)),
        *form.pair("lwarx", "stwcx", 4),
        *form.pair("lbarx", "stbcx", 1),
        *form.pair("lharx", "sthcx", 2),
        *form.pair("ldarx", "stdcx", 8),
        form.Form("fence", "sync"),
        form.Form("fence", "lwsync"),
    )

    def lbz(self, address: int) -> Loaded:
        """Load a byte: LBZ."""
        return self._load("lbz", address, 1)

    def lhz(self, address: int) -> Loaded:
        """Load 2 bytes: LHZ."""
        return self._load("lhz", address, 2)

    def lha(self, address: int) -> Loaded:
        """Load 2 bytes, sign-extended to 8: LHA."""
        return self._load_signed("lha", address, 2)

    def lwz(self, address: int) -> Loaded:
        """Load 4 bytes: LWZ."""
        return self._load("lwz", address, 4)

    def lwa(self, address: int) -> Loaded:
        """Load 4 bytes, sign-extended to 8: LWA."""
        return self._load_signed("lwa", address, 4)

    def ld(self, address: int) -> Loaded:
        """Load 8 bytes: LD."""
        return self._load("ld", address, 8)

    def stb(self, address: int, value: int) -> Nothing:
        """Store a byte: STB."""
        return self._store("stb", address, value, 1)

    def sth(self, address: int, value: int) -> Nothing:
        """Store 2 bytes: STH."""
        return self._store("sth", address, value, 2)

    def stw(self, address: int, value: int) -> Nothing:
        """Store 4 bytes: STW."""
        return self._store("stw", address, value, 4)

    def std(self, address: int, value: int) -> Nothing:
        """Store 8 bytes: STD."""
        return self._store("std", address, value, 8)

    # -- reservations -------------------------------------------------------------------------

    def lbarx(self, address: int) -> Loaded:
        """Load and reserve a byte: LBARX."""
        return self._load_linked("lbarx", address, 1)

    def lharx(self, address: int) -> Loaded:
        """Load and reserve 2 bytes: LHARX."""
        return self._load_linked("lharx", address, 2)

    def lwarx(self, address: int) -> Loaded:
        """Load and reserve 4 bytes: LWARX."""
        return self._load_linked("lwarx", address, 4)

    def ldarx(self, address: int) -> Loaded:
        """Load and reserve 8 bytes: LDARX."""
        return self._load_linked("ldarx", address, 8)

    async def stbcx(self, address: int, value: int) -> int:
        """Store a byte if the reservation holds; return CR0.EQ, 1 if it stored, 0 if not: STBCX."""
        return int(await self._store_conditional("stbcx.", address, value, 1))

    async def sthcx(self, address: int, value: int) -> int:
        """Store 2 bytes if the reservation holds; return CR0.EQ, 1 if it stored, 0 if not: STHCX."""
        return int(await self._store_conditional("sthcx.", address, value, 2))

    async def stwcx(self, address: int, value: int) -> int:
        """Store 4 bytes if the reservation holds; return CR0.EQ, 1 if it stored, 0 if not: STWCX."""
        return int(await self._store_conditional("stwcx.", address, value, 4))

    async def stdcx(self, address: int, value: int) -> int:
        """Store 8 bytes if the reservation holds; return CR0.EQ, 1 if it stored, 0 if not: STDCX."""
        return int(await self._store_conditional("stdcx.", address, value, 8))

    # -- barriers -----------------------------------------------------------------------------

    def sync(self) -> Nothing:
        """Order all accesses: SYNC (HWSYNC)."""
        return self._fence("sync", "full")

    def lwsync(self) -> Nothing:
        """Order all accesses except a store before a load: LWSYNC."""
        return self._fence("lwsync", "ld-ld+ld-st+st-st")

    def eieio(self) -> Nothing:
        """Order stores to ordinary memory: EIEIO."""
        return self._fence("eieio", "st-st")

    def isync(self) -> Nothing:
        """Issue an instruction barrier, which by itself orders no data: ISYNC."""
        return self._no_access("isync")
