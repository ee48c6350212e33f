"""Pairs of load-linked and store-conditional instructions: which store-conditionals succeeded, on which reservation.

The pairs follow the program order of each vCPU, not the order of the events: on a host with store buffers the store of
a store-conditional may take effect after later instructions of its vCPU.

A store-conditional that commits a transaction of the host performs the stores of earlier instructions too. These are
none of its own (`simaie.check.deferred`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Any

import msgspec

from simaie.check.deferred import own_writes
from simaie.check.evidence import first_foreign_write
from simaie.dependence import writes
from simaie.guest.isa import find_isa
from simaie.guest.reservation import Cause, Elsewhere, Place, ReservationRule
from simaie.op import Kind, Role
from simaie.trace import AccessKind, Instruction, ReservationEnd, Trace

__all__ = ["ConditionalStore", "LinkedLoad", "attempts", "rule_of"]

_LINKED, _CONDITIONAL, _OTHER = AccessKind.LOAD_LINKED, AccessKind.STORE_CONDITIONAL, AccessKind.OTHER
_EXCEPTION = Cause.EXCEPTION.name
_STORE = Kind.STORE  # looked up once: most store-conditionals end in one
#: The rule of an unknown instruction set: what all rules have in common.
_UNKNOWN = ReservationRule(
    least=1,
    most=1,
    must=frozenset({Cause.FOREIGN_STORE, Cause.LOAD_LINKED, Cause.STORE_CONDITIONAL, Cause.CLEAR}),
    may=frozenset({Cause.NEIGHBOUR_STORE, Cause.OWN_STORE, Cause.EXCEPTION}),
    other_address=Elsewhere.UNPREDICTABLE,
    other_width=Elsewhere.UNPREDICTABLE,
)
_PAGE = 4096
_NOTHING: tuple[list[Any], list[Any]] = ([], [])


def rule_of(trace: Trace) -> ReservationRule:
    """Return the rule of the trace's instruction set; of an unknown one, what all rules have in common."""
    isa = find_isa(trace.isa)
    return _UNKNOWN if isa is None or isa.reservation is None else isa.reservation


class LinkedLoad(msgspec.Struct, eq=False):
    """A completed load-linked, and the steps of its RAM accesses."""

    instruction: Instruction
    steps: list[int]

    def parts(self, trace: Trace) -> dict[tuple[int, int], int]:
        """Return the reserved bytes: (address, width) of each part that was read, with the step that read it last."""
        found: dict[tuple[int, int], int] = {}
        for step in self.steps:
            event = trace.events[step]
            if event.reads_ram:
                found[event.op.address, event.op.width] = step
        return found

    def place(self, trace: Trace) -> Place:
        """Return the place that it reserves."""
        return _place(self.instruction, [address for address, _ in self.parts(trace)])


class ConditionalStore(msgspec.Struct, eq=False):
    """A store-conditional that wrote RAM, or reported that it did.

    Attributes:
        instruction: The store-conditional.
        last: The step of its last event.
        writes: The steps that wrote RAM for it.
        commits: Whether it may have ended a transaction of the host.
        reservation: That of the latest completed load-linked before it; None if there was no load-linked.
        ended: The first later instruction of the vCPU that ended the reservation; None if the reservation held.
    """

    instruction: Instruction
    last: int
    writes: list[int]
    commits: bool = False
    reservation: LinkedLoad | None = None
    ended: ReservationEnd | None = None

    @property
    def succeeded(self) -> bool:
        """Whether it wrote, or reports that it did; a failed store-conditional is not judged."""
        return bool(self.writes or (self.instruction.completed and self.instruction.result))

    def evidence(self, trace: Trace) -> int:
        """Return its representative step: the write to the highest address, or its last step if it wrote nothing."""
        if len(self.writes) == 1:
            return self.writes[0]
        return max(self.writes, key=lambda step: trace.events[step].op.address, default=self.last)

    def elsewhere(self, trace: Trace, rule: ReservationRule) -> Elsewhere | None:
        """Return the rule's result for where it stores; None if it stores where the load-linked loaded."""
        reservation = self.reservation
        assert reservation is not None
        mine, theirs = self.instruction, reservation.instruction
        if mine.address == theirs.address and mine.width == theirs.width and self.writes:
            stored, loaded = trace.events[self.writes[0]].op, trace.events[reservation.steps[0]].op
            if stored.address == loaded.address:
                return None
        return rule.elsewhere(reservation.place(trace), self.place(trace))

    def place(self, trace: Trace) -> Place:
        """Return the place where it stores; if it stored nothing, the place computed from its load-linked."""
        if self.writes:
            return _place(self.instruction, [trace.events[step].op.address for step in self.writes])
        assert self.reservation is not None
        linked = self.reservation.place(trace)
        physical = linked.physical + self.instruction.address - linked.virtual
        return Place(self.instruction.address, physical, self.instruction.width)

    def is_interrupted(self, trace: Trace, granule: tuple[int, int] | None) -> bool:
        """Whether another vCPU wrote to the granule since the load-linked.

        Args:
            trace: The execution.
            granule: Address and width in bytes; None for the bytes that the load-linked read.
        """
        reservation = self.reservation
        if reservation is None or reservation.steps[0] == self.last - 1:
            return False
        places = reservation.parts(trace) if granule is None else [granule]
        begin, vcpu = reservation.steps[0], self.instruction.vcpu
        return any(first_foreign_write(trace, vcpu, *place, begin, self.last) is not None for place in places)


