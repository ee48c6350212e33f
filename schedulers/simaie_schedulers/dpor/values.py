"""What places hold in a part of the current execution.

The values that the events wrote are known, and so is what RAM and cells held at the start; accesses of several widths
are merged byte by byte. Unknown is only what a function left that cannot be frozen (`simaie_schedulers.dpor.frozen`),
what an UPDATE left, whose function sees the structure itself, and what a place holds that something else than data was
put in.
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
    """A value that cannot be told."""


UNKNOWN: Final = _Unknown()


class Values:
    """Values in states inside the current execution of `order`; such a state is the mask of the events before it.

    path: the decisions, which keep the functions that were applied. beginning: what all executions begin with.
    """

    def __init__(self, order: HappensBefore) -> None:
        self.order = order
        self.path: Sequence[Node | None] = ()
        self.beginning: Beginning | None = None
        self._initial: dict[tuple[int, int], int] = {}

    def at(self, op: Op, mask: int) -> Any:
        """What the place of `op` holds after the events of `mask`, or `UNKNOWN`."""
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
        """What `actor` reads there: its own buffered stores hide what the place holds."""
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
        """What event `index`, a write, left where it wrote."""
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
        """The value of the bytes of `op` after `writers`, the latest first."""
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
