"""Partial store order, of SPARC: stores of one vCPU to different places drain in any order.

Stores that overlap in part have buffers of their own, and the younger one waits for the older.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from simaie.barrier import Barrier
from simaie.host.store_buffer import Buffered, BufferedMemory

__all__ = ["PsoMemory"]


class PsoMemory(BufferedMemory):
    """A store buffer for each vCPU and address: a load may overtake stores, and stores each other."""

    order = Barrier.LD_LD | Barrier.LD_ST

    def buffer_of(self, entry: Buffered) -> str:
        """That of the address, or the cell."""
        return entry.key

    def ready(self, stores: deque[Buffered]) -> Iterator[Buffered]:
        """Those before the first fence that overlap no older one."""
        older: list[Buffered] = []
        for entry in stores:
            if entry.fences != stores[0].fences:
                return
            if not any(other.overlaps(entry.op) for other in older):
                yield entry
            older.append(entry)
