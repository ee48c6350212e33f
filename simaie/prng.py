"""simaie's random numbers, the only source of randomness in the project.

`Random` reads the output of SHAKE-128 (NIST FIPS 202) on the seed and a block counter, 32 bits at a time. A
cryptographic function is more than simaie needs. But the standard library has it in C, it is the same on every machine
and in every version, and its words come from a C iterator. A draw is therefore cheaper than one step of any generator
written in Python.

Python's `random` is not used: its algorithms for ranges and shuffles have changed between versions, and a seed of
simaie must always mean the same execution.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from hashlib import shake_128
from itertools import chain, count
from typing import TypeVar

__all__ = ["Random", "derive", "stream"]

T = TypeVar("T")

_MASK64 = (1 << 64) - 1
_WORD, _READ_WORD, _TWO_WORDS = struct.Struct("<Q").pack, struct.Struct("<Q").unpack, struct.Struct("<QQ").pack
_FIRST = struct.Struct("<42I")  # the output of one permutation of SHAKE-128, enough for a short execution
_LATER = struct.Struct("<1008I")


def derive(seed: int, *path: int) -> int:
    """Return the 64-bit seed of the stream that `path` names below `seed`, as in ``derive(seed, execution_index)``.

    Any integers are accepted, negative ones too; each is taken modulo 2**64.
    """
    if len(path) == 1:
        key = _TWO_WORDS(seed & _MASK64, path[0] & _MASK64)
    else:
        key = b"".join([_WORD(part & _MASK64) for part in (seed, *path)])
    derived: int = _READ_WORD(shake_128(key).digest(8))[0]
    return derived


def _later_blocks(seed: int) -> Iterator[tuple[int, ...]]:
    for number in count():
        yield _LATER.unpack(shake_128(_TWO_WORDS(seed & _MASK64, number)).digest(_LATER.size))


def stream(seed: int) -> Iterator[int]:
    """Return the random numbers of `Random` with this seed, of 32 bits each, without an end."""
    first = _FIRST.unpack(shake_128(_WORD(seed & _MASK64) + b"first").digest(_FIRST.size))
    return chain(first, chain.from_iterable(_later_blocks(seed)))


class Random:
    """A stream of random numbers from a seed, the same on every machine.

    Attributes:
        word: A function that draws the next 32 bits. It is an attribute so that a hot path can bind it:
            ``items[word() * len(items) >> 32]`` draws one of a few thousand items, uniformly up to one part in a
            million.
    """

    __slots__ = ("word",)

    def __init__(self, seed: int) -> None:
        self.word: Callable[[], int] = stream(seed).__next__

    def bits64(self) -> int:
        """Draw a uniform integer in [0, 2**64)."""
        return self.word() << 32 | self.word()

    def below(self, n: int) -> int:
        """Draw a uniform integer in [0, n), for n in [1, 2**64], by Lemire's multiply-shift on 64 or 96 bits.

        The bias is below n / 2**64 for n up to 2**32, and below 2**-32 above.
        """
        word = self.word
        if n <= 1 << 32:
            return (word() << 32 | word()) * n >> 64
        return ((word() << 32 | word()) << 32 | word()) * n >> 96

    def unit(self) -> float:
        """Draw a uniform float in [0, 1) with 53 random bits."""
        return (self.bits64() >> 11) * 2.0**-53

    def choice(self, items: Sequence[T]) -> T:
        """Draw one of `items` uniformly; `items` must not be empty."""
        return items[self.below(len(items))]

    def weighted(self, weights: Sequence[int]) -> int:
        """Draw an index in proportion to the non-negative integer `weights`, whose sum must be positive."""
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
