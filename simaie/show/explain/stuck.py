"""Executions that stand still, or in which a vCPU faults."""

from __future__ import annotations

from simaie.check.progress import waits
from simaie.finding import Finding
from simaie.show.explain.phrases import at, instruction_of, listed, said
from simaie.show.format import clean
from simaie.trace import Ending, Trace

__all__ = ["guest_fault", "stuck"]

#: Of a loop, or of many who wait, the first few tell it all.
_MOST = 6


def stuck(trace: Trace, finding: Finding) -> str:
    """Who waits for whom, and since when the holders have it; of those who loop instead, what they repeat."""
    if trace.ending not in (Ending.DEADLOCK, Ending.LIVELOCK):
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
