"""Total store order, the memory model of x86 and SPARC: each vCPU's stores drain in order from one FIFO."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from simaie.barrier import Barrier
from simaie.host.store_buffer import Buffered, BufferedMemory
from simaie.op import Kind, Op, Order

__all__ = ["TsoMemory"]

_STORE, _BUFFER, _SEQ_CST = Kind.STORE, Kind.BUFFER, Order.SEQ_CST  # looked up once, not per access


class TsoMemory(BufferedMemory):
    """One store buffer per vCPU: a load may overtake stores to other locations; no other reordering."""

    order = Barrier.FULL & ~Barrier.ST_LD

    def buffer_of(self, entry: Buffered) -> str:
        """Return the empty string: a vCPU has only one buffer."""
        return ""

    # The methods below shortcut searches of the base class that a single FIFO does not need.

    def admit(self, op: Op) -> Op:
        """Return `op` as this memory performs it: a STORE becomes a BUFFER, unless it is sequentially consistent."""
        return op if op.kind is not _STORE or op.order is _SEQ_CST else Op(_BUFFER, value=op)

    def drains(self, actor: Any) -> Iterable[tuple[str, Op]]:
        """Return the oldest store of `actor`, if any, with the buffer name."""
        stores = self._buffers.get(actor)
        return (("", stores[0].op),) if stores else ()

    def drain(self, actor: Any, key: str) -> None:
        """Drain the oldest store of `actor` to RAM or to its cell."""
        stores = self._buffers[actor]
        oldest = stores.popleft()
        if not stores:
            del self._buffers[actor]
        self._store(actor, oldest.op)

    # For a search that goes back by undo.

    def oldest(self, actor: Any) -> Buffered:
        """Return the oldest store of `actor`, which has one."""
        return self._buffers[actor][0]

    def put_back(self, actor: Any, oldest: Buffered) -> None:
        """Put the store that drained last back into its buffer; memory keeps the value."""
        self._buffers.setdefault(actor, deque()).appendleft(oldest)

    def take_back(self, actor: Any) -> None:
        """Remove the store of `actor` that entered its buffer last."""
        stores = self._buffers[actor]
        stores.pop()
        if not stores:
            del self._buffers[actor]

    def ready(self, stores: deque[Buffered]) -> Iterator[Buffered]:
        """Yield the oldest store."""
        yield stores[0]