def _place(instruction: Instruction, addresses: Iterable[int]) -> Place:
    """Return where an instruction accesses RAM: in the page of `addresses`, before which its accesses may begin."""
    virtual = instruction.address
    page = min(addresses, default=virtual) // _PAGE
    return Place(virtual, page * _PAGE + virtual % _PAGE, instruction.width)


def attempts(trace: Trace) -> list[ConditionalStore]:
    """Return every store-conditional that succeeded, in the order of their first events.

    A load-linked that never completed reserves nothing. A store-conditional without any event is known only to have
    ended the reservation.
    """
    linked: dict[Instruction, LinkedLoad] = {}
    conditional: dict[Instruction, ConditionalStore] = {}
    cleared: dict[Instruction, None] = {}
    for step, event in enumerate(trace.events):
        instruction = event.instruction
        if instruction is None:
            continue
        access = instruction.access
        if access is _LINKED:
            if event.op.width and instruction.completed:
                reservation = linked.get(instruction)
                if reservation is None:
                    linked[instruction] = LinkedLoad(instruction, [step])
                else:
                    reservation.steps.append(step)
        elif access is _CONDITIONAL:
            attempt = conditional.get(instruction)
            if attempt is None:
                attempt = conditional[instruction] = ConditionalStore(instruction, step, [])
            attempt.last = step
            op = event.op
            if op.width and (op.kind is _STORE or writes(op, event.value)):
                attempt.writes.append(step)
            elif op.cell is not None and op.cell.role is Role.TRANSACTIONS:
                attempt.commits = True
        elif access is _OTHER and instruction.mnemonic == "clrex" and instruction.completed:
            cleared[instruction] = None
    history = _History(linked.values(), trace.reservation_ends or _ends(conditional, cleared), rule_of(trace))
    found = [attempt for attempt in conditional.values() if attempt.succeeded]
    for attempt in found:
        history.tell(attempt)
        if attempt.commits:
            since = -1 if attempt.reservation is None else attempt.reservation.instruction.number
            attempt.writes = own_writes(trace, attempt.instruction, attempt.writes, since)
    return [attempt for attempt in found if attempt.succeeded]


def _ends(conditional: Iterable[Instruction], cleared: Iterable[Instruction]) -> list[ReservationEnd]:
    """Return the ends of reservations that the events alone show, for a trace without a record of them."""
    ended = [(each, Cause.STORE_CONDITIONAL) for each in conditional] + [(each, Cause.CLEAR) for each in cleared]
    ended.sort(key=lambda pair: pair[0].number)
    return [ReservationEnd(each.vcpu, each.number, cause.name, each.mnemonic) for each, cause in ended]


class _History:
    """The reservations of each vCPU and their ends, each list with a parallel list of the instructions' numbers."""

    def __init__(
        self, linked: Iterable[LinkedLoad], ends: Iterable[ReservationEnd], rule: ReservationRule
    ) -> None:
        """Create the history.

        Args:
            linked: The reservations, in the order in which they were made.
            ends: The ends of reservations, those of each vCPU in program order.
            rule: The rule, which says which causes must end a reservation.
        """
        must = {cause.name for cause in rule.must}
        self._linked: dict[str, tuple[list[int], list[LinkedLoad]]] = {}
        self._ends: dict[str, tuple[list[int], list[ReservationEnd]]] = {}
        for reservation in sorted(linked, key=lambda each: each.instruction.number):  # a host may reorder loads
            instruction = reservation.instruction
            own = self._linked.get(instruction.vcpu)
            if own is None:
                own = self._linked[instruction.vcpu] = ([], [])
            own[0].append(instruction.number)
            own[1].append(reservation)
        for end in ends:
            if end.cause in must:
                some = self._ends.get(end.vcpu)
                if some is None:
                    some = self._ends[end.vcpu] = ([], [])
                some[0].append(end.number)
                some[1].append(end)

    def tell(self, attempt: ConditionalStore) -> None:
        """Fill in the latest reservation before a store-conditional, and what ended it."""
        vcpu, number = attempt.instruction.vcpu, attempt.instruction.number
        numbers, reservations = self._linked.get(vcpu, _NOTHING)
        at = bisect_left(numbers, number)
        if not at:
            return
        attempt.reservation = reservations[at - 1]
        ended, ends = self._ends.get(vcpu, _NOTHING)
        first = bisect_right(ended, numbers[at - 1])
        if first < len(ends):
            # An exception in the middle of the store-conditional came before its effect: it started again.
            interrupted = ended[first] == number and ends[first].cause == _EXCEPTION
            if ended[first] < number or interrupted:
                attempt.ended = ends[first]
