"""Executions that stand still, fault, or end in a state that the program refuses."""

from __future__ import annotations

from collections.abc import Iterator

from simaie.check.evidence import owner
from simaie.check.progress import waits
from simaie.finding import Finding
from simaie.op import Kind
from simaie.show.explain.phrases import at, instruction_of, listed, said, stored_value
from simaie.show.words import clean, is_drain
from simaie.trace import Event, Trace

__all__ = ["final_check", "guest_fault", "stuck"]

#: More evidence than this does not help.
_MOST = 3


def stuck(trace: Trace, finding: Finding) -> str:
    """Who waits for whom, and since when the holders have it."""
    sentences = []
    for wait in waits(trace):
        since = f", which {listed([f'vCPU {h}' for h in wait.holders])} has" if wait.holders else ""
        step = f" {at(wait.step)}" if wait.step is not None and wait.holders else ""
        sentences.append(f"vCPU {clean(wait.vcpu)} waits for {clean(wait.what)}{since}{step}.")
    if finding.kind == "livelock":
        sentences.append("Nobody who could still take a step will ever change what is waited for.")
    else:
        sentences.append("None of them can ever take a step again.")
    return " ".join(sentences)


def guest_fault(trace: Trace, finding: Finding) -> str:
    """What the vCPU did last."""
    last = f" Its last step was {said(trace, finding.steps[0])}." if finding.steps else ""
    return f"{clean(finding.message)}.{last}"


def final_check(trace: Trace, finding: Finding) -> str:
    """The outcome, who wrote it, and what in the execution is not as if instructions ran one after the other."""
    text = f"The program ran to its end with {clean(str(trace.outcome))}, which its final check refuses."
    writers = list(_last_writers(trace))
    if writers:
        text += f" Last written: {'; '.join(writers[:_MOST])}."
    odd = [*_interrupted(trace), *_late(trace)]
    return f"{text} {' '.join(odd[:_MOST])}" if odd else text


def _last_writers(trace: Trace) -> Iterator[str]:
    for name, _ in trace.outcome.items:
        if name.startswith("[0x"):
            address = int(name[1:-1], 16)
            steps = [s for s, e in enumerate(trace.events)
                     if e.writes_ram and e.op.address <= address < e.op.address + e.op.width]
            if steps:
                event = trace.events[steps[-1]]
                yield f"{name} by {instruction_of(event)} as {stored_value(event)} {at(steps[-1])}"


def _interrupted(trace: Trace) -> Iterator[str]:
    """Instructions of several accesses to RAM with a conflicting foreign access between the first and the last."""
    for instruction, steps in trace.instructions:
        accesses = [s for s in steps if trace.events[s].op.width and not is_drain(trace.events[s])]
        if len(accesses) < 2:
            continue
        events = [trace.events[s] for s in accesses]
        for step in range(accesses[0] + 1, accesses[-1]):
            other = trace.events[step]
            if owner(other) == instruction.vcpu or not any(_conflict(other, event) for event in events):
                continue
            verb = "wrote to" if other.writes_ram else "read"
            yield (
                f"{instruction_of(events[0])} was made in {len(accesses)} accesses {at(*accesses)}, and "
                f"{instruction_of(other)} {verb} the same bytes in the middle {at(step)}."
            )
            break


def _late(trace: Trace) -> Iterator[str]:
    """Stores that took effect after later loads of their own vCPU."""
    for step, event in enumerate(trace.events):
        if not is_drain(event):
            continue
        steps = [s for s in range(step) if trace.events[s].instruction is event.instruction]
        entered = next((s for s in steps if trace.events[s].op.kind is Kind.BUFFER), None)
        if entered is None:
            continue
        overtaken = [s for s in range(entered + 1, step) if trace.events[s].actor == owner(event)
                     and trace.events[s].reads_ram and not _overlap(trace.events[s], event)]
        if overtaken:
            yield (
                f"{instruction_of(event)} waited in the store buffer {at(entered)} and took effect {at(step)} only "
                f"after {said(trace, overtaken[0])}: no fence between the two."
            )


def _conflict(a: Event, b: Event) -> bool:
    return (a.writes_ram or b.writes_ram) and _overlap(a, b)


def _overlap(a: Event, b: Event) -> bool:
    return bool(a.op.address < b.op.address + b.op.width and b.op.address < a.op.address + a.op.width)
