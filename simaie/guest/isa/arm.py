"""The 32-bit Arm guest (Arm ARM, DDI 0406C): LL/SC in all sizes, the deprecated SWP, barriers and hints.

Exclusive and swap accesses must be aligned (A3.2.1); plain LDR and STR may be unaligned.
STREX returns 0 when it stored and 1 when it did not, as the instruction does.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.guest.cpu import check_width
from simaie.guest.function import rmw
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.arm_barriers import ordered_by
from simaie.guest.isa.load_store import LoadStoreCpu
from simaie.guest.reservation import Cause, Elsewhere, ReservationRule
from simaie.trace import AccessKind

__all__ = ["ArmCpu"]

_EXCLUSIVE_WIDTHS = (1, 2, 4, 8)
_SUFFIX = {1: "b", 2: "h", 4: "", 8: "d"}


class ArmCpu(LoadStoreCpu):
    """A vCPU of an ARMv7-A guest."""

    isa: ClassVar[str] = "arm"
    guarantees: ClassVar[Mapping[str, Guarantee]] = {"": Guarantee(4, 8, 8), "lpae": Guarantee(8, 8, 8)}
    #: DDI 0406C, A3.4: a CLREX and any STREX open the local monitor. An exception need not: the operating system does
    #: it when it switches contexts (A3.4.4). A STREX to another address, or of another size, is unpredictable (A3.4.5).
    reservation: ClassVar[ReservationRule | None] = ReservationRule(
        least=8,
        most=2048,
        must=frozenset({Cause.FOREIGN_STORE, Cause.LOAD_LINKED, Cause.STORE_CONDITIONAL, Cause.CLEAR}),
        may=frozenset({Cause.NEIGHBOUR_STORE, Cause.OWN_STORE, Cause.EXCEPTION}),
        other_address=Elsewhere.UNPREDICTABLE,
        other_width=Elsewhere.UNPREDICTABLE,
    )

    def ldr(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """LDR, LDRB, LDRH, LDRD by width."""
        body = self._scheme.load(self, address, width)
        return self._access(f"ldr{_SUFFIX.get(width, '')}", AccessKind.LOAD, address, width, body)

    def str_(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, None]:
        """STR, STRB, STRH, STRD by width."""
        body = self._scheme.store(self, address, width, value)
        return self._access(f"str{_SUFFIX.get(width, '')}", AccessKind.STORE, address, width, body, 1, value)

    # -- exclusives ---------------------------------------------------------------------------

    def ldrex(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """LDREX: load, and reserve for this vCPU."""
        check_width(width, _EXCLUSIVE_WIDTHS)
        body = self._scheme.load_linked(self, address, width)
        return self._access(f"ldrex{_SUFFIX[width]}", AccessKind.LOAD_LINKED, address, width, body, width)

    async def strex(self, address: int, value: int, *, width: int = 4) -> int:
        """STREX: store if the reservation still stands. Returns 0 if it stored, 1 if not."""
        check_width(width, _EXCLUSIVE_WIDTHS)
        body = self._scheme.store_conditional(self, address, width, value)
        name = f"strex{_SUFFIX[width]}"
        stored = await self._access(name, AccessKind.STORE_CONDITIONAL, address, width, body, width, value)
        return 0 if stored else 1

    def ldrexb(self, address: int) -> Coroutine[Any, Any, int]:
        """LDREXB: 1 byte."""
        return self.ldrex(address, width=1)

    def ldrexh(self, address: int) -> Coroutine[Any, Any, int]:
        """LDREXH: 2 bytes."""
        return self.ldrex(address, width=2)

    def ldrexd(self, address: int) -> Coroutine[Any, Any, int]:
        """LDREXD: 8 bytes."""
        return self.ldrex(address, width=8)

    def strexb(self, address: int, value: int) -> Coroutine[Any, Any, int]:
        """STREXB: 1 byte."""
        return self.strex(address, value, width=1)

    def strexh(self, address: int, value: int) -> Coroutine[Any, Any, int]:
        """STREXH: 2 bytes."""
        return self.strex(address, value, width=2)

    def strexd(self, address: int, value: int) -> Coroutine[Any, Any, int]:
        """STREXD: 8 bytes."""
        return self.strex(address, value, width=8)

    def clrex(self) -> Coroutine[Any, Any, None]:
        """CLREX: give up the reservation."""
        return self._clear_exclusive("clrex")

    # -- swap ---------------------------------------------------------------------------------

    def swp(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """SWP (or SWPB with ``width=1``): exchange; returns the old value."""
        check_width(width, (1, 4))
        update = rmw("swap", value, width)
        body = self._scheme.atomic_rmw(self, address, width, update)
        return self._access("swpb" if width == 1 else "swp", AccessKind.ATOMIC, address, width, body, width, update)

    def swpb(self, address: int, value: int) -> Coroutine[Any, Any, int]:
        """SWPB: exchange one byte."""
        return self.swp(address, value, width=1)

    # -- barriers and hints -------------------------------------------------------------------

    def dmb(self, kind: str = "full") -> Coroutine[Any, Any, None]:
        """DMB: a data memory barrier; `kind` is ``"full"``, ``"store"`` or an option (``"ishst"``)."""
        return self._fence("dmb", _orders(kind))

    def dsb(self, kind: str = "full") -> Coroutine[Any, Any, None]:
        """DSB: for data accesses the same as DMB."""
        return self._fence("dsb", _orders(kind))

    def isb(self) -> Coroutine[Any, Any, None]:
        """ISB: an instruction barrier, which by itself orders no data."""
        return self._no_access("isb")

    def wfe(self) -> Coroutine[Any, Any, None]:
        """WFE: a hint that this vCPU waits; it lets others go first."""
        return self._hint("wfe")

    def yield_(self) -> Coroutine[Any, Any, None]:
        """YIELD: a hint that others should go first."""
        return self._hint("yield")


def _orders(kind: str) -> str:
    return ordered_by("st" if kind == "store" else kind)
