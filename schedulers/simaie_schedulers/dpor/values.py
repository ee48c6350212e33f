"""The values of places after a part of the current execution.

The values that events wrote are known, and so are the initial contents of RAM and cells; accesses of different widths
are merged byte by byte. A value is unknown only if it is the result of a function that cannot be frozen
(`simaie_schedulers.dpor.frozen`), the result of an UPDATE (its function sees the structure itself), or something other
than data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from simaie.dependence import conflict
from simaie.op import Kind, Op
from simaie.protocols import Beginning
from simaie_schedulers.dpor.blocking import bits
from simaie_schedulers.dpor.happens_before import HappensBefore

if TYPE_CHECKING:
    from simaie_schedulers.dpor.tree import Node

__all__ = ["UNKNOWN", "Values"]

_STORING = (Kind.STORE, Kind.EXCHANGE, Kind.CAS, Kind.STORE_CONDITIONAL)


class _Unknown:
    """A value that cannot be determined."""


UNKNOWN: Final = _Unknown()


class Values:
    """Values in states inside the current execution; a state is the mask of the events before it.

    Args:
        order: Happens-before relation of the execution.

    Attributes:
        order: Happens-before relation of the execution.
        path: The decisions, which keep the functions that were applied.
        beginning: What all executions begin with.
    """

    def __init__(self, order: HappensBefore) -> None:
        self.order = order
        self.path: Sequence[Node | None] = ()
        self.beginning: Beginning | None = None
        self._initial: dict[tuple[int, int], int] = {}

    def at(self, op: Op, mask: int) -> Any:
        """Return the value at the place of `op` after the events of `mask`, or `UNKNOWN`.

        Args:
            op: An operation at the place.
            mask: Mask of events.
        """
        order = self.order
        writers = order.conflicts(order.locations.of(op), False) & ~order.world & mask
        if op.cell is not None:
            return self._left_by(writers.bit_length() - 1) if writers else op.cell.initial
        while writers:
            latest = writers.bit_length() - 1
            writers ^= 1 << latest
            store = order.events[latest].op
            if store.address == op.address and store.width == op.width:
                return self._left_by(latest)
            if conflict(store, True, op, True):
                return self._merged(op, [latest, *bits(writers)])
        return self._initially(op.address, op.width)

    def seen_by(self, actor: str, op: Op, mask: int) -> Any:
        """Return the value that `actor` reads there: its own buffered stores hide the value in memory.

        Args:
            actor: Name of the actor.
            op: An operation at the place.
            mask: Mask of the events before the read.
        """
        order = self.order
        pending = order.buffers.pending(actor, op, mask) if order.buffers.entered else ()
        if not pending:
            return self.at(op, mask)
        newest = order.events[pending[0]].op.value
        if op.cell is not None or (newest.address, newest.width) == (op.address, op.width):
            return _stored(newest)
        writers = order.conflicts(order.locations.of(op), False) & ~order.world & mask
        return self._merged(op, [*pending, *bits(writers)])

    def _left_by(self, index: int) -> Any:
        """Return the value that event `index`, a write, stored."""
        event = self.order.events[index]
        op = event.op
        if op.kind is Kind.FETCH:
            node = self.path[index]
            apply = None if node is None else node.apply
            if apply is None:
                return UNKNOWN
            value = apply(event.value)
            return value & (1 << 8 * op.width) - 1 if op.width else value
        if op.kind is Kind.BUFFER:
            return _stored(op.value)
        return _stored(op) if op.kind in _STORING else UNKNOWN

    def _merged(self, op: Op, writers: Iterable[int]) -> Any:
        """Return the value of the bytes of `op` after `writers`, latest first."""
        assert self.beginning is not None
        endian = self.beginning.endian
        missing = set(range(op.address, op.address + op.width))
        found = {}
        for index in writers:
            event = self.order.events[index]
            store = event.op.value if event.op.kind is Kind.BUFFER else event.op
            if missing.isdisjoint(range(store.address, store.address + store.width)):
                continue
            value = self._left_by(index)
            if value is UNKNOWN:
                return UNKNOWN
            for address, byte in enumerate(value.to_bytes(store.width, endian), store.address):
                if address in missing:
                    missing.remove(address)
                    found[address] = byte
        found.update({address: self._initially(address, 1) for address in missing})
        return int.from_bytes([found[address] for address in range(op.address, op.address + op.width)], endian)

    def _initially(self, address: int, width: int) -> int:
        value = self._initial.get((address, width))
        if value is None:
            assert self.beginning is not None
            value = self._initial[address, width] = self.beginning.read(address, width)
        return value


def _stored(op: Op) -> Any:
    return op.value & (1 << 8 * op.width) - 1 if op.width else op.value
