"""What an execution covers of a scheme: the hand-offs between vCPUs, without names and addresses.

A hand-off is a pair of consecutive operations on one place by different actors, at least one of them a write (see also
`simaie_schedulers.coverage_guided`). Here it is described by the role of the place, by the kinds of both operations,
and by the accesses of the guest instructions to which they belong. So hand-offs of different programs are comparable,
and a scheme has a few hundred of them at most.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator

from simaie.op import Cell, Op, Role
from simaie.trace import Ending, Event, Trace

__all__ = ["HandoffCounter", "handoffs_of"]

#: The number of executions of an exploration that are looked at: a look takes about a twentieth of a short execution.
MOST_LOOKED_AT = 100
_DIGEST_BYTES = 8


class HandoffCounter:
    """Collects the hand-offs of the first executions of an exploration.

    Attributes:
        found: Their digests, each a number of 64 bits.
    """

    def __init__(self) -> None:
        self.found: set[int] = set()
        self._left = MOST_LOOKED_AT

    def look_at(self, trace: Trace) -> None:
        """Add the hand-offs of an execution, unless enough executions were looked at."""
        if self._left and trace.ending is not Ending.PRUNED:
            self._left -= 1
            self.found.update(handoffs_of(trace))


def handoffs_of(trace: Trace) -> Iterator[int]:
    """Yield the digest of each hand-off of an execution, in order; of an execution graph, in the order of its events.

    A digest occurs as often as its hand-off.
    """
    last: dict[Cell | int, tuple[str, str, bool]] = {}  # by place: the actor and the form of its last operation
    for event in trace.events:
        for op in event.op.places:
            if op.cell is None and not op.width:
                continue
            place = op.address if op.cell is None else op.cell
            now = event.actor, _form(op, event), event.wrote
            before = last.get(place)
            if before is not None and before[0] != now[0] and (before[2] or now[2]):
                yield _digest(_role(op.cell), before[1], now[1])
            last[place] = now


def _form(op: Op, event: Event) -> str:
    """Return the kind of an operation, whether it wrote, and the access of its instruction."""
    access = "" if event.instruction is None else event.instruction.access
    return f"{op.kind.name} {event.wrote:d} {access}"


def _role(cell: Cell | None) -> Role | None:
    return None if cell is None else cell.role


@functools.lru_cache(maxsize=4096)  # there are few, and each occurs often
def _digest(role: Role | None, before: str, now: str) -> int:
    text = f"{role} {before} {now}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest(), "big")
