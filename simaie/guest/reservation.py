"""The rules of load-linked and store-conditional, as data; each instruction set defines its own in its own file.

A reservation belongs to one vCPU, which has at most one. It covers the bytes that the load-linked read, and on hardware
the whole granule around them. Two kinds of cause end it. Some *must*: a store-conditional that stores nevertheless
violates the architecture. Others *may*: both results are correct. Every architecture also lets a store-conditional fail
without any cause, except for guarantees of eventual success, which no finite execution violates; see
`simaie.check.constrained`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec

from simaie.host.loaded import plain

__all__ = ["Cause", "Elsewhere", "Place", "ReservationRule"]


class Cause(StrEnum):
    """An event that may end a reservation."""

    FOREIGN_STORE = "a store of another vCPU or a device to the bytes that the load-linked read"
    NEIGHBOUR_STORE = "a store of another vCPU or a device to other bytes of the granule"
    OWN_STORE = "a plain store of the same vCPU"
    LOAD_LINKED = "another load-linked of the same vCPU, which makes a reservation of its own"
    STORE_CONDITIONAL = "a store-conditional of the same vCPU, also one that fails"
    CLEAR = "an instruction that only clears the reservation, such as CLREX"
    EXCEPTION = "an exception, interrupt or trap of the same vCPU, and the return from it"


class Elsewhere(StrEnum):
    """The result of a store-conditional that accesses bytes other than those of the load-linked."""

    FAILS = "it must fail"
    INSIDE = "it must fail outside the granule; inside it may store if no other vCPU stored to the bytes in between"
    BLOCK = "as RESERVED within the smallest granule of the load-linked, outside it as UNPREDICTABLE"
    RESERVED = "it may store or fail while the reservation holds, and must fail without one"
    UNPREDICTABLE = "it may store or fail, even if others have stored to the reserved bytes"


class Place(NamedTuple):
    """The bytes that an exclusive instruction accesses.

    Attributes:
        virtual: Guest-virtual address.
        physical: Physical address.
        width: Width in bytes.
    """

    virtual: int
    physical: int
    width: int

    @property
    def known(self) -> Place:
        """The place without the dependencies of its addresses: a monitor compares addresses, but branches on none."""
        return Place(plain(self.virtual), plain(self.physical), self.width)

    def holds(self, other: Place) -> bool:
        """Whether this place contains all bytes of `other`, by physical addresses."""
        return self.physical <= other.physical and other.physical + other.width <= self.physical + self.width


class ReservationRule(msgspec.Struct, frozen=True):
    """The rule of one instruction set.

    Attributes:
        least: Bytes of the smallest granule that an implementation may have; a power of two, like `most`.
        most: Bytes of the largest granule.
        must: The causes that end a reservation on every implementation.
        may: The causes that end it on some implementations.
        other_address: The result of a store-conditional to an address other than that of the load-linked.
        other_width: The result of a store-conditional of another width at the same address.
        physical: Whether equal physical addresses suffice for the same address; if not, the guest-virtual addresses
            must be equal too.
        promises_success: Whether a loop of load-linked and store-conditional must succeed at some time, if it is
            constrained as `simaie.check.constrained` says.
    """

    least: int
    most: int
    must: frozenset[Cause]
    may: frozenset[Cause]
    other_address: Elsewhere
    other_width: Elsewhere
    physical: bool = False
    promises_success: bool = False

    def elsewhere(self, linked: Place, conditional: Place) -> Elsewhere | None:
        """Return the result of a store-conditional to `conditional` after a load-linked of `linked`.

        Args:
            linked: The bytes of the load-linked.
            conditional: The bytes of the store-conditional.

        Returns:
            The result; None if the two access the same bytes, so that it stores while the reservation holds.
        """
        same = linked.physical == conditional.physical and (self.physical or linked.virtual == conditional.virtual)
        if same and linked.width == conditional.width:
            return None
        rule = self.other_width if same else self.other_address
        if rule is Elsewhere.INSIDE and self.granule_of((linked, conditional)) is None:
            return Elsewhere.FAILS
        if rule is Elsewhere.BLOCK:
            block = linked.physical // self.least, linked.virtual // self.least
            within = block == (conditional.physical // self.least, conditional.virtual // self.least)
            return Elsewhere.RESERVED if within else Elsewhere.UNPREDICTABLE
        return rule

    def granule_of(self, places: Iterable[Place]) -> Place | None:
        """Return the smallest granule that holds all of `places`, by physical addresses; None if no granule does."""
        first = min(place.physical for place in places)
        after = max(place.physical + place.width for place in places)
        width = self.least
        while width <= self.most:
            start = first & -width
            if after <= start + width:
                return Place(start, start, width)
            width *= 2
        return None
