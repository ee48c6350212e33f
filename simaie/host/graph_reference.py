"""Sequential consistency and TSO as models over execution graphs, to check the search of graphs against others.

They are no hosts of their own: ``sc`` and ``tso`` are the same models, and faster.
"""

from __future__ import annotations

from simaie.barrier import Barrier
from simaie.host.graph.event import Event, Past
from simaie.host.graph.memory import GraphMemory
from simaie.host.graph.model import Dependencies, Model
from simaie.host.ram import Endian
from simaie.op import Form

__all__ = ["GraphScMemory", "GraphTsoMemory", "Tso"]


class Tso(Model):
    """x86-TSO: only a load may overtake an earlier store; atomic instructions are full barriers."""

    name = "tso"

    def order_of(self, past: Past, event: Event, depends: Dependencies) -> int:
        """Return all events before a store or atomic; before a load all loads, and what a full barrier came after.

        A load that asks for sequential consistency also waits for store-releases.
        """
        if event.writes or event.atomic:
            return past.everything
        return past.loads | past.full | (past.releases if event.total else 0)

    def add(self, past: Past, event: Event, depends: Dependencies) -> None:
        """Take an event into account for later ones."""
        past.add(event)
        if event.writes and event.release:
            past.releases |= 1 << event.index
        if event.atomic:
            past.full = past.everything

    def fence(self, past: Past, orders: Barrier, control: int, form: Form) -> None:
        """Take a fence that keeps loads behind stores into account."""
        if orders & Barrier.ST_LD:
            past.full = past.everything


class GraphScMemory(GraphMemory):
    """Sequentially consistent memory."""

    order = Barrier.FULL

    def __init__(self, endian: Endian = "little") -> None:
        super().__init__(endian)
        self.model = Model()


class GraphTsoMemory(GraphMemory):
    """The memory of x86."""

    order = Barrier.FULL & ~Barrier.ST_LD

    def __init__(self, endian: Endian = "little") -> None:
        super().__init__(endian)
        self.model = Tso()
