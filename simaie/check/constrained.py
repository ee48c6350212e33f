"""Constrained LR/SC loops of RISC-V, which must succeed at some time, in executions that go on for ever.

Source: RISC-V Instruction Set Manual, volume I, "Eventual Success of Store-Conditional Instructions" (Zalrsc). A loop
is constrained if it consists of an LR, an SC of the same address and size, at most 16 instructions in all, and nothing
in between but instructions of the base set that are no load, store, fence, system instruction or jump backwards. If a
vCPU is in such a loop, then at some time an SC of any vCPU to the reservation set succeeds, or another vCPU or a device
stores to that set, or the loop is left, or the vCPU traps (also at the end of its time slice). A scheme that lets none
of these happen breaks the rule, also if other vCPUs make progress meanwhile. Of a loop that is not constrained nothing
is promised.

Judged are lassos. A block of the size of the largest reservation set stands for the set, so that a scheme is not blamed
if another vCPU stores near. Deviation: a trace has no instructions that access registers only, so the number 16 is not
checked. Code that is a Python function or a list of instructions is taken to fit; of machine code the finding is
inconclusive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simaie.check.exclusives import rule_of
from simaie.finding import Finding, Verdict
from simaie.guest.reservation import Cause
from simaie.trace import AccessKind, Event, Instruction, Trace

__all__ = ["broken_promises", "without_promise"]

_LINKED, _CONDITIONAL = AccessKind.LOAD_LINKED, AccessKind.STORE_CONDITIONAL


def broken_promises(trace: Trace) -> Iterator[Finding]:
    """Yield a finding for each vCPU whose constrained loop fails for ever on the cycle of a lasso."""
    for vcpu, loop in _failing(trace).items():
        if _why_not_constrained(loop) or _is_excused(trace, vcpu, loop) or _traps(trace, vcpu, loop):
            continue
        linked = loop[0]
        yield Finding(
            "livelock",
            f"vCPU {vcpu}'s constrained loop of {' and '.join(sorted({each.mnemonic for each in loop}))} at "
            f"{linked.address:#x} fails for ever; RISC-V promises that such a loop eventually succeeds, unless others "
            "store to its reservation set",
            tuple(_steps(trace, vcpu)),
            (linked.address,),
            (vcpu,),
            Verdict.VIOLATED if linked.place is None else Verdict.INCONCLUSIVE,
        )


def without_promise(trace: Trace) -> str:
    """Return which loops fail for ever on the cycle of a lasso, and may: the end of a sentence, or empty."""
    reasons = {vcpu: _why_not_constrained(loop) for vcpu, loop in _failing(trace).items()}
    return "".join(
        f"; RISC-V does not promise that the loop of vCPU {vcpu} succeeds, because it {why}"
        for vcpu, why in reasons.items()
        if why
    )


def _failing(trace: Trace) -> dict[str, list[Instruction]]:
    """Return the instructions of each vCPU on the cycle whose store-conditionals all fail there, if it has any."""
    if trace.cycle is None or not rule_of(trace).promises_success:
        return {}
    moving = sorted({event.actor for event in trace.events[trace.cycle :]})
    found = {vcpu: _instructions(trace, vcpu) for vcpu in moving}
    return {vcpu: loop for vcpu, loop in found.items() if _fails(loop)}


def _fails(loop: Sequence[Instruction]) -> bool:
    conditionals = [each for each in loop if each.access is _CONDITIONAL]
    return bool(conditionals) and not any(each.result is True or each.result == 1 for each in conditionals)


def _instructions(trace: Trace, vcpu: str) -> list[Instruction]:
    """Return the instructions of a vCPU on the cycle, in order; one that the cycle begins and ends in counts once."""
    assert trace.cycle is not None
    steps = [e.instruction for e in trace.events[trace.cycle :] if e.actor == vcpu and e.instruction is not None]
    mine = {each.number: each for each in steps}
    if mine:
        # Those after the last step are on the cycle, too: the next round begins with the next operation.
        silent = (each for each in trace.silent if each.vcpu == vcpu and min(mine) <= each.number)
        mine.update({each.number: each for each in silent})
    ordered = [mine[number] for number in sorted(mine)]
    return ordered if not ordered or ordered[-1].completed else ordered[:-1]


def _why_not_constrained(loop: Sequence[Instruction]) -> str:
    """Return what a constrained loop does not do; empty if the loop is constrained."""
    for each in loop:
        if each.access not in (_LINKED, _CONDITIONAL):
            return f"contains {each.mnemonic}"
    if any(one.access is other.access for one, other in zip(loop, (*loop[1:], loop[0]), strict=True)):
        return "contains an LR without an SC, or an SC without an LR"
    if len({(each.address, each.width) for each in loop}) > 1:
        return "has an SC of another address or size than its LR"
    return ""


def _is_excused(trace: Trace, vcpu: str, loop: Sequence[Instruction]) -> bool:
    """Whether others store to the reservation set on the cycle, again and again."""
    size = rule_of(trace).most
    own = [event for event in trace.events[trace.cycle or 0 :] if event.actor == vcpu and event.instruction in loop]
    blocks = {event.op.address // size for event in own if event.op.width}
    return any(
        event.actor != vcpu and _blocks(event, size) & blocks and _stores(event)
        for event in trace.events[trace.cycle or 0 :]
        if event.writes_ram
    )


def _traps(trace: Trace, vcpu: str, loop: Sequence[Instruction]) -> bool:
    """Whether exceptions come to the vCPU on the cycle, such as the end of its time slice."""
    return any(
        end.vcpu == vcpu and end.cause == Cause.EXCEPTION.name and end.number >= loop[0].number
        for end in trace.reservation_ends
    )


def _blocks(event: Event, size: int) -> set[int]:
    return {event.op.address // size, (event.op.address + event.op.width - 1) // size}


def _stores(event: Event) -> bool:
    """Whether a write is one of the guest or a device, and not what a scheme does for an SC that fails."""
    instruction = event.instruction
    if instruction is None or instruction.access is not _CONDITIONAL:
        return instruction is None or instruction.access is not _LINKED
    return bool(instruction.result)


def _steps(trace: Trace, vcpu: str) -> Iterator[int]:
    start = trace.cycle or 0
    for step, event in enumerate(trace.events[start:], start):
        if event.actor == vcpu and event.instruction is not None and event.instruction.access is _CONDITIONAL:
            yield step
