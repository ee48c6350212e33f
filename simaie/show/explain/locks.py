"""Locks and the emulator's own structures, executions that stand still, and vCPUs that fault.

Locks may be leaked, taken two at a time, two for one granule, or not held at all.
"""

from __future__ import annotations

from simaie.check.progress import waits
from simaie.finding import Finding
from simaie.show.explain.phrases import actor_of, at, instruction_of, listed, said
from simaie.show.format import clean
from simaie.trace import STUCK, Trace

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
    """Who waits for it, if anybody does."""
    locked = trace.events[finding.steps[0]]
    cell = locked.op.cell
    waiting = [f"vCPU {name}" for name, op in trace.waiting.items() if op.cell is cell and cell is not None]
    late = f" It was let go only {at(*finding.steps[1:])}." if len(finding.steps) > 1 else " It was never let go."
    effect = f" {listed(waiting)} waited for it at the end." if waiting else ""
    return (
        f"{instruction_of(locked)} took {clean(locked.op.location)} {at(finding.steps[0])} and ended without releasing "
        f"it.{late}{effect} Every way out of a helper, a fault's too, has to release what the helper has locked."
    )


def locks_per_vcpu(trace: Trace, finding: Finding) -> str:
    """Two vCPUs that do so in two orders wait for each other for ever."""
    first, second = finding.steps[0], finding.steps[-1]
    return (
        f"{said(trace, first)}; and while it held that, {said(trace, second)}. The scheme promises one lock at a time, "
        "which is what makes a deadlock impossible: two vCPUs that take two locks in opposite orders wait for ever."
    )


def one_entry(trace: Trace, finding: Finding) -> str:
    """Two mutexes that go by one name exclude nobody."""
    first, second = finding.steps[0], finding.steps[-1]
    return (
        f"{said(trace, first)} and {said(trace, second)} are two different mutexes for one granule. Whoever makes an "
        "entry has to publish it by a compare-and-swap of the empty slot, and go on with what is there if it loses; "
        f"{actor_of(trace.events[second])} did not."
    )


def registered(trace: Trace, finding: Finding) -> str:
    """A needless entry makes every later plain store to the granule take a lock."""
    (step,) = finding.steps[:1]
    return (
        f"{said(trace, step)} makes an entry inside {instruction_of(trace.events[step])}, which is no atomic access to "
        "that granule. Only an atomic one may allocate; whoever merely asks must take 'none' for an answer."
    )


def host_operations(trace: Trace, finding: Finding) -> str:
    """What the scheme said it would do without."""
    (step,) = finding.steps[:1]
    return (
        f"{said(trace, step)}, for {instruction_of(trace.events[step])}. The scheme promises to need nothing of the "
        "host but mutexes and atomics of one pointer on its own data; this is neither."
    )


def unguarded_update(trace: Trace, finding: Finding) -> str:
    """A compound access is legal only under the lock."""
    (step,) = finding.steps[:1]
    event = trace.events[step]
    guard = event.op.cell.guard if event.op.cell is not None else None
    name = clean(guard.name) if guard is not None else "its guard"
    return (
        f"{said(trace, step)}, in {instruction_of(event)}, reads and writes a structure in more than one access. "
        f"It is safe only under {name}, which {actor_of(event)} did not hold."
    )


#: Of a loop, or of many who wait, the first few tell it all.
_MOST = 6


def stuck(trace: Trace, finding: Finding) -> str:
    """Who waits for whom, and since when the holders have it; of those who loop instead, what they repeat."""
    if trace.ending not in STUCK:
        told = "; ".join(said(trace, step) for step in finding.steps[:_MOST])
        return f"The last round: {told}." if told else ""
    sentences = []
    for wait in waits(trace)[:_MOST]:  # who waits for what stands in the message; since when it is held does not
        if wait.holders and wait.step is not None:
            who = listed([f"vCPU {clean(h)}" for h in wait.holders])
            sentences.append(
                f"vCPU {clean(wait.vcpu)} waits for {clean(wait.what)}, which {who} has had since step {wait.step}."
            )
    if finding.kind == "livelock":
        sentences.append("Nobody who could still take a step will ever change what is waited for.")
    else:
        sentences.append("None of them can ever take a step again.")
    return " ".join(sentences)


def guest_fault(trace: Trace, finding: Finding) -> str:
    """What the vCPU did last."""
    if not finding.steps:
        return ""
    event = trace.events[finding.steps[0]]
    if event.instruction is not None and not event.instruction.completed:
        return f"It came in {instruction_of(event)} {at(finding.steps[0])}."
    return f"Its last step before was {said(trace, finding.steps[0])}, in {instruction_of(event)}."
