"""A failure as text: its trace, then each finding with its explanation."""

from __future__ import annotations

from rich.text import Text

from simaie.replaying.failure import Failure
from simaie.show.explain import about_compare, around, explain, guilty
from simaie.show.lines import PROSE, prose
from simaie.show.trace_end import MOST_FINDINGS, finding_lines, finding_text
from simaie.show.trace_view import trace_view

__all__ = ["execution_text", "failure_view"]

_INDENT = 3


def execution_text(failure: Failure) -> str:
    """Return what identifies the execution of a failure: its index and seed, or its schedule if that was given."""
    if failure.scheduler is not None and failure.scheduler.name == "scripted":
        return "its schedule"
    return f"execution {failure.index} of seed {failure.seed}"


def failure_view(failure: Failure, *, everything: bool = False, width: int | None = None) -> list[Text]:
    """Return the lines of a failure.

    Args:
        failure: What to show.
        everything: Fold nothing.
        width: Characters that a line may have; None for no limit. Prose breaks at words, in lines of 80 at most.
    """
    trace, findings = failure.trace, guilty(failure.trace, failure.findings)
    lines = trace_view(trace, findings, everything=everything, width=width, findings_below=False)
    known, room = around(failure), PROSE if width is None else width
    for number, finding in enumerate(findings[:MOST_FINDINGS], 1):
        lines += prose(finding_text(number, finding), room, _INDENT)
        explanation = explain(trace, finding, known)
        if explanation:
            lines += prose(Text(" " * _INDENT + explanation), room, _INDENT)
    if not findings or len(findings) > MOST_FINDINGS:
        lines.append(finding_lines(findings)[-1])
    scope = about_compare(trace, findings)
    return [*lines, *prose(Text(scope, "dim"), room)] if scope else lines
