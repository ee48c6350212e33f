"""What an operation would do, and whether it could be done, in a part of the current execution.

To reverse a race, the later operation is to be performed in a state that no execution has shown yet: after the events
of a mask, which leave out the earlier half of the race and all that happens after it. Two things must be known there.
Whether a compare-and-swap or a store-conditional *would write*, because the dependences that decide what is redundant
are those of the effect; and whether an operation that blocks *would be enabled*, because a wake-up sequence that
cannot be followed leads nowhere. Both follow from the values that the events of the execution returned, except where
the initial value of a location was never seen or accesses of several widths overlap. Then it is taken to write, which
is safe, and to be perhaps enabled, which is tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from schedulers.happens_before import HappensBefore
from simaie.op import Kind, Op, owner_of

if TYPE_CHECKING:
    from schedulers.exploration_tree import Node

__all__ = ["PartialState"]

_READING = (Kind.LOAD, Kind.CAS, Kind.EXCHANGE, Kind.FETCH, Kind.LOAD_LINKED, Kind.AWAIT)


class _Unknown:
    """A value that the executions so far do not tell."""


_UNKNOWN: Final = _Unknown()


class PartialState:
    """Answers about states inside the current execution of `order`.

    pending: what each actor that is stuck at the end has announced. path: the decisions, which know who was enabled.
    """

    def __init__(self, order: HappensBefore) -> None:
        self.order = order
        self.pending: dict[str, Op] = {}
        self.path: Sequence[Node | None] = ()
        self._initial: dict[int, Any] = {}

    # -- effects ------------------------------------------------------------------------------

    def would_write(self, actor: str, op: Op, place: int, mask: int) -> bool:
        """Whether `op`, performed after the events of `mask`, changes shared state (or might)."""
        if op.kind is Kind.CAS:
            value = self.value_at(place, mask)
            return value is _UNKNOWN or bool(value == op.expected)
        if op.kind is Kind.STORE_CONDITIONAL:
            return self._reservation_holds(actor, place, mask)
        return True

    def _reservation_holds(self, actor: str, place: int, mask: int) -> bool:
        order = self.order
        own = order.actors.get(actor, 0) & mask
        while own:
            latest = own.bit_length() - 1
            kind = order.events[latest].op.kind
            if kind is Kind.LOAD_LINKED:
                foreign = mask & ~order.actors[actor] & ~order.buffers.siblings(actor)
                stores = order.conflicts(order.place[latest], False) & foreign
                return stores >> latest == 0
            if kind in (Kind.STORE_CONDITIONAL, Kind.CLEAR_RESERVATION):
                return False
            own ^= 1 << latest
        return False

    def value_at(self, place: int, mask: int) -> Any:
        """What `place` holds after the events of `mask`; _UNKNOWN if that cannot be told."""
        order = self.order
        writers = order.conflicts(place, False) & ~order.world & mask
        if not writers:
            return self._initial_value(place)
        latest = writers.bit_length() - 1
        if order.place[latest] != place:
            return _UNKNOWN
        return self._left_by(latest)

    def _left_by(self, index: int) -> Any:
        event = self.order.events[index]
        op = event.op
        if op.kind is Kind.FETCH and op.function is not None:
            return op.function.apply(event.value)
        if op.kind in (Kind.STORE, Kind.EXCHANGE, Kind.CAS):
            return op.value & ((1 << 8 * op.width) - 1) if op.width else op.value
        return _UNKNOWN

    def _initial_value(self, place: int) -> Any:
        if place not in self._initial:
            value = self._first_read(place)
            if value is _UNKNOWN:
                return value
            self._initial[place] = value
        return self._initial[place]

    def _first_read(self, place: int) -> Any:
        """The value returned by an access that saw what was there at the start."""
        order = self.order
        touching = order.conflicts(place, True) & ~order.world
        while touching:
            lowest = touching & -touching
            touching ^= lowest
            index = lowest.bit_length() - 1
            event = order.events[index]
            if order.place[index] == place and event.op.kind in _READING:
                if order.buffers.entered and order.buffers.newest(event.actor, place, lowest - 1) is not None:
                    continue  # it read its own buffered store
                return event.value
            if order.wrote[index]:
                break
        return _UNKNOWN

    # -- enabledness --------------------------------------------------------------------------

    def would_be_enabled(self, actor: str, op: Op, place: int, mask: int) -> bool | None:
        """Whether `op` could be performed after the events of `mask`; None if that cannot be told."""
        order, kind = self.order, op.kind
        if order.world and self._is_stopped(actor, mask):
            return False
        if kind is Kind.LOCK:
            users = order.conflicts(place, False) & ~order.world & mask
            return not users or order.events[users.bit_length() - 1].op.kind is not Kind.LOCK
        if kind is Kind.AWAIT:
            return self._condition_holds(actor, op, place, mask)
        if kind is Kind.JOIN:
            last = order.actors.get(op.value.name, 0).bit_length() - 1
            return last >= 0 and mask >> last & 1 == 1 and order.events[last].op.kind is Kind.EXIT
        if kind is Kind.BEGIN_EXCLUSIVE:
            return not any(self._is_inside(other, mask) for other in order.actors if other != actor)
        return True

    def _condition_holds(self, actor: str, op: Op, place: int, mask: int) -> bool | None:
        if op.value is None:
            value = self._seen_by(actor, place, mask)
        else:
            values = tuple([self._seen_by(actor, self.order.locations.of(part), mask) for part in op.places])
            value = _UNKNOWN if _UNKNOWN in values else values
        if value is not _UNKNOWN and op.function is not None:
            return bool(op.function.apply(value))
        if self.order.buffers.entered:
            return None  # what was offered in the execution depended on the buffers too
        # The execution itself may have shown whether the wait was over, when the location held what it holds here.
        order = self.order
        writers = order.conflicts(place, False) & ~order.world
        seen, following = writers & mask, writers & ~mask
        own = order.actors.get(actor, 0) & mask
        begin = max(own.bit_length(), seen.bit_length(), order.spawned.get(actor, -1) + 1)
        end = (following & -following).bit_length() if following else len(self.path)
        for index in range(begin, end):
            node = self.path[index]
            names = None if node is None else node.names
            if names is not None and not self._is_stopped(actor, (1 << index) - 1):
                return actor in names
        return None

    def _seen_by(self, actor: str, place: int, mask: int) -> Any:
        """What `actor` finds at `place`: its own buffered store, if there is one."""
        buffers = self.order.buffers
        entry = buffers.newest(actor, place, mask) if buffers.entered else None
        if entry is None:
            return self.value_at(place, mask)
        store = self.order.events[entry].op.value
        if self.order.locations.of(store) != place:
            return _UNKNOWN
        return store.value & ((1 << 8 * store.width) - 1) if store.width else store.value

    def _is_stopped(self, actor: str, mask: int) -> bool:
        order = self.order
        stops = order.world & mask
        if not stops or actor in order.unstoppable:
            return False
        latest = order.events[stops.bit_length() - 1]
        return latest.op.kind is Kind.BEGIN_EXCLUSIVE and latest.actor != owner_of(actor)

    def _is_inside(self, actor: str, mask: int) -> bool:
        """Whether the actor has performed a part of a guest instruction, and not its end."""
        order = self.order
        if actor in order.unstoppable:
            return False
        if owner_of(actor) != actor:
            return order.buffers.is_pending(actor, mask)
        own = order.actors[actor]
        last = order.last_step(own & mask)
        instruction = order.instruction(last)
        if instruction is None:
            return False
        rest = own >> last + 1 << last + 1
        while rest:
            following = (rest & -rest).bit_length() - 1
            op = order.events[following].op
            if op.kind is not Kind.CHOICE:
                return order.instruction(following) is instruction and op.kind is not Kind.BEGIN_EXCLUSIVE
            rest &= rest - 1
        waiting = self.pending.get(actor)
        return waiting is not None and waiting.kind is not Kind.BEGIN_EXCLUSIVE and not instruction.completed
