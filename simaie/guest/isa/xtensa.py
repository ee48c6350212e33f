"""The Xtensa guest (Xtensa Instruction Set Architecture Reference Manual): S32C1I, L32EX and S32EX, L32AI, S32RI, MEMW.

S32C1I belongs to the conditional store option, L32AI and S32RI to the multiprocessor synchronization option, and L32EX,
S32EX and CLREX to the exclusive store option. The byte order is configured; little-endian is usual. All accesses must
be aligned. The manual lets S32C1I that does not store return the complement of the old value on some implementations;
here it returns the old value.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.guest import form
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.load_store import LoadStoreCpu
from simaie.guest.reservation import Cause, Elsewhere, ReservationRule
from simaie.op import Order

__all__ = ["XtensaCpu"]

Loaded = Coroutine[Any, Any, int]
Nothing = Coroutine[Any, Any, None]


class XtensaCpu(LoadStoreCpu):
    """A vCPU of an Xtensa guest. In all methods `address` is a guest-virtual address, `value` an unsigned integer."""

    isa: ClassVar[str] = "xtensa"
    address_bits: ClassVar[tuple[int, int]] = (32, 32)
    register_width: ClassVar[int] = 4
    guarantees: ClassVar[Mapping[str, Guarantee]] = {"": Guarantee(4, 4, 4)}
    #: The monitor of the exclusive store option is outside the processor, and the manual leaves its granule and its
    #: treatment of other addresses to the system. Whether an exception clears it is not known.
    reservation: ClassVar[ReservationRule | None] = ReservationRule(
        least=4,
        most=4096,
        must=frozenset({Cause.FOREIGN_STORE, Cause.LOAD_LINKED, Cause.STORE_CONDITIONAL, Cause.CLEAR}),
        may=frozenset({Cause.NEIGHBOUR_STORE, Cause.OWN_STORE, Cause.EXCEPTION}),
        other_address=Elsewhere.UNPREDICTABLE,
        other_width=Elsewhere.UNPREDICTABLE,
    )
    forms: ClassVar[tuple[form.Form, ...]] = (
        *form.load_store(("l32i", "s32i", 4), ("l8ui", "s8i", 1), ("l16ui", "s16i", 2), aligned=True),
        *form.pair("l32ex", "s32ex", 4),
        form.Form("clear", "clrex"),
        form.atomic("s32c1i", 2, 4, kind="compare"),
        form.load("l32ai", 4, kind="acquire", aligned=True),
        form.store("s32ri", 4, kind="release", aligned=True),
        form.Form("fence", "memw"),
    )

    def l8ui(self, address: int) -> Loaded:
        """Load an unsigned byte: L8UI."""
        return self._load("l8ui", address, 1)

    def l16ui(self, address: int) -> Loaded:
        """Load 2 bytes, unsigned: L16UI."""
        return self._load("l16ui", address, 2, alignment=2)

    def l16si(self, address: int) -> Loaded:
        """Load 2 bytes, signed: L16SI."""
        return self._load_signed("l16si", address, 2, alignment=2)

    def l32i(self, address: int) -> Loaded:
        """Load 4 bytes: L32I."""
        return self._load("l32i", address, 4, alignment=4)

    def s8i(self, address: int, value: int) -> Nothing:
        """Store a byte: S8I."""
        return self._store("s8i", address, value, 1)

    def s16i(self, address: int, value: int) -> Nothing:
        """Store 2 bytes: S16I."""
        return self._store("s16i", address, value, 2, alignment=2)

    def s32i(self, address: int, value: int) -> Nothing:
        """Store 4 bytes: S32I."""
        return self._store("s32i", address, value, 4, alignment=4)

    # -- synchronization ----------------------------------------------------------------------

    def s32c1i(self, address: int, scompare1: int, value: int) -> Loaded:
        """Store `value` if the 4 bytes hold what SCOMPARE1 holds; return the old value: S32C1I."""
        return self._compare_and_swap("s32c1i", address, scompare1, value, 4)

    def l32ai(self, address: int) -> Loaded:
        """Load-acquire 4 bytes: L32AI."""
        return self._load("l32ai", address, 4, Order.ACQUIRE, 4)

    def s32ri(self, address: int, value: int) -> Nothing:
        """Store-release 4 bytes: S32RI."""
        return self._store("s32ri", address, value, 4, Order.RELEASE, 4)

    def l32ex(self, address: int) -> Loaded:
        """Load and reserve 4 bytes: L32EX."""
        return self._load_linked("l32ex", address, 4)

    async def s32ex(self, address: int, value: int) -> int:
        """Store 4 bytes if the reservation holds; return what GETEX reads, 1 if it stored, 0 if not: S32EX."""
        return int(await self._store_conditional("s32ex", address, value, 4))

    def clrex(self) -> Nothing:
        """Drop the vCPU's reservation: CLREX."""
        return self._clear_exclusive("clrex")

    def memw(self) -> Nothing:
        """Order all accesses: MEMW."""
        return self._fence("memw", "full")

    def extw(self) -> Nothing:
        """Order all accesses and wait for their effects outside the processor: EXTW."""
        return self._fence("extw", "full")
