"""Tries: rounds of a loop by which a vCPU changed nothing, and whether another vCPU could notice them.

A try consists of reads and of writes of the value that was there: ``xchg(lock, 1)`` of a lock that is taken, a failed
compare-and-swap, a load-linked whose store-conditional fails, or the same under a mutex of the scheme. The set of the
vCPUs that hold a reservation (`Role.RESERVATIONS`) counts as a monitor, in which a vCPU sees only itself. The steps of
the vCPU alone tell whether its last round was a try (`try_of`). They do not tell everything:

* Between the load and the store of a try without an atomic operation, another vCPU may have written. The store then
  took this write back.
* A write of the same value ends the reservations of other vCPUs.

`was_noticed` finds both in the steps of all vCPUs. It agrees about two executions that differ only in the order of
independent steps: all steps that it compares conflict with each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from simaie.dependence import overlap, share_byte, writes
from simaie.op import Cell, Kind, Op, Role, owner_of
from simaie.trace import Event

__all__ = ["Place", "Try", "place_of", "same", "try_of", "verb_of", "was_disturbed", "was_noticed", "wrote_news"]

#: As in an Op: cell, address, width.
Place: TypeAlias = tuple[Cell | None, int, int]

_LOOKS = frozenset({Kind.LOAD, Kind.LOAD_LINKED})
_ATOMICS = frozenset({Kind.CAS, Kind.EXCHANGE, Kind.FETCH})
_STORES = frozenset({Kind.STORE, Kind.STORE_CONDITIONAL})
_EXCLUSIVE = frozenset({Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL})
_INSERT, _TEST, _EMPTY, _REMOVE = "insert", "test", "empty", "remove"
_PLAIN = (int, bool, str, bytes, type(None))


class Try:
    """One or more rounds of a loop that changed nothing, as far as the steps of their vCPU show.

    Attributes:
        seen: The values that were read, by place.
        stores: Whether a value was written that was there.
        fails: Whether a store-conditional failed, so that the next round may do more.
        steps: The number of steps of the vCPU.
    """

    __slots__ = ("_begins_with", "_is_renewed", "_reserves", "_taken", "fails", "seen", "steps", "stores")

    def __init__(self, events: Sequence[Event]) -> None:
        self.seen: dict[Place, Any] = {}
        self.stores = self.fails = False
        self.steps = len(events)
        self._begins_with = events[0] if events else None
        self._taken: list[Cell | None] = []  # mutexes
        self._reserves: Kind | None = None  # the last operation on the reservation, as of an ideal monitor
        self._is_renewed = False  # whether every round begins with the instruction that takes the reservation

    def take(self, event: Event) -> bool:
        """Add a step, and return whether the vCPU has changed nothing by it."""
        op, value = event.op, event.value
        kind = op.kind
        if kind in _LOOKS:
            if kind is Kind.LOAD_LINKED:
                self._reserve(event)
            return self._reads(op, value)
        if kind in _ATOMICS:
            self.stores = self.stores or writes(op, value)
            return not wrote_news(op, value) and self._reads(op, value)
        if kind in _STORES:
            return self._stores(op, value)
        if kind is Kind.LOCK:
            self._taken.append(op.cell)
            return True
        if kind is Kind.UNLOCK:
            return bool(self._taken) and self._taken.pop() is op.cell
        if kind is Kind.CLEAR_RESERVATION:
            self._reserves = kind
            return True
        if kind is Kind.UPDATE:
            return self._updates(event, verb_of(op))
        return kind is Kind.FENCE or kind is Kind.PAUSE

    @property
    def is_whole(self) -> bool:
        """Whether it read something, holds no mutex, and a reservation that it leaves is renewed by the next round."""
        if not self.seen or self._taken:
            return False
        leaves_none = self._reserves is not Kind.LOAD_LINKED
        return leaves_none or self._is_renewed or (len(self.seen) == 1 and not self.stores and not self.fails)

    def _reserve(self, event: Event) -> None:
        if self._reserves is None:
            first = self._begins_with
            assert first is not None
            self._is_renewed = event is first or (
                event.instruction is not None and event.instruction is first.instruction
            )
        self._reserves = Kind.LOAD_LINKED

    def _updates(self, event: Event, verb: str) -> bool:
        """Take a step on a set of reservations, whose effect on other vCPUs `was_noticed` finds."""
        if verb == _INSERT:
            self._reserve(event)
        elif verb == _TEST:
            if self._reserves is None:
                return False
            self._reserves = Kind.STORE_CONDITIONAL
            self.fails = self.fails or event.value is False
        elif verb == _EMPTY:
            self.stores = True
            self._reserves = Kind.STORE_CONDITIONAL
        elif verb == _REMOVE:
            self._reserves = Kind.CLEAR_RESERVATION
        return verb != ""

    def _reads(self, op: Op, value: Any) -> bool:
        return same(self.seen.setdefault(place_of(op), value), value)

    def _stores(self, op: Op, value: Any) -> bool:
        if op.kind is Kind.STORE_CONDITIONAL:
            if self._reserves is None:  # it would depend on an earlier round
                return False
            self._reserves = op.kind
            if value != 1:
                self.fails = True
                return True
        self.stores = True
        place = place_of(op)
        return place in self.seen and _is_kept(op, op.value, self.seen[place])


def try_of(events: Sequence[Event]) -> Try | None:
    """Return the try that a vCPU made by `events`, all its own; None if it has, or may have, changed something."""
    found = Try(events)
    return found if all(map(found.take, events)) and found.is_whole else None


def wrote_news(op: Op, value: Any) -> bool:
    """Whether an atomic operation, having returned `value`, wrote another value; True if that is not known.

    The old value of a read-modify-write with a family is not used, so that it may be swapped with others.
    """
    if op.kind is Kind.CAS:
        return bool(value == op.expected) and not _is_kept(op, op.value, value)
    if op.kind is Kind.EXCHANGE:
        return not _is_kept(op, op.value, value)
    function = op.function
    return function is None or bool(function.family) or not _is_kept(op, function.apply(value), value)


def verb_of(op: Op) -> str:
    """Return what an UPDATE does with a set of reservations, as `simaie.aie.tiny_set` names it; empty for others."""
    if op.cell is None or op.cell.role is not Role.RESERVATIONS or op.function is None:
        return ""
    verb = op.function.name.partition(" ")[0]
    return verb if verb in (_INSERT, _TEST, _EMPTY, _REMOVE) else ""


def place_of(op: Op) -> Place:
    """Return the place of an operation that has one."""
    return op.cell, op.address, op.width


def same(a: Any, b: Any) -> bool:
    """Whether two values that were read are the same."""
    return a is b or bool(a == b)


def _is_kept(op: Op, new: Any, old: Any) -> bool:
    """Whether writing `new` leaves `old` in place, so that no code can tell the difference."""
    if op.cell is None and isinstance(new, int):
        return bool(new & (1 << 8 * op.width) - 1 == old)
    return new is old or (type(new) is type(old) and isinstance(new, _PLAIN) and new == old)


# -- what others notice --------------------------------------------------------------------------------


def was_noticed(tried: Try, vcpu: str, events: Sequence[Event]) -> bool:
    """Whether the last `tried.steps` steps of `vcpu`, which are a try, made a difference for another vCPU.

    Args:
        tried: The try.
        vcpu: The name of the vCPU.
        events: The steps of all vCPUs; those after the last one of `vcpu` do not count.
    """
    if not tried.stores:
        return False
    own = [number for number, event in enumerate(events) if event.actor == vcpu][-tried.steps :]
    return any(
        _took_back(tried, own, number, events) or _ended_reservation(number, events)
        for number in own
        if writes(events[number].op, events[number].value)
    )


def was_disturbed(vcpu: str, steps: int, events: Sequence[Event]) -> bool:
    """Whether another vCPU may have made the store-conditionals fail that failed in the last `steps` steps of `vcpu`.

    If not, they fail again in every round.

    Args:
        vcpu: The name of the vCPU.
        steps: The number of its steps, which are a try.
        events: The steps of all vCPUs, as for `was_noticed`.
    """
    own = [number for number, event in enumerate(events) if event.actor == vcpu][-steps:]
    reserved = -1
    for number in own:
        op, value = events[number].op, events[number].value
        if op.kind is Kind.LOAD_LINKED or verb_of(op) == _INSERT:
            reserved = number
        fails = (op.kind is Kind.STORE_CONDITIONAL and value != 1) or (verb_of(op) == _TEST and value is False)
        if fails and any(_may_end(event, op) for event in events[reserved:number] if event.actor != vcpu):
            return True
    return False


def _may_end(event: Event, op: Op) -> bool:
    """Whether a step may have ended the reservation that `op` needs."""
    other = event.op
    if other.cell is not None or op.cell is not None:
        return other.cell is op.cell and verb_of(other) == _EMPTY
    return writes(other, event.value) and share_byte(*op.reserved, other.address, other.width)


def _took_back(tried: Try, own: list[int], at: int, events: Sequence[Event]) -> bool:
    """Whether the store of step `at` took back what another vCPU wrote since the try first read there."""
    op = events[at].op
    if op.kind is not Kind.STORE:  # an atomic operation returns what it replaces
        return False
    place = place_of(op)
    first = next(number for number in own if place_of(events[number].op) == place)
    return any(
        not _is_kept(op, _written(event), tried.seen[place])
        for event in events[first:at]
        if _touches(event.op, op) and writes(event.op, event.value)
    )


def _written(event: Event) -> Any:
    op = event.op
    return op.value if op.function is None or op.kind is Kind.UPDATE else op.function.apply(event.value)


def _touches(other: Op, op: Op) -> bool:
    if other.cell is not None or op.cell is not None:
        return other.cell is op.cell
    return other.width > 0 and overlap(other, op)


def _ended_reservation(at: int, events: Sequence[Event]) -> bool:
    """Whether the write of step `at` ended a reservation of another vCPU that no equal write had ended before."""
    op, writer = events[at].op, events[at].actor
    if op.kind is Kind.UPDATE:
        return verb_of(op) == _EMPTY and _emptied(at, events)
    if op.cell is not None or not op.width:
        return False
    settled: set[str] = set()  # the vCPUs without such a reservation
    ended_by: list[str] = []  # who wrote the same bytes since
    for event in reversed(events[:at]):
        other = owner_of(event.actor)
        is_foreign = event.op.kind in _EXCLUSIVE and other != writer and other not in settled
        if is_foreign and share_byte(*event.op.reserved, op.address, op.width):
            if event.op.kind is Kind.LOAD_LINKED and all(other == by for by in ended_by):
                return True
            settled.add(other)
        if place_of(event.op) == place_of(op) and writes(event.op, event.value):
            ended_by.append(other)
    return False


def _emptied(at: int, events: Sequence[Event]) -> bool:
    """Whether step `at`, which emptied a set of reservations, removed another vCPU."""
    cell, writer = events[at].op.cell, events[at].actor
    gone: set[str] = set()
    for event in reversed(events[:at]):
        if event.op.cell is not cell or event.op.kind is not Kind.UPDATE:
            continue
        verb = verb_of(event.op)
        if verb == _EMPTY:
            return False
        if verb != _TEST and event.actor != writer and event.actor not in gone:
            if verb != _REMOVE:
                return True
            gone.add(event.actor)
    return False
