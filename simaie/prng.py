"""simaie's own random numbers: the only source of chance in the project.

`Random` is a 128-bit multiplicative congruential generator that hands out the high half of its state
(P. L'Ecuyer, "Tables of linear congruential generators of different sizes and good lattice structure",
Math. Comp. 68, 1999; multiplier as used by Lemire's "lehmer64"). It was chosen because one draw is one
multiplication and one mask, which is what pure Python does fastest, and because its high half passes the usual
batteries. Seeds are spread by SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), so that neighbouring
seeds give unrelated streams.

Python's `random` is not used anywhere: its algorithms for ranges and shuffles have changed between
versions, and a seed of ours must mean the same execution for ever.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from typing import TypeVar

__all__ = ["Random", "derive"]

T = TypeVar("T")

_MASK64 = (1 << 64) - 1
_MASK128 = (1 << 128) - 1
_LEHMER = 0xDA942042E4DD58B5
_GOLDEN_GAMMA = 0x9E3779B97F4A7C15


def _mix(z: int) -> int:
    """SplitMix64's finaliser: a bijection on 64-bit integers."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
    return z ^ (z >> 31)


def derive(seed: int, *path: int) -> int:
    """The 64-bit seed of the stream that `path` names below `seed`, e.g. ``derive(seed, execution_index)``.

    Any integers are accepted, negative ones too; each is taken modulo 2**64.
    """
    state = _mix((seed + _GOLDEN_GAMMA) & _MASK64)
    for part in path:
        state = _mix((state ^ _mix((part + _GOLDEN_GAMMA) & _MASK64)) + _GOLDEN_GAMMA & _MASK64)
    return state


class Random:
    """A stream of random numbers from a seed; the same seed gives the same stream on every machine."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        low = _mix((seed + _GOLDEN_GAMMA) & _MASK64)
        # The state of a multiplicative generator must be odd.
        self._state = (_mix((low + _GOLDEN_GAMMA) & _MASK64) << 64 | low) | 1

    def bits64(self) -> int:
        """A uniform integer in [0, 2**64)."""
        self._state = state = self._state * _LEHMER & _MASK128
        return state >> 64

    def below(self, n: int) -> int:
        """A uniform integer in [0, n), for n in [1, 2**64], by Lemire's multiply-shift.

        The bias is below n / 2**64 and no draw is ever rejected, so one call is one step of the stream.
        """
        self._state = state = self._state * _LEHMER & _MASK128
        return (state >> 64) * n >> 64

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
