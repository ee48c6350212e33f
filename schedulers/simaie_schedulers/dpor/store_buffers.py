"""Store buffers in the happens-before relation: what the buffers of one vCPU order, and what they leave unordered.

A buffer is a separate actor, but it belongs to its vCPU, and the two never race. The following is ordered in every
execution: a store's entry into a buffer before its drain; drains of overlapping stores, in the order of their entries;
an operation that carries a barrier (`simaie.dependence.waits_for_drain`) after the drains of all earlier entries; and
the drains on either side of a store-store fence. Nothing else is ordered: a vCPU's load finds the same value before and
after its own store drains, so the two commute, and the load conflicts only with the drains of other vCPUs.

P. Abdulla, S. Aronis, M. Faouzi Atig, B. Jonsson, C. Leonardsson, K. Sagonas, "Stateless model checking for TSO and
PSO" (TACAS 2015) abstract from drains in the same spirit (chronological traces); the traces here are plain
Mazurkiewicz traces of stores, loads and drains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simaie.dependence import conflict, keeps_stores_apart, waits_for_drain
from simaie.op import Kind, Op, buffer_name, owner_of
from simaie.trace import Event

if TYPE_CHECKING:
    from simaie_schedulers.dpor.happens_before import HappensBefore

__all__ = ["StoreBuffers"]


class StoreBuffers:
    """The buffered stores of the current execution; events are indices, masks have one bit per event.

    Args:
        order: Happens-before relation of the execution.

    Attributes:
        entered: By buffer, the events by which stores entered it, in order.
        left: By buffer, the events by which stores drained from it; the n-th belongs to the n-th of `entered`.
        drains: By vCPU, the mask of the drains of all its buffers.
        fences: By vCPU, the mask of the events that order its later stores after its earlier ones.
    """

    def __init__(self, order: HappensBefore) -> None:
        self._order = order
        self.entered: dict[str, list[int]] = {}
        self.left: dict[str, list[int]] = {}
        self.drains: dict[str, int] = {}
        self.fences: dict[str, int] = {}

    def rewind(self, length: int) -> None:
        """Forget the events from index `length` on."""
        for column in (self.entered, self.left):
            for buffer, indices in list(column.items()):
                while indices and indices[-1] >= length:
                    indices.pop()
                if not indices:
                    del column[buffer]
        kept = (1 << length) - 1
        self.drains = {vcpu: mask & kept for vcpu, mask in self.drains.items()}
        self.fences = {vcpu: mask & kept for vcpu, mask in self.fences.items()}

    def note(self, index: int, event: Event) -> None:
        """Record an event.

        Args:
            index: Index of the event.
            event: The event.
        """
        op, actor = event.op, event.actor
        vcpu = owner_of(actor)
        if actor != vcpu:
            self.left.setdefault(actor, []).append(index)
            self.drains[vcpu] = self.drains.get(vcpu, 0) | 1 << index
        elif op.kind is Kind.BUFFER:
            self.entered.setdefault(buffer_name(actor, op.buffer), []).append(index)
        if keeps_stores_apart(op):
            self.fences[vcpu] = self.fences.get(vcpu, 0) | 1 << index

    def before(self, event: Event, place: int) -> int:
        """Return the events of the vCPU's other actors that precede `event`, the next event, in every execution.

        Args:
            event: The event.
            place: Number of its place.
        """
        actor = event.actor
        vcpu = owner_of(actor)
        drains = self.drains.get(vcpu, 0)
        if actor == vcpu:
            return drains if drains and waits_for_drain(event.op) else 0
        entry = self.entered[actor][len(self.left.get(actor, ()))]
        before = 1 << entry
        if drains:
            before |= drains & self._order.conflicts(place, True)
            fences = self.fences.get(vcpu, 0) & (2 << entry) - 1
            if fences:
                before |= self._drains_of_entries_before(vcpu, fences.bit_length() - 1)
        return before

    def siblings(self, actor: str) -> int:
        """Return the mask of the events of the same vCPU's other actors."""
        vcpu = owner_of(actor)
        drains = self.drains.get(vcpu, 0)
        if actor == vcpu:
            return drains
        return (drains | self._order.actors.get(vcpu, 0)) & ~self._order.actors.get(actor, 0)

    def is_pending(self, buffer: str, mask: int) -> bool:
        """Whether a store waits in the buffer after the events of `mask`.

        Args:
            buffer: Name of the buffer.
            mask: Mask of events.
        """
        entered = sum(mask >> index & 1 for index in self.entered.get(buffer, ()))
        return entered > sum(mask >> index & 1 for index in self.left.get(buffer, ()))

    def pending(self, vcpu: str, op: Op, mask: int) -> list[int]:
        """Return the entries of buffered stores that overlap the place of `op`, newest first.

        Args:
            vcpu: Name of the vCPU whose buffers are searched.
            op: The operation.
            mask: Mask of the events after which the stores are still buffered.
        """
        events, found = self._order.events, []
        for buffer, entries in self.entered.items():
            if owner_of(buffer) != vcpu:
                continue
            left = self.left.get(buffer, [])
            for number, index in enumerate(entries):
                drained = number < len(left) and mask >> left[number] & 1
                if mask >> index & 1 and not drained and conflict(events[index].op.value, True, op, True):
                    found.append(index)
        return sorted(found, reverse=True)

    def _drains_of_entries_before(self, vcpu: str, fence: int) -> int:
        """Return the mask of the drains of stores that entered the buffers of `vcpu` before the event `fence`."""
        found = 0
        for buffer, left in self.left.items():
            if owner_of(buffer) == vcpu:
                for entry, drain in zip(self.entered[buffer], left, strict=False):
                    if entry < fence:
                        found |= 1 << drain
        return found
