"""Contention for the locks of a scheme, counted in a trace: acquisitions, waits, and waits by false sharing.

The figures are of host operations, not of seconds. A vCPU *waits* for a lock if another vCPU released that lock after
the step that the waiting vCPU took before: on a real host it might have spun or slept meanwhile. A wait is by *false
sharing* if the two instructions have no byte in common, so that they share nothing but the lock.
"""

from __future__ import annotations

from typing import NamedTuple

from simaie.op import Kind
from simaie.trace import Event, Instruction, Trace

__all__ = ["Contention", "lock_contention", "total_contention"]


class Contention(NamedTuple):
    """The figures of one lock, or of all.

    Attributes:
        acquisitions: How often it was taken.
        waits: How often a vCPU waited for another one.
        false: The waits by false sharing.
    """

    acquisitions: int = 0
    waits: int = 0
    false: int = 0

    def __add__(self, other: object) -> Contention:
        """Return the sum of the figures."""
        if not isinstance(other, Contention):
            return NotImplemented
        return Contention(*(a + b for a, b in zip(self, other, strict=True)))


def lock_contention(trace: Trace) -> dict[str, Contention]:
    """Return the figures of each lock by its location, in the order in which they are first taken."""
    found: dict[str, Contention] = {}
    released: dict[str, tuple[int, Event]] = {}
    previous: dict[str, int] = {}
    for step, event in enumerate(trace.events):
        lock = event.op.location
        if event.op.kind is Kind.LOCK:
            when, holder = released.get(lock, (-1, event))
            waits = holder.actor != event.actor and when > previous.get(event.actor, -1)
            false = waits and not _share_a_byte(holder.instruction, event.instruction)
            found[lock] = found.get(lock, Contention()) + Contention(1, int(waits), int(false))
        elif event.op.kind is Kind.UNLOCK:
            released[lock] = step, event
        previous[event.actor] = step
    return found


def total_contention(trace: Trace) -> Contention:
    """Return the figures of all locks together."""
    return sum(lock_contention(trace).values(), start=Contention())


def _share_a_byte(one: Instruction | None, other: Instruction | None) -> bool:
    """Whether two instructions access a common byte; an instruction of unknown place is taken to do so."""
    if one is None or other is None or one.address is None or other.address is None:
        return True
    return one.address < other.address + other.width and other.address < one.address + one.width
