"""Load-linked and store-conditional instructions paired up: which of the latter succeeded, and on what reservation.

The pairs go by the program order of each vCPU, not by the order of the events: on a host with store buffers the store
of a store-conditional may take effect after later instructions of its vCPU.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

import msgspec

from simaie.check.evidence import first_foreign_write
from simaie.guest.isa import ISAS
from simaie.guest.reservation import Cause, Elsewhere, Place, ReservationRule
from simaie.trace import AccessKind, Instruction, ReservationEnd, Trace

__all__ = ["Attempt", "Reservation", "attempts", "rule_of"]

_LINKED, _CONDITIONAL, _OTHER = AccessKind.LOAD_LINKED, AccessKind.STORE_CONDITIONAL, AccessKind.OTHER
#: What is known of an instruction set that is not known: what all have in common.
_UNKNOWN = ReservationRule(
    least=1,
    most=1,
    must=frozenset({Cause.FOREIGN_STORE, Cause.LOAD_LINKED, Cause.STORE_CONDITIONAL, Cause.CLEAR}),
    may=frozenset({Cause.NEIGHBOUR_STORE, Cause.OWN_STORE, Cause.EXCEPTION}),
    other_address=Elsewhere.UNPREDICTABLE,
    other_width=Elsewhere.UNPREDICTABLE,
)
_PAGE = 4096


def rule_of(trace: Trace) -> ReservationRule:
    """Return the rule of the trace's instruction set; of an unknown one, what all rules have in common."""
    isa = ISAS.get(trace.isa)
    return _UNKNOWN if isa is None or isa.reservation is None else isa.reservation


class Reservation(msgspec.Struct, eq=False):
    """A completed load-linked, and the steps of its RAM accesses."""

    instruction: Instruction
    steps: list[int]

    def parts(self, trace: Trace) -> dict[tuple[int, int], int]:
        """The reserved bytes: (address, width) of each part that was read, with the step that read it last."""
        found: dict[tuple[int, int], int] = {}
        for step in self.steps:
            event = trace.events[step]
            if event.reads_ram:
                found[event.op.address, event.op.width] = step
        return found

    def place(self, trace: Trace) -> Place:
        """Where it reserves."""
        return _place(self.instruction, [address for address, _ in self.parts(trace)])


class Attempt(msgspec.Struct, eq=False):
    """A store-conditional that wrote RAM, or said that it did.

    Attributes:
        reservation: of the latest completed load-linked before it; None if there is none.
        ended: the first instruction of the vCPU since then that ended the reservation; None if it stood.
        steps: all its events.
        writes: those of them that wrote RAM.
    """

    instruction: Instruction
    reservation: Reservation | None
    ended: ReservationEnd | None
    steps: list[int]
    writes: list[int]

    def evidence(self, trace: Trace) -> int:
        """The step that stands for it: of its writes that to the highest address, else its last."""
        return max(self.writes, key=lambda step: trace.events[step].op.address, default=self.steps[-1])

    def place(self, trace: Trace) -> Place:
        """Where it stores; if it stored nothing, where its load-linked says that this is."""
        if self.writes:
            return _place(self.instruction, [trace.events[step].op.address for step in self.writes])
        assert self.reservation is not None
        linked = self.reservation.place(trace)
        physical = linked.physical + self.instruction.address - linked.virtual
        return Place(self.instruction.address, physical, self.instruction.width)

    def is_interrupted(self, trace: Trace, places: Iterable[tuple[int, int]]) -> bool:
        """Whether another vCPU wrote to any of `places`, of (address, width), since they were load-linked."""
        if self.reservation is None:
            return False
        begin, end, vcpu = self.reservation.steps[0], self.steps[-1], self.instruction.vcpu
        if begin == end - 1:
            return False
        return any(first_foreign_write(trace, vcpu, *place, begin, end) is not None for place in places)


def _place(instruction: Instruction, addresses: Iterable[int]) -> Place:
    """Where an instruction accesses RAM: in the page of `addresses`, which its accesses may begin before."""
    virtual = instruction.address
    page = min(addresses, default=virtual) // _PAGE
    return Place(virtual, page * _PAGE + virtual % _PAGE, instruction.width)


def attempts(trace: Trace) -> list[Attempt]:
    """Every store-conditional that succeeded, in the order of their first events.

    A load-linked that never completed reserves nothing. Of a store-conditional without any event nothing can be told
    but that it ended the reservation.
    """
    linked: dict[Instruction, Reservation] = {}
    conditional: dict[Instruction, list[int]] = {}
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
                    linked[instruction] = Reservation(instruction, [step])
                else:
                    reservation.steps.append(step)
        elif access is _CONDITIONAL:
            conditional.setdefault(instruction, []).append(step)
        elif access is _OTHER and instruction.mnemonic == "clrex" and instruction.completed:
            cleared[instruction] = None
    history = _History(linked.values(), trace.reservation_ends or _ends(conditional, cleared), rule_of(trace))
    found = []
    for instruction, steps in conditional.items():
        writes = [step for step in steps if (event := trace.events[step]).op.width and event.writes_ram]
        if writes or (instruction.completed and instruction.result):
            reservation, ended = history.before(instruction)
            found.append(Attempt(instruction, reservation, ended, steps, writes))
    return found


def _ends(conditional: Iterable[Instruction], cleared: Iterable[Instruction]) -> list[ReservationEnd]:
    """What the events alone say of reservations that ended, for a trace without a record of that."""
    ended = [(each, Cause.STORE_CONDITIONAL) for each in conditional] + [(each, Cause.CLEAR) for each in cleared]
    return [ReservationEnd(each.vcpu, each.number, cause.name, each.mnemonic) for each, cause in ended]


class _History:
    """The reservations of each vCPU and what ended them, by the numbers of the instructions."""

    def __init__(
        self, linked: Iterable[Reservation], ends: Iterable[ReservationEnd], rule: ReservationRule
    ) -> None:
        self._linked: dict[str, list[Reservation]] = {}
        self._ends: dict[str, list[ReservationEnd]] = {}
        for reservation in linked:
            self._linked.setdefault(reservation.instruction.vcpu, []).append(reservation)
        for end in ends:
            if Cause[end.cause] in rule.must:
                self._ends.setdefault(end.vcpu, []).append(end)
        for some in self._ends.values():
            some.sort(key=_number)

    def before(self, instruction: Instruction) -> tuple[Reservation | None, ReservationEnd | None]:
        """The latest reservation before a store-conditional, and what had ended that."""
        linked, number = self._linked.get(instruction.vcpu, []), instruction.number
        at = bisect_left(linked, number, key=lambda reservation: reservation.instruction.number)
        if not at:
            return None, None
        reservation, ends = linked[at - 1], self._ends.get(instruction.vcpu, [])
        first = bisect_right(ends, reservation.instruction.number, key=_number)
        ended = ends[first] if first < len(ends) and ends[first].number < number else None
        return reservation, ended


def _number(end: ReservationEnd) -> int:
    return end.number
