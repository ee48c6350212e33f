"""The memory of RISC-V, RVWMO: the rules of preserved program order of the unprivileged manual.

Source: The RISC-V Instruction Set Manual, volume I, "RVWMO Memory Consistency Model"; herdtools7 5feffe4,
herd/libdir/riscv.cat and riscv-defs.cat. The numbers of rules are those of the manual. It is multi-copy atomic.

Atomics, LR and SC that ask for an order are RCsc, and so is a load that asks for sequential consistency, which also
waits for earlier store-releases; other loads and stores are RCpc, as in herd7.

A reservation set has the bytes that the load-reserved reads and those that its store-conditional writes, if the guest
lets that access other bytes, see `simaie.engine.graph.exclusive`. Deviation: input and output are not ordered.
"""

from __future__ import annotations

from simaie.barrier import Barrier
from simaie.host.graph.event import INITIAL, Event, Past
from simaie.host.graph.graph import Graph
from simaie.host.graph.memory import GraphMemory
from simaie.host.graph.model import Dependencies, Model
from simaie.host.ram import Endian
from simaie.op import Form

__all__ = ["Rvwmo", "RvwmoMemory"]


class Rvwmo(Model):
    """The preserved program order of RVWMO."""

    name = "rvwmo"
    status_orders = True
    one_operation = True
    depends_on_source = True

    def order_of(self, past: Past, event: Event, depends: Dependencies) -> int:
        """Return what the rules order before an event, except those that depend on the store that it reads."""
        order = past.full | depends.address_choices  # 5, 9
        if event.writes:
            order |= past.before_stores | past.to_place.get(event.place, 0)  # 4, 1
            order |= depends.value_choices | depends.control | past.addresses  # 10, 11, 13
            if event.pair >= 0:
                order |= 1 << event.pair  # 8
            event.carried = depends.address_choices | depends.value_choices
        else:
            order |= past.before_loads | (past.releases if event.total else 0)  # 4
        if event.release:
            order |= past.everything  # 6
        if event.consistent:
            order |= past.consistent  # 7
        event.unsure = past.unsure_of(order) >> 1
        both = (order | order >> 1) & past.pairs
        return order | both | both << 1

    def add(self, past: Past, event: Event, depends: Dependencies) -> None:
        """Take an event into account for later ones."""
        past.add(event)
        bit = 1 << event.index
        past.addresses |= depends.address_choices
        if event.atomic and event.writes:
            past.pairs |= bit >> 1
        if event.acquire or event.acquire_pc:
            past.full |= bit
        if event.consistent:
            past.consistent |= bit
        if event.writes and event.release:
            past.releases |= bit

    def fence(self, past: Past, orders: Barrier, control: int, form: Form) -> None:
        """Take a FENCE that keeps these orders into account."""
        for order, mask in ((Barrier.LD_LD, past.loads), (Barrier.ST_LD, past.stores)):
            past.before_loads |= mask if orders & order else 0
        for order, mask in ((Barrier.LD_ST, past.loads), (Barrier.ST_ST, past.stores)):
            past.before_stores |= mask if orders & order else 0

    def by_source(self, graph: Graph, event: Event) -> int:
        """Return what rules 3 and 12 order before a read, which depend on the store that it reads."""
        source = graph.source[event.id]
        found = 0
        store = None if source == INITIAL else graph.events.get(source)
        if store is not None and store.vcpu == event.vcpu:
            found = store.carried << store.base  # 12
            if store.pair >= 0:
                found |= 1 << store.id  # 3
        return found

    def by_sources(self, graph: Graph, event: Event) -> int:
        """Return what rule 2 orders before a read, which depends on the store that each of both reads."""
        return event.reads_since & graph.mask & ~graph.readers_of(graph.source[event.id], event.place)


class RvwmoMemory(GraphMemory):
    """RISC-V (RVWMO): loads and stores in any order that dependencies, fences and aq or rl accesses allow.

    Args:
        endian: Byte order of guest RAM.
    """

    def __init__(self, endian: Endian = "little") -> None:
        super().__init__(endian)
        self.model = Rvwmo()
