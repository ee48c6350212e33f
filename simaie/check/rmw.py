"""A locked read-modify-write is one transaction: nobody else's write falls between its read and its write.

The window of an instruction runs from the read on which its writes rest to its last write. A host atomic (a successful
compare-and-swap, say) reads in the very step in which it writes, so an instruction made of one has
an empty window; one that tries again after a failed attempt is judged by the attempt that wrote. The bytes in question
are those that it wrote: a foreign write to them in the window is lost, or torn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from simaie.check.evidence import describe, first_foreign_write, instruction_at
from simaie.finding import Finding
from simaie.op import Kind
from simaie.trace import AccessKind, Event, Instruction, Trace

__all__ = ["rmw_atomicity"]

KIND = "rmw-atomicity"
_ATOMIC, _STORE = AccessKind.ATOMIC, Kind.STORE


class _Window(msgspec.Struct, frozen=True):
    """From the step of the deciding read to that of the last write; written: (address, width) of each write."""

    read: int
    write: int
    written: tuple[tuple[int, int], ...]


def rmw_atomicity(trace: Trace) -> Iterable[Finding]:
    """One finding for each atomic instruction, completed or not, into which a foreign write fell: the first such."""
    return _judge(trace) if _ATOMIC in trace.accesses else ()


def _judge(trace: Trace) -> Iterator[Finding]:
    events = trace.events
    for instruction, steps in _interrupted(events):
        window = _window(events, steps)
        if window is None or window.write - window.read < 2:
            continue
        candidates = [
            first_foreign_write(trace, instruction.vcpu, address, width, window.read, window.write)
            for address, width in window.written
        ]
        foreign = min((step for step in candidates if step is not None), default=None)
        if foreign is not None:
            yield _finding(events, instruction, window, foreign)


def _interrupted(events: list[Event]) -> list[tuple[Instruction, list[int]]]:
    """The atomic instructions with the steps of their RAM accesses, if anything at all happened between these."""
    groups: list[tuple[Instruction, list[int]]] = []
    current: dict[str, tuple[Instruction, list[int]]] = {}
    for step, event in enumerate(events):
        instruction = event.instruction
        if instruction is None or instruction.access is not _ATOMIC or not event.op.width:
            continue
        group = current.get(instruction.vcpu)
        if group is None or group[0] is not instruction:
            group = current[instruction.vcpu] = (instruction, [])
            groups.append(group)
        group[1].append(step)
    return [group for group in groups if group[1][-1] - group[1][0] >= len(group[1])]


def _window(events: list[Event], steps: list[int]) -> _Window | None:
    """The window of an instruction whose RAM accesses are at `steps`; None if it wrote nothing."""
    last_read: dict[int, int] = {}  # by byte
    begin, end = len(events), -1
    written: dict[tuple[int, int], None] = {}
    for step in steps:
        event = events[step]
        op = event.op
        span = range(op.address, op.address + op.width)
        if event.writes_ram:
            # Only a plain store rests on an earlier read; every other write compares or reads by itself.
            rests_on = min([last_read.get(byte, step) for byte in span]) if op.kind is _STORE else step
            begin, end = min(begin, rests_on), step
            written[op.address, op.width] = None
        elif event.reads_ram:
            last_read.update(dict.fromkeys(span, step))
    return _Window(begin, end, tuple(written)) if end >= 0 else None


def _finding(events: list[Event], instruction: Instruction, window: _Window, foreign: int) -> Finding:
    guilty = events[foreign]
    read, write = events[window.read].op.address, events[window.write].op.address
    message = (
        f"{describe(guilty)} fell between the load and the store of {instruction_at(instruction, write)}; "
        f"the instruction was not atomic"
    )
    other = guilty.actor if guilty.instruction is None else guilty.instruction.vcpu
    return Finding(
        KIND,
        message,
        steps=(window.read, foreign, window.write),
        addresses=(read, guilty.op.address, write),
        vcpus=(instruction.vcpu, other),
    )
