"""Whether an operation could be performed, and what it would do, after a part of the current execution.

To reverse a race, the later operation must run in a state that no execution has shown: after the events of a mask
without the earlier operation of the race and everything that happens after it. The search must know two facts about
that state. First, whether a compare-and-swap or a store-conditional *would write*, because effects determine the
dependences and so what is redundant. Second, whether a blocking operation *would be enabled*, because a wake-up
sequence that cannot be followed leads nowhere.

**Why a guess loses executions.** Suppose that a compare-and-swap is assumed to write and enters the wake-up tree so.
It is a leaf there: every other sequence that may begin with it counts as covered, since everything is explored from a
leaf. That holds if all sleeping actors were woken on the way. If the compare-and-swap then fails, it is a read; a load
of the same place stays asleep, and covered sequences are cut.

**Exact** are the following, because the events of the mask return there what they returned in the execution:

* CAS: the value at its place is computed (`simaie_schedulers.dpor.values`) and compared as the host does;
* STORE_CONDITIONAL: the vCPU's load-linked, the end of its reservation, and the foreign writes in between are events;
* LOCK: the last LOCK or UNLOCK of the mutex tells whether it is free;
* AWAIT: the value (or values, or the vCPU's own buffered stores, or whether its reservation holds) is computed, and
  the predicate is applied;
* JOIN: the exit is among the events, or it is not;
* BEGIN_EXCLUSIVE: the order of another vCPU's events and its announced operation tell whether it is inside an
  instruction or has buffered stores; devices do not count, and their names are known from the start;
* any operation in a stopped world: the last operation that stopped or resumed the world, and its actor, decide;
* all other kinds are always enabled, and write always or never. An operation that waits for its own vCPU's store
  buffers has those drains in its past.

**In doubt** is what depends on an unknown value (`simaie_schedulers.dpor.values` says when a value is unknown). A
compare-and-swap is then *presumed* to write, and it stays a write for the wake-up tree and the sleep sets whatever it
turns out to be. So fewer actors sleep, more is explored, nothing is lost, and `presumed` counts the executions that
may be redundant. An AWAIT is then *doubtful*: it is tried, no other sequence relies on it, and `infeasible` counts the
failed trials.

If a host memory treats a compare-and-swap or a store-conditional differently, `simaie_schedulers.dpor.tree` detects
it: the tree compares the effect with the prediction.
"""

from __future__ import annotations

from typing import Any

from simaie.dependence import STOPS, conflict
from simaie.op import Kind, Op, owner_of
from simaie_schedulers.dpor.blocking import bits
from simaie_schedulers.dpor.frozen import Apply
from simaie_schedulers.dpor.happens_before import HappensBefore
from simaie_schedulers.dpor.values import UNKNOWN, Values

__all__ = ["PartialState"]


class PartialState:
    """Answers questions about states inside the current execution.

    Args:
        order: Happens-before relation of the execution.

    Attributes:
        order: Happens-before relation of the execution.
        values: Values of places in such states.
        pending: The announced operation of each actor that is stuck at the end.
    """

    def __init__(self, order: HappensBefore) -> None:
        self.order = order
        self.values = Values(order)
        self.pending: dict[str, Op] = {}

    # -- effects ------------------------------------------------------------------------------

    def would_write(self, actor: str, op: Op, mask: int) -> bool | None:
        """Whether `op`, performed after the events of `mask`, would change shared state; None if unknown.

        Args:
            actor: Name of the actor that performs the operation.
            op: The operation.
            mask: Mask of the events before it.
        """
        if op.kind is Kind.CAS:
            value = self.values.at(op, mask)
            return None if value is UNKNOWN else bool(value == op.expected)
        if op.kind is Kind.STORE_CONDITIONAL:
            return self._reservation_holds(actor, op, mask)
        return True

    def _reservation_holds(self, actor: str, op: Op, mask: int) -> bool:
        order = self.order
        linked = order.linked(actor, mask)
        if linked is None:
            return False
        reserving, locations = order.events[linked].op, order.locations
        (first, width), (low, size) = reserving.reserved, op.reserved
        if not (first <= low and low + size <= first + width):
            return False
        needed = reserving if op.expected is None else Op(Kind.LOAD, None, low, size)
        own = order.actors[actor] | order.buffers.siblings(actor) | order.world
        since = order.conflicts(locations.of(needed), False) & mask & ~own & -1 << linked
        # The place of a store-conditional is its whole reservation, which may be more than it wrote.
        return not any(conflict(order.events[index].op, True, needed, False) for index in bits(since))

    # -- enabledness --------------------------------------------------------------------------

    def would_be_enabled(self, actor: str, op: Op, apply: Apply | None, mask: int) -> bool | None:
        """Whether `op` could be performed after the events of `mask`; None if unknown.

        Args:
            actor: Name of the actor that performs the operation.
            op: The operation.
            apply: The predicate of an AWAIT; None if it is no longer known.
            mask: Mask of the events before it.
        """
        order, kind = self.order, op.kind
        if order.world and self._is_stopped(actor, mask):
            return False
        if kind is Kind.LOCK:
            return self._is_free(op, mask)
        if kind is Kind.AWAIT:
            return self._condition_holds(actor, op, apply, mask)
        if kind is Kind.JOIN:
            last = order.actors.get(op.value.name, 0).bit_length() - 1
            return last >= 0 and mask >> last & 1 == 1 and order.events[last].op.kind is Kind.EXIT
        if kind is Kind.BEGIN_EXCLUSIVE:
            vcpus = any(self._is_inside(other, mask) for other in order.actors if other != actor)
            return not vcpus and not any(order.buffers.is_pending(buffer, mask) for buffer in order.buffers.entered)
        return True

    def _is_free(self, op: Op, mask: int) -> bool | None:
        order = self.order
        users = order.conflicts(order.locations.of(op), False) & ~order.world & mask
        if not users:
            return True  # the mutex is free at the start
        kind = order.events[users.bit_length() - 1].op.kind
        if kind in (Kind.LOCK, Kind.UNLOCK):
            return kind is Kind.UNLOCK
        value = self.values.at(op, mask)
        return None if value is UNKNOWN else value is None

    def _condition_holds(self, actor: str, op: Op, apply: Apply | None, mask: int) -> bool | None:
        values = tuple([self._seen_by(actor, part, mask) for part in op.places])
        if apply is None or any(value is UNKNOWN for value in values):
            return None
        try:
            return bool(apply(values[0] if op.value is None else values))
        except Exception:  # a predicate of the guest that fails on this value: let the execution show it
            return None

    def _seen_by(self, actor: str, part: Op, mask: int) -> Any:
        if part.kind is Kind.STORE_CONDITIONAL:  # it asks whether it would store
            return self._reservation_holds(actor, part, mask)
        return self.values.seen_by(actor, part, mask)

    def _is_stopped(self, actor: str, mask: int) -> bool:
        order = self.order
        stops = order.world & mask
        if not stops:
            return False
        latest = order.events[stops.bit_length() - 1]
        if latest.op.kind not in STOPS or latest.actor == owner_of(actor):
            return False
        return latest.op.kind is Kind.BEGIN_SECTION or actor not in order.unstoppable

    def _is_inside(self, actor: str, mask: int) -> bool:
        """Whether the actor has performed a part of a guest instruction, but not its end."""
        order = self.order
        if actor in order.unstoppable or owner_of(actor) != actor:
            return False
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
