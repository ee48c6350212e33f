"""Total store order, the memory of x86 and SPARC: each vCPU's stores drain in their order from one FIFO."""

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
    """One store buffer a vCPU: a load may overtake stores to other places, and nothing else is reordered."""

    order = Barrier.FULL & ~Barrier.ST_LD

    def buffer_of(self, entry: Buffered) -> str:
        """There is only one."""
        return ""

    # What follows is what the base would find out by a search, which for a single FIFO is none.

    def admit(self, op: Op) -> Op:
        """A STORE becomes a BUFFER, unless it is sequentially consistent."""
        return op if op.kind is not _STORE or op.order is _SEQ_CST else Op(_BUFFER, value=op)

    def drains(self, actor: Any) -> Iterable[tuple[str, Op]]:
        """The oldest store of `actor`, if there is one."""
        stores = self._buffers.get(actor)
        return (("", stores[0].op),) if stores else ()

    def drain(self, actor: Any, key: str) -> None:
        """The oldest store of `actor` reaches RAM, or its cell."""
        stores = self._buffers[actor]
        oldest = stores.popleft()
        if not stores:
            del self._buffers[actor]
        self._store(actor, oldest.op)

    def ready(self, stores: deque[Buffered]) -> Iterator[Buffered]:
        """The oldest."""
        yield stores[0]
