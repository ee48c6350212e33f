"""Atomicity of locked read-modify-writes: no other vCPU's write falls between the read and the write.

Each byte that the instruction wrote is judged separately. The byte's window is from the read on which its write rests
to the instruction's last write of it; a foreign write to that byte in the window is lost, or torn. So the verdict
depends only on the order of accesses to one byte, and all executions that differ only in the order of independent
operations get the same verdict. A host atomic (a successful compare-and-swap, say) reads in the same step in which it
writes, so its window is empty. An instruction that retries after a failed attempt is judged by the attempt that wrote.
Of an instruction that writes two locations each is judged by itself; whether others see both stores at once is a
question of serializability.

On a host with store buffers a write takes effect when it drains. A read that the vCPU's own buffer answers, from a
store of an earlier instruction, has read what that store will write: its window begins when that store drains.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from simaie.check.evidence import describe, first_foreign_write, instruction_at, owner, writes_to
from simaie.finding import Finding
from simaie.op import Kind
from simaie.trace import AccessKind, Event, Instruction, Trace

__all__ = ["rmw_atomicity", "windows_of"]

KIND = "rmw-atomicity"
_ATOMIC, _STORE = AccessKind.ATOMIC, Kind.STORE


class _Windows(msgspec.Struct):
    """The window of each byte that an instruction wrote.

    Attributes:
        reads: Byte -> the step of the read on which its first write rests; a write that reads rests on itself.
        writes: Byte -> the step of its last write.
    """

    reads: dict[int, int] = {}
    writes: dict[int, int] = {}


def rmw_atomicity(trace: Trace) -> Iterable[Finding]:
    """Find atomic instructions, completed or not, that a foreign write interrupted.

    Steps: the instruction's first read, the foreign write, the instruction's last write.
    """
    return _judge(trace) if _ATOMIC in trace.accesses else ()


def _judge(trace: Trace) -> Iterator[Finding]:
    events = trace.events
    for instruction, steps in _interrupted(events):
        windows = windows_of(events, steps)
        if not windows.writes:
            continue
        guilty = _guilty(trace, instruction, windows)
        if guilty is not None:
            yield _finding(events, instruction, windows, *guilty)


def _interrupted(events: list[Event]) -> list[tuple[Instruction, list[int]]]:
    """Return the atomic instructions with the steps of their RAM accesses, if any other step came in between."""
    groups: dict[Instruction, list[int]] = {}
    for step, event in enumerate(events):
        instruction = event.instruction
        if instruction is None or instruction.access is not _ATOMIC or not event.op.width:
            continue
        steps = groups.get(instruction)
        if steps is None:
            groups[instruction] = [step]
        else:
            steps.append(step)
    return [group for group in groups.items() if group[1][-1] - group[1][0] >= len(group[1])]


def windows_of(events: Sequence[Event], steps: Sequence[int]) -> _Windows:
    """Return the windows of an instruction whose RAM accesses are at `steps`; empty if it wrote nothing."""
    found = _Windows()
    last_read: dict[int, int] = {}  # by byte
    for step in steps:
        event = events[step]
        op = event.op
        span = range(op.address, op.address + op.width)
        if event.writes_ram:
            for byte in span:
                # Only a plain store rests on an earlier read; every other write compares or reads by itself.
                found.reads.setdefault(byte, last_read.get(byte, step) if op.kind is _STORE else step)
                found.writes[byte] = step
        elif event.reads_ram:
            last_read.update(dict.fromkeys(span, step))
    return found


def _guilty(trace: Trace, instruction: Instruction, windows: _Windows) -> tuple[int, int] | None:
    """Return the lowest byte whose window has a foreign write, and the step of the first such write; else None."""
    low, high = min(windows.writes), max(windows.writes)
    begin, end = min(windows.reads.values()), max(windows.writes.values())
    if first_foreign_write(trace, instruction.vcpu, low, high - low + 1, begin, end) is None:
        return None
    for byte, write in sorted(windows.writes.items()):
        foreign = _first_inside(trace, instruction, byte, windows.reads[byte], write)
        if foreign is not None:
            return byte, foreign
    return None


def _first_inside(trace: Trace, instruction: Instruction, byte: int, read: int, write: int) -> int | None:
    """Return the first foreign write to `byte` in its window, or None."""
    found: int | None = None
    for step in writes_to(trace, byte, 1, read):
        if step >= write:
            break
        event = trace.events[step]
        if owner(event) != instruction.vcpu:
            found = step if found is None else found
        elif event.instruction is not instruction:
            found = None  # an earlier store of its own vCPU, from whose buffer it read: the window begins here
    return found


def _finding(events: list[Event], instruction: Instruction, windows: _Windows, byte: int, foreign: int) -> Finding:
    guilty = events[foreign]
    # Only writes of one actor are in the same order in all equivalent executions.
    writer = events[windows.writes[byte]].actor
    last = max(step for step in windows.writes.values() if events[step].actor == writer)
    first = min(windows.reads.values(), default=last)
    read, write = events[first].op.address, events[last].op.address
    message = (
        f"{describe(guilty)} fell between the load and the store of {instruction_at(instruction, write)}; "
        f"the instruction was not atomic"
    )
    return Finding(
        KIND,
        message,
        steps=(first, foreign, last),
        addresses=(read, guilty.op.address, write),
        vcpus=(instruction.vcpu, owner(guilty)),
    )
