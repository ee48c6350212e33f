"""The base of memories with store buffers: a store waits in its vCPU's own buffer and drains later.

A vCPU sees its own buffered stores (forwarding); no other vCPU sees them. A drain is a step of a separate actor. The
scheduler may delay it arbitrarily, but an operation that carries a barrier on real hosts waits until the vCPU's
buffers are empty (`simaie.dependence.waits_for_drain`): mutexes and atomics wait; plain loads and stores, including
those of the emulator's own cells, do not. The world stops only when the buffers of all vCPUs are empty.

A memory model defines which buffered stores may drain next; a store never drains before an older store to the same
bytes. Behind a fence that only orders stores after stores, stores wait until all stores before it have drained.

Model: P. Sewell, S. Sarkar, S. Owens, F. Zappa Nardelli, M. Myreen, "x86-TSO: a rigorous and usable programmer's model
for x86 multiprocessors" (CACM 53(7), 2010); The SPARC Architecture Manual, version 8, appendix K.

Deviations: a load that overlaps buffered stores only in part takes the newest value of each byte, where hardware would
stall; an UPDATE of a cell takes effect at once, since every other access to the cell requires its guard.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from simaie.barrier import Barrier
from simaie.dependence import overlap, waits_for_drain
from simaie.errors import SchemeError
from simaie.host.ram import Endian
from simaie.host.sc import ScMemory
from simaie.op import Kind, Op, Order

__all__ = ["Buffered", "BufferedMemory"]

_LOAD, _STORE, _BUFFER = Kind.LOAD, Kind.STORE, Kind.BUFFER  # looked up once, not per access
_SEQ_CST = Order.SEQ_CST


class Buffered(msgspec.Struct, frozen=True, eq=False):
    """A buffered store.

    Attributes:
        op: The store.
        fences: Number of store-store fences that the vCPU had performed before it.
    """

    op: Op
    fences: int

    @property
    def key(self) -> str:
        """The name of the store's location; stores to one location drain in order."""
        return self.op.cell.name if self.op.cell is not None else hex(self.op.address)

    def overlaps(self, op: Op) -> bool:
        """Whether `op` touches bytes or a cell that this store writes."""
        store = self.op
        if store.cell is not None or op.cell is not None:
            return store.cell is op.cell
        return overlap(store, op)


class BufferedMemory(ScMemory):
    """Sequentially consistent memory, except that stores wait in buffers.

    Args:
        endian: Byte order of guest RAM.
    """

    buffers_stores = True

    def __init__(self, endian: Endian = "little") -> None:
        super().__init__(endian)
        #: By vCPU, oldest store first. Invariant: each vCPU here has a buffered store.
        self._buffers: dict[Any, deque[Buffered]] = {}
        self._fences: dict[Any, int] = {}

    # -- what a memory model says -------------------------------------------------------------

    @abstractmethod
    def buffer_of(self, entry: Buffered) -> str:
        """Return the name of the store's buffer among those of its vCPU; stores in one buffer drain in order."""

    @abstractmethod
    def ready(self, stores: deque[Buffered]) -> Iterator[Buffered]:
        """Yield the stores of a vCPU that may drain next, at most one per buffer.

        Args:
            stores: The vCPU's buffered stores, oldest first; at least one.
        """

    # -- what the engine asks -----------------------------------------------------------------

    def admit(self, op: Op) -> Op:
        """Return `op` as this memory performs it: a STORE becomes a BUFFER, unless it is sequentially consistent."""
        if op.kind is not _STORE or op.order is _SEQ_CST:
            return op
        return Op(_BUFFER, value=op, buffer=self.buffer_of(Buffered(op, 0)))

    def drains(self, actor: Any) -> Iterable[tuple[str, Op]]:
        """Yield (buffer name, store) of each store of `actor` that may drain next."""
        stores = self._buffers.get(actor)
        if stores:
            for entry in self.ready(stores):
                yield self.buffer_of(entry), entry.op

    def drain(self, actor: Any, key: str) -> None:
        """Drain the oldest store of the buffer `key` of `actor` to RAM or to its cell."""
        stores = self._buffers[actor]
        entry = next(entry for entry in stores if self.buffer_of(entry) == key)
        stores.remove(entry)
        if not stores:
            del self._buffers[actor]
        self._store(actor, entry.op)

    def enabled(self, actor: Any, op: Op) -> bool:
        """Whether `op` may run now: as on sequentially consistent memory, but a barrier waits for the buffers."""
        kind = op.kind
        if kind is _BUFFER or (kind is _LOAD and op.order is not _SEQ_CST):
            return True
        if self._buffers:
            if kind is Kind.BEGIN_EXCLUSIVE:
                return False
            if actor in self._buffers and waits_for_drain(op):
                return False
        return super().enabled(actor, op)

    def perform(self, actor: Any, op: Op) -> Any:
        """Perform `op`: a BUFFER enters the buffer, and a load sees the vCPU's own newer value there."""
        kind = op.kind
        if kind is _BUFFER:
            return self._buffer(actor, op.value)
        if actor not in self._buffers:
            return super().perform(actor, op)
        if kind is _LOAD:
            return self._forwarded(actor, op)
        if kind is Kind.AWAIT:
            return self._await(actor, op)
        if kind is Kind.UPDATE and any(entry.overlaps(op) for entry in self._buffers[actor]):
            raise SchemeError(f"{op.location} is updated under its guard and also stored to plainly: do only one")
        if kind is Kind.FENCE and op.orders & Barrier.ST_ST:
            self._fences[actor] = self._fences.get(actor, 0) + 1
        value = super().perform(actor, op)
        return self._forwarded(actor, op) if kind is Kind.LOAD_LINKED else value

    # -- the buffers --------------------------------------------------------------------------

    def _buffer(self, actor: Any, store: Op) -> None:
        if store.order is Order.RELEASE:
            self._fences[actor] = self._fences.get(actor, 0) + 1
        stores = self._buffers.get(actor)
        if stores is None:
            stores = self._buffers[actor] = deque()
        stores.append(Buffered(store, self._fences.get(actor, 0)))

    def _await(self, actor: Any, op: Op) -> Any:
        if actor not in self._buffers:
            return super()._await(actor, op)
        if op.value is None:
            return self._forwarded(actor, op)
        return tuple([self._part(actor, part) for part in op.places])

    def _part(self, actor: Any, part: Op) -> Any:
        if actor not in self._buffers or part.kind is Kind.STORE_CONDITIONAL:
            return super()._part(actor, part)
        return self._forwarded(actor, part)

    def _forwarded(self, actor: Any, op: Op) -> Any:
        """Return the value that `actor` sees: the newest of its own buffered values, else the value in memory."""
        stores = self._buffers[actor]
        for entry in reversed(stores):
            if entry.overlaps(op):
                newest = entry.op
                if op.cell is not None:
                    return newest.value
                if newest.address == op.address and newest.width == op.width:
                    return newest.value & ((1 << 8 * op.width) - 1)
                return self._merged(op, [older.op for older in stores if older.overlaps(op)])
        return self._peek(op)

    def _merged(self, op: Op, stores: list[Op]) -> int:
        """Return the bytes at the location of `op` overlaid with `stores`, oldest first; the stores stay buffered."""
        data = bytearray(self.ram.read_bytes(op.address, op.width))
        for store in stores:
            wrapped = store.value & ((1 << 8 * store.width) - 1)
            for offset, byte in enumerate(wrapped.to_bytes(store.width, self.ram.endian), store.address - op.address):
                if 0 <= offset < op.width:
                    data[offset] = byte
        return int.from_bytes(data, self.ram.endian)
