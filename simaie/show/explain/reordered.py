"""Sentences on accesses that took effect before earlier ones of the same vCPU, on a host that reorders loads."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from simaie.op import owner_of
from simaie.show.explain.phrases import at
from simaie.trace import Event, Trace

__all__ = ["overtaken", "reordered"]

_MOST = 3


def overtaken(trace: Trace) -> Iterator[tuple[int, int]]:
    """Yield (early, late): two steps of a vCPU, of which the late one comes first in the program."""
    highest: dict[str, tuple[int, int]] = {}  # by vCPU, the last instruction so far and its step
    for step, event in enumerate(trace.events):
        instruction = event.instruction
        if instruction is None or owner_of(event.actor) != event.actor:
            continue
        before = highest.get(event.actor)
        if before is None or instruction.number > before[0]:
            highest[event.actor] = instruction.number, step
        elif instruction.number < before[0]:
            yield before[1], step


def reordered(trace: Trace) -> str:
    """Return what took effect out of the order of the program, in words; empty if nothing did."""
    found = [_sentence(trace.events[early], early, trace.events[late], late) for early, late in overtaken(trace)]
    return " ".join(islice(found, _MOST))


def _sentence(early: Event, first: int, late: Event, last: int) -> str:
    return (
        f"On vCPU {early.actor}, the {_access(early)} took effect {at(first)}, before the {_access(late)} {at(last)} "
        "that comes first in the program: nothing on this host orders the two."
    )


def _access(event: Event) -> str:
    return f"{event.op.kind.name.lower().replace('_', '-')} of {event.op.location}"
