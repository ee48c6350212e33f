"""A final state that the program refuses: who wrote it, and what in the execution was not one thing after another."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from simaie.check.evidence import owner
from simaie.finding import Finding
from simaie.show.explain.buffers import overtaken
from simaie.show.explain.phrases import at, instruction_of, stored_value
from simaie.show.words import clean, is_drain
from simaie.trace import Event, Trace

__all__ = ["final_check"]

#: More evidence than this does not help.
_MOST = 3


def final_check(trace: Trace, finding: Finding) -> str:
    """The outcome, who wrote it, and up to three things that instructions one after the other would not have done."""
    text = f"The program ran to its end with {clean(str(trace.outcome))}, which its final check refuses."
    writers = list(islice(_last_writers(trace), _MOST))
    if writers:
        text += f" Last written: {'; '.join(writers)}."
    odd = list(islice(chain(overtaken(trace), _interrupted(trace)), _MOST))
    return f"{text} {' '.join(odd)}" if odd else text


def _last_writers(trace: Trace) -> Iterator[str]:
    for name, _ in trace.outcome.items:
        if not name.startswith("[0x"):
            continue
        address = int(name[1:-1], 16)
        for step in reversed(trace.ram_writes.get(address >> 3, ())):
            event = trace.events[step]
            if event.op.address <= address < event.op.address + event.op.width:
                yield f"{name} by {instruction_of(event)} as {stored_value(event)} {at(step)}"
                break


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


def _conflict(a: Event, b: Event) -> bool:
    overlap = a.op.address < b.op.address + b.op.width and b.op.address < a.op.address + a.op.width
    return overlap and (a.writes_ram or b.writes_ram)
