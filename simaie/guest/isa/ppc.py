"""The 64-bit POWER guest (Power ISA, books I and II): loads, stores, reservations, atomic memory operations, barriers.

LARX and STCX must be aligned (book II, 1.7.2.1); plain accesses may be unaligned. STCX returns what it puts in CR0.EQ:
1 if it stored and 0 if not. The machine defines the byte order; plain values do not depend on it. The 16 bytes of LQ,
STQ, LQARX and STQCX are one number. Of the atomic memory operations (book II, 4.5) those are left out that access two
words: fetch and increment bounded or equal, fetch and decrement bounded, and store twin.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.errors import UsageError
from simaie.guest import form
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.load_store import LoadStoreCpu
from simaie.guest.operands import takes
from simaie.guest.reservation import Cause, Elsewhere, ReservationRule
from simaie.op import Function

__all__ = ["PpcCpu"]

#: The function code of LWAT, LDAT, STWAT and STDAT -> what it does (book II, 4.5); the store forms end with 7.
_FUNCTIONS = {
    0: "add", 1: "xor", 2: "or", 3: "and", 4: "umax", 5: "smax", 6: "umin", 7: "smin", 8: "swap"
}  # fmt: skip
_STORED = tuple(code for code in _FUNCTIONS if code < 8)
#: The function code of compare and swap not equal.
_SWAP_NOT_EQUAL = 16

Loaded = Coroutine[Any, Any, int]
Nothing = Coroutine[Any, Any, None]


class PpcCpu(LoadStoreCpu):
    """A vCPU of a POWER guest. In all methods `address` is a guest-virtual address and `value` an unsigned integer."""

    isa: ClassVar[str] = "ppc"
    #: Book II, 1.4; 16 bytes by LQ, STQ, LQARX and STQCX.
    guarantees: ClassVar[Mapping[str, Guarantee]] = {"": Guarantee(16, 16, 16)}
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

    def lq(self, address: int) -> Loaded:
        """Load 16 aligned bytes: LQ."""
        return self._load("lq", address, 16, alignment=16)

    def stq(self, address: int, value: int) -> Nothing:
        """Store 16 aligned bytes: STQ."""
        return self._store("stq", address, value, 16, alignment=16)

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

    def lqarx(self, address: int) -> Loaded:
        """Load and reserve 16 bytes: LQARX."""
        return self._load_linked("lqarx", address, 16)

    async def stqcx(self, address: int, value: int) -> int:
        """Store 16 bytes if the reservation holds; return CR0.EQ, 1 if it stored, 0 if not: STQCX."""
        return int(await self._store_conditional("stqcx.", address, value, 16))

    # -- atomic memory operations -------------------------------------------------------------

    @takes(function=(*_FUNCTIONS, _SWAP_NOT_EQUAL))
    def lwat(self, address: int, value: int, *, function: int = 0, compare: int = 0) -> Loaded:
        """Apply a function to 4 bytes atomically; return the old value: LWAT.

        `function` is its code: 0 add, 1 xor, 2 or, 3 and, 4 and 5 maximum, unsigned and signed, 6 and 7 minimum, 8
        swap, or 16, which stores `value` unless the location holds `compare`.
        """
        return self._fetch("lwat", address, value, 4, function, compare)

    @takes(function=(*_FUNCTIONS, _SWAP_NOT_EQUAL))
    def ldat(self, address: int, value: int, *, function: int = 0, compare: int = 0) -> Loaded:
        """Apply a function to 8 bytes atomically, as LWAT does to 4; return the old value: LDAT."""
        return self._fetch("ldat", address, value, 8, function, compare)

    @takes(function=_STORED)
    def stwat(self, address: int, value: int, *, function: int = 0) -> Nothing:
        """Apply a function to 4 bytes atomically, with a code as for LWAT from 0 to 7; return nothing: STWAT."""
        return self._apply("stwat", address, value, 4, function)

    @takes(function=_STORED)
    def stdat(self, address: int, value: int, *, function: int = 0) -> Nothing:
        """Apply a function to 8 bytes atomically, with a code as for LWAT from 0 to 7; return nothing: STDAT."""
        return self._apply("stdat", address, value, 8, function)

    def _fetch(self, name: str, address: int, value: int, width: int, function: int, compare: int) -> Loaded:
        if function == _SWAP_NOT_EQUAL:
            mask = (1 << 8 * width) - 1
            new, same = value & mask, compare & mask
            update = Function(f"swap {new} unless {same}", lambda old: old if old == same else new)
            return self._apply_function(name, address, width, update)
        if function not in _FUNCTIONS:
            raise UsageError(f"{name} has the functions 0 to 8 and 16 here, not {function!r}")
        return self._atomic(name, _FUNCTIONS[function], address, value, width)

    async def _apply(self, name: str, address: int, value: int, width: int, function: int) -> None:
        if function not in _STORED:
            raise UsageError(f"{name} has the functions 0 to 7 here, not {function!r}")
        await self._atomic(name, _FUNCTIONS[function], address, value, width, drops=True)

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
