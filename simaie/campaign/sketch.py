"""Sketches of sets of traces: small, and the same whatever the order in which their parts are merged.

A sketch keeps the smallest digests that it has seen, with the number of times up to two (a bottom-k sample: Z.
Bar-Yossef and others, "Counting distinct elements in a data stream", RANDOM 2002). The digests are uniformly
distributed, so that the largest one that is kept tells how many there are: with 1,024 of them, the standard error is
three per cent. Below that number the count is exact.

A digest that is among the smallest of a union is among the smallest of each part that has it, and has been since it was
first seen. Its count is therefore exact too, and the kept digests are a fair sample. The share of those seen once
estimates how likely the next execution shows a new trace (I. J. Good and A. Turing; for fuzzing: M. Böhme, "STADS",
TOSEM 2018).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

__all__ = ["Sketch"]

#: The number of digests that are kept.
KEPT = 1024
_ALL = 1 << 64


class _Saved(msgspec.Struct, frozen=True, array_like=True):
    """The content of a sketch as it is stored."""

    traced: int
    full: bool
    once: tuple[int, ...]
    often: tuple[int, ...]


class Sketch:
    """A sketch of the traces of some executions.

    Args:
        digests: The digests of the executions, each a number of 64 bits.

    Attributes:
        traced: The number of executions.
    """

    def __init__(self, digests: Iterable[int] = ()) -> None:
        self.traced = 0
        self._times: dict[int, int] = {}
        self._full = False
        for digest in digests:
            self.traced += 1
            self._times[digest] = min(2, self._times.get(digest, 0) + 1)
        self._cut()

    @classmethod
    def read(cls, data: bytes) -> Sketch:
        """Return the sketch that `encoded` wrote; an empty one for no bytes."""
        made = cls()
        if data:
            saved = msgspec.msgpack.decode(data, type=_Saved)
            made.traced, made._full = saved.traced, saved.full
            made._times = dict.fromkeys(saved.once, 1) | dict.fromkeys(saved.often, 2)
        return made

    def encoded(self) -> bytes:
        """Return the sketch as bytes, which are equal for equal sketches."""
        once = tuple(sorted(digest for digest, times in self._times.items() if times == 1))
        often = tuple(sorted(digest for digest, times in self._times.items() if times > 1))
        return msgspec.msgpack.encode(_Saved(self.traced, self._full, once, often))

    def merge(self, other: Sketch) -> int:
        """Add the executions of another sketch, and return how many digests this one did not have."""
        bound = max(self._times) if self._full else _ALL  # a larger digest is not kept, and may have been seen
        new = sum(digest not in self._times and digest < bound for digest in other._times)
        for digest, times in other._times.items():
            self._times[digest] = min(2, self._times.get(digest, 0) + times)
        self.traced += other.traced
        self._full = self._full or other._full
        self._cut()
        return new

    def unite(self, other: Sketch) -> None:
        """Add a sketch of executions some of which this one may have counted already.

        A trace that each of them has seen once counts as seen once, so that `new_trace` is rather too high.
        """
        for digest, times in other._times.items():
            self._times[digest] = max(self._times.get(digest, 0), times)
        self.traced = max(self.traced, other.traced)
        self._full = self._full or other._full
        self._cut()

    def _cut(self) -> None:
        if len(self._times) > KEPT:
            self._times = {digest: self._times[digest] for digest in sorted(self._times)[:KEPT]}
            self._full = True

    @property
    def exact(self) -> bool:
        """Whether `traces` is exact."""
        return not self._full

    @property
    def traces(self) -> int:
        """The number of distinct traces; an estimate if it is not `exact`."""
        if not self._full:
            return len(self._times)
        return round((KEPT - 1) * _ALL / (max(self._times) + 1))

    @property
    def new_trace(self) -> float | None:
        """The probability that another execution of the same kind shows a new trace; None before the first.

        It is the estimate of Good and Turing with one trace more, so that few executions never make it zero.
        """
        if not self.traced:
            return None
        once = sum(times == 1 for times in self._times.values()) / len(self._times)
        return min(1.0, (once * self.traces + 1) / self.traced)
