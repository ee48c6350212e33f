"""The s390x guest (z/Architecture Principles of Operation, SA22-7832): loads, stores, interlocked updates.

A store may be delayed beyond a later fetch; all other accesses keep their order (chapter 5, "Sequence of Storage
References"). An interlocked update is a serialization, before and after ("CPU Serialization"). Operands of CS, CDS, LAA
and their kind, of LPQ and of STPQ must be aligned; ASI and ALSI are interlocked only where they are ("Storage-Operand
Update References", interlocked-access facilities 1 and 2).
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.barrier import Barrier
from simaie.errors import UsageError
from simaie.guest import form
from simaie.guest.cpu import check_width
from simaie.guest.function import rmw
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.load_store import LoadStoreCpu
from simaie.guest.operands import has_widths, takes
from simaie.guest.plain_rmw import read_then_write
from simaie.host.ram import Endian
from simaie.op import Order
from simaie.trace import AccessKind

__all__ = ["S390xCpu"]

_WORDS = (4, 8)
_SERIALIZING = (14, 15)

Loaded = Coroutine[Any, Any, int]
Nothing = Coroutine[Any, Any, None]


class S390xCpu(LoadStoreCpu):
    """A vCPU of an s390x guest.

    In all methods `address` is a guest-virtual address, `value` an unsigned integer, and `width` the width in bytes.
    """

    isa: ClassVar[str] = "s390x"
    byte_order: ClassVar[Endian] = "big"
    memory_order: ClassVar[Barrier] = Barrier.FULL & ~Barrier.ST_LD
    memory_model: ClassVar[str | None] = "tso"
    atomic_order: ClassVar[Order] = Order.SEQ_CST
    #: "Block-Concurrent References"; 16 bytes by LPQ, STPQ and CDSG.
    guarantees: ClassVar[Mapping[str, Guarantee]] = {"": Guarantee(16, 16, 16)}
    forms: ClassVar[tuple[form.Form, ...]] = (
        *form.load_store(("l", "st", 4), ("llgc", "stc", 1), ("llgh", "sth", 2), ("lg", "stg", 8)),
        form.load("lpq", 16, aligned=True),
        form.store("stpq", 16, aligned=True),
        form.atomic("laa", 1, 4, 8),
        form.atomic("cs", 2, 4, kind="compare"),
        form.atomic("csg", 2, 8, kind="compare"),
        form.atomic("cdsg", 2, 16, kind="compare"),
        form.Form("fence", "bcr"),
    )

    def llgc(self, address: int) -> Loaded:
        """Load a byte: LLGC."""
        return self._load("llgc", address, 1)

    def llgh(self, address: int) -> Loaded:
        """Load 2 bytes: LLGH."""
        return self._load("llgh", address, 2)

    def l(self, address: int) -> Loaded:  # noqa: E743 - the mnemonic
        """Load 4 bytes: L."""
        return self._load("l", address, 4)

    def lg(self, address: int) -> Loaded:
        """Load 8 bytes: LG."""
        return self._load("lg", address, 8)

    def lgf(self, address: int) -> Loaded:
        """Load 4 bytes, sign-extended to 8: LGF."""
        return self._load_signed("lgf", address, 4)

    def lpq(self, address: int) -> Loaded:
        """Load 16 aligned bytes as one number, whose high half is the even register: LPQ."""
        return self._load("lpq", address, 16, alignment=16)

    def stc(self, address: int, value: int) -> Nothing:
        """Store a byte: STC."""
        return self._store("stc", address, value, 1)

    def sth(self, address: int, value: int) -> Nothing:
        """Store 2 bytes: STH."""
        return self._store("sth", address, value, 2)

    def st(self, address: int, value: int) -> Nothing:
        """Store 4 bytes: ST."""
        return self._store("st", address, value, 4)

    def stg(self, address: int, value: int) -> Nothing:
        """Store 8 bytes: STG."""
        return self._store("stg", address, value, 8)

    def stpq(self, address: int, value: int) -> Nothing:
        """Store 16 aligned bytes: STPQ."""
        return self._store("stpq", address, value, 16, alignment=16)

    # -- compare and swap, test and set -------------------------------------------------------

    def cs(self, address: int, expected: int, new: int) -> Loaded:
        """Store `new` if the 4 bytes hold `expected`; return the old value: CS."""
        return self._compare_and_swap("cs", address, expected, new, 4)

    def csg(self, address: int, expected: int, new: int) -> Loaded:
        """Store `new` if the 8 bytes hold `expected`; return the old value: CSG."""
        return self._compare_and_swap("csg", address, expected, new, 8)

    def cds(self, address: int, expected: int, new: int) -> Loaded:
        """Store `new` if the 8 bytes, two words, hold `expected`; return the old value: CDS."""
        return self._compare_and_swap("cds", address, expected, new, 8)

    def cdsg(self, address: int, expected: int, new: int) -> Loaded:
        """Store `new` if the 16 bytes hold `expected`; return the old value: CDSG."""
        return self._compare_and_swap("cdsg", address, expected, new, 16)

    def ts(self, address: int) -> Loaded:
        """Set a byte to 0xFF; return the old value, whose highest bit is the condition code: TS."""
        return self._atomic("ts", "swap", address, 0xFF, 1)

    # -- interlocked-access facilities --------------------------------------------------------

    @has_widths(*_WORDS)
    def laa(self, address: int, value: int, *, width: int = 4) -> Loaded:
        """Add `value` to the location; return the old value: LAA, LAAG."""
        return self._fetch("laa", "add", address, value, width)

    @has_widths(*_WORDS)
    def laal(self, address: int, value: int, *, width: int = 4) -> Loaded:
        """Add `value` to the location, with the condition code of a logical addition: LAAL, LAALG."""
        return self._fetch("laal", "add", address, value, width)

    @has_widths(*_WORDS)
    def lan(self, address: int, value: int, *, width: int = 4) -> Loaded:
        """And the location with `value`; return the old value: LAN, LANG."""
        return self._fetch("lan", "and", address, value, width)

    @has_widths(*_WORDS)
    def lao(self, address: int, value: int, *, width: int = 4) -> Loaded:
        """Or the location with `value`; return the old value: LAO, LAOG."""
        return self._fetch("lao", "or", address, value, width)

    @has_widths(*_WORDS)
    def lax(self, address: int, value: int, *, width: int = 4) -> Loaded:
        """Exclusive-or the location with `value`; return the old value: LAX, LAXG."""
        return self._fetch("lax", "xor", address, value, width)

    @has_widths(*_WORDS)
    def asi(self, address: int, value: int, *, width: int = 4) -> Loaded:
        """Add an immediate to the location, interlocked if it is aligned; return the new value: ASI, AGSI."""
        return self._add("asi", address, value, width)

    @has_widths(*_WORDS)
    def alsi(self, address: int, value: int, *, width: int = 4) -> Loaded:
        """Add as ASI does, with the condition code of a logical addition: ALSI, ALGSI."""
        return self._add("alsi", address, value, width)

    def ni(self, address: int, value: int) -> Loaded:
        """And a byte with an immediate; return the new value: NI."""
        return self._immediate("ni", "and", address, value, 1)

    def oi(self, address: int, value: int) -> Loaded:
        """Or a byte with an immediate; return the new value: OI."""
        return self._immediate("oi", "or", address, value, 1)

    def xi(self, address: int, value: int) -> Loaded:
        """Exclusive-or a byte with an immediate; return the new value: XI."""
        return self._immediate("xi", "xor", address, value, 1)

    def _fetch(self, stem: str, function: str, address: int, value: int, width: int) -> Loaded:
        check_width(width, _WORDS)
        return self._atomic(stem + "g" * (width == 8), function, address, value, width)

    async def _add(self, name: str, address: int, value: int, width: int) -> int:
        check_width(width, _WORDS)
        if isinstance(address, int) and address % width:
            return await self._not_interlocked(name, address, value, width)
        return await self._immediate(name, "add", address, value, width)

    async def _immediate(self, name: str, function: str, address: int, value: int, width: int) -> int:
        old = await self._atomic(name, function, address, value, width)
        return int(rmw(function, value, width).apply(old))

    async def _not_interlocked(self, name: str, address: int, value: int, width: int) -> int:
        update = rmw("add", value, width)
        body = read_then_write(self._scheme, self, address, width, update)
        old = await self._access(name, AccessKind.PLAIN_RMW, address, width, body, 1, update)
        return int(update.apply(old))

    # -- serialization ------------------------------------------------------------------------

    @takes(mask=_SERIALIZING)
    def bcr(self, mask: int = 15) -> Nothing:
        """Serialize, so that all accesses are ordered: BCR 15,0, or the fast serialization BCR 14,0."""
        if mask not in _SERIALIZING:
            raise UsageError(f"BCR serializes with the mask 14 or 15, not {mask!r}")
        return self._fence(f"bcr {mask},0", "full")
