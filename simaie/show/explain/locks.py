"""Misused locks and structures of the emulator, stuck executions, and vCPUs that fault.

A lock may be leaked, taken while another is held, duplicated for one granule, or missing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby

from simaie.check.progress import waits
from simaie.finding import Finding
from simaie.show.explain.phrases import actor_of, at, instruction_of, listed, said
from simaie.show.format import clean, format_instruction, number_of
from simaie.trace import STUCK, AccessKind, Instruction, Trace

__all__ = [
    "guest_fault",
    "host_operations",
    "lock_leak",
    "locks_per_vcpu",
    "one_entry",
    "registered",
    "stuck",
    "unguarded_update",
]


def lock_leak(trace: Trace, finding: Finding) -> str:
    """Explain a lock that an instruction did not release, and name the vCPUs that wait for it."""
    locked = trace.events[finding.steps[0]]
    cell = locked.op.cell
    waiting = [f"vCPU {name}" for name, op in trace.waiting.items() if op.cell is cell and cell is not None]
    late = f" It was released only {at(*finding.steps[1:])}." if len(finding.steps) > 1 else " It was never released."
    effect = f" {listed(waiting)} waited for it at the end." if waiting else ""
    return (
        f"{instruction_of(locked)} took {clean(locked.op.location)} {at(finding.steps[0])} and ended without releasing "
        f"it.{late}{effect} Every way out of a helper, including a fault, has to release what the helper locked."
    )


def locks_per_vcpu(trace: Trace, finding: Finding) -> str:
    """Explain a vCPU that takes a second lock while it holds one."""
    first, second = finding.steps[0], finding.steps[-1]
    return (
        f"{said(trace, first)}; and while it held that, {said(trace, second)}. The scheme promises one lock at a time, "
        "which makes a deadlock impossible: two vCPUs that take two locks in opposite orders wait forever."
    )


def one_entry(trace: Trace, finding: Finding) -> str:
    """Explain two mutexes for one granule, which do not exclude each other's holders."""
    first, second = finding.steps[0], finding.steps[-1]
    return (
        f"{said(trace, first)} and {said(trace, second)} are two different mutexes for one granule. A vCPU that "
        "makes an entry has to publish it by a compare-and-swap of the empty slot and, if it loses, use the winner's; "
        f"{actor_of(trace.events[second])} did not."
    )


def registered(trace: Trace, finding: Finding) -> str:
    """Explain an entry that no atomic access needed; every later plain store to its granule has to take a lock."""
    (step,) = finding.steps[:1]
    return (
        f"{said(trace, step)} makes an entry inside {instruction_of(trace.events[step])}, which is no atomic access to "
        "that granule. Only an atomic access may allocate; a plain lookup has to accept that there is no entry."
    )


def host_operations(trace: Trace, finding: Finding) -> str:
    """Explain a host operation that the scheme promised not to use."""
    (step,) = finding.steps[:1]
    return (
        f"{said(trace, step)}, for {instruction_of(trace.events[step])}. The scheme promises to need only mutexes "
        "and atomics of one pointer on its own data from the host; this is neither."
    )


def unguarded_update(trace: Trace, finding: Finding) -> str:
    """Explain a compound access to a structure without its lock."""
    (step,) = finding.steps[:1]
    event = trace.events[step]
    guard = event.op.cell.guard if event.op.cell is not None else None
    name = clean(guard.name) if guard is not None else "its guard"
    return (
        f"{said(trace, step)}, in {instruction_of(event)}, reads and writes a structure in more than one access. "
        f"It is safe only under {name}, which {actor_of(event)} did not hold."
    )


#: Of a loop, or of many waiting vCPUs, the first few are enough.
_MOST = 6


def stuck(trace: Trace, finding: Finding) -> str:
    """Explain which vCPU waits for which, since when, and which vCPUs sleep. If steps are repeated, list one round."""
    if trace.ending not in STUCK:
        return _one_round(trace, finding.steps)
    sentences = []
    for wait in waits(trace)[:_MOST]:  # the message names both, but not since when the lock is held
        if wait.holders and wait.step is not None:
            holders = listed([f"vCPU {clean(h)}" for h in wait.holders])
            sentences.append(
                f"vCPU {clean(wait.vcpu)} waits for {clean(wait.what)}, which {holders} took at step {wait.step}."
            )
    sentences += [_asleep(trace, vcpu) for vcpu, op in [*trace.waiting.items()][:_MOST] if op.sleeps and not op.spins]
    if finding.kind == "livelock":
        sentences.append("No vCPU that can still take a step will ever change what the others wait for.")
    else:
        who = f"vCPU {clean(next(iter(trace.waiting)))}" if len(trace.waiting) == 1 else "None of them"
        sentences.append(f"{who} can {'never' if len(trace.waiting) == 1 else 'ever'} take a step again.")
    return " ".join(sentences)


def _one_round(trace: Trace, steps: Sequence[int]) -> str:
    """Return what a loop repeats, as guest instructions, and which store-conditionals of its vCPUs no step shows."""
    inside = [step for step in steps if trace.events[step].instruction is not None]
    groups = [list(group) for _, group in groupby(inside or steps, lambda step: _instruction_at(trace, step))]
    more = len(groups) - _MOST
    rest = f"; and {number_of(more, 'more instruction')}" if more > 0 else ""
    round_ = f"One round: {'; '.join(_performed(trace, own) for own in groups[:_MOST])}{rest}." if groups else ""
    return f"{round_}{_failed_silently(trace, {trace.events[step].actor for step in steps})}"


def _instruction_at(trace: Trace, step: int) -> Instruction | int:
    return trace.events[step].instruction or step


def _performed(trace: Trace, steps: Sequence[int]) -> str:
    event = trace.events[steps[0]]
    if event.instruction is None:
        return said(trace, steps[0])
    where = at(*steps) if len(steps) < 3 else f"(steps {steps[0]} to {steps[-1]})"
    return f"{actor_of(event)}: {format_instruction(event.instruction)} {where}"


def _failed_silently(trace: Trace, vcpus: Collection[str]) -> str:
    failed = [
        f"vCPU {clean(each.vcpu)}'s {clean(str(each))}"
        for each in trace.silent
        if each.vcpu in vcpus and each.access is AccessKind.STORE_CONDITIONAL and not each.result
    ]
    names = list(dict.fromkeys(failed))[:_MOST]
    return f" No step shows the failures of {listed(names)}, which need no operation." if names else ""


def _asleep(trace: Trace, vcpu: str) -> str:
    """Return since when a vCPU sleeps."""
    last = max((step for step, event in enumerate(trace.events) if event.actor == vcpu), default=None)
    since = "before its first step" if last is None else f"after step {last}"
    return f"vCPU {clean(vcpu)} fell asleep {since}, and nothing has woken it up since."


def guest_fault(trace: Trace, finding: Finding) -> str:
    """Explain a fault by the last step of its vCPU."""
    if not finding.steps:
        return ""
    event = trace.events[finding.steps[0]]
    if event.instruction is not None and not event.instruction.completed:
        return f"It happened in {instruction_of(event)} {at(finding.steps[0])}."
    return f"Its last step before was {said(trace, finding.steps[0])}, in {instruction_of(event)}."
