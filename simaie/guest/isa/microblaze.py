"""The MicroBlaze guest (MicroBlaze Processor Reference Guide, UG984): LWX and SWX, MBAR.

The processor is in order, so that accesses keep their order. With AXI, as usual today, it is little-endian. All
accesses must be aligned; the guide does not say what LWX and SWX do at another address, except that they raise no
exception for it, where here they fault. SWX returns the carry MSR[C]: 0 if it stored and 1 if not.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.barrier import Barrier
from simaie.guest import form
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.load_store import LoadStoreCpu
from simaie.guest.reservation import Cause, Elsewhere, ReservationRule

__all__ = ["MicroBlazeCpu"]

Loaded = Coroutine[Any, Any, int]
Nothing = Coroutine[Any, Any, None]


class MicroBlazeCpu(LoadStoreCpu):
    """A vCPU of a MicroBlaze guest.

    In all methods `address` is a guest-virtual address and `value` an unsigned integer.
    """

    isa: ClassVar[str] = "microblaze"
    address_bits: ClassVar[tuple[int, int]] = (32, 32)
    register_width: ClassVar[int] = 4
    memory_order: ClassVar[Barrier] = Barrier.FULL
    memory_model: ClassVar[str | None] = "sc"
    guarantees: ClassVar[Mapping[str, Guarantee]] = {"": Guarantee(4, 4, 4)}
    #: Chapter 2, "Semaphore Synchronization": the granule is a word. A SWX stores while there is a reservation, even to
    #: another address, and always clears it; so do interrupts, exceptions and breaks.
    reservation: ClassVar[ReservationRule | None] = ReservationRule(
        least=4,
        most=4,
        must=frozenset({Cause.FOREIGN_STORE, Cause.LOAD_LINKED, Cause.STORE_CONDITIONAL, Cause.EXCEPTION}),
        may=frozenset({Cause.NEIGHBOUR_STORE, Cause.OWN_STORE}),
        other_address=Elsewhere.RESERVED,
        other_width=Elsewhere.RESERVED,
    )
    forms: ClassVar[tuple[form.Form, ...]] = (
        *form.load_store(("lw", "sw", 4), ("lbu", "sb", 1), ("lhu", "sh", 2), aligned=True),
        *form.pair("lwx", "swx", 4),
        form.Form("fence", "mbar"),
    )

    def lbu(self, address: int) -> Loaded:
        """Load an unsigned byte: LBU."""
        return self._load("lbu", address, 1)

    def lhu(self, address: int) -> Loaded:
        """Load 2 bytes, unsigned: LHU."""
        return self._load("lhu", address, 2, alignment=2)

    def lw(self, address: int) -> Loaded:
        """Load 4 bytes: LW."""
        return self._load("lw", address, 4, alignment=4)

    def sb(self, address: int, value: int) -> Nothing:
        """Store a byte: SB."""
        return self._store("sb", address, value, 1)

    def sh(self, address: int, value: int) -> Nothing:
        """Store 2 bytes: SH."""
        return self._store("sh", address, value, 2, alignment=2)

    def sw(self, address: int, value: int) -> Nothing:
        """Store 4 bytes: SW."""
        return self._store("sw", address, value, 4, alignment=4)

    def lwx(self, address: int) -> Loaded:
        """Load and reserve 4 bytes: LWX."""
        return self._load_linked("lwx", address, 4)

    async def swx(self, address: int, value: int) -> int:
        """Store 4 bytes if the reservation holds; return the carry, 0 if it stored, 1 if not: SWX."""
        return 1 - await self._store_conditional("swx", address, value, 4)

    def mbar(self) -> Nothing:
        """Wait for all earlier accesses: MBAR."""
        return self._fence("mbar", "full")
