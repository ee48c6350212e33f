"""The single-instruction atomics of AArch64 (FEAT_LSE; Arm ARM, DDI 0487, C6.2): CAS, SWP, LDADD and their kin.

``order`` is what the mnemonic ends in: ``""``, ``"a"`` (acquire), ``"l"`` (release) or ``"al"``. All return the old
value, but for the ST forms, which return nothing and cannot acquire. Widths are in bytes.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from simaie.errors import UsageError
from simaie.guest.cpu import check_width
from simaie.guest.isa.load_store import LoadStoreCpu
from simaie.op import Order

__all__ = ["ATOMICS", "ORDERS", "LargeSystemExtensions"]

#: Suffix of the mnemonic -> memory order.
ORDERS = {"": Order.RELAXED, "a": Order.ACQUIRE, "l": Order.RELEASE, "al": Order.ACQ_REL}
#: Operation -> the function it applies; each has an LD and an ST form.
ATOMICS = {
    "add": "add",
    "clr": "clear",
    "eor": "xor",
    "set": "or",
    "smax": "smax",
    "smin": "smin",
    "umax": "umax",
    "umin": "umin",
}
_WIDTHS = (1, 2, 4, 8)
_SUFFIX = {1: "b", 2: "h"}

Old = Coroutine[Any, Any, int]
Nothing = Coroutine[Any, Any, None]


class LargeSystemExtensions(LoadStoreCpu):
    """The part of a vCPU that has these instructions."""

    def cas(self, address: int, expected: int, new: int, *, width: int = 4, order: str = "") -> Old:
        """CAS: store `new` if the location holds `expected`."""
        name = _name("cas", width, order)
        return self._compare_and_swap(name, address, expected, new, width, ORDERS[order])

    def casp(self, address: int, expected: int, new: int, *, width: int = 8, order: str = "") -> Old:
        """CASP: a pair, as one number whose low half is the first register; `width` is that of a half, 4 or 8."""
        check_width(width, (4, 8))
        name = _name("casp", width, order)
        return self._compare_and_swap(name, address, expected, new, 2 * width, ORDERS[order])

    def swp(self, address: int, value: int, *, width: int = 4, order: str = "") -> Old:
        """SWP: exchange."""
        return self._atomic(_name("swp", width, order), "swap", address, value, width, ORDERS[order])

    def ldadd(self, address: int, value: int, *, width: int = 4, order: str = "") -> Old:
        """LDADD: add."""
        return self._fetch("add", address, value, width, order)

    def ldclr(self, address: int, value: int, *, width: int = 4, order: str = "") -> Old:
        """LDCLR: clear the bits that are set in `value`."""
        return self._fetch("clr", address, value, width, order)

    def ldeor(self, address: int, value: int, *, width: int = 4, order: str = "") -> Old:
        """LDEOR: exclusive or."""
        return self._fetch("eor", address, value, width, order)

    def ldset(self, address: int, value: int, *, width: int = 4, order: str = "") -> Old:
        """LDSET: set the bits that are set in `value`."""
        return self._fetch("set", address, value, width, order)

    def ldsmax(self, address: int, value: int, *, width: int = 4, order: str = "") -> Old:
        """LDSMAX: the signed maximum."""
        return self._fetch("smax", address, value, width, order)

    def ldsmin(self, address: int, value: int, *, width: int = 4, order: str = "") -> Old:
        """LDSMIN: the signed minimum."""
        return self._fetch("smin", address, value, width, order)

    def ldumax(self, address: int, value: int, *, width: int = 4, order: str = "") -> Old:
        """LDUMAX: the unsigned maximum."""
        return self._fetch("umax", address, value, width, order)

    def ldumin(self, address: int, value: int, *, width: int = 4, order: str = "") -> Old:
        """LDUMIN: the unsigned minimum."""
        return self._fetch("umin", address, value, width, order)

    def stadd(self, address: int, value: int, *, width: int = 4, order: str = "") -> Nothing:
        """STADD: add."""
        return self._apply("add", address, value, width, order)

    def stclr(self, address: int, value: int, *, width: int = 4, order: str = "") -> Nothing:
        """STCLR: clear the bits that are set in `value`."""
        return self._apply("clr", address, value, width, order)

    def steor(self, address: int, value: int, *, width: int = 4, order: str = "") -> Nothing:
        """STEOR: exclusive or."""
        return self._apply("eor", address, value, width, order)

    def stset(self, address: int, value: int, *, width: int = 4, order: str = "") -> Nothing:
        """STSET: set the bits that are set in `value`."""
        return self._apply("set", address, value, width, order)

    def stsmax(self, address: int, value: int, *, width: int = 4, order: str = "") -> Nothing:
        """STSMAX: the signed maximum."""
        return self._apply("smax", address, value, width, order)

    def stsmin(self, address: int, value: int, *, width: int = 4, order: str = "") -> Nothing:
        """STSMIN: the signed minimum."""
        return self._apply("smin", address, value, width, order)

    def stumax(self, address: int, value: int, *, width: int = 4, order: str = "") -> Nothing:
        """STUMAX: the unsigned maximum."""
        return self._apply("umax", address, value, width, order)

    def stumin(self, address: int, value: int, *, width: int = 4, order: str = "") -> Nothing:
        """STUMIN: the unsigned minimum."""
        return self._apply("umin", address, value, width, order)

    def _fetch(self, operation: str, address: int, value: int, width: int, order: str) -> Old:
        name = _name("ld" + operation, width, order)
        return self._atomic(name, ATOMICS[operation], address, value, width, ORDERS[order])

    async def _apply(self, operation: str, address: int, value: int, width: int, order: str) -> None:
        if order not in ("", "l"):
            raise UsageError(f"st{operation} cannot acquire: its order must be '' or 'l', not {order!r}")
        name = _name("st" + operation, width, order)
        await self._atomic(name, ATOMICS[operation], address, value, width, ORDERS[order])


def _name(stem: str, width: int, order: str) -> str:
    """The mnemonic, with its order and its width."""
    check_width(width, _WIDTHS)
    if order not in ORDERS:
        raise UsageError(f"the order of {stem} must be one of {', '.join(map(repr, ORDERS))}, not {order!r}")
    return stem + order + _SUFFIX.get(width, "")
