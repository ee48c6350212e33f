"""A final state that the program refuses: who wrote it, and what in the execution was not one thing after another."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from simaie.check.evidence import owner
from simaie.finding import Finding
from simaie.show.explain.around import Around
from simaie.show.explain.buffers import overtaken
from simaie.show.explain.phrases import at, instruction_of, listed, stored_value
from simaie.show.words import is_drain
from simaie.trace import Event, Trace

__all__ = ["final_check"]

#: More evidence than this does not help.
_MOST = 3


def final_check(trace: Trace, finding: Finding, around: Around) -> str:
    """What led there: another finding, if a guilty step of its wrote the state; else who wrote it, and what was odd."""
    writers = list(_last_writers(trace))
    for number, other in enumerate(around.findings, 1):
        guilty = [said for said, step in writers if step in other.steps]
        if other is not finding and guilty:
            return f"A consequence of finding {number}: {guilty[0]}, one of its steps."
    overtakings = list(islice(overtaken(trace, around), _MOST))
    reasons = list(dict.fromkeys(why for _, why in overtakings))
    odd = [text for text, _ in overtakings] + list(islice(_interrupted(trace), _MOST - len(overtakings)))
    if odd:
        return " ".join([*odd, *reasons])
    if not writers:
        return "Nothing was written to what it looks at."
    return f"{'; '.join(said for said, _ in writers[:_MOST])}."


def _last_writers(trace: Trace) -> Iterator[tuple[str, int]]:
    for name, _ in trace.outcome.items:
        if not name.startswith("[0x"):
            continue
        address = int(name[1:-1], 16)
        for step in reversed(trace.ram_writes.get(address >> 3, ())):
            event = trace.events[step]
            if event.op.address <= address < event.op.address + event.op.width:
                yield f"{name} was last written by {instruction_of(event)}, as {stored_value(event)} {at(step)}", step
                break


def _interrupted(trace: Trace) -> Iterator[str]:
    """Instructions of several accesses to RAM with a conflicting foreign access between the first and the last."""
    for instruction, steps in trace.instructions:
        accesses = [s for s in steps if trace.events[s].op.width and not is_drain(trace.events[s])]
        if len(accesses) < 2:
            continue
        events = [trace.events[s] for s in accesses]
        others = [
            step
            for step in range(accesses[0] + 1, accesses[-1])
            if owner(trace.events[step]) != instruction.vcpu and any(_conflict(trace.events[step], e) for e in events)
        ]
        writes = [step for step in others if trace.events[step].writes_ram]
        if others:
            made = f"{instruction_of(events[0])} was made in {len(accesses)} accesses {at(*accesses)}; in the middle"
            yield f"{made} {listed([_did(trace, step) for step in (writes or others)[:_MOST]])}."


def _did(trace: Trace, step: int) -> str:
    event = trace.events[step]
    what = f"wrote {stored_value(event)} to" if event.writes_ram else "read"
    return f"{instruction_of(event)} {what} the same bytes {at(step)}"


def _conflict(a: Event, b: Event) -> bool:
    overlap = a.op.address < b.op.address + b.op.width and b.op.address < a.op.address + a.op.width
    return overlap and (a.writes_ram or b.writes_ram)
