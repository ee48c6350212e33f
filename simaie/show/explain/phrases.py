"""Phrases that the explanations share."""

from __future__ import annotations

from collections.abc import Sequence

from simaie.check.evidence import intruder, owner
from simaie.show.format import clean, format_event, format_value, is_drain
from simaie.show.trace_table import title
from simaie.trace import Event, Instruction, Trace

__all__ = ["a_kind_of", "actor_of", "at", "instruction_of", "listed", "said", "stored_value"]


def actor_of(event: Event) -> str:
    """Return ``vCPU 0``, or a device's name; for a drain, the vCPU whose store it is."""
    return title(owner(event))


def instruction_of(event: Event) -> str:
    """Return ``vCPU 0's lock inc [0x100]``."""
    if event.instruction is None:
        return f"{actor_of(event)}'s {format_event(event)}"
    return f"{actor_of(event)}'s {_named(event.instruction)}"


def _named(instruction: Instruction) -> str:
    return clean(str(instruction))


def at(*steps: int) -> str:
    """Return ``(step 4)`` or ``(steps 4 and 7)``."""
    numbers = sorted(set(steps))
    return f"(step{'s' * (len(numbers) > 1)} {listed([str(step) for step in numbers])})"


def a_kind_of(event: Event) -> str:
    """Return the kind of guest access that made a write: ``a plain store``, ``an atomic read-modify-write``."""
    return intruder(event).with_article


def said(trace: Trace, step: int) -> str:
    """Return one step in words, with its vCPU and number."""
    event = trace.events[step]
    drained = ", draining from its store buffer" if is_drain(event) else ""
    return f"{actor_of(event)}: {format_event(event)}{drained} {at(step)}"


def stored_value(event: Event) -> str:
    """Return the value that a write to RAM stored."""
    op = event.op
    return format_value(op.value if op.function is None else op.function.apply(event.value))


def listed(parts: Sequence[str]) -> str:
    """Return ``a``, ``a and b``, or ``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
