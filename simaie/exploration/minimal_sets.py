"""The minimal sufficient sets of a monotone property, in which every superset of a sufficient set suffices too.

If the set of all elements but one does not suffice, that element is needed. If the needed elements suffice, they are
the only minimal set, and one question for each element was enough. Otherwise the sets between these and the full set
are asked for, smallest first. A set that does not suffice is enlarged as far as it does not, so that no set inside the
larger one is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from simaie.barrier import Barrier
from simaie.exploration.placement import Placement

__all__ = ["ORDERS", "Kinds", "MonotoneOracle", "combined", "minimal_sets", "single_orders"]

ORDERS = (Barrier.LD_LD, Barrier.LD_ST, Barrier.ST_LD, Barrier.ST_ST)
#: A set of orders, or a set of orders at places.
Kinds: TypeAlias = Barrier | Placement


def single_orders(barriers: Kinds) -> tuple[Kinds, ...]:
    """Return the single elements of a set."""
    kind = type(barriers)
    return tuple(kind(1 << bit) for bit in range(kind.FULL.bit_length()) if barriers >> bit & 1)


class MonotoneOracle:
    """A monotone function of sets, which calls `sufficient` only if no earlier answer implies the result.

    Attributes:
        insufficient: The sets for which the answer was no.
    """

    def __init__(self, sufficient: Callable[[Kinds], bool]) -> None:
        self._ask = sufficient
        self._sufficient: list[Kinds] = []
        self.insufficient: list[Kinds] = []

    def __call__(self, barriers: Kinds) -> bool:
        """Whether `barriers` suffice."""
        if any(known & barriers == known for known in self._sufficient):
            return True
        if self.known_insufficient(barriers):
            return False
        answer = self._ask(barriers)
        (self._sufficient if answer else self.insufficient).append(barriers)
        return answer

    def known_insufficient(self, barriers: Kinds) -> bool:
        """Whether an earlier answer implies that `barriers` do not suffice."""
        return any(known & barriers == barriers for known in self.insufficient)

    def failing(self, minimal: Kinds, kind: Kinds) -> Kinds:
        """Return the largest insufficient set that was asked for, without `kind` and with the rest of `minimal`."""
        rest = minimal & ~kind
        found = [known for known in self.insufficient if known & rest == rest and not known & kind]
        return max(found, key=lambda known: (known.bit_count(), known))


def minimal_sets(sufficient: MonotoneOracle, useful: Kinds) -> tuple[Kinds, ...]:
    """Return all minimal sufficient sets; empty if even the full set does not suffice.

    Args:
        sufficient: Whether a set suffices.
        useful: The kinds that can matter. If they suffice together, no set with other kinds is asked for.
    """
    none, full = type(useful).NONE, type(useful).FULL
    if sufficient(none):
        return (none,)
    if not sufficient(full):
        return ()
    top = useful if sufficient(useful) else full
    needed = none
    for kind in single_orders(top):
        if not sufficient(top & ~kind):
            needed |= kind
    found: list[Kinds] = []
    for candidate in sorted((needed | part for part in _subsets(top & ~needed)), key=_size):
        if any(smaller & candidate == smaller for smaller in found) or sufficient.known_insufficient(candidate):
            continue
        if sufficient(candidate):
            found.append(candidate)
        else:
            _enlarge(sufficient, candidate, top)
    return tuple(found)


def _enlarge(sufficient: MonotoneOracle, insufficient: Kinds, top: Kinds) -> None:
    """Ask for larger sets than an insufficient one, until every one of them suffices."""
    for kind in single_orders(top & ~insufficient):
        if not sufficient(insufficient | kind):
            insufficient |= kind


def combined(families: Iterable[tuple[Kinds, ...]], none: Kinds = Barrier.NONE) -> tuple[Kinds, ...]:
    """Return the minimal sets that contain a set of every family.

    Args:
        families: The families.
        none: The empty set.
    """
    result: tuple[Kinds, ...] = (none,)
    for family in families:
        unions = sorted({a | b for a in result for b in family}, key=_size)
        result = tuple(u for u in unions if not any(other != u and other & u == other for other in unions))
    return result


def _subsets(barriers: Kinds) -> Iterator[Kinds]:
    kind = type(barriers)
    return (kind(number) for number in range(kind.FULL + 1) if number & ~barriers == 0)


def _size(barriers: Kinds) -> tuple[int, int]:
    return barriers.bit_count(), int(barriers)
