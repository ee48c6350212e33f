"""Vectors as lists of lanes; a vector is a number whose lowest lane is lane 0."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from simaie.binary.cells import mask

__all__ = ["Shape", "joined", "lanes_of", "signed_lane"]


class Shape(NamedTuple):
    """The sizes in bytes of the result and of a vector operand."""

    out: int
    given: int


def lanes_of(value: int, size: int, lane: int) -> list[int]:
    """Return the lanes of a vector of `size` bytes, each of `lane` bytes."""
    return [value >> 8 * at & mask(lane) for at in range(0, size, lane)]


def joined(lanes: Iterable[int], lane: int) -> int:
    """Return the vector with these lanes, of which the low `lane` bytes count."""
    return sum((value & mask(lane)) << 8 * lane * number for number, value in enumerate(lanes))


def signed_lane(value: int, lane: int) -> int:
    """Return a lane as a signed number."""
    half = 1 << 8 * lane - 1
    return (value ^ half) - half
