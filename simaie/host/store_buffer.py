"""What memories with store buffers have in common: stores wait in their vCPU's own buffers and drain later.

A vCPU sees its own buffered stores (forwarding), nobody else does. A drain is a step of an actor of its own and may be
delayed as long as the scheduler likes, but no operation that carries a barrier on real hosts is performed before the
vCPU's buffers are empty (`simaie.dependence.waits_for_drain`): mutexes and atomics do, plain loads and stores, also
those of the emulator's own cells, do not. The world is stopped only when everybody's buffers are empty.

A memory model says which buffered stores may drain next; never one before an older one to the same bytes. A fence that
orders stores after stores, and nothing else, makes those behind it wait until all before it have drained.

Model: P. Sewell, S. Sarkar, S. Owens, F. Zappa Nardelli, M. Myreen, "x86-TSO: a rigorous and usable programmer's model
for x86 multiprocessors" (CACM 53(7), 2010); The SPARC Architecture Manual, version 8, appendix K.

Deviations: a load that overlaps buffered stores only in part takes each byte from where it is newest, where hardware
would stall; an UPDATE of a cell takes effect at once, since whoever else looks at the cell must hold its guard.
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
    """A buffered store. fences: how many store-store fences its vCPU had performed before it."""

    op: Op
    fences: int

    @property
    def key(self) -> str:
        """The name of its place: stores to one place drain in their order."""
        return self.op.cell.name if self.op.cell is not None else hex(self.op.address)

    def overlaps(self, op: Op) -> bool:
        """Whether `op` touches what it writes."""
        store = self.op
        if store.cell is not None or op.cell is not None:
            return store.cell is op.cell
        return overlap(store, op)


class BufferedMemory(ScMemory):
    """Sequentially consistent but for stores, which wait in a buffer."""

    buffers_stores = True

    def __init__(self, endian: Endian = "little") -> None:
        super().__init__(endian)
        #: By vCPU, oldest first. Invariant: no vCPU without a buffered store.
        self._buffers: dict[Any, deque[Buffered]] = {}
        self._fences: dict[Any, int] = {}

    # -- what a memory model says -------------------------------------------------------------

    @abstractmethod
    def buffer_of(self, entry: Buffered) -> str:
        """The name of the buffer that a store goes to, among those of its vCPU; stores in one never overtake."""

    @abstractmethod
    def ready(self, stores: deque[Buffered]) -> Iterator[Buffered]:
        """Which of a vCPU's stores, oldest first and at least one, may drain next: of each buffer at most one."""

    # -- what the engine asks -----------------------------------------------------------------

    def admit(self, op: Op) -> Op:
        """What `op` is on this memory: a STORE becomes a BUFFER, unless it is sequentially consistent."""
        if op.kind is not _STORE or op.order is _SEQ_CST:
            return op
        return Op(_BUFFER, value=op, buffer=self.buffer_of(Buffered(op, 0)))

    def drains(self, actor: Any) -> Iterable[tuple[str, Op]]:
        """The stores of `actor` that may drain next, each with its buffer."""
        stores = self._buffers.get(actor)
        if stores:
            for entry in self.ready(stores):
                yield self.buffer_of(entry), entry.op

    def drain(self, actor: Any, key: str) -> None:
        """The oldest store in one buffer of `actor` reaches RAM, or its cell."""
        stores = self._buffers[actor]
        entry = next(entry for entry in stores if self.buffer_of(entry) == key)
        stores.remove(entry)
        if not stores:
            del self._buffers[actor]
        self._store(actor, entry.op)

    def enabled(self, actor: Any, op: Op) -> bool:
        """As on a sequentially consistent memory, but what carries a barrier waits for the buffer."""
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
        """Perform `op`: a BUFFER goes into the buffer, a load finds the vCPU's own newer value there."""
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
        return tuple([self._forwarded(actor, part) for part in op.places])

    def _forwarded(self, actor: Any, op: Op) -> Any:
        """What `actor` finds at the place of `op`: the newest of its own buffered values, else what is there."""
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
        """The bytes at the place of `op` after `stores`, oldest first, which stay where they are."""
        data = bytearray(self.ram.read_bytes(op.address, op.width))
        for store in stores:
            wrapped = store.value & ((1 << 8 * store.width) - 1)
            for offset, byte in enumerate(wrapped.to_bytes(store.width, self.ram.endian), store.address - op.address):
                if 0 <= offset < op.width:
                    data[offset] = byte
        return int.from_bytes(data, self.ram.endian)
