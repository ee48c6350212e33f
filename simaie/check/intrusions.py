"""The foreign writes between a load-linked and its store-conditional.

The result is the same in all executions that differ only in the order of independent operations
(`simaie.dependence.conflict`). Therefore a write counts at a byte only if it must come in between. It comes after the
load-linked read the byte (or, if the load-linked found the vCPU's own buffered store, after that store drained). It
comes before the store-conditional wrote the byte (or, if that writes only other bytes, before it by a chain of
dependent operations).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

import msgspec

from simaie.check.evidence import owner, read, writes_to, written
from simaie.check.exclusives import ConditionalStore, LinkedLoad
from simaie.dependence import conflict, waits_for_drain
from simaie.host.ram import Endian
from simaie.op import Kind, Op, owner_of
from simaie.trace import Event, Trace

__all__ = ["Intrusion", "intrusion"]


class Intrusion(msgspec.Struct, frozen=True):
    """The foreign writes between a load-linked and its store-conditional.

    Attributes:
        first: The step of a foreign write that came first at some byte.
        change: The step of a foreign write that changed a byte, even if a later one changed it back; None if all wrote
            the old values.
    """

    first: int
    change: int | None

    @property
    def worst(self) -> int:
        """The step of the write that changed a byte, or of the first write if none changed one."""
        return self.first if self.change is None else self.change


def intrusion(
    trace: Trace, attempt: ConditionalStore, granule: tuple[int, int] | None = None, endian: Endian = "little"
) -> Intrusion | None:
    """Return the foreign writes between the load-linked and the store-conditional; None if there are no such writes.

    Args:
        trace: The execution.
        attempt: The store-conditional.
        granule: Address and width of the bytes to examine; None for those that the load-linked read.
        endian: Byte order of guest RAM, needed to tell whether a write changed anything.
    """
    reservation = attempt.reservation
    if reservation is None or not attempt.is_interrupted(trace, granule):
        return None
    plain = _plain(trace, attempt, reservation, endian) if granule is None else None
    if plain is not None:
        return plain
    window = _Window(trace, attempt, reservation, endian)
    in_question = sorted(window.reads) if granule is None else range(granule[0], sum(granule))
    firsts, changes = [], []
    for byte in in_question:
        foreign = list(window.foreign(byte))
        firsts += foreign[:1]
        changes += window.change(byte, foreign)
    if not firsts:
        return None
    return Intrusion(_chosen(trace, firsts), _chosen(trace, changes) if changes else None)


def _plain(trace: Trace, attempt: ConditionalStore, reservation: LinkedLoad, endian: Endian) -> Intrusion | None:
    """Return the result of `intrusion` for the usual case, decided by whole accesses; None in any other case.

    In the usual case one step loads, one step stores, only others store in between, and all of these access exactly the
    same bytes. The first write is then the same for all bytes.
    """
    if len(reservation.steps) != 1 or len(attempt.writes) != 1 or Kind.BUFFER in trace.kinds:
        return None
    events, begin, end = trace.events, reservation.steps[0], attempt.writes[0]
    loaded = events[begin].op
    address, width, vcpu = loaded.address, loaded.width, attempt.instruction.vcpu
    between = list(takewhile(end.__gt__, writes_to(trace, address, width, begin)))
    if width > 8 or address % width or not between or not events[begin].reads_ram:
        return None
    for step in (*between, end):
        op = events[step].op
        if op.address != address or op.width != width or (owner(events[step]) == vcpu) != (step == end):
            return None
    value = list(read(events[begin], endian))
    change = next((step for step in between if list(written(events[step], endian)) != value), None)
    return Intrusion(between[0], change)


def _chosen(trace: Trace, steps: Sequence[int]) -> int:
    """Return one of several steps, whatever their order: the first of its vCPU, of the least address."""

    def key(step: int) -> tuple[str, int, int, int, int]:
        event = trace.events[step]
        number = -1 if event.instruction is None else event.instruction.number
        return owner(event), number, event.op.address, event.op.width, step

    return min(steps, key=key)


class _Window:
    """The window of a store-conditional.

    Attributes:
        reads: Byte of the load-linked -> step after which a foreign write to it counts.
    """

    def __init__(self, trace: Trace, attempt: ConditionalStore, reservation: LinkedLoad, endian: Endian) -> None:
        self._trace, self._attempt, self._endian = trace, attempt, endian
        self._linked = reservation
        self._end = attempt.last
        self.reads: dict[int, int] = {}
        self._values: dict[int, int] = {}
        for step in reservation.steps:
            event = trace.events[step]
            if event.reads_ram:
                for byte, value in read(event, endian):
                    self.reads[byte], self._values[byte] = step, value
        self._stores: dict[int, int] = {}
        for step in attempt.writes:
            op = trace.events[step].op
            self._stores.update(dict.fromkeys(range(op.address, op.address + op.width), step))
        if Kind.BUFFER in trace.kinds:
            for byte, step in self.reads.items():
                self.reads[byte] = max([step, *self._own_older(byte, step)])

    def foreign(self, byte: int) -> Iterator[int]:
        """Yield the foreign writes to `byte` in the window, in order."""
        events, vcpu = self._trace.events, self._attempt.instruction.vcpu
        begin, end = self.reads.get(byte, self._linked.steps[0]), self._stores.get(byte, self._end)
        for step in writes_to(self._trace, byte, 1, begin):
            if step >= end:
                break
            if owner(events[step]) == vcpu:
                continue
            late = byte in self.reads or _is_ordered(self._trace, self._linked.steps[0], step)
            early = byte in self._stores or any(
                _is_ordered(self._trace, step, last) for last in self._attempt.writes or [self._end]
            )
            if late and early:
                yield step

    def change(self, byte: int, foreign: Sequence[int]) -> list[int]:
        """Return the first foreign write that changed the byte, if any; the very first if the old value is unknown."""
        if not foreign or byte not in self.reads:
            return list(foreign[:1])
        value, theirs = self._values[byte], set(foreign)
        for step in writes_to(self._trace, byte, 1, self.reads[byte]):
            if step > foreign[-1]:
                break
            new = dict(written(self._trace.events[step], self._endian))[byte]
            if step in theirs and new != value:
                return [step]
            value = new
        return []

    def _own_older(self, byte: int, after: int) -> Iterator[int]:
        """Yield the drains of stores to `byte` that the vCPU had buffered at its load-linked."""
        vcpu, number = self._linked.instruction.vcpu, self._linked.instruction.number
        for step in writes_to(self._trace, byte, 1, after):
            instruction = self._trace.events[step].instruction
            if instruction is not None and instruction.vcpu == vcpu and instruction.number < number:
                yield step


def _is_ordered(trace: Trace, first: int, last: int) -> bool:
    """Whether step `last` follows step `first` in every equivalent execution, by a chain of dependent steps."""
    actors: set[str] = set()  # their steps from here on come after `first`
    buffered: set[Op] = set()  # the drains of these come after `first`
    done: dict[tuple[object, ...], Event] = {}
    for step in range(first, last + 1):
        event = trace.events[step]
        op, vcpu = event.op, owner_of(event.actor)
        comes_after = (
            step == first
            or event.actor in actors
            or op in buffered
            or (event.actor == vcpu and waits_for_drain(op) and any(owner_of(actor) == vcpu for actor in actors))
            or any(_conflict(event, other) for other in done.values())
        )
        if step == last:
            return comes_after
        if not comes_after:
            continue
        actors.add(event.actor)
        if op.kind is Kind.BUFFER:
            buffered.add(op.value)
        elif op.kind is Kind.SPAWN:
            actors.add(str(getattr(event.value, "name", "")))
        done[event.actor, op.kind, op.cell, op.address, op.width, op.reserved, event.wrote] = event
    return False


def _conflict(event: Event, other: Event) -> bool:
    return owner_of(event.actor) != owner_of(other.actor) and conflict(event.op, event.wrote, other.op, other.wrote)
