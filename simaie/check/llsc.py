"""A store-conditional that succeeds, and must not have: three levels of strictness.

- *strict*: another vCPU or a device wrote to the reserved bytes after the load-linked read them;
- *value*: such a write changed a byte at some point, even if a later one changed it back;
- *architectural*: what the guest's own rules forbid. Any foreign store to the reserved bytes ends the reservation, be
  it plain, a store-conditional, a swap or a device's; so do CLREX and any store-conditional, and without a
  load-linked there is none (Arm ARM, DDI 0406C, A3.4; the RISC-V A extension agrees). A store-conditional to other
  bytes than those reserved is constrained unpredictable: it may succeed.

The reservation is that of the vCPU's latest completed load-linked, and covers exactly the bytes that it read. That a
scheme lets plain stores pass by design does not make them legal: it is a finding, and `intruder` of its second step
says what kind of access it was. What leaves no event (a CLREX or a failing store-conditional that touches
nothing shared) no checker can see.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from simaie.check.evidence import describe, instruction_at, intruder, owner, read, writes_to, written
from simaie.check.exclusives import Attempt, Reservation, attempts
from simaie.errors import UsageError
from simaie.finding import Finding
from simaie.host.ram import Endian
from simaie.protocols import Checker
from simaie.trace import AccessKind, Event, Trace

__all__ = ["LLSC_ARCHITECTURAL", "LLSC_STRICT", "LLSC_VALUE", "Level", "llsc_atomicity"]

KIND = "llsc-atomicity"
_CONDITIONAL = AccessKind.STORE_CONDITIONAL


class Level(StrEnum):
    """How strictly a successful store-conditional is judged; see the module's docstring."""

    STRICT = "strict"
    VALUE = "value"
    ARCHITECTURAL = "architectural"


def llsc_atomicity(level: Level | str = Level.ARCHITECTURAL, *, endian: Endian = "little") -> Checker:
    """The checker of that level: one finding for each wrong success, with the first foreign write as evidence.

    endian: of guest RAM; only the level "value" looks at it, where accesses of different widths meet.
    Raises UsageError for a level that does not exist.
    """
    try:
        chosen = Level(level)
    except ValueError:
        raise UsageError(f"level must be one of {', '.join(Level)}, not {level!r}") from None

    def checker(trace: Trace) -> Iterable[Finding]:
        return _judge(trace, chosen, endian) if _CONDITIONAL in trace.accesses else ()

    checker.__name__ = checker.__qualname__ = f"llsc_atomicity_{chosen}"
    checker.__doc__ = f"A store-conditional that succeeded and must not have, level {chosen}."
    return checker


def _judge(trace: Trace, level: Level, endian: Endian) -> Iterator[Finding]:
    for attempt in attempts(trace):
        reservation = attempt.reservation
        if level is Level.ARCHITECTURAL and (reservation is None or attempt.ended is not None):
            yield _without_reservation(trace, attempt)
            continue
        foreign = attempt.first_foreign_write(trace)
        if reservation is None or foreign is None:
            continue
        if level is Level.VALUE:
            foreign = _first_change(trace, attempt, reservation, endian)
        elif level is Level.ARCHITECTURAL and not _within(trace, attempt, reservation):
            continue
        if foreign is not None:
            yield _finding(trace, attempt, reservation, foreign)


def _reads(trace: Trace, reservation: Reservation) -> dict[int, int]:
    """The reserved bytes, each with the step that read it."""
    parts = reservation.parts(trace).items()
    return {byte: step for (address, width), step in parts for byte in range(address, address + width)}


def _within(trace: Trace, attempt: Attempt, reservation: Reservation) -> bool:
    """Whether the store-conditional stored to reserved bytes only."""
    reserved = _reads(trace, reservation)
    stores = (trace.events[step].op for step in attempt.writes)
    return all(byte in reserved for op in stores for byte in range(op.address, op.address + op.width))


def _first_change(trace: Trace, attempt: Attempt, reservation: Reservation, endian: Endian) -> int | None:
    """The first foreign write that changed a reserved byte between its read and the store-conditional's last write."""
    reads = _reads(trace, reservation)
    values = {b: v for step in reservation.steps for b, v in read(trace.events[step], endian) if reads[b] == step}
    parts = reservation.parts(trace).items()
    steps = {step for (address, width), at in parts for step in writes_to(trace, address, width, at)}
    for step in sorted(step for step in steps if step < attempt.writes[-1]):
        event = trace.events[step]
        touched = [(byte, new) for byte, new in written(event, endian) if reads.get(byte, step) < step]
        if owner(event) != attempt.instruction.vcpu and any(values[byte] != new for byte, new in touched):
            return step
        values.update(touched)
    return None


def _finding(trace: Trace, attempt: Attempt, reservation: Reservation, foreign: int) -> Finding:
    guilty: Event = trace.events[foreign]
    first, after, write = guilty.op.address, guilty.op.address + guilty.op.width, attempt.writes[-1]
    parts = reservation.parts(trace).items()
    at_read = min(step for (low, width), step in parts if low < after and first < low + width)
    message = (
        f"{instruction_at(attempt.instruction, trace.events[write].op.address)} succeeded although "
        f"{describe(guilty)}, {intruder(guilty).with_article}, wrote to the reserved bytes after its "
        f"{reservation.instruction.mnemonic}"
    )
    steps = (at_read, foreign, write)
    return Finding(
        KIND,
        message,
        steps=steps,
        addresses=tuple(trace.events[step].op.address for step in steps),
        vcpus=(attempt.instruction.vcpu, owner(guilty)),
    )


def _without_reservation(trace: Trace, attempt: Attempt) -> Finding:
    write = attempt.writes[-1]
    address = trace.events[write].op.address
    why, steps = "its vCPU had no load-linked before it", [write]
    if attempt.ended is not None:
        step, guilty = attempt.ended
        again = "no load-linked came before" if attempt.reservation is None else "no load-linked came since"
        why, steps = f"an earlier {guilty.mnemonic} had ended the reservation and {again}", [step, write]
    return Finding(
        KIND,
        f"{instruction_at(attempt.instruction, address)} succeeded although {why}",
        steps=tuple(steps),
        addresses=(address,),
        vcpus=(attempt.instruction.vcpu,),
    )


LLSC_STRICT = llsc_atomicity(Level.STRICT)
LLSC_VALUE = llsc_atomicity(Level.VALUE)
LLSC_ARCHITECTURAL = llsc_atomicity(Level.ARCHITECTURAL)
