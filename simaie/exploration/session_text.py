"""Messages of interactive sessions: the state of the execution, and why an actor cannot step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simaie.exploration.guided import PrefixThen
from simaie.finding import Finding
from simaie.op import Op
from simaie.trace import Ending, Trace

__all__ = ["format_count", "format_refusal", "format_status"]

_ENDED = {
    Ending.FINISHED: "Finished",
    Ending.DEADLOCK: "Deadlock: no actor can ever step again",
    Ending.LIVELOCK: "Livelock: no actor will ever change what the others wait for",
    Ending.STEP_LIMIT: "The machine's limit on steps is reached",
    Ending.THREAD_LIMIT: "The machine's limit on threads is reached",
    Ending.LASSO: "The last steps can be repeated for ever",
}


def format_status(trace: Trace, enabled: Mapping[str, Op], findings: Sequence[Finding]) -> str:
    """Return the state of the execution in a sentence, with what can be done next."""
    if trace.ending is Ending.PRUNED:
        return f"{format_count(len(trace), 'step')} taken. Which actor steps next? {', '.join(enabled)}"
    found = format_count(len(findings), "finding")
    said = f"{found}: {findings[0].message}" if findings else "nothing was found"
    ended = f"{_ENDED[trace.ending]} after {format_count(len(trace), 'step')}"
    return f"{ended}; {said}. {'Undo to choose another schedule, or save.' if len(trace) else ''}".rstrip()


def format_refusal(actor: str, state: PrefixThen) -> str:
    """Return why `actor`, which is not enabled, cannot take a step."""
    if not state.enabled:
        return f"{actor} cannot step, because the execution is over ({state.trace.ending}): undo, or start over"
    waits = state.trace.waiting.get(actor)
    why = "there is no such actor now" if waits is None else f"it waits to {waits}"
    return f"{actor} cannot step: {why}; enabled: {', '.join(state.enabled)}"


def format_count(number: int, what: str) -> str:
    """Return a count with its noun, as in ``1 step`` or ``2 steps``."""
    return f"{number} {what}{'s' * (number != 1)}"
