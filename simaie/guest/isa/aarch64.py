"""The 64-bit Arm guest (Arm ARM, DDI 0487): loads and stores, acquire and release, exclusives, pairs, barriers, hints.

The single-instruction atomics of FEAT_LSE are in `aarch64_lse`. Exclusive, atomic, acquire and release accesses must
be aligned (B2.5.2); plain ones need not be. Widths are in bytes; of a pair, that of one half. A pair is one number,
its first register the low half. STXR and its kin return 0 when they stored and 1 when not, as the instruction does.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.guest.cpu import check_width
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.aarch64_lse import LargeSystemExtensions
from simaie.guest.isa.arm_barriers import completed_by, ordered_by
from simaie.guest.reservation import Cause, Elsewhere, ReservationRule
from simaie.op import Order

__all__ = ["AArch64Cpu"]

_WIDTHS = (1, 2, 4, 8)
_PAIRS = (4, 8)
_SUFFIX = {1: "b", 2: "h"}


class AArch64Cpu(LargeSystemExtensions):
    """A vCPU of an Armv8-A guest in AArch64 state."""

    isa: ClassVar[str] = "aarch64"
    #: A pair of two X registers is loaded exclusively as two doublewords, unless FEAT_LSE2 is there.
    guarantees: ClassVar[Mapping[str, Guarantee]] = {"": Guarantee(8, 8, 16), "lse2": Guarantee(16, 16, 16, line=16)}
    #: DDI 0487, B2.12: as in A32, but the return from an exception also clears the local monitor. A store-exclusive to
    #: another address, or of another size, is constrained unpredictable: it passes or fails.
    reservation: ClassVar[ReservationRule | None] = ReservationRule(
        least=16,
        most=2048,
        must=frozenset({
            Cause.FOREIGN_STORE, Cause.LOAD_LINKED, Cause.STORE_CONDITIONAL, Cause.CLEAR, Cause.EXCEPTION
        }),
        may=frozenset({Cause.NEIGHBOUR_STORE, Cause.OWN_STORE}),
        other_address=Elsewhere.UNPREDICTABLE,
        other_width=Elsewhere.UNPREDICTABLE,
    )  # fmt: skip

    # -- plain accesses -----------------------------------------------------------------------

    def ldr(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """LDR, LDRB, LDRH by width."""
        return self._load(_named("ldr", width), address, width)

    def ldrsb(self, address: int, *, register: int = 8) -> Coroutine[Any, Any, int]:
        """LDRSB: a byte, its sign extended to a register of 4 or 8 bytes."""
        return self._load_signed("ldrsb", address, 1, register)

    def ldrsh(self, address: int, *, register: int = 8) -> Coroutine[Any, Any, int]:
        """LDRSH: 2 bytes, their sign extended to a register of 4 or 8 bytes."""
        return self._load_signed("ldrsh", address, 2, register)

    def ldrsw(self, address: int) -> Coroutine[Any, Any, int]:
        """LDRSW: 4 bytes, their sign extended to 8."""
        return self._load_signed("ldrsw", address, 4)

    def str_(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, None]:
        """STR, STRB, STRH by width."""
        return self._store(_named("str", width), address, value, width)

    # -- acquire and release ------------------------------------------------------------------

    def ldar(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """LDAR, LDARB, LDARH: load-acquire, also after the vCPU's own store-releases (RCsc)."""
        return self._load(_named("ldar", width), address, width, Order.SEQ_CST, width)

    def ldapr(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """LDAPR, LDAPRB, LDAPRH: load-acquire that may overtake store-releases (RCpc)."""
        return self._load(_named("ldapr", width), address, width, Order.ACQUIRE, width)

    def stlr(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, None]:
        """STLR, STLRB, STLRH: store-release."""
        return self._store(_named("stlr", width), address, value, width, Order.RELEASE, width)

    # -- exclusives ---------------------------------------------------------------------------

    def ldxr(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """LDXR, LDXRB, LDXRH: load, and reserve for this vCPU."""
        return self._load_linked(_named("ldxr", width), address, width)

    def ldaxr(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """LDAXR, LDAXRB, LDAXRH: the same, acquire."""
        return self._load_linked(_named("ldaxr", width), address, width, Order.ACQUIRE)

    def ldxp(self, address: int, *, width: int = 8) -> Coroutine[Any, Any, int]:
        """LDXP: a pair."""
        return self._load_linked("ldxp", address, _pair(width))

    def ldaxp(self, address: int, *, width: int = 8) -> Coroutine[Any, Any, int]:
        """LDAXP: a pair, acquire."""
        return self._load_linked("ldaxp", address, _pair(width), Order.ACQUIRE)

    async def stxr(self, address: int, value: int, *, width: int = 4) -> int:
        """STXR, STXRB, STXRH: store if the reservation still stands. Returns 0 if it stored, 1 if not."""
        return 1 - await self._store_conditional(_named("stxr", width), address, value, width)

    async def stlxr(self, address: int, value: int, *, width: int = 4) -> int:
        """STLXR, STLXRB, STLXRH: the same, release."""
        return 1 - await self._store_conditional(_named("stlxr", width), address, value, width, Order.RELEASE)

    async def stxp(self, address: int, value: int, *, width: int = 8) -> int:
        """STXP: a pair."""
        return 1 - await self._store_conditional("stxp", address, value, _pair(width))

    async def stlxp(self, address: int, value: int, *, width: int = 8) -> int:
        """STLXP: a pair, release."""
        return 1 - await self._store_conditional("stlxp", address, value, _pair(width), Order.RELEASE)

    def clrex(self) -> Coroutine[Any, Any, None]:
        """CLREX: give up the reservation."""
        return self._clear_exclusive("clrex")

    # -- barriers and hints -------------------------------------------------------------------

    def dmb(self, option: str = "sy") -> Coroutine[Any, Any, None]:
        """DMB: a data memory barrier; `option` is ``"sy"``, ``"ishld"``, ``"st"`` and so on."""
        return self._fence("dmb", ordered_by(option))

    def dsb(self, option: str = "sy") -> Coroutine[Any, Any, None]:
        """DSB: what `option` names, before everything after it; ``"st"`` also keeps stores before later loads."""
        return self._fence("dsb", completed_by(option))

    def isb(self) -> Coroutine[Any, Any, None]:
        """ISB: an instruction barrier, which by itself orders no data."""
        return self._no_access("isb")

    def yield_(self) -> Coroutine[Any, Any, None]:
        """YIELD: a hint that others should go first."""
        return self._hint("yield")

    def wfe(self) -> Coroutine[Any, Any, None]:
        """WFE: a hint that this vCPU waits; it lets others go first."""
        return self._hint("wfe")


def _named(stem: str, width: int) -> str:
    check_width(width, _WIDTHS)
    return stem + _SUFFIX.get(width, "")


def _pair(width: int) -> int:
    """The width of both halves."""
    check_width(width, _PAIRS)
    return 2 * width
