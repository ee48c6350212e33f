"""The common part of load/store architectures: loads, stores, LL/SC, single-instruction atomics, fences and hints.

The class of an instruction set names its instructions and composes them of these. An access with acquire or release
semantics goes through `_in_order`; no other access does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import Any

from simaie.guest.contract import require_number
from simaie.guest.cpu import Cpu
from simaie.guest.reservation import Cause
from simaie.op import Function, Kind, Op, Order
from simaie.trace import AccessKind

__all__ = ["LoadStoreCpu", "extended"]

_RELAXED = Order.RELAXED


def extended(value: int, width: int, register: int = 8) -> int:
    """Return `value` of `width` bytes, sign-extended to `register` bytes, as an unsigned number.

    Args:
        value: The unsigned value.
        width: Its width in bytes.
        register: Width of the register in bytes.
    """
    half = 1 << 8 * width - 1
    return ((value & 2 * half - 1 ^ half) - half) & (1 << 8 * register) - 1


class LoadStoreCpu(Cpu):
    """Base of vCPUs of load/store architectures. Widths are in bytes; loads return unsigned values of that width."""

    def _in_order(self, order: Order, body: Awaitable[Any]) -> Awaitable[Any]:
        """Return the access `body` with the memory order `order`."""
        return self._scheme.in_order(order, body) if order else body

    def _load(
        self, mnemonic: str, address: int, width: int, order: Order = _RELAXED, alignment: int = 1
    ) -> Coroutine[Any, Any, int]:
        body = self._scheme.load(self, address, width)
        if order:
            body = self._in_order(order, body)
        return self._access(mnemonic, AccessKind.LOAD, address, width, body, alignment)

    async def _load_signed(
        self,
        mnemonic: str,
        address: int,
        width: int,
        register: int | None = None,
        order: Order = _RELAXED,
        alignment: int = 1,
    ) -> int:
        """Load and sign-extend to `register` bytes; None for those of a general register."""
        loaded = await self._load(mnemonic, address, width, order, alignment)
        return extended(loaded, width, register or self.register_width)

    def _store(
        self, mnemonic: str, address: int, value: int, width: int, order: Order = _RELAXED, alignment: int = 1
    ) -> Coroutine[Any, Any, None]:
        wrapped = value & (1 << 8 * width) - 1
        body = self._scheme.store(self, address, width, wrapped)
        if order:
            body = self._in_order(order, body)
        return self._access(mnemonic, AccessKind.STORE, address, width, body, alignment, wrapped)

    def _load_pair(
        self, mnemonic: str, address: int, width: int, order: Order = _RELAXED, alignment: int = 1
    ) -> Coroutine[Any, Any, int]:
        """Load two registers of `width` bytes in all; the mnemonic must be one of `Cpu.pairs`."""
        body = self._in_order(order, self._scheme.load_pair(self, address, width))
        return self._access(mnemonic, AccessKind.LOAD, address, width, body, alignment)

    def _store_pair(
        self, mnemonic: str, address: int, value: int, width: int, order: Order = _RELAXED, alignment: int = 1
    ) -> Coroutine[Any, Any, None]:
        """Store two registers of `width` bytes in all; the mnemonic must be one of `Cpu.pairs`."""
        wrapped = value & (1 << 8 * width) - 1
        body = self._in_order(order, self._scheme.store_pair(self, address, width, wrapped))
        return self._access(mnemonic, AccessKind.STORE, address, width, body, alignment, wrapped)

    def _load_linked(
        self, mnemonic: str, address: int, width: int, order: Order = _RELAXED
    ) -> Coroutine[Any, Any, int]:
        body = self._in_order(order, self._scheme.load_linked(self, address, width))
        return self._access(mnemonic, AccessKind.LOAD_LINKED, address, width, body, width)

    async def _store_conditional(
        self, mnemonic: str, address: int, value: int, width: int, order: Order = _RELAXED
    ) -> bool:
        """Store if the reservation holds; return whether it stored."""
        wrapped = value & (1 << 8 * width) - 1
        body = self._in_order(order, self._scheme.store_conditional(self, address, width, wrapped))
        kind = AccessKind.STORE_CONDITIONAL
        stored: bool = await self._access(mnemonic, kind, address, width, body, width, wrapped)
        return stored

    def _atomic(
        self,
        mnemonic: str,
        function: str,
        address: int,
        operand: int,
        width: int,
        order: Order = _RELAXED,
        *,
        drops: bool = False,
    ) -> Coroutine[Any, Any, int]:
        """Apply a function of `simaie.guest.function` atomically; return the old value.

        drops: whether the guest's instruction drops the old value.
        """
        update = self._update(function, operand, width, drops=drops)
        return self._apply_function(mnemonic, address, width, update, order, drops=drops)

    def _apply_function(
        self,
        mnemonic: str,
        address: int,
        width: int,
        update: Function,
        order: Order = _RELAXED,
        *,
        drops: bool = False,
    ) -> Coroutine[Any, Any, int]:
        """Apply `update` to the location atomically; return the old value; `drops` as for `_atomic`."""
        body = self._in_order(order, self._scheme.atomic_rmw(self, address, width, update))
        if drops:
            body = self._scheme.without_result(body)
        return self._access(mnemonic, AccessKind.ATOMIC, address, width, body, width, update)

    def _compare_and_swap(
        self,
        mnemonic: str,
        address: int,
        expected: int,
        new: int,
        width: int,
        order: Order = _RELAXED,
        *,
        drops: bool = False,
    ) -> Coroutine[Any, Any, int]:
        """Store `new` if the location holds `expected`, atomically; return the old value.

        drops: whether the guest's instruction drops the old value.
        """
        mask = (1 << 8 * width) - 1
        wanted = expected & mask, new & mask
        body = self._in_order(order, self._scheme.cmpxchg(self, address, width, *wanted))
        if drops:
            body = self._scheme.without_result(body)
        return self._access(mnemonic, AccessKind.ATOMIC, address, width, body, width, wanted)

    async def _compare_two(
        self,
        mnemonic: str,
        addresses: tuple[int, int],
        width: int,
        expected: tuple[int, int],
        new: tuple[int, int],
    ) -> int:
        """Store to two locations if both hold what is expected, atomically; return both old values as one number.

        The trace has the old value of the first location as the result.
        """
        high = 0

        async def both() -> int:
            nonlocal high
            scheme = self._scheme
            self._note_second(addresses[1])
            old = await scheme.cmpxchg_two(self, addresses, width, expected, new)
            require_number(scheme, "cmpxchg_two", old, 2 * width)
            high = old >> 8 * width
            return old & (1 << 8 * width) - 1  # type: ignore[no-any-return]  # an int, perhaps with its dependencies

        low: int = await self._access(mnemonic, AccessKind.ATOMIC, addresses[0], width, both())
        return low | high << 8 * width

    def _fence(self, mnemonic: str, kind: str) -> Coroutine[Any, Any, None]:
        """Issue a fence; `kind` is the set of orders that it keeps, see `simaie.barrier`."""
        return self._access(mnemonic, AccessKind.OTHER, 0, 0, self._scheme.fence(self, kind))

    def _clear_exclusive(self, mnemonic: str) -> Coroutine[Any, Any, None]:
        body = self._scheme.clear_exclusive(self)
        return self._access(mnemonic, AccessKind.OTHER, 0, 0, body, ends=Cause.CLEAR)

    def _hint(self, mnemonic: str) -> Coroutine[Any, Any, None]:
        """Hint that this vCPU spins or waits, so that other vCPUs go first."""
        return self._access(mnemonic, AccessKind.OTHER, 0, 0, Op(Kind.PAUSE))

    def _context_barrier(self, mnemonic: str) -> Coroutine[Any, Any, None]:
        """Issue a barrier that orders no data by itself, only loads behind earlier branches."""
        return self._access(mnemonic, AccessKind.OTHER, 0, 0, self._scheme.context_barrier(self))

    def _no_access(self, mnemonic: str) -> Coroutine[Any, Any, None]:
        """Perform an instruction that accesses no data: the host has nothing to do for it."""
        return self._access(mnemonic, AccessKind.OTHER, 0, 0, _nothing())


async def _nothing() -> None:
    pass
