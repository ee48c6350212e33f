"""The memory of Armv8-A: loads and stores in any order that dependencies, barriers and ordered accesses allow.

The model is that of the Arm architecture as herd7 has it: herdtools7 5feffe4, herd/libdir/aarch64.cat,
aarch64hwreqs.cat and aarch64deps.cat; J. Alglave, W. Deacon, R. Grisenthwaite, A. Hacquard, L. Maranget, "Armed Cats"
(TOPLAS 43(2), 2021). It is multi-copy atomic.

Where the architecture leaves open what a store-conditional does that accesses other bytes than its load-linked, the
scheme decides, see `simaie.engine.graph.exclusive`. Not modelled: tags, instruction fetches, and table walks of
hardware.
"""

from __future__ import annotations

from simaie.barrier import Barrier
from simaie.host.graph.event import Event, Past, members
from simaie.host.graph.memory import GraphMemory
from simaie.host.graph.model import Dependencies, Model
from simaie.host.ram import Endian
from simaie.op import Form
from simaie.protocols import require_one_of

__all__ = ["Armv8", "Armv8Memory"]

_LOADS_FIRST = Barrier.LD_LD | Barrier.LD_ST
_STORES_FIRST = Barrier.ST_LD | Barrier.ST_ST


class Armv8(Model):
    """The local order of Armv8-A.

    Args:
        exclusive_atomics: Whether atomics are loops of load-linked and store-conditional, and no single instructions.
    """

    name = "armv8"
    through_memory = True

    def __init__(self, *, exclusive_atomics: bool = False) -> None:
        self.exclusive_atomics = exclusive_atomics

    def order_of(self, past: Past, event: Event, depends: Dependencies) -> int:
        """Return barrier-ordered-before, dependency-ordered-before, atomic-ordered-before and local write successor."""
        order = past.full | past.before_loads | depends.address
        if event.writes:
            return order | self._before_store(past, event, depends, order)
        if event.acquire:
            order |= past.releases
        last = past.last_store.get(event.place)
        if last is not None:
            forwarded = last.carried  # a forwarded value comes with what the store waited for
            if (event.acquire or event.acquire_pc) and last.pair >= 0:
                forwarded |= 1 << last.pair
            if last.pair >= 0 and past.compares >> last.pair & 1:
                event.unsure = forwarded & ~order
            order |= forwarded
        event.picks = depends.address_choices
        return order

    def _before_store(self, past: Past, event: Event, depends: Dependencies, order: int) -> int:
        order |= past.before_stores | past.to_place.get(event.place, 0)
        order |= depends.address_choices | depends.value_choices | depends.control | past.addresses
        if event.release:
            order |= past.everything
        if event.pair >= 0:
            order |= 1 << event.pair
        event.carried = depends.address | depends.value
        event.picks = depends.address_choices | depends.value_choices
        picked = _picked(past, order)
        if unsure := past.unsure_of(order):
            event.unsure = picked & ~(order | _picked(past, order & ~unsure))
        return order | picked

    def add(self, past: Past, event: Event, depends: Dependencies) -> None:
        """Take an event into account for later ones."""
        past.add(event)
        bit = 1 << event.index
        past.addresses |= depends.address_choices
        if event.drops:
            past.loads &= ~bit  # DMB LD does not wait for it
        if event.writes and event.release:
            past.releases |= bit
            if event.pair >= 0 and event.atomic and past.events[event.pair].acquire:
                past.full |= bit  # the write of an instruction with acquire and release is a barrier, too
        elif not event.writes and (event.acquire or event.acquire_pc):
            past.full |= bit

    def fence(self, past: Past, orders: Barrier, control: int, form: Form) -> None:
        """Take a DMB, a DSB ST or an ISB into account.

        The DMB is the weakest one that keeps the orders, as in QEMU's tcg/aarch64. For stores before loads there is
        none but the full one. A DSB ST, which only a guest's own can be, keeps them before all that comes later.
        """
        if form & Form.CONTEXT:
            past.before_loads |= control | past.addresses
        if not orders:
            return
        if not orders & ~_LOADS_FIRST:
            past.full |= past.loads
        elif orders == Barrier.ST_ST:
            past.before_stores |= past.stores
        else:
            is_dsb_st = orders == _STORES_FIRST and form & Form.COMPLETES
            past.full |= past.stores if is_dsb_st else past.everything


def _picked(past: Past, order: int) -> int:
    """Return what the events that are ordered before a store, directly or not, were picked by."""
    found, seen, left = 0, 0, order
    while left:
        for index in members(left):
            earlier = past.events.get(index)
            seen |= 1 << index
            if earlier is not None:
                found |= earlier.picks
                left |= earlier.local | earlier.picks
        left &= ~seen
    return found


class Armv8Memory(GraphMemory):
    """Armv8-A: loads and stores in any order that dependencies, barriers and acquire or release accesses allow.

    Args:
        endian: Byte order of guest RAM.
        atomics: What a host atomic is: one instruction of FEAT_LSE (``"lse"``), or a loop of load-linked and
            store-conditional (``"llsc"``), which is no barrier.
    """

    def __init__(self, endian: Endian = "little", *, atomics: str = "lse") -> None:
        require_one_of("atomics", atomics, ("lse", "llsc"))
        super().__init__(endian)
        self.model = Armv8(exclusive_atomics=atomics == "llsc")
