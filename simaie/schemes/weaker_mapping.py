"""The parts of a mapping that can be left out one by one: each order of each fence, and the orders of accesses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from simaie.barrier import Barrier
from simaie.op import Order
from simaie.schemes.mapping import FENCE_PLACES, Access, Atomic, Mapping, order_text

__all__ = ["Weakening", "weakenings"]


class Weakening(NamedTuple):
    """A change of a mapping that keeps one order less.

    Attributes:
        what: What is left out, in words.
        change: The change as text, which `simaie.schemes.mapping.mapping_of` reads behind the mapping.
    """

    what: str
    change: str


#: The weaker orders of an access, one step each, with what is left out.
_STEPS: dict[tuple[str, Order], tuple[tuple[str, Order], ...]] = {
    ("load", Order.SEQ_CST): (("the order of loads behind earlier releases", Order.ACQUIRE),),
    ("load", Order.ACQUIRE): (("the acquire of loads", Order.RELAXED),),
    ("store", Order.RELEASE): (("the release of stores", Order.RELAXED),),
    ("atomic", Order.SEQ_CST): (("the release of atomics", Order.ACQUIRE), ("the acquire of atomics", Order.RELEASE)),
    ("atomic", Order.ACQ_REL): (("the release of atomics", Order.ACQUIRE), ("the acquire of atomics", Order.RELEASE)),
    ("atomic", Order.ACQUIRE): (("the acquire of atomics", Order.RELAXED),),
    ("atomic", Order.RELEASE): (("the release of atomics", Order.RELAXED),),
}
_SINGLE = (Barrier.LD_LD, Barrier.LD_ST, Barrier.ST_LD, Barrier.ST_ST)


def weakenings(mapping: Mapping) -> Iterator[Weakening]:
    """Yield each way to make a mapping weaker by one order of one fence, or by one step of the order of an access.

    What guest fences become stays.

    Args:
        mapping: The mapping.
    """
    for place, words in FENCE_PLACES.items():
        section, _, key = place.partition(".")
        orders: Barrier = getattr(_row(mapping, section), key)
        for single in _SINGLE:
            if single & orders:
                yield Weakening(f"{single.text} {words}", f"{place}={(orders & ~single).text}")
    for section in ("load", "store", "atomic"):
        for what, order in _STEPS.get((section, _row(mapping, section).order), ()):
            yield Weakening(what, f"{section}.order={order_text(order)}")


def _row(mapping: Mapping, section: str) -> Access | Atomic:
    row: Access | Atomic = getattr(mapping, section)
    return row
