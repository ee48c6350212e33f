"""The Alpha guest (Alpha Architecture Handbook, version 4, EC-QD2KC-TE): loads, stores, LDx_L and STx_C, MB and WMB.

Nothing is ordered without a barrier, not even a load after the load from which its address was computed (5.6); the host
memories here keep that order. All accesses must be aligned. LDL and LDL_L sign-extend to the 8 bytes of a register.
STx_C returns 1 if it stored and 0 if not. The widths of addresses depend on the implementation.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.guest import form
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.load_store import LoadStoreCpu, extended
from simaie.guest.reservation import Cause, Elsewhere, ReservationRule

__all__ = ["AlphaCpu"]

Loaded = Coroutine[Any, Any, int]
Nothing = Coroutine[Any, Any, None]


class AlphaCpu(LoadStoreCpu):
    """A vCPU of an Alpha guest. In all methods `address` is a guest-virtual address and `value` an unsigned integer."""

    isa: ClassVar[str] = "alpha"
    guarantees: ClassVar[Mapping[str, Guarantee]] = {"": Guarantee(8, 8, 8)}
    #: 4.2.4 and 4.2.5: the locked range has at least 16 bytes, at most a page. A store of another processor to it and
    #: the return from an exception (CALL_PAL REI) clear the lock flag; a load, a store or a taken branch may. A STx_C
    #: elsewhere in the same 16 bytes stores while the flag is set; outside them it is unpredictable.
    reservation: ClassVar[ReservationRule | None] = ReservationRule(
        least=16,
        most=8192,
        must=frozenset({Cause.FOREIGN_STORE, Cause.LOAD_LINKED, Cause.STORE_CONDITIONAL, Cause.EXCEPTION}),
        may=frozenset({Cause.NEIGHBOUR_STORE, Cause.OWN_STORE}),
        other_address=Elsewhere.BLOCK,
        other_width=Elsewhere.BLOCK,
    )
    forms: ClassVar[tuple[form.Form, ...]] = (
        *form.load_store(("ldl", "stl", 4), ("ldbu", "stb", 1), ("ldwu", "stw", 2), ("ldq", "stq", 8), aligned=True),
        *form.pair("ldl_l", "stl_c", 4),
        *form.pair("ldq_l", "stq_c", 8),
        form.Form("fence", "mb"),
        form.Form("fence", "wmb"),
    )

    def ldbu(self, address: int) -> Loaded:
        """Load an unsigned byte: LDBU."""
        return self._load("ldbu", address, 1)

    def ldwu(self, address: int) -> Loaded:
        """Load 2 bytes, unsigned: LDWU."""
        return self._load("ldwu", address, 2, alignment=2)

    def ldl(self, address: int) -> Loaded:
        """Load 4 bytes, signed: LDL."""
        return self._load_signed("ldl", address, 4, alignment=4)

    def ldq(self, address: int) -> Loaded:
        """Load 8 bytes: LDQ."""
        return self._load("ldq", address, 8, alignment=8)

    def ldq_u(self, address: int) -> Loaded:
        """Load the 8 aligned bytes in which `address` lies: LDQ_U."""
        return self._load("ldq_u", address & ~7, 8)

    def stb(self, address: int, value: int) -> Nothing:
        """Store a byte: STB."""
        return self._store("stb", address, value, 1)

    def stw(self, address: int, value: int) -> Nothing:
        """Store 2 bytes: STW."""
        return self._store("stw", address, value, 2, alignment=2)

    def stl(self, address: int, value: int) -> Nothing:
        """Store 4 bytes: STL."""
        return self._store("stl", address, value, 4, alignment=4)

    def stq(self, address: int, value: int) -> Nothing:
        """Store 8 bytes: STQ."""
        return self._store("stq", address, value, 8, alignment=8)

    def stq_u(self, address: int, value: int) -> Nothing:
        """Store to the 8 aligned bytes in which `address` lies: STQ_U."""
        return self._store("stq_u", address & ~7, value, 8)

    # -- load locked and store conditional ------------------------------------------------------

    async def ldl_l(self, address: int) -> int:
        """Load and reserve 4 bytes: LDL_L."""
        return extended(await self._load_linked("ldl_l", address, 4), 4)

    def ldq_l(self, address: int) -> Loaded:
        """Load and reserve 8 bytes: LDQ_L."""
        return self._load_linked("ldq_l", address, 8)

    async def stl_c(self, address: int, value: int) -> int:
        """Store 4 bytes if the reservation holds; return 1 if it stored, 0 if not: STL_C."""
        return int(await self._store_conditional("stl_c", address, value, 4))

    async def stq_c(self, address: int, value: int) -> int:
        """Store 8 bytes if the reservation holds; return 1 if it stored, 0 if not: STQ_C."""
        return int(await self._store_conditional("stq_c", address, value, 8))

    # -- barriers -----------------------------------------------------------------------------

    def mb(self) -> Nothing:
        """Order all accesses: MB."""
        return self._fence("mb", "full")

    def wmb(self) -> Nothing:
        """Order stores: WMB."""
        return self._fence("wmb", "st-st")
