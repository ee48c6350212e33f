"""Partial store order, of SPARC: stores of one vCPU to different locations drain in any order.

Stores that overlap in part are in separate buffers, and the younger store waits for the older one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from simaie.barrier import Barrier
from simaie.host.store_buffer import Buffered, BufferedMemory

__all__ = ["PsoMemory"]


class PsoMemory(BufferedMemory):
    """A store buffer per vCPU and address: loads may overtake stores, and stores may overtake each other."""

    order = Barrier.LD_LD | Barrier.LD_ST

    def buffer_of(self, entry: Buffered) -> str:
        """Return the name of the store's buffer: its address or its cell."""
        return entry.key

    def ready(self, stores: deque[Buffered]) -> Iterator[Buffered]:
        """Yield the stores before the first fence that overlap no older store."""
        older: list[Buffered] = []
        for entry in stores:
            if entry.fences != stores[0].fences:
                return
            if not any(other.overlaps(entry.op) for other in older):
                yield entry
            older.append(entry)
