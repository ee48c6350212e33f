"""The 64-bit LoongArch guest (LoongArch Reference Manual, volume 1): loads, stores, LL and SC, AM*, DBAR.

Of version 1.1 there are LLACQ, SCREL, SC.Q, AMCAS and the AM* of 1 and 2 bytes. LL and SC have the function of a
barrier, of which the manual does not name the sides; here LL acquires and SC releases. The AM* with the suffix _DB are
barriers on both sides. LL, SC and AM* must be aligned; plain accesses may be unaligned, as on most implementations.
Loads sign-extend to the 8 bytes of a register, except LD.BU, LD.HU and LD.WU.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.barrier import Barrier
from simaie.guest import form
from simaie.guest.cpu import check_width
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.load_store import LoadStoreCpu, extended
from simaie.guest.operands import has_widths, takes
from simaie.guest.reservation import Cause, Elsewhere, ReservationRule
from simaie.op import Order

__all__ = ["LoongArchCpu"]

_WORDS = (4, 8)
_ALL = (4, 8, 1, 2)
_LETTERS = {1: "b", 2: "h", 4: "w", 8: "d"}
_ORDERS = (Order.RELAXED, Order.ACQ_REL)
#: The bits of the hint of DBAR that exempt earlier loads, earlier stores, later loads and later stores.
_NO_LOAD_BEFORE, _NO_STORE_BEFORE, _NO_LOAD_AFTER, _NO_STORE_AFTER = 8, 4, 2, 1
#: The hint that orders loads from one address only, which every memory here does anyway.
_SAME_ADDRESS = 0x700

Loaded = Coroutine[Any, Any, int]
Nothing = Coroutine[Any, Any, None]


class LoongArchCpu(LoadStoreCpu):
    """A vCPU of a LoongArch guest (LA64).

    In all methods `address` is a guest-virtual address, `value` an unsigned integer, `width` the width in bytes, and
    `db` is 1 for the form with the suffix _DB.
    """

    isa: ClassVar[str] = "loongarch"
    address_bits: ClassVar[tuple[int, int]] = (48, 48)
    guarantees: ClassVar[Mapping[str, Guarantee]] = {"": Guarantee(8, 8, 16)}  # 16 bytes: SC.Q
    #: Volume 1, 2.2.7 and "LLBCTL": ERTN clears the bit unless LLBCTL.KLO is set, which here it never is. The manual
    #: leaves the granule to the implementation; a page bounds it here. SC.Q stores 16 bytes after an LL.D of the lower
    #: half. What an SC to another address does is not said.
    reservation: ClassVar[ReservationRule | None] = ReservationRule(
        least=16,
        most=4096,
        must=frozenset({Cause.FOREIGN_STORE, Cause.LOAD_LINKED, Cause.STORE_CONDITIONAL, Cause.EXCEPTION}),
        may=frozenset({Cause.NEIGHBOUR_STORE, Cause.OWN_STORE}),
        other_address=Elsewhere.UNPREDICTABLE,
        other_width=Elsewhere.INSIDE,
    )
    forms: ClassVar[tuple[form.Form, ...]] = (
        *form.load_store(("ld_w", "st_w", 4), ("ld_b", "st_b", 1), ("ld_h", "st_h", 2), ("ld_d", "st_d", 8)),
        *form.pair("ll", "sc", 4, 8),
        form.atomic("amadd", 1, 4, 8),
        form.atomic("amswap", 1, 4, 8, 1, 2),
        form.atomic("amcas", 2, 4, 8, kind="compare"),
        form.Form("fence", "dbar"),
    )

    def ld_b(self, address: int) -> Loaded:
        """Load a signed byte: LD.B."""
        return self._load_signed("ld.b", address, 1)

    def ld_h(self, address: int) -> Loaded:
        """Load 2 bytes, signed: LD.H."""
        return self._load_signed("ld.h", address, 2)

    def ld_w(self, address: int) -> Loaded:
        """Load 4 bytes, signed: LD.W."""
        return self._load_signed("ld.w", address, 4)

    def ld_d(self, address: int) -> Loaded:
        """Load 8 bytes: LD.D."""
        return self._load("ld.d", address, 8)

    def ld_bu(self, address: int) -> Loaded:
        """Load an unsigned byte: LD.BU."""
        return self._load("ld.bu", address, 1)

    def ld_hu(self, address: int) -> Loaded:
        """Load 2 bytes, unsigned: LD.HU."""
        return self._load("ld.hu", address, 2)

    def ld_wu(self, address: int) -> Loaded:
        """Load 4 bytes, unsigned: LD.WU."""
        return self._load("ld.wu", address, 4)

    def st_b(self, address: int, value: int) -> Nothing:
        """Store a byte: ST.B."""
        return self._store("st.b", address, value, 1)

    def st_h(self, address: int, value: int) -> Nothing:
        """Store 2 bytes: ST.H."""
        return self._store("st.h", address, value, 2)

    def st_w(self, address: int, value: int) -> Nothing:
        """Store 4 bytes: ST.W."""
        return self._store("st.w", address, value, 4)

    def st_d(self, address: int, value: int) -> Nothing:
        """Store 8 bytes: ST.D."""
        return self._store("st.d", address, value, 8)

    # -- LL and SC ----------------------------------------------------------------------------

    @has_widths(*_WORDS)
    async def ll(self, address: int, *, width: int = 4) -> int:
        """Load and reserve: LL.W, LL.D."""
        name = _named("ll", width, _WORDS)
        return extended(await self._load_linked(name, address, width, Order.ACQUIRE), width)

    @has_widths(*_WORDS)
    async def llacq(self, address: int, *, width: int = 4) -> int:
        """Load-acquire and reserve: LLACQ.W, LLACQ.D."""
        name = _named("llacq", width, _WORDS)
        return extended(await self._load_linked(name, address, width, Order.ACQUIRE), width)

    @has_widths(*_WORDS)
    async def sc(self, address: int, value: int, *, width: int = 4) -> int:
        """Store if the reservation holds; return 1 if it stored, 0 if not: SC.W, SC.D."""
        name = _named("sc", width, _WORDS)
        return int(await self._store_conditional(name, address, value, width, Order.RELEASE))

    @has_widths(*_WORDS)
    async def screl(self, address: int, value: int, *, width: int = 4) -> int:
        """Store-release if the reservation holds; return 1 if it stored, 0 if not: SCREL.W, SCREL.D."""
        name = _named("screl", width, _WORDS)
        return int(await self._store_conditional(name, address, value, width, Order.RELEASE))

    async def sc_q(self, address: int, value: int) -> int:
        """Store 16 bytes if an LL.D of the lower half holds the reservation; return 1 if it stored, 0 if not: SC.Q."""
        return int(await self._store_conditional("sc.q", address, value, 16, Order.RELEASE))

    # -- AM*: all return the old value ----------------------------------------------------------

    @has_widths(*_ALL)
    @takes(db=(0, 1))
    def amswap(self, address: int, value: int, *, width: int = 4, db: int = 0) -> Loaded:
        """Exchange the location with `value`; return the old value: AMSWAP."""
        return self._am("amswap", "swap", address, value, width, db, _ALL)

    @has_widths(*_ALL)
    @takes(db=(0, 1))
    def amadd(self, address: int, value: int, *, width: int = 4, db: int = 0) -> Loaded:
        """Add `value` to the location; return the old value: AMADD."""
        return self._am("amadd", "add", address, value, width, db, _ALL)

    @has_widths(*_WORDS)
    @takes(db=(0, 1))
    def amand(self, address: int, value: int, *, width: int = 4, db: int = 0) -> Loaded:
        """And the location with `value`; return the old value: AMAND."""
        return self._am("amand", "and", address, value, width, db)

    @has_widths(*_WORDS)
    @takes(db=(0, 1))
    def amor(self, address: int, value: int, *, width: int = 4, db: int = 0) -> Loaded:
        """Or the location with `value`; return the old value: AMOR."""
        return self._am("amor", "or", address, value, width, db)

    @has_widths(*_WORDS)
    @takes(db=(0, 1))
    def amxor(self, address: int, value: int, *, width: int = 4, db: int = 0) -> Loaded:
        """Exclusive-or the location with `value`; return the old value: AMXOR."""
        return self._am("amxor", "xor", address, value, width, db)

    @has_widths(*_WORDS)
    @takes(db=(0, 1))
    def ammax(self, address: int, value: int, *, width: int = 4, db: int = 0) -> Loaded:
        """Store the signed maximum of the location and `value`; return the old value: AMMAX."""
        return self._am("ammax", "smax", address, value, width, db)

    @has_widths(*_WORDS)
    @takes(db=(0, 1))
    def ammin(self, address: int, value: int, *, width: int = 4, db: int = 0) -> Loaded:
        """Store the signed minimum of the location and `value`; return the old value: AMMIN."""
        return self._am("ammin", "smin", address, value, width, db)

    @has_widths(*_WORDS)
    @takes(db=(0, 1))
    def ammaxu(self, address: int, value: int, *, width: int = 4, db: int = 0) -> Loaded:
        """Store the unsigned maximum of the location and `value`; return the old value: AMMAX.WU, AMMAX.DU."""
        return self._am("ammaxu", "umax", address, value, width, db)

    @has_widths(*_WORDS)
    @takes(db=(0, 1))
    def amminu(self, address: int, value: int, *, width: int = 4, db: int = 0) -> Loaded:
        """Store the unsigned minimum of the location and `value`; return the old value: AMMIN.WU, AMMIN.DU."""
        return self._am("amminu", "umin", address, value, width, db)

    @has_widths(*_ALL)
    @takes(db=(0, 1))
    async def amcas(self, address: int, expected: int, new: int, *, width: int = 4, db: int = 0) -> int:
        """Store `new` if the location holds `expected`; return the old value: AMCAS."""
        name = _named("amcas" + "_db" * bool(db), width, _ALL)
        return extended(await self._compare_and_swap(name, address, expected, new, width, _ORDERS[bool(db)]), width)

    async def _am(
        self,
        stem: str,
        function: str,
        address: int,
        value: int,
        width: int,
        db: int,
        widths: tuple[int, ...] = _WORDS,
    ) -> int:
        name = _named(stem + "_db" * bool(db), width, widths)
        return extended(await self._atomic(name, function, address, value, width, _ORDERS[bool(db)]), width)

    # -- barriers -----------------------------------------------------------------------------

    def dbar(self, hint: int = 0) -> Nothing:
        """Order accesses: DBAR; each of the low bits 8, 4, 2, 1 exempts earlier loads, stores, later loads, stores.

        Bit 16 asks for less than completion, which makes no difference here. Any other hint orders everything, except
        0x700, which orders loads from one address.
        """
        if hint == _SAME_ADDRESS:
            return self._no_access("dbar")
        return self._fence("dbar", _ordered(hint if 0 <= hint < 32 else 0).text)

    def ibar(self, hint: int = 0) -> Nothing:
        """Order instruction fetches, but no data: IBAR."""
        return self._no_access("ibar")


def _ordered(hint: int) -> Barrier:
    kept = Barrier.NONE
    for before, loads_first in ((_NO_LOAD_BEFORE, True), (_NO_STORE_BEFORE, False)):
        for after, loads_last in ((_NO_LOAD_AFTER, True), (_NO_STORE_AFTER, False)):
            if not hint & before and not hint & after:
                kept |= _BARRIERS[loads_first, loads_last]
    return kept


#: Whether the earlier access is a load, and whether the later one is -> the order.
_BARRIERS = {
    (True, True): Barrier.LD_LD,
    (True, False): Barrier.LD_ST,
    (False, True): Barrier.ST_LD,
    (False, False): Barrier.ST_ST,
}


def _named(stem: str, width: int, widths: tuple[int, ...]) -> str:
    check_width(width, widths)
    return f"{stem}.{_LETTERS[width]}"
