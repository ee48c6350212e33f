"""The MIPS guest, MIPS64 (MIPS Architecture for Programmers, volume II-A, MD00087): loads, stores, LL/SC and SYNC.

LL and SC must be aligned; plain accesses may be unaligned, as in Release 6. Like the instruction, SC returns 1 if it
stored and 0 if not. A value loaded into a register is sign-extended to its 8 bytes, except by LBU, LHU and LWU.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.guest import form
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.load_store import LoadStoreCpu, extended
from simaie.guest.reservation import Cause, Elsewhere, ReservationRule

__all__ = ["SYNC_TYPES", "MipsCpu"]

#: The stype field of SYNC -> what it orders (table 6.6 of the manual); any other is a SYNC 0, as the manual requires.
SYNC_TYPES = {
    0x00: "full",
    0x04: "st-st",  # SYNC_WMB
    0x10: "full",  # SYNC_MB
    0x11: "ld-ld+ld-st",  # SYNC_ACQUIRE
    0x12: "ld-st+st-st",  # SYNC_RELEASE
    0x13: "ld-ld",  # SYNC_RMB
}

Loaded = Coroutine[Any, Any, int]
Nothing = Coroutine[Any, Any, None]


class MipsCpu(LoadStoreCpu):
    """A vCPU of a MIPS64 guest. In all methods `address` is a guest-virtual address and `value` an unsigned integer."""

    isa: ClassVar[str] = "mips"
    address_bits: ClassVar[tuple[int, int]] = (48, 52)
    guarantees: ClassVar[Mapping[str, Guarantee]] = {"": Guarantee(8, 16, 16)}  # 16 bytes: LLDP, SCDP
    #: Volume II-A, "LL" and "SC": a coherent store to the block of synchronizable memory (at least a word, at most a
    #: page) and an ERET make the SC fail; the vCPU's own memory access in between may. An SC to another address,
    #: virtual or physical, or of another size is unpredictable.
    reservation: ClassVar[ReservationRule | None] = ReservationRule(
        least=4,
        most=4096,
        must=frozenset({Cause.FOREIGN_STORE, Cause.LOAD_LINKED, Cause.STORE_CONDITIONAL, Cause.EXCEPTION}),
        may=frozenset({Cause.NEIGHBOUR_STORE, Cause.OWN_STORE}),
        other_address=Elsewhere.UNPREDICTABLE,
        other_width=Elsewhere.UNPREDICTABLE,
    )
    forms: ClassVar[tuple[form.Form, ...]] = (
        *form.load_store(("lw", "sw", 4), ("lb", "sb", 1), ("lh", "sh", 2), ("ld", "sd", 8)),
        *form.pair("ll", "sc", 4),
        *form.pair("lld", "scd", 8),
        form.Form("fence", "sync"),
    )

    def lb(self, address: int) -> Loaded:
        """Load a signed byte: LB."""
        return self._load_signed("lb", address, 1)

    def lh(self, address: int) -> Loaded:
        """Load 2 bytes, signed: LH."""
        return self._load_signed("lh", address, 2)

    def lw(self, address: int) -> Loaded:
        """Load 4 bytes, signed: LW."""
        return self._load_signed("lw", address, 4)

    def ld(self, address: int) -> Loaded:
        """Load 8 bytes: LD."""
        return self._load("ld", address, 8)

    def lbu(self, address: int) -> Loaded:
        """Load an unsigned byte: LBU."""
        return self._load("lbu", address, 1)

    def lhu(self, address: int) -> Loaded:
        """Load 2 bytes, unsigned: LHU."""
        return self._load("lhu", address, 2)

    def lwu(self, address: int) -> Loaded:
        """Load 4 bytes, unsigned: LWU."""
        return self._load("lwu", address, 4)

    def sb(self, address: int, value: int) -> Nothing:
        """Store a byte: SB."""
        return self._store("sb", address, value, 1)

    def sh(self, address: int, value: int) -> Nothing:
        """Store 2 bytes: SH."""
        return self._store("sh", address, value, 2)

    def sw(self, address: int, value: int) -> Nothing:
        """Store 4 bytes: SW."""
        return self._store("sw", address, value, 4)

    def sd(self, address: int, value: int) -> Nothing:
        """Store 8 bytes: SD."""
        return self._store("sd", address, value, 8)

    # -- LL and SC ----------------------------------------------------------------------------

    async def ll(self, address: int) -> int:
        """Load and reserve 4 bytes: LL."""
        return extended(await self._load_linked("ll", address, 4), 4)

    def lld(self, address: int) -> Loaded:
        """Load and reserve 8 bytes: LLD."""
        return self._load_linked("lld", address, 8)

    async def sc(self, address: int, value: int) -> int:
        """Store 4 bytes if the reservation holds; return 1 if it stored, 0 if not: SC."""
        return int(await self._store_conditional("sc", address, value, 4))

    async def scd(self, address: int, value: int) -> int:
        """Store 8 bytes if the reservation holds; return 1 if it stored, 0 if not: SCD."""
        return int(await self._store_conditional("scd", address, value, 8))

    def llwp(self, address: int) -> Loaded:
        """Load and reserve two words, 8 bytes as one number (Release 6): LLWP."""
        return self._load_linked("llwp", address, 8)

    async def scwp(self, address: int, value: int) -> int:
        """Store two words, 8 bytes, if the reservation holds; return 1 if it stored, 0 if not (Release 6): SCWP."""
        return int(await self._store_conditional("scwp", address, value, 8))

    def lldp(self, address: int) -> Loaded:
        """Load and reserve two doublewords, 16 bytes as one number (Release 6): LLDP."""
        return self._load_linked("lldp", address, 16)

    async def scdp(self, address: int, value: int) -> int:
        """Store two doublewords, 16 bytes, if the reservation holds; return 1 if it stored, 0 if not: SCDP."""
        return int(await self._store_conditional("scdp", address, value, 16))

    # -- barriers and hints -------------------------------------------------------------------

    def sync(self, stype: int = 0) -> Nothing:
        """Order the accesses that `stype` names, by default all: SYNC; see `SYNC_TYPES`."""
        return self._fence("sync", SYNC_TYPES.get(stype, "full"))

    def pause(self) -> Nothing:
        """Hint that this vCPU spins until its reservation ends: PAUSE."""
        return self._hint("pause")
