"""Fences with their places: which orders a mapping keeps before and behind which accesses."""

from __future__ import annotations

from enum import IntFlag
from typing import NamedTuple

from simaie.barrier import Barrier
from simaie.schemes.mapping import FENCE_PLACES, Mapping, mapping_of

__all__ = ["Placement", "placed_on", "places_that_help"]


class Placement(IntFlag):
    """A set of orders, each at one place."""

    NONE = 0
    LD_LD_BEFORE_LOADS = 1
    LD_LD_BEHIND_LOADS = 2
    LD_ST_BEHIND_LOADS = 4
    LD_ST_BEFORE_STORES = 8
    ST_ST_BEFORE_STORES = 16
    ST_ST_BEHIND_STORES = 32
    BEFORE_ATOMICS = 64
    BEHIND_ATOMICS = 128
    BEHIND_FAILED = 256
    FULL = 511

    @property
    def text(self) -> str:
        """The set as a mapping, which the option ``mapping`` of a scheme takes."""
        return _as_text({place: orders for place, orders in self._orders().items() if orders}) or "none"

    @property
    def words(self) -> str:
        """The set in words, such as "ld-ld behind loads and st-st before stores"."""
        parts = [f"{orders.text} {FENCE_PLACES[place]}" for place, orders in self._orders().items() if orders]
        return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]])) or "none"

    def _orders(self) -> dict[str, Barrier]:
        found = dict.fromkeys(FENCE_PLACES, Barrier.NONE)
        for part, (place, orders) in _PARTS.items():
            if part & self:
                found[place] |= orders
        return found


class _Part(NamedTuple):
    place: str  # a section and a key of a mapping
    orders: Barrier


_PARTS = {
    Placement.LD_LD_BEFORE_LOADS: _Part("load.before", Barrier.LD_LD),
    Placement.LD_LD_BEHIND_LOADS: _Part("load.after", Barrier.LD_LD),
    Placement.LD_ST_BEHIND_LOADS: _Part("load.after", Barrier.LD_ST),
    Placement.LD_ST_BEFORE_STORES: _Part("store.before", Barrier.LD_ST),
    Placement.ST_ST_BEFORE_STORES: _Part("store.before", Barrier.ST_ST),
    Placement.ST_ST_BEHIND_STORES: _Part("store.after", Barrier.ST_ST),
    Placement.BEFORE_ATOMICS: _Part("atomic.before", Barrier.FULL),
    Placement.BEHIND_ATOMICS: _Part("atomic.after", Barrier.FULL),
    Placement.BEHIND_FAILED: _Part("atomic.failed", Barrier.FULL),
}


def places_that_help(guest: Barrier, host: Barrier) -> Placement:
    """Return the orders of plain accesses that the guest's architecture keeps and the host does not, at each place.

    Args:
        guest: The orders that the guest's architecture keeps without fences.
        host: The orders that the host keeps without fences.
    """
    missing, found = guest & ~host, Placement.NONE
    for part, (place, orders) in _PARTS.items():
        if not place.startswith("atomic") and orders & missing:
            found |= part
    return found


def placed_on(base: str, chosen: Placement) -> str:
    """Return the text of the mapping that has the fences of a base, and those of a placement.

    Args:
        base: The text of the base.
        chosen: The placement.
    """
    orders = {place: each | _orders_of(mapping_of(base), place) for place, each in chosen._orders().items() if each}
    return chosen.text if base == "none" else "/".join(filter(None, [base, _as_text(orders)]))


def _orders_of(mapping: Mapping, place: str) -> Barrier:
    section, _, key = place.partition(".")
    found: Barrier = getattr(getattr(mapping, section), key)
    return found


def _as_text(orders: dict[str, Barrier]) -> str:
    return "/".join(f"{place}={each.text}" for place, each in orders.items())
