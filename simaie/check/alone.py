"""What the steps of one vCPU show by themselves, so that few executions have to be examined as a whole.

A checker of atomicity asks two questions. Some mistakes of an instruction show in the steps of its own vCPU: a
store-conditional without a load-linked, or an update without the lock. The others are writes of other vCPUs in an
*interval*: between a read and the write that rests on it, or between a load-linked and its store-conditional. The
steps of the vCPU tell where its intervals begin and end, and of which bytes they are. A memo works this out once for
each history (`simaie.engine.memo.monitors`), and then has only to look whether others wrote in between.

The answers may be too suspicious, but they never miss what a checker would find. They hold where every write takes
effect at once: on sequentially consistent hosts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from simaie.check.exclusives import attempts, rule_of
from simaie.check.llsc import LLSC_ARCHITECTURAL
from simaie.check.rmw import windows_of
from simaie.decision import Schedule
from simaie.guest.reservation import Elsewhere
from simaie.trace import Ending, Event, Outcome, ReservationEnd, Trace

__all__ = ["Interval", "atomic_interval", "reserved_interval"]


class Interval(NamedTuple):
    """Bytes to which no other vCPU may write until the vCPU's last step.

    Attributes:
        since: The step after which a foreign write counts, as an index of the steps of the vCPU.
        address: Physical address of the first byte.
        width: Number of bytes.
    """

    since: int
    address: int
    width: int


def atomic_interval(events: Sequence[Event]) -> Interval | None:
    """Return the interval that ends with the last step of an atomic instruction, as `rmw_atomicity` judges it.

    Args:
        events: The steps of the instruction so far; the last one wrote RAM.

    Returns:
        The interval; None if nothing can come in between.
    """
    last, op = len(events) - 1, events[-1].op
    reads = windows_of(events, [step for step, event in enumerate(events) if event.op.width]).reads
    since = min(reads[byte] for byte in range(op.address, op.address + op.width))
    return None if since == last else Interval(since, op.address, op.width)


def reserved_interval(
    events: Sequence[Event], ends: tuple[ReservationEnd, ...], isa: str
) -> tuple[Interval | None, bool]:
    """Return the interval of a store-conditional, as the checkers of LL/SC atomicity judge it at every level.

    Args:
        events: The steps of the vCPU from the first one of its latest completed load-linked on, or all its steps if it
            has none; the last one belongs to a store-conditional.
        ends: The instructions of the vCPU that may have ended reservations.
        isa: The instruction set.

    Returns:
        The interval, None if the store-conditional has not stored or the checkers have to examine it in any case; and
        whether they have to.
    """
    trace = Trace(
        program="", events=list(events), ending=Ending.FINISHED, outcome=Outcome(), schedule=Schedule(), waiting={},
        isa=isa, reservation_ends=ends,
    )  # fmt: skip
    attempt = next((each for each in attempts(trace) if each.instruction is events[-1].instruction), None)
    if attempt is None:
        return None, False
    if any(LLSC_ARCHITECTURAL(trace)):
        return None, True
    reservation = attempt.reservation
    assert reservation is not None  # that would be a finding
    parts = reservation.parts(trace)
    reserved = {byte for address, width in parts for byte in range(address, address + width)}
    stored = [trace.events[step].op for step in attempt.writes]
    missed = reserved.difference(*[range(op.address, op.address + op.width) for op in stored])
    # At bytes that it does not write, a foreign write counts until its last step, or in the whole granule.
    if not reserved or missed or attempt.elsewhere(trace, rule_of(trace)) is Elsewhere.INSIDE:
        return None, True
    return Interval(min(parts.values()), min(reserved), max(reserved) + 1 - min(reserved)), False
