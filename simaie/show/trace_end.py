"""The end of an execution in words: what each vCPU waits for or does next, the outcome, and the findings."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from simaie.finding import Finding, Verdict
from simaie.op import Kind, Op
from simaie.show.format import clean, format_op
from simaie.show.lines import prose
from simaie.show.reordered import reorderings
from simaie.show.trace_table import structural_order, title
from simaie.show.turns import turns
from simaie.trace import STUCK, Ending, Trace

__all__ = ["MOST_FINDINGS", "ending_fields", "ending_lines", "finding_lines", "finding_text"]

#: Many vCPUs can meet in one race many times; findings after the first few are only counted.
MOST_FINDINGS = 8

_ENDINGS = {
    Ending.FINISHED: "finished",
    Ending.DEADLOCK: "deadlock: no vCPU can ever step again",
    Ending.LIVELOCK: "livelock: no vCPU will ever change what the others wait for",
    Ending.STEP_LIMIT: "cut short by the limit on steps",
    Ending.THREAD_LIMIT: "cut short by the limit on threads",
    Ending.PRUNED: "given up here: it would only repeat other executions",
    Ending.LASSO: "a lasso: the last steps can be repeated for ever",
}


def ending_lines(trace: Trace) -> list[Text]:
    """Return the lines that say how `trace` ended: the ending, what each vCPU waits for or does next, the outcome."""
    return [_field(name, words) for name, words in ending_fields(trace)]


def ending_fields(trace: Trace) -> list[tuple[str, str]]:
    """Return how `trace` ended as pairs of a label and its value.

    They are the ending, what each vCPU waits for or does next, and the outcome. Guest threads that share a vCPU follow,
    and what took effect out of the order of the program.
    """
    owners = _owners(trace)
    fields = [("ending", _ENDINGS[trace.ending])]
    label = "waiting" if trace.ending in STUCK else "next"
    for actor in sorted(trace.waiting, key=structural_order):
        wanted = format_op(trace.waiting[actor]) + _held(trace, actor, owners)
        fields.append((label, f"{title(actor)}: {wanted}"))
    if trace.ending is Ending.FINISHED:
        refused = ", which the program's final check refuses" if trace.accepted is False else ""
        fields.append(("outcome", f"{clean(str(trace.outcome))}{refused}"))
    fields += [("switches", words) for words in turns(trace)]
    return fields + [("reordered", words) for words in reorderings(trace)]


def finding_lines(findings: Sequence[Finding], width: int | None = None) -> list[Text]:
    """Return the first few findings, numbered as the marks in the trace are, and the number of the others.

    Args:
        findings: The findings of an execution.
        width: Characters that a line may have; None for one line each.
    """
    lines: list[Text] = []
    for number, finding in enumerate(findings[:MOST_FINDINGS], 1):
        lines += prose(finding_text(number, finding), width, indent=3)
    if len(findings) > MOST_FINDINGS:
        lines.append(Text(f"... and {len(findings) - MOST_FINDINGS} more findings", "dim"))
    return lines or [_field("findings", "none")]


def finding_text(number: int, finding: Finding) -> Text:
    """Return a finding with its number, its kind, its message and its steps."""
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
    """Return the holder of each lock at the end, by the id of the lock's cell."""
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
