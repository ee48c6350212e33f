"""The rules of load-linked and store-conditional, as data: each instruction set says its own in its own file.

A reservation belongs to one vCPU, which has at most one. It covers the bytes that the load-linked read, and on hardware
the whole granule around them. Two kinds of cause end it: some *must*, and a store-conditional that stores nevertheless
breaks the architecture; others *may*, and both results are right. Every architecture also lets a store-conditional fail
without any cause, but for promises of eventual success, which no finite execution breaks.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec

__all__ = ["Cause", "Elsewhere", "Place", "ReservationRule"]


class Cause(StrEnum):
    """What may end a reservation."""

    FOREIGN_STORE = "a store of another vCPU or a device to the bytes that the load-linked read"
    NEIGHBOUR_STORE = "such a store to other bytes of the granule"
    OWN_STORE = "a plain store of the same vCPU"
    LOAD_LINKED = "another load-linked of the same vCPU, which makes a reservation of its own"
    STORE_CONDITIONAL = "a store-conditional of the same vCPU, also one that fails"
    CLEAR = "an instruction that does just that, as CLREX"
    EXCEPTION = "an exception, interrupt or trap of the same vCPU, and the return from it"


class Elsewhere(StrEnum):
    """What a store-conditional does that accesses other bytes than the load-linked did."""

    FAILS = "it must fail"
    INSIDE = "it must fail outside of the granule; inside it may store if nobody else stored to what lies between"
    RESERVED = "it may store or fail while the reservation stands, and must fail if there is none"
    UNPREDICTABLE = "it may store or fail, also if others have stored to the reserved bytes"


class Place(NamedTuple):
    """The bytes that an exclusive instruction accesses: guest-virtual and physical address, width in bytes."""

    virtual: int
    physical: int
    width: int

    def holds(self, other: Place) -> bool:
        """Whether all bytes of `other` are among them, by their physical addresses."""
        return self.physical <= other.physical and other.physical + other.width <= self.physical + self.width


class ReservationRule(msgspec.Struct, frozen=True):
    """The rule of one instruction set.

    Attributes:
        least: the smallest granule that an implementation may have, in bytes; a power of two, as `most` is.
        most: the largest.
        must: the causes that end a reservation on every implementation.
        may: those that end it on some.
        other_address: what a store-conditional to another address than that of the load-linked does.
        other_width: what one of another width at the same address does.
        physical: whether an address is the same if the physical one is; else the guest-virtual one must be, too.
    """

    least: int
    most: int
    must: frozenset[Cause]
    may: frozenset[Cause]
    other_address: Elsewhere
    other_width: Elsewhere
    physical: bool = False

    def elsewhere(self, linked: Place, conditional: Place) -> Elsewhere | None:
        """Return what a store-conditional to `conditional` does after a load-linked of `linked`.

        None if the two access the same bytes: then it stores as long as the reservation stands.
        """
        same = linked.physical == conditional.physical and (self.physical or linked.virtual == conditional.virtual)
        if same and linked.width == conditional.width:
            return None
        rule = self.other_width if same else self.other_address
        if rule is Elsewhere.INSIDE and self.granule_of((linked, conditional)) is None:
            return Elsewhere.FAILS
        return rule

    def granule_of(self, places: Iterable[Place]) -> Place | None:
        """Return the smallest granule that holds all of `places`, by physical addresses; None if none does."""
        first = min(place.physical for place in places)
        after = max(place.physical + place.width for place in places)
        width = self.least
        while width <= self.most:
            start = first & -width
            if after <= start + width:
                return Place(start, start, width)
            width *= 2
        return None
