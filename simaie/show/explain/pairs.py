"""Torn loads, races, and instructions that no order of whole ones explains."""

from __future__ import annotations

from simaie.finding import Finding
from simaie.show.explain.phrases import actor_of, at, instruction_of, listed, said
from simaie.show.explain.protection import held_at
from simaie.show.words import clean
from simaie.trace import Trace

__all__ = ["data_race", "single_copy", "unserializable"]


def single_copy(trace: Trace, finding: Finding) -> str:
    """Parts of one load from before and from after a store."""
    reads = [step for step in finding.steps if trace.events[step].reads_ram]
    writes = [step for step in finding.steps if trace.events[step].writes_ram]
    if not reads or not writes:
        return ""
    load, store = trace.events[reads[0]], trace.events[writes[0]]
    got = getattr(load.instruction, "result", None)
    whole = f" It came out as {got:#x}, which" if isinstance(got, int) else " That"
    return (
        f"The architecture guarantees that {instruction_of(load)} sees all of {instruction_of(store)} or nothing. "
        f"The emulator made several host accesses of it: {'; '.join(said(trace, step) for step in finding.steps)}."
        f"{whole} is partly old and partly new: nothing keeps the parts of one access together, neither a lock nor a "
        "host access as wide as the guest's."
    )


def data_race(trace: Trace, finding: Finding) -> str:
    """Two accesses that could as well have come in the other order."""
    first, second = finding.steps[:2]
    return (
        f"{said(trace, first)}, in {instruction_of(trace.events[first])}; and {said(trace, second)}, in "
        f"{instruction_of(trace.events[second])}. They touch the same bytes, at least one writes, and nothing orders "
        f"them: no lock, fence or atomic of the guest leads from {actor_of(trace.events[first])} to "
        f"{actor_of(trace.events[second])}. They could as well have come the other way round."
    )


def unserializable(trace: Trace, finding: Finding) -> str:
    """The operations of the cycle in order, and which locks were held meanwhile."""
    told = "; ".join(said(trace, step) for step in finding.steps[:8])
    held = []
    for step in finding.steps[:8]:
        event = trace.events[step]
        locks = held_at(trace, event.actor, step + 1)
        if locks:
            held.append(f"{actor_of(event)} held {listed([clean(name) for name in locks])} {at(step)}")
    locked = f" Locks at that time: {'; '.join(held)}." if held else " No lock was held at any of these steps."
    return f"In order: {told}.{locked}"
