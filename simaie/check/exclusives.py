"""Load-linked and store-conditional instructions paired up: which of the latter stored, and on what reservation."""

from __future__ import annotations

import msgspec

from simaie.check.evidence import first_foreign_write
from simaie.trace import AccessKind, Instruction, Trace

__all__ = ["Attempt", "Reservation", "attempts"]

_LINKED, _CONDITIONAL, _OTHER = AccessKind.LOAD_LINKED, AccessKind.STORE_CONDITIONAL, AccessKind.OTHER


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


class Attempt(msgspec.Struct, eq=False):
    """A store-conditional that wrote RAM. writes: the steps at which it did.

    reservation: of the vCPU's latest completed load-linked; ended: the step and the instruction that had ended that
    reservation before, None if it stood as far as its own vCPU goes.
    """

    instruction: Instruction
    reservation: Reservation | None
    ended: tuple[int, Instruction] | None
    writes: list[int]

    def first_foreign_write(self, trace: Trace) -> int | None:
        """The first foreign write to a reserved byte after it was read and before the last write; None if none."""
        vcpu, end = self.instruction.vcpu, self.writes[-1]
        if self.reservation is None or self.reservation.steps == [end - 1]:
            return None
        found = [
            first_foreign_write(trace, vcpu, address, width, step, end)
            for (address, width), step in self.reservation.parts(trace).items()
        ]
        return min((step for step in found if step is not None), default=None)


def attempts(trace: Trace) -> list[Attempt]:
    """Every store-conditional that wrote RAM, in the order of their first writes.

    One sweep; a load-linked that never completed reserves nothing, a store-conditional that neither completed nor
    wrote ends nothing.
    """
    found: list[Attempt] = []
    reservations: dict[str, Reservation] = {}
    latest: dict[str, Attempt] = {}
    ended: dict[str, tuple[int, Instruction]] = {}
    for step, event in enumerate(trace.events):
        instruction = event.instruction
        if instruction is None:
            continue
        access, vcpu = instruction.access, instruction.vcpu
        if access is _LINKED:
            if not event.op.width or not instruction.completed:
                continue
            reservation = reservations.get(vcpu)
            if reservation is not None and reservation.instruction is instruction:
                reservation.steps.append(step)
            else:
                reservations[vcpu] = Reservation(instruction, [step])
                ended.pop(vcpu, None)
        elif access is _CONDITIONAL:
            wrote = event.op.width and event.writes_ram
            if wrote:
                attempt = latest.get(vcpu)
                if attempt is None or attempt.instruction is not instruction:
                    before = ended.get(vcpu)
                    if before is not None and before[1] is instruction:
                        before = None  # an event of this very instruction
                    attempt = latest[vcpu] = Attempt(instruction, reservations.get(vcpu), before, [])
                    found.append(attempt)
                attempt.writes.append(step)
            if vcpu not in ended and (wrote or instruction.completed):
                ended[vcpu] = step, instruction
        elif access is _OTHER and instruction.mnemonic == "clrex" and instruction.completed:
            ended.setdefault(vcpu, (step, instruction))
    return found
