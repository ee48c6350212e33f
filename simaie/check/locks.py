"""Host mutexes and guest instructions: no mutex is held past the end of an instruction, and one per vCPU if promised.

An instruction that ends while it holds a lock, even by a fault, has leaked it: eventually a vCPU waits forever. That
holds for every scheme. An instruction that the end of the execution cut short had no chance to unlock, and is not
judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from simaie.finding import Finding
from simaie.op import Cell, Kind, Role
from simaie.protocols import Promise
from simaie.trace import Ending, Event, Instruction, Trace

__all__ = ["lock_leak", "locks_per_vcpu"]

LEAK, PER_VCPU = "lock-leak", "locks-per-vcpu"
_LOCK, _UNLOCK = Kind.LOCK, Kind.UNLOCK


def lock_leak(trace: Trace) -> Iterable[Finding]:
    """Find mutexes still held after the instruction that locked them. Steps: the lock, and the unlock if any."""
    return _leaks(trace) if _LOCK in trace.kinds else ()


def locks_per_vcpu(trace: Trace) -> Iterable[Finding]:
    """Find mutexes taken while another is held, under a scheme that promises one at a time."""
    return _second_locks(trace) if Promise.ONE_LOCK in trace.promises and _LOCK in trace.kinds else ()


def _leaks(trace: Trace) -> Iterator[Finding]:
    held: dict[Cell, int] = {}  # a mutex has one holder, so the mutex identifies the holder
    for step in trace.mutex_steps:
        event = trace.events[step]
        kind, cell = event.op.kind, _mutex(event)
        if kind is _LOCK and cell is not None:
            held[cell] = step
        elif kind is _UNLOCK and cell is not None:
            locked = held.pop(cell, None)
            if locked is not None and trace.events[locked].instruction is not event.instruction:
                yield _leak(trace, locked, step)
    if held:
        last = {event.actor: event.instruction for event in trace.events}
        for locked in held.values():
            if _had_ended(trace, trace.events[locked], last):
                yield _leak(trace, locked, None)


def _mutex(event: Event) -> Cell | None:
    """Return the mutex of an operation, unless it stands for a vCPU, which a guest thread keeps for its time slice."""
    cell = event.op.cell
    return None if cell is None or cell.role is Role.VCPU else cell


def _had_ended(trace: Trace, locking: Event, last: dict[str, Instruction | None]) -> bool:
    """Whether the instruction of `locking`, which never unlocked, had ended."""
    instruction = locking.instruction
    if trace.ending is Ending.FINISHED or (instruction is not None and instruction.completed):
        return True
    return last[locking.actor] is not instruction or any(fault.vcpu == locking.actor for fault in trace.faults)


def _leak(trace: Trace, locked: int, unlocked: int | None) -> Finding:
    event = trace.events[locked]
    assert event.op.cell is not None
    inside = "no instruction" if event.instruction is None else str(event.instruction)
    fate = "never unlocked it" if unlocked is None else f"unlocked it only later, at step {unlocked}"
    return Finding(
        LEAK,
        f"vCPU {event.actor} locked {event.op.cell.name} in {inside} and {fate}: it stayed held past the end",
        steps=(locked,) if unlocked is None else (locked, unlocked),
        addresses=(event.instruction.address,) if event.instruction is not None else (),
        vcpus=(event.actor,),
    )


def _second_locks(trace: Trace) -> Iterator[Finding]:
    held: dict[str, dict[Cell, int]] = {}
    for step in trace.mutex_steps:
        event = trace.events[step]
        kind, cell = event.op.kind, _mutex(event)
        if kind is _LOCK and cell is not None:
            mine = held.setdefault(event.actor, {})
            if mine:
                yield _second(event, mine, step)
            mine[cell] = step
        elif kind is _UNLOCK and cell is not None:
            held.get(event.actor, {}).pop(cell, None)


def _second(event: Event, mine: dict[Cell, int], step: int) -> Finding:
    assert event.op.cell is not None
    names = ", ".join(cell.name for cell in mine)
    return Finding(
        PER_VCPU,
        f"vCPU {event.actor} took {event.op.cell.name} while it held {names}; the scheme promises one lock at a time",
        steps=(*mine.values(), step),
        addresses=(event.instruction.address,) if event.instruction is not None else (),
        vcpus=(event.actor,),
    )
