"""The 32-bit Arm guest (Arm ARM, DDI 0406C; DDI 0487 for Armv8): LL/SC in all sizes, SWP, barriers and hints.

Of Armv8 there are LDA, STL, LDAEX and STLEX.

Exclusive and swap accesses must be aligned (A3.2.1); plain LDR and STR may be unaligned.
Like the instruction, STREX returns 0 if it stored and 1 if it did not.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.guest import form
from simaie.guest.cpu import check_width
from simaie.guest.function import rmw
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.arm_barriers import ordered_by
from simaie.guest.isa.arm_events import ArmEvents
from simaie.guest.operands import accepts, has_widths
from simaie.guest.reservation import Cause, Elsewhere, ReservationRule
from simaie.op import Order
from simaie.trace import AccessKind

__all__ = ["ArmCpu"]

_WIDTHS = (1, 2, 4, 8)
_LOW = (1, 2, 4)
_SWAPS = (1, 4)
_SUFFIX = {1: "b", 2: "h", 4: "", 8: "d"}


class ArmCpu(ArmEvents):
    """A vCPU of an ARMv7-A guest.

    In all methods `address` is a guest-virtual address, `value` an unsigned integer, and `width` the width in bytes.
    """

    isa: ClassVar[str] = "arm"
    address_bits: ClassVar[tuple[int, int]] = (32, 40)
    register_width: ClassVar[int] = 4
    guarantees: ClassVar[Mapping[str, Guarantee]] = {"": Guarantee(4, 8, 8), "lpae": Guarantee(8, 8, 8)}
    #: DDI 0406C, A3.4: a CLREX and any STREX open the local monitor. An exception need not: the operating system opens
    #: it on a context switch (A3.4.4). A STREX to another address, or of another size, is unpredictable (A3.4.5).
    reservation: ClassVar[ReservationRule | None] = ReservationRule(
        least=8,
        most=2048,
        must=frozenset({Cause.FOREIGN_STORE, Cause.LOAD_LINKED, Cause.STORE_CONDITIONAL, Cause.CLEAR}),
        may=frozenset({Cause.NEIGHBOUR_STORE, Cause.OWN_STORE, Cause.EXCEPTION}),
        other_address=Elsewhere.UNPREDICTABLE,
        other_width=Elsewhere.UNPREDICTABLE,
    )
    forms: ClassVar[tuple[form.Form, ...]] = (
        form.load("ldr", *form.ANY_WIDTH),
        form.store("str_", *form.ANY_WIDTH),
        *form.pair("ldrex", "strex", *form.ANY_WIDTH),
        form.Form("clear", "clrex"),
        form.atomic("swp", 1, 4, 1),
        form.Form("fence", "dmb"),
    )

    @has_widths(*_WIDTHS)
    def ldr(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Load: LDR, LDRB, LDRH or LDRD by width."""
        check_width(width, _WIDTHS)
        body = self._scheme.load(self, address, width)
        return self._access(f"ldr{_SUFFIX[width]}", AccessKind.LOAD, address, width, body)

    @has_widths(*_WIDTHS)
    def str_(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, None]:
        """Store: STR, STRB, STRH or STRD by width."""
        check_width(width, _WIDTHS)
        body = self._scheme.store(self, address, width, value)
        return self._access(f"str{_SUFFIX[width]}", AccessKind.STORE, address, width, body, 1, value)

    # -- exclusives ---------------------------------------------------------------------------

    @has_widths(*_WIDTHS)
    def ldrex(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Load and reserve: LDREX, LDREXB, LDREXH or LDREXD by width."""
        check_width(width, _WIDTHS)
        body = self._scheme.load_linked(self, address, width)
        return self._access(f"ldrex{_SUFFIX[width]}", AccessKind.LOAD_LINKED, address, width, body, width)

    @has_widths(*_WIDTHS)
    async def strex(self, address: int, value: int, *, width: int = 4) -> int:
        """Store if the reservation holds; return 0 if it stored, 1 if not: STREX, STREXB, STREXH or STREXD by width."""
        check_width(width, _WIDTHS)
        body = self._scheme.store_conditional(self, address, width, value)
        name = f"strex{_SUFFIX[width]}"
        stored: bool = await self._access(name, AccessKind.STORE_CONDITIONAL, address, width, body, width, value)
        return 1 - stored

    def ldrexb(self, address: int) -> Coroutine[Any, Any, int]:
        """Load and reserve 1 byte: LDREXB."""
        return self.ldrex(address, width=1)

    def ldrexh(self, address: int) -> Coroutine[Any, Any, int]:
        """Load and reserve 2 bytes: LDREXH."""
        return self.ldrex(address, width=2)

    def ldrexd(self, address: int) -> Coroutine[Any, Any, int]:
        """Load and reserve 8 bytes: LDREXD."""
        return self.ldrex(address, width=8)

    def strexb(self, address: int, value: int) -> Coroutine[Any, Any, int]:
        """Store 1 byte if the reservation holds; return 0 if it stored, 1 if not: STREXB."""
        return self.strex(address, value, width=1)

    def strexh(self, address: int, value: int) -> Coroutine[Any, Any, int]:
        """Store 2 bytes if the reservation holds; return 0 if it stored, 1 if not: STREXH."""
        return self.strex(address, value, width=2)

    def strexd(self, address: int, value: int) -> Coroutine[Any, Any, int]:
        """Store 8 bytes if the reservation holds; return 0 if it stored, 1 if not: STREXD."""
        return self.strex(address, value, width=8)

    def clrex(self) -> Coroutine[Any, Any, None]:
        """Drop the vCPU's reservation: CLREX."""
        return self._clear_exclusive("clrex")

    # -- acquire and release (Armv8) ----------------------------------------------------------

    @has_widths(*_LOW)
    def lda(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Load-acquire, also ordered after the vCPU's own store-releases (RCsc): LDA, LDAB or LDAH by width."""
        check_width(width, _LOW)
        return self._load(f"lda{_SUFFIX[width]}", address, width, Order.SEQ_CST, width)

    @has_widths(*_LOW)
    def stl(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, None]:
        """Store-release: STL, STLB or STLH by width."""
        check_width(width, _LOW)
        return self._store(f"stl{_SUFFIX[width]}", address, value, width, Order.RELEASE, width)

    @has_widths(*_WIDTHS)
    def ldaex(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Load-acquire and reserve: LDAEX, LDAEXB, LDAEXH or LDAEXD by width."""
        check_width(width, _WIDTHS)
        return self._load_linked(f"ldaex{_SUFFIX[width]}", address, width, Order.ACQUIRE)

    @has_widths(*_WIDTHS)
    async def stlex(self, address: int, value: int, *, width: int = 4) -> int:
        """Store-release if the reservation holds; return 0 if it stored, 1 if not: STLEX, STLEXB, STLEXH or STLEXD."""
        check_width(width, _WIDTHS)
        return 1 - await self._store_conditional(f"stlex{_SUFFIX[width]}", address, value, width, Order.RELEASE)

    # -- swap ---------------------------------------------------------------------------------

    @has_widths(*_SWAPS)
    def swp(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Exchange the location with `value`; return the old value: SWP, or SWPB with ``width=1``."""
        check_width(width, _SWAPS)
        update = rmw("swap", value, width)
        body = self._scheme.atomic_rmw(self, address, width, update)
        return self._access("swpb" if width == 1 else "swp", AccessKind.ATOMIC, address, width, body, width, update)

    def swpb(self, address: int, value: int) -> Coroutine[Any, Any, int]:
        """Exchange one byte with `value`; return the old value: SWPB."""
        return self.swp(address, value, width=1)

    # -- barriers and hints -------------------------------------------------------------------

    @accepts(lambda kind: _orders(kind))
    def dmb(self, kind: str = "full") -> Coroutine[Any, Any, None]:
        """Issue a data memory barrier: DMB; `kind` is ``"full"``, ``"store"`` or an option (``"ishst"``)."""
        return self._fence("dmb", _orders(kind))

    @accepts(lambda kind: _orders(kind))
    def dsb(self, kind: str = "full") -> Coroutine[Any, Any, None]:
        """Issue a data synchronization barrier: DSB; for data accesses it is equal to DMB."""
        return self._fence("dsb", _orders(kind))

    def isb(self) -> Coroutine[Any, Any, None]:
        """Issue an instruction barrier, which by itself orders no data: ISB."""
        return self._context_barrier("isb")

    def yield_(self) -> Coroutine[Any, Any, None]:
        """Hint that other vCPUs should go first: YIELD."""
        return self._hint("yield")


def _orders(kind: str) -> str:
    return ordered_by("st" if kind == "store" else kind)
