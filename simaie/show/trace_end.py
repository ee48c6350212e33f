"""How an execution ended, in words: who is stuck, what faulted, the outcome, the findings."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from simaie.finding import Finding, Verdict
from simaie.op import Kind, Op
from simaie.show.format import clean, format_op
from simaie.show.trace_table import structural_order, title
from simaie.trace import Ending, Trace

__all__ = ["MOST_FINDINGS", "ending_lines", "finding_lines"]

#: One race among many vCPUs can be found many times over; what comes after the first few is counted only.
MOST_FINDINGS = 8

_ENDINGS = {
    Ending.FINISHED: "finished",
    Ending.DEADLOCK: "deadlock: nobody can ever step again",
    Ending.LIVELOCK: "livelock: nobody will ever change what is waited for",
    Ending.STEP_LIMIT: "cut short by the limit on steps",
    Ending.THREAD_LIMIT: "cut short by the limit on threads",
    Ending.PRUNED: "stopped here by the scheduler",
}


def ending_lines(trace: Trace) -> list[Text]:
    """The lines below a trace."""
    owners = _owners(trace)
    lines = [_field("ending", _ENDINGS[trace.ending])]
    for actor in sorted(trace.waiting, key=structural_order):
        wanted = format_op(trace.waiting[actor]) + _held(trace, actor, owners)
        lines.append(_field("waiting", f"{title(actor)}: {wanted}"))
    if trace.ending is Ending.FINISHED:
        refused = ", which the program's final check refuses" if trace.accepted is False else ""
        lines.append(_field("outcome", f"{clean(str(trace.outcome))}{refused}"))
    return lines


def finding_lines(findings: Sequence[Finding]) -> list[Text]:
    """The findings, numbered as the marks in the trace are; the first few of many."""
    lines = [_finding(number, finding) for number, finding in enumerate(findings[:MOST_FINDINGS], 1)]
    if len(findings) > MOST_FINDINGS:
        lines.append(Text(f"... and {len(findings) - MOST_FINDINGS} more findings", "dim"))
    return lines or [_field("findings", "none")]


def _finding(number: int, finding: Finding) -> Text:
    line = Text().append(f">{number} ", "bold red")
    line.append(clean(finding.kind), "bold")
    if finding.verdict is Verdict.INCONCLUSIVE:
        line.append(" (inconclusive)", "yellow")
    line.append(f": {clean(finding.message)}")
    if finding.steps:
        steps = ", ".join(map(str, finding.steps[:12])) + (", ..." if len(finding.steps) > 12 else "")
        line.append(f" (step{'s' * (len(finding.steps) != 1)} {steps})", "dim")
    return line


def _field(name: str, words: str) -> Text:
    return Text().append(f"{name:<9} ", "dim").append(words)


def _owners(trace: Trace) -> dict[int, str]:
    """Who holds each lock at the end, by the lock's cell."""
    owners: dict[int, str] = {}
    for event in trace.events:
        if event.op.kind is Kind.LOCK:
            owners[id(event.op.cell)] = event.actor
        elif event.op.kind is Kind.UNLOCK:
            owners.pop(id(event.op.cell), None)
    return owners


def _held(trace: Trace, actor: str, owners: dict[int, str]) -> str:
    op: Op = trace.waiting[actor]
    owner = owners.get(id(op.cell)) if op.kind is Kind.LOCK else None
    return f" (held by {title(owner)})" if owner is not None else ""
