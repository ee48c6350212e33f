"""The single-instruction atomics of AArch64 (FEAT_LSE, FEAT_LSE128; Arm ARM, DDI 0487, C6.2): CAS, SWP and the others.

``order`` is the suffix of the mnemonic: ``""``, ``"a"`` (acquire), ``"l"`` (release) or ``"al"``. All methods return
the old value, except the ST forms, which return nothing and cannot acquire. Widths are in bytes.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from simaie.errors import UsageError
from simaie.guest.cpu import check_width
from simaie.guest.isa.load_store import LoadStoreCpu
from simaie.guest.operands import accepts, has_widths
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
_PAIRS = (4, 8)
_SUFFIX = {1: "b", 2: "h"}

Old = Coroutine[Any, Any, int]
Nothing = Coroutine[Any, Any, None]


def _order(order: str) -> None:
    if order not in ORDERS:
        raise UsageError(f"the order must be one of {', '.join(map(repr, ORDERS))}, not {order!r}")


def _store_order(order: str) -> None:
    if order not in ("", "l"):
        raise UsageError(f"an ST form cannot acquire: its order must be '' or 'l', not {order!r}")


class LargeSystemExtensions(LoadStoreCpu):
    """A vCPU with the FEAT_LSE atomics.

    In all methods `address` is a guest-virtual address, `value` the operand, `width` the width in bytes, and `order`
    the suffix of the mnemonic: ``""``, ``"a"`` (acquire), ``"l"`` (release) or ``"al"``. `zero` is 1 if the destination
    is the zero register: a host that reorders loads does not order such a read.
    """

    @accepts(_order)
    @has_widths(*_WIDTHS)
    def cas(self, address: int, expected: int, new: int, *, width: int = 4, order: str = "", zero: int = 0) -> Old:
        """Store `new` if the location holds `expected`; return the old value: CAS."""
        name = _name("cas", width, order)
        return self._compare_and_swap(name, address, expected, new, width, ORDERS[order], drops=bool(zero))

    @accepts(_order)
    @has_widths(*_PAIRS)
    def casp(self, address: int, expected: int, new: int, *, width: int = 8, order: str = "", zero: int = 0) -> Old:
        """Compare and swap a pair; return the old value: CASP.

        A pair is one number whose low half is the first register; `width` is the width of a half, 4 or 8 bytes.
        """
        check_width(width, _PAIRS)
        name = _name("casp", width, order)
        return self._compare_and_swap(name, address, expected, new, 2 * width, ORDERS[order], drops=bool(zero))

    @accepts(_order)
    @has_widths(*_WIDTHS)
    def swp(self, address: int, value: int, *, width: int = 4, order: str = "", zero: int = 0) -> Old:
        """Exchange the location with `value`; return the old value: SWP."""
        name = _name("swp", width, order)
        return self._atomic(name, "swap", address, value, width, ORDERS[order], drops=bool(zero))

    @accepts(_order)
    @has_widths(*_WIDTHS)
    def ldadd(self, address: int, value: int, *, width: int = 4, order: str = "", zero: int = 0) -> Old:
        """Add `value` to the location; return the old value: LDADD."""
        return self._fetch("add", address, value, width, order, zero)

    @accepts(_order)
    @has_widths(*_WIDTHS)
    def ldclr(self, address: int, value: int, *, width: int = 4, order: str = "", zero: int = 0) -> Old:
        """Clear the bits that are set in `value`; return the old value: LDCLR."""
        return self._fetch("clr", address, value, width, order, zero)

    @accepts(_order)
    @has_widths(*_WIDTHS)
    def ldeor(self, address: int, value: int, *, width: int = 4, order: str = "", zero: int = 0) -> Old:
        """Exclusive-or the location with `value`; return the old value: LDEOR."""
        return self._fetch("eor", address, value, width, order, zero)

    @accepts(_order)
    @has_widths(*_WIDTHS)
    def ldset(self, address: int, value: int, *, width: int = 4, order: str = "", zero: int = 0) -> Old:
        """Set the bits that are set in `value`; return the old value: LDSET."""
        return self._fetch("set", address, value, width, order, zero)

    @accepts(_order)
    @has_widths(*_WIDTHS)
    def ldsmax(self, address: int, value: int, *, width: int = 4, order: str = "", zero: int = 0) -> Old:
        """Store the signed maximum of the location and `value`; return the old value: LDSMAX."""
        return self._fetch("smax", address, value, width, order, zero)

    @accepts(_order)
    @has_widths(*_WIDTHS)
    def ldsmin(self, address: int, value: int, *, width: int = 4, order: str = "", zero: int = 0) -> Old:
        """Store the signed minimum of the location and `value`; return the old value: LDSMIN."""
        return self._fetch("smin", address, value, width, order, zero)

    @accepts(_order)
    @has_widths(*_WIDTHS)
    def ldumax(self, address: int, value: int, *, width: int = 4, order: str = "", zero: int = 0) -> Old:
        """Store the unsigned maximum of the location and `value`; return the old value: LDUMAX."""
        return self._fetch("umax", address, value, width, order, zero)

    @accepts(_order)
    @has_widths(*_WIDTHS)
    def ldumin(self, address: int, value: int, *, width: int = 4, order: str = "", zero: int = 0) -> Old:
        """Store the unsigned minimum of the location and `value`; return the old value: LDUMIN."""
        return self._fetch("umin", address, value, width, order, zero)

    @accepts(_order)
    def swpp(self, address: int, value: int, *, order: str = "") -> Old:
        """Exchange 16 bytes with `value`; return the old value (FEAT_LSE128): SWPP."""
        return self._of_pair("swpp", "swap", address, value, order)

    @accepts(_order)
    def ldclrp(self, address: int, value: int, *, order: str = "") -> Old:
        """Clear the bits of 16 bytes that are set in `value`; return the old value (FEAT_LSE128): LDCLRP."""
        return self._of_pair("ldclrp", "clear", address, value, order)

    @accepts(_order)
    def ldsetp(self, address: int, value: int, *, order: str = "") -> Old:
        """Set the bits of 16 bytes that are set in `value`; return the old value (FEAT_LSE128): LDSETP."""
        return self._of_pair("ldsetp", "or", address, value, order)

    def _of_pair(self, mnemonic: str, function: str, address: int, value: int, order: str) -> Old:
        _order(order)
        return self._atomic(mnemonic + order, function, address, value, 16, ORDERS[order])

    @accepts(_store_order)
    @has_widths(*_WIDTHS)
    def stadd(self, address: int, value: int, *, width: int = 4, order: str = "") -> Nothing:
        """Add `value` to the location; return nothing: STADD."""
        return self._apply("add", address, value, width, order)

    @accepts(_store_order)
    @has_widths(*_WIDTHS)
    def stclr(self, address: int, value: int, *, width: int = 4, order: str = "") -> Nothing:
        """Clear the bits that are set in `value`; return nothing: STCLR."""
        return self._apply("clr", address, value, width, order)

    @accepts(_store_order)
    @has_widths(*_WIDTHS)
    def steor(self, address: int, value: int, *, width: int = 4, order: str = "") -> Nothing:
        """Exclusive-or the location with `value`; return nothing: STEOR."""
        return self._apply("eor", address, value, width, order)

    @accepts(_store_order)
    @has_widths(*_WIDTHS)
    def stset(self, address: int, value: int, *, width: int = 4, order: str = "") -> Nothing:
        """Set the bits that are set in `value`; return nothing: STSET."""
        return self._apply("set", address, value, width, order)

    @accepts(_store_order)
    @has_widths(*_WIDTHS)
    def stsmax(self, address: int, value: int, *, width: int = 4, order: str = "") -> Nothing:
        """Store the signed maximum of the location and `value`; return nothing: STSMAX."""
        return self._apply("smax", address, value, width, order)

    @accepts(_store_order)
    @has_widths(*_WIDTHS)
    def stsmin(self, address: int, value: int, *, width: int = 4, order: str = "") -> Nothing:
        """Store the signed minimum of the location and `value`; return nothing: STSMIN."""
        return self._apply("smin", address, value, width, order)

    @accepts(_store_order)
    @has_widths(*_WIDTHS)
    def stumax(self, address: int, value: int, *, width: int = 4, order: str = "") -> Nothing:
        """Store the unsigned maximum of the location and `value`; return nothing: STUMAX."""
        return self._apply("umax", address, value, width, order)

    @accepts(_store_order)
    @has_widths(*_WIDTHS)
    def stumin(self, address: int, value: int, *, width: int = 4, order: str = "") -> Nothing:
        """Store the unsigned minimum of the location and `value`; return nothing: STUMIN."""
        return self._apply("umin", address, value, width, order)

    def _fetch(self, operation: str, address: int, value: int, width: int, order: str, zero: int) -> Old:
        name = _name("ld" + operation, width, order)
        return self._atomic(name, ATOMICS[operation], address, value, width, ORDERS[order], drops=bool(zero))

    async def _apply(self, operation: str, address: int, value: int, width: int, order: str) -> None:
        _store_order(order)
        name = _name("st" + operation, width, order)
        await self._atomic(name, ATOMICS[operation], address, value, width, ORDERS[order], drops=True)


def _name(stem: str, width: int, order: str) -> str:
    """Return the mnemonic with its order and width suffixes."""
    check_width(width, _WIDTHS)
    _order(order)
    return stem + order + _SUFFIX.get(width, "")
