"""The 64-bit Arm guest (Arm ARM, DDI 0487): loads and stores, acquire and release, exclusives, pairs, barriers, hints.

The single-instruction atomics of FEAT_LSE and FEAT_LSE128 are in `aarch64_lse`. Exclusive, atomic, acquire and release
accesses must be aligned (B2.5.2); plain accesses may be unaligned. Widths are in bytes; the width of a pair is that of
one half. A pair is one number whose low half is the first register. Like the instructions, the store-exclusives (STXR,
STLXR, STXP, STLXP) return 0 if they stored and 1 if they did not.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.guest import form
from simaie.guest.cpu import check_width
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.aarch64_lse import LargeSystemExtensions
from simaie.guest.isa.arm_barriers import completed_by, ordered_by
from simaie.guest.isa.arm_events import ArmEvents
from simaie.guest.operands import accepts, has_widths
from simaie.guest.reservation import Cause, Elsewhere, ReservationRule
from simaie.op import Order

__all__ = ["AArch64Cpu"]

_WIDTHS = (1, 2, 4, 8)
_PAIRS = (4, 8)
_SUFFIX = {1: "b", 2: "h"}


class AArch64Cpu(LargeSystemExtensions, ArmEvents):
    """A vCPU of an Armv8-A guest in AArch64 state.

    In all methods `address` is a guest-virtual address, `value` an unsigned integer, and `width` the width in bytes.
    """

    isa: ClassVar[str] = "aarch64"
    memory_model: ClassVar[str | None] = "armv8"
    address_bits: ClassVar[tuple[int, int]] = (48, 52)
    #: A pair of two X registers is loaded exclusively as two doublewords, unless the vCPU has FEAT_LSE2.
    guarantees: ClassVar[Mapping[str, Guarantee]] = {
        "": Guarantee(8, 8, 16), "lse2": Guarantee(16, 16, 16, line=16, pair=16)
    }  # fmt: skip
    pairs: ClassVar[frozenset[str]] = frozenset({"ldp", "stp", "ldiapp", "stilp"})
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
    forms: ClassVar[tuple[form.Form, ...]] = (
        form.load("ldr", *form.ANY_WIDTH),
        form.store("str_", *form.ANY_WIDTH),
        *form.pair("ldxr", "stxr", *form.ANY_WIDTH),
        form.Form("clear", "clrex"),
        form.atomic("cas", 2, *form.ANY_WIDTH),
        form.atomic("swp", 1, *form.ANY_WIDTH),
        form.load("ldar", *form.ANY_WIDTH, kind="acquire", aligned=True),
        form.store("stlr", *form.ANY_WIDTH, kind="release", aligned=True),
        form.Form("fence", "dmb"),
    )

    # -- plain accesses -----------------------------------------------------------------------

    @has_widths(*_WIDTHS)
    def ldr(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Load: LDR, LDRB or LDRH by width."""
        return self._load(_named("ldr", width), address, width)

    def ldrsb(self, address: int, *, register: int = 8) -> Coroutine[Any, Any, int]:
        """Load a byte, sign-extended to a register of 4 or 8 bytes: LDRSB."""
        return self._load_signed("ldrsb", address, 1, register)

    def ldrsh(self, address: int, *, register: int = 8) -> Coroutine[Any, Any, int]:
        """Load 2 bytes, sign-extended to a register of 4 or 8 bytes: LDRSH."""
        return self._load_signed("ldrsh", address, 2, register)

    def ldrsw(self, address: int) -> Coroutine[Any, Any, int]:
        """Load 4 bytes, sign-extended to 8: LDRSW."""
        return self._load_signed("ldrsw", address, 4)

    @has_widths(*_WIDTHS)
    def str_(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, None]:
        """Store: STR, STRB or STRH by width."""
        return self._store(_named("str", width), address, value, width)

    @has_widths(*_PAIRS)
    def ldp(self, address: int, *, width: int = 8) -> Coroutine[Any, Any, int]:
        """Load a pair, each half indivisible, and with FEAT_LSE2 both if they lie within 16 aligned bytes: LDP."""
        return self._load_pair("ldp", address, _pair(width))

    @has_widths(*_PAIRS)
    def stp(self, address: int, value: int, *, width: int = 8) -> Coroutine[Any, Any, None]:
        """Store a pair, each half indivisible, and with FEAT_LSE2 both if they lie within 16 aligned bytes: STP."""
        return self._store_pair("stp", address, value, _pair(width))

    # -- acquire and release ------------------------------------------------------------------

    @has_widths(*_WIDTHS)
    def ldar(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Load-acquire, also ordered after the vCPU's own store-releases (RCsc): LDAR, LDARB or LDARH by width."""
        return self._load(_named("ldar", width), address, width, Order.SEQ_CST, width)

    @has_widths(*_WIDTHS)
    def ldapr(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Load-acquire that may overtake store-releases (RCpc): LDAPR, LDAPRB or LDAPRH by width."""
        return self._load(_named("ldapr", width), address, width, Order.ACQUIRE, width)

    @has_widths(*_WIDTHS)
    def stlr(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, None]:
        """Store-release: STLR, STLRB or STLRH by width."""
        return self._store(_named("stlr", width), address, value, width, Order.RELEASE, width)

    @has_widths(*_WIDTHS)
    def ldapur(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Load as LDAPR, from an address with any offset (FEAT_LRCPC2): LDAPUR, LDAPURB or LDAPURH by width."""
        return self._load(_named("ldapur", width), address, width, Order.ACQUIRE, width)

    @has_widths(1, 2, 4)
    def ldapurs(self, address: int, *, width: int = 4, register: int = 8) -> Coroutine[Any, Any, int]:
        """Load as LDAPR, sign-extended to a register of 4 or 8 bytes: LDAPURSB, LDAPURSH or LDAPURSW by width."""
        check_width(width, (1, 2, 4))
        return self._load_signed("ldapurs" + "bhw"[width // 2], address, width, register, Order.ACQUIRE, width)

    @has_widths(*_WIDTHS)
    def stlur(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, None]:
        """Store as STLR, to an address with any offset (FEAT_LRCPC2): STLUR, STLURB or STLURH by width."""
        return self._store(_named("stlur", width), address, value, width, Order.RELEASE, width)

    @has_widths(*_WIDTHS)
    def ldlar(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Load-acquire within a limited ordering region (FEAT_LOR): LDLAR, LDLARB or LDLARH by width.

        Here all of memory is one such region, so that LDLAR is LDAR.
        """
        return self._load(_named("ldlar", width), address, width, Order.SEQ_CST, width)

    @has_widths(*_WIDTHS)
    def stllr(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, None]:
        """Store-release within a limited ordering region (FEAT_LOR): STLLR, STLLRB or STLLRH by width.

        Here all of memory is one such region, so that STLLR is STLR.
        """
        return self._store(_named("stllr", width), address, value, width, Order.RELEASE, width)

    @has_widths(*_PAIRS)
    def ldiapp(self, address: int, *, width: int = 8) -> Coroutine[Any, Any, int]:
        """Load-acquire a pair as LDAPR does (FEAT_LRCPC3): LDIAPP.

        The architecture also orders the loads of the halves. Here, where they are two operations, they may go in
        either order. The address must be aligned to both halves.
        """
        return self._load_pair("ldiapp", address, _pair(width), Order.ACQUIRE, 2 * width)

    @has_widths(*_PAIRS)
    def stilp(self, address: int, value: int, *, width: int = 8) -> Coroutine[Any, Any, None]:
        """Store-release a pair (FEAT_LRCPC3): STILP.

        The architecture also orders the stores of the halves. Here, where they are two operations, they may go in
        either order. The address must be aligned to both halves.
        """
        return self._store_pair("stilp", address, value, _pair(width), Order.RELEASE, 2 * width)

    # -- exclusives ---------------------------------------------------------------------------

    @has_widths(*_WIDTHS)
    def ldxr(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Load and reserve: LDXR, LDXRB or LDXRH by width."""
        return self._load_linked(_named("ldxr", width), address, width)

    @has_widths(*_WIDTHS)
    def ldaxr(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Load-acquire and reserve: LDAXR, LDAXRB or LDAXRH by width."""
        return self._load_linked(_named("ldaxr", width), address, width, Order.ACQUIRE)

    @has_widths(*_PAIRS)
    def ldxp(self, address: int, *, width: int = 8) -> Coroutine[Any, Any, int]:
        """Load and reserve a pair: LDXP."""
        return self._load_linked("ldxp", address, _pair(width))

    @has_widths(*_PAIRS)
    def ldaxp(self, address: int, *, width: int = 8) -> Coroutine[Any, Any, int]:
        """Load-acquire and reserve a pair: LDAXP."""
        return self._load_linked("ldaxp", address, _pair(width), Order.ACQUIRE)

    @has_widths(*_WIDTHS)
    async def stxr(self, address: int, value: int, *, width: int = 4) -> int:
        """Store if the reservation holds; return 0 if it stored, 1 if not: STXR, STXRB or STXRH by width."""
        return 1 - await self._store_conditional(_named("stxr", width), address, value, width)

    @has_widths(*_WIDTHS)
    async def stlxr(self, address: int, value: int, *, width: int = 4) -> int:
        """Store-release if the reservation holds; return 0 if it stored, 1 if not: STLXR, STLXRB or STLXRH by width."""
        return 1 - await self._store_conditional(_named("stlxr", width), address, value, width, Order.RELEASE)

    @has_widths(*_PAIRS)
    async def stxp(self, address: int, value: int, *, width: int = 8) -> int:
        """Store a pair if the reservation holds; return 0 if it stored, 1 if not: STXP."""
        return 1 - await self._store_conditional("stxp", address, value, _pair(width))

    @has_widths(*_PAIRS)
    async def stlxp(self, address: int, value: int, *, width: int = 8) -> int:
        """Store-release a pair if the reservation holds; return 0 if it stored, 1 if not: STLXP."""
        return 1 - await self._store_conditional("stlxp", address, value, _pair(width), Order.RELEASE)

    def clrex(self) -> Coroutine[Any, Any, None]:
        """Drop the vCPU's reservation: CLREX."""
        return self._clear_exclusive("clrex")

    # -- barriers and hints -------------------------------------------------------------------

    @accepts(ordered_by)
    def dmb(self, option: str = "sy") -> Coroutine[Any, Any, None]:
        """Issue a data memory barrier: DMB; `option` is ``"sy"``, ``"ishld"``, ``"st"`` and so on."""
        return self._fence("dmb", ordered_by(option))

    @accepts(ordered_by)
    def dsb(self, option: str = "sy") -> Coroutine[Any, Any, None]:
        """Issue a data synchronization barrier: DSB.

        It orders the accesses that `option` names before everything after it; ``"st"`` also keeps stores before later
        loads.
        """
        return self._fence("dsb", completed_by(option))

    def isb(self) -> Coroutine[Any, Any, None]:
        """Issue an instruction barrier, which by itself orders no data: ISB."""
        return self._context_barrier("isb")

    def yield_(self) -> Coroutine[Any, Any, None]:
        """Hint that other vCPUs should go first: YIELD."""
        return self._hint("yield")


def _named(stem: str, width: int) -> str:
    check_width(width, _WIDTHS)
    return stem + _SUFFIX.get(width, "")


def _pair(width: int) -> int:
    """Return the width of both halves of a pair, in bytes."""
    check_width(width, _PAIRS)
    return 2 * width
