"""simaie's own random numbers: the only source of chance in the project.

`Random` reads the output of SHAKE-128 (NIST FIPS 202) on the seed and a block counter, 32 bits at a time. A
cryptographic function is more than needed, but it can be had in C from the standard library, it is the same on every
machine and in every version for ever, and its words come out of a C iterator, so that a draw costs less than a single
step of any generator that could be written in Python.

Python's `random` is not used anywhere: its algorithms for ranges and shuffles have changed between
versions, and a seed of ours must mean the same execution for ever.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from hashlib import shake_128
from itertools import chain, count
from typing import TypeVar

__all__ = ["Random", "derive"]

T = TypeVar("T")

_MASK64 = (1 << 64) - 1
_WORD = struct.Struct("<Q").pack
_FIRST = struct.Struct("<42I")  # what one permutation of SHAKE-128 gives: short executions need no more
_LATER = struct.Struct("<1008I")


def derive(seed: int, *path: int) -> int:
    """The 64-bit seed of the stream that `path` names below `seed`, e.g. ``derive(seed, execution_index)``.

    Any integers are accepted, negative ones too; each is taken modulo 2**64.
    """
    key = _WORD(seed & _MASK64)
    for part in path:
        key += _WORD(part & _MASK64)
    return int.from_bytes(shake_128(key).digest(8), "little")


def _blocks(seed: int) -> Iterator[tuple[int, ...]]:
    key = struct.pack("<Q", seed & _MASK64)
    yield _FIRST.unpack(shake_128(key + b"first").digest(_FIRST.size))
    for number in count():
        yield _LATER.unpack(shake_128(key + struct.pack("<Q", number)).digest(_LATER.size))


class Random:
    """A stream of random numbers from a seed; the same seed gives the same stream on every machine.

    word: draws the next 32 bits. It is an attribute so that a hot path may bind it:
    ``items[word() * len(items) >> 32]`` picks one of some thousands of items, uniformly but for one part in a million.
    """

    __slots__ = ("word",)

    def __init__(self, seed: int) -> None:
        self.word: Callable[[], int] = chain.from_iterable(_blocks(seed)).__next__

    def bits64(self) -> int:
        """A uniform integer in [0, 2**64)."""
        return self.word() << 32 | self.word()

    def below(self, n: int) -> int:
        """A uniform integer in [0, n), for n in [1, 2**64], by Lemire's multiply-shift on 64 or 96 bits.

        The bias is below n / 2**64 for n up to 2**32, and below 2**-32 above.
        """
        word = self.word
        if n <= 1 << 32:
            return (word() << 32 | word()) * n >> 64
        return ((word() << 32 | word()) << 32 | word()) * n >> 96

    def unit(self) -> float:
        """A uniform float in [0, 1) with 53 random bits."""
        return (self.bits64() >> 11) * 2.0**-53

    def choice(self, items: Sequence[T]) -> T:
        """One of `items`, uniformly; `items` must not be empty."""
        return items[self.below(len(items))]

    def weighted(self, weights: Sequence[int]) -> int:
        """An index drawn in proportion to the non-negative integer `weights`, whose sum is positive."""
        ticket = self.below(sum(weights))
        for index, weight in enumerate(weights):
            ticket -= weight
            if ticket < 0:
                return index
        raise ValueError("weights must have a positive sum")

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Put `items` in a uniformly random order, in place (Fisher-Yates)."""
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]
