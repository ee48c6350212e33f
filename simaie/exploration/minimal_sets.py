"""The minimal sufficient sets of a monotone property, in which every superset of a sufficient set suffices too.

This is Dedekind's problem for four elements. If the set of all elements but one does not suffice, that element is
needed. If the needed elements suffice, they are the only minimal set, and one question for each element was enough.
Otherwise the sets between these and the full set are asked for, smallest first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from simaie.barrier import Barrier

__all__ = ["ORDERS", "MonotoneOracle", "combined", "minimal_sets", "single_orders"]

ORDERS = (Barrier.LD_LD, Barrier.LD_ST, Barrier.ST_LD, Barrier.ST_ST)


def single_orders(barriers: Barrier) -> tuple[Barrier, ...]:
    """Return the single orders of a set."""
    return tuple(order for order in ORDERS if order & barriers)


class MonotoneOracle:
    """A monotone function of sets, which calls `sufficient` only if no earlier answer implies the result.

    Attributes:
        insufficient: The sets for which the answer was no.
    """

    def __init__(self, sufficient: Callable[[Barrier], bool]) -> None:
        self._ask = sufficient
        self._sufficient: list[Barrier] = []
        self.insufficient: list[Barrier] = []

    def __call__(self, barriers: Barrier) -> bool:
        """Whether `barriers` suffice."""
        if any(known & barriers == known for known in self._sufficient):
            return True
        if any(known & barriers == barriers for known in self.insufficient):
            return False
        answer = self._ask(barriers)
        (self._sufficient if answer else self.insufficient).append(barriers)
        return answer

    def failing(self, minimal: Barrier, kind: Barrier) -> Barrier:
        """Return the largest insufficient set that was asked for, without `kind` and with the rest of `minimal`."""
        rest = minimal & ~kind
        found = [known for known in self.insufficient if known & rest == rest and not known & kind]
        return max(found, key=lambda known: (known.bit_count(), known))


def minimal_sets(sufficient: MonotoneOracle, useful: Barrier) -> tuple[Barrier, ...]:
    """Return all minimal sufficient sets; empty if even the full set does not suffice.

    Args:
        sufficient: Whether a set suffices.
        useful: The kinds that can matter. If they suffice together, no set with other kinds is asked for.
    """
    if sufficient(Barrier.NONE):
        return (Barrier.NONE,)
    if not sufficient(Barrier.FULL):
        return ()
    top = useful if sufficient(useful) else Barrier.FULL
    needed = Barrier.NONE
    for kind in single_orders(top):
        if not sufficient(top & ~kind):
            needed |= kind
    found: list[Barrier] = []
    for candidate in sorted((needed | part for part in _subsets(top & ~needed)), key=_size):
        if not any(smaller & candidate == smaller for smaller in found) and sufficient(candidate):
            found.append(candidate)
    return tuple(found)


def combined(families: Iterable[tuple[Barrier, ...]]) -> tuple[Barrier, ...]:
    """Return the minimal sets that contain a set of every family."""
    result: tuple[Barrier, ...] = (Barrier.NONE,)
    for family in families:
        unions = sorted({a | b for a in result for b in family}, key=_size)
        result = tuple(u for u in unions if not any(other != u and other & u == other for other in unions))
    return result


def _subsets(barriers: Barrier) -> Iterator[Barrier]:
    return (Barrier(number) for number in range(Barrier.FULL + 1) if number & ~barriers == 0)


def _size(barriers: Barrier) -> tuple[int, int]:
    return barriers.bit_count(), int(barriers)
