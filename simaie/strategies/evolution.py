"""Mutating examples that showed something new, as coverage-guided fuzzers do.

An example is known by the *choices* of Hypothesis from which a strategy makes it, as bytes. A mutant of the choices is
another example of the same strategy. Compare M. Zalewski's afl-fuzz (2013), and Z. Hatfield-Dodds' HypoFuzz (2020),
which also mutates choices and keeps what covers new branches. Here the hand-offs between vCPUs are what is covered (see
`simaie.exploration.handoffs`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from simaie.prng import Random

__all__ = ["Evolution", "Kept", "mutated"]

#: The number of edits of a mutant at most.
_MOST_EDITS = 4
#: The number of bytes that one edit removes or repeats at most.
_MOST_BYTES = 16
#: The number of random bytes after the choices, from which a strategy takes what it needs beyond them.
_TAIL = 256
#: Of this number of mutants, one has no parent: its choices are random.
_FRESH = 4


class Kept(NamedTuple):
    """An example that showed something new.

    Attributes:
        choices: The choices from which the strategy makes it.
        covered: All that it covered.
    """

    choices: bytes
    covered: frozenset[int]


class Evolution:
    """Makes mutants, and keeps those that cover something new.

    Args:
        run: Runs the example with these choices; returns the choices that it used, or None if they make no example.
        covered: Returns what was covered since the last call.
        kept: What is known.
        seed: The seed of the mutants.

    Attributes:
        kept: What is known, the oldest first.
    """

    def __init__(
        self,
        run: Callable[[bytes], bytes | None],
        covered: Callable[[], frozenset[int]],
        kept: Iterable[Kept],
        seed: int,
    ) -> None:
        self._run, self._covered = run, covered
        self.kept = list(kept)
        self._seen = frozenset().union(*(each.covered for each in self.kept))
        self._draw = Random(seed)

    def step(self) -> Kept | None:
        """Run one mutant, and return it if it covers something new; what the example raises is not caught."""
        used = self._run(self._next())
        covered = self._covered()
        if used is None or covered <= self._seen:
            return None
        found = Kept(bytes(used), covered)
        self.kept.append(found)
        self._seen |= covered
        return found

    def _next(self) -> bytes:
        parents = [each.choices for each in self.kept]
        tail = _random_bytes(self._draw, _TAIL)
        if not parents or not self._draw.below(_FRESH):
            return tail
        return mutated(self._draw.choice(parents), parents, self._draw) + tail


def mutated(choices: bytes, others: Sequence[bytes], draw: Random) -> bytes:
    """Return choices with a few random edits: bytes changed, removed, repeated, or taken from another example."""
    found = bytearray(choices)
    for _ in range(1 + draw.below(_MOST_EDITS)):
        place, size = draw.below(len(found) + 1), 1 + draw.below(_MOST_BYTES)
        kind = draw.below(5)
        if kind == 0:
            found[place : place + 1] = _random_bytes(draw, 1)
        elif kind == 1:
            del found[place : place + size]
        elif kind == 2:
            found[place:place] = found[place : place + size]
        elif kind == 3:
            found[place:place] = _random_bytes(draw, size)
        else:
            other = draw.choice(others)
            found[place:] = other[draw.below(len(other) + 1) :]
    return bytes(found)


def _random_bytes(draw: Random, size: int) -> bytes:
    return b"".join(draw.bits64().to_bytes(8, "little") for _ in range(-(-size // 8)))[:size]
