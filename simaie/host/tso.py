"""Total store order, the memory of x86 and SPARC: each vCPU's stores drain in their order from one FIFO."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from simaie.barrier import Barrier
from simaie.host.store_buffer import Buffered, BufferedMemory

__all__ = ["TsoMemory"]


class TsoMemory(BufferedMemory):
    """One store buffer a vCPU: a load may overtake stores to other places, and nothing else is reordered."""

    order = Barrier.FULL & ~Barrier.ST_LD

    def buffer_of(self, entry: Buffered) -> str:
        """There is only one."""
        return ""

    def ready(self, stores: deque[Buffered]) -> Iterator[Buffered]:
        """The oldest."""
        yield stores[0]
