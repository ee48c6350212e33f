"""Pairs of load-linked and store-conditional, also of different bytes.

Whether the guest's architecture lets a store-conditional to other bytes than those of its load-linked store is said by
its `simaie.guest.reservation.ReservationRule`. Here only `Op.reserved` counts. A store-conditional fails unless all
bytes that it needs are reserved. It then stores only if no other vCPU stores to these bytes in between, as far as the
load-linked reads them or the store-conditional writes them. A reservation thus covers no other bytes of a granule: both
RISC-V and Arm let an implementation choose how many it covers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simaie.engine.graph.layout import Layout
from simaie.host.graph.event import Event, Past
from simaie.op import Op

__all__ = ["link", "may_store", "pair_of"]


def may_store(past: Past, op: Op) -> bool:
    """Whether the bytes that a store-conditional needs are reserved.

    Args:
        past: What its vCPU has done before.
        op: The store-conditional.
    """
    (needed, width), (first, size) = op.reserved, past.reserved
    return bool(past.linked) and first <= needed and needed + width <= first + size


def pair_of(past: Past, place: Any) -> int:
    """Return the index of the last load-linked's read of `place`; -1 if it did not read that place."""
    return next((read.index for read in past.linked if read.place == place), -1)


def link(past: Past, op: Op, writes: Sequence[Event], layout: Layout) -> None:
    """Complete the writes of a store-conditional: they come after the load-linked, and need its bytes untouched.

    Args:
        past: What its vCPU has done before.
        op: The store-conditional.
        writes: Its writes.
        layout: The layout of events.

    Raises:
        BeginAnew: It accesses other bytes than the load-linked, and it was not known that there are such pairs.
    """
    for write in writes:
        write.choice = 1
    read_places = [read.place for read in past.linked]
    if [write.place for write in writes] == read_places:
        return
    layout.learn_others()
    before = sum(1 << read.index for read in past.linked)
    watched = tuple([read.id for read in past.linked if _overlaps(read.place, op.reserved)])
    for write in writes:
        write.local |= before
        write.order |= before << write.base
        write.label |= before << write.base
        write.watched = watched
        write.claims = write.place not in read_places and _overlaps(write.place, op.reserved)


def _overlaps(place: Any, other: tuple[int, int]) -> bool:
    return bool(place[0] < sum(other) and other[0] < sum(place))
