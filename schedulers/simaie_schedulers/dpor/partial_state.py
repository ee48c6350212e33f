"""What an operation would do, and whether it could be done, in a part of the current execution.

To reverse a race, the later operation is to be performed in a state that no execution has shown yet: after the events
of a mask, which leave out the earlier half of the race and all that happens after it. Two things must be known there.
Whether a compare-and-swap or a store-conditional *would write*, because the dependences that decide what is redundant
are those of the effect; and whether an operation that blocks *would be enabled*, because a wake-up sequence that
cannot be followed leads nowhere.

**Why a guess loses executions.** Say a compare-and-swap is taken to write, and goes into the wake-up tree so. It is a
leaf there: every other sequence that may begin with it counts as covered, since from a leaf on everything is explored.
That holds if all who sleep have been woken on the way. If the compare-and-swap then fails, and so is a read, a load of
the same place sleeps on, and what was covered is cut.

**Exact** are, as the events of the mask return there what they returned in the execution:

* CAS: the value at its place is computed (`simaie_schedulers.dpor.values`), and compared as the host does;
* STORE_CONDITIONAL: the vCPU's load-linked, what cleared its reservation, and the foreign writes in between are events;
* LOCK: the last LOCK or UNLOCK of the mutex tells whether it is free;
* AWAIT: the value (or values, or the vCPU's own buffered stores) is computed, and the predicate asked;
* JOIN: the exit is among the events, or is not;
* BEGIN_EXCLUSIVE: whether another vCPU is inside an instruction, or has stores in a buffer, is in the order of its own
  events and in what it has announced; devices do not count, and their names are known from the start;
* everything, in a world that is stopped: the last BEGIN_EXCLUSIVE or END_EXCLUSIVE tells, and whose it is;
* all other kinds are always enabled, and write always or never. What waits for its own vCPU's store buffers has those
  drains in its past.

**In doubt** is what depends on a value that is unknown (`simaie_schedulers.dpor.values` says when). Then the
compare-and-swap is *presumed* to write and stays a write for the wake-up tree and the sleep sets, whatever it turns out
to be: so fewer sleep, more is explored, nothing is lost, and `presumed` counts the executions that may be in vain. And
the AWAIT is *doubtful*: it is tried, no other sequence relies on it, and `infeasible` counts the trials in vain.

A host memory that does something else than this with a compare-and-swap or a store-conditional is found out by
`simaie_schedulers.dpor.tree`, which compares the effect with what was foreseen.
"""

from __future__ import annotations

from simaie.dependence import conflict
from simaie.op import Kind, Op, owner_of
from simaie_schedulers.dpor.blocking import bits
from simaie_schedulers.dpor.frozen import Apply
from simaie_schedulers.dpor.happens_before import HappensBefore
from simaie_schedulers.dpor.values import UNKNOWN, Values

__all__ = ["PartialState"]


class PartialState:
    """Answers about states inside the current execution of `order`.

    pending: what each actor that is stuck at the end has announced.
    """

    def __init__(self, order: HappensBefore) -> None:
        self.order = order
        self.values = Values(order)
        self.pending: dict[str, Op] = {}

    # -- effects ------------------------------------------------------------------------------

    def would_write(self, actor: str, op: Op, mask: int) -> bool | None:
        """Whether `op`, performed after the events of `mask`, changes shared state; None if that cannot be told."""
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
        # The place of a store-conditional is all that was reserved, which is more than it may have written.
        return not any(conflict(order.events[index].op, True, needed, False) for index in bits(since))

    # -- enabledness --------------------------------------------------------------------------

    def would_be_enabled(self, actor: str, op: Op, apply: Apply | None, mask: int) -> bool | None:
        """Whether `op` could be performed after the events of `mask`; None if that cannot be told.

        apply: of an AWAIT its predicate, None if that is not known any more.
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
            return True  # it was free at the start
        kind = order.events[users.bit_length() - 1].op.kind
        if kind in (Kind.LOCK, Kind.UNLOCK):
            return kind is Kind.UNLOCK
        value = self.values.at(op, mask)
        return None if value is UNKNOWN else value is None

    def _condition_holds(self, actor: str, op: Op, apply: Apply | None, mask: int) -> bool | None:
        seen_by = self.values.seen_by
        values = tuple([seen_by(actor, part, mask) for part in op.places])
        if apply is None or any(value is UNKNOWN for value in values):
            return None
        try:
            return bool(apply(values[0] if op.value is None else values))
        except Exception:  # a predicate of the guest that cannot judge this value: let the execution show it
            return None

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
