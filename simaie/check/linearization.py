"""The search for a linearization: an order of the calls that the specification allows and their times do not forbid.

The search of J. M. Wing and C. Gong ("Testing and Verifying Concurrent Objects", JPDC 1993) with the memory of G. Lowe
("Testing for Linearizability", 2017), as in Porcupine (A. Athalye): take any call that no other call had to precede,
and backtrack from dead ends; each pair of a set of taken calls and the resulting state is tried once.

The first return that no attempt ever passes proves the failure: the history before it has an order, and with it has
none, whichever of the pending calls then take effect (with their eventual results).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from simaie.block import Call
from simaie.check.calls import Timed
from simaie.errors import UsageError, raised
from simaie.finding import Verdict

__all__ = ["Linearization", "SpecificationLike", "linearize", "name_of_specification", "step_of"]


class SpecificationLike(Protocol):
    """A sequential specification; see `simaie.check.specifications`."""

    @property
    def initial(self) -> Any: ...  # noqa: D102 - the module documents it

    def apply(self, state: Any, name: str, args: tuple[Any, ...], /) -> tuple[Any, Any] | None: ...  # noqa: D102


class Linearization(msgspec.Struct, frozen=True):
    """The result of a search.

    Attributes:
        verdict: Whether there is an order.
        order: If there is, an allowed order; otherwise the longest prefix of the history that has one, in that order.
        state: The state after `order`.
        misfit: The call with whose return no order exists any more; None if there is an order or the limit was reached.
        tried: Number of tries of calls.
    """

    verdict: Verdict
    order: tuple[Timed, ...]
    state: Any
    misfit: Timed | None
    tried: int


class _Entry:
    """A call's beginning or end, in a linked list from which calls are removed and restored."""

    __slots__ = ("following", "match", "number", "previous")

    def __init__(self, number: int) -> None:
        self.number = number
        self.match: _Entry | None = None  # of a beginning: its end; None for an end and for a pending call
        self.previous: _Entry | None = None
        self.following: _Entry | None = None

    def take_out(self) -> None:
        """Unlink the entry from both neighbours."""
        assert self.previous is not None
        self.previous.following = self.following
        if self.following is not None:
            self.following.previous = self.previous

    def put_back(self) -> None:
        """Undo `take_out`; later removals must be undone first."""
        assert self.previous is not None
        self.previous.following = self
        if self.following is not None:
            self.following.previous = self


def linearize(calls: Sequence[Timed], specification: SpecificationLike, limit: int) -> Linearization:
    """Search for an order of the calls; inconclusive once calls were tried `limit` times.

    Args:
        calls: The history.
        specification: The sequential specification.
        limit: Maximum number of tries of calls.

    Raises:
        UsageError: The specification raises, or returns an invalid result.
    """
    return _Search(calls, specification, limit).run()


def name_of_specification(specification: SpecificationLike) -> str:
    """Return the specification's own name, or that of the class that it is or belongs to."""
    named = getattr(specification, "name", None) or getattr(specification, "__name__", type(specification).__name__)
    return str(named)


def step_of(specification: SpecificationLike, state: Any, call: Call) -> tuple[Any, Any] | None:
    """Return the effect of `call` in `state` by the specification: (state, result), or None.

    Args:
        specification: The sequential specification.
        state: The state before the call.
        call: The call.

    Raises:
        UsageError: The specification raises, or returns an invalid result.
    """
    try:
        effect = specification.apply(state, call.name, call.args)
    except Exception as error:
        name = name_of_specification(specification)
        raise UsageError(
            f"the specification {name!r}, asked for {call} in state {state!r}, raised {raised(error)[0]}"
        ) from error
    if effect is not None and not (isinstance(effect, tuple) and len(effect) == 2):
        name = name_of_specification(specification)
        raise UsageError(
            f"the specification {name!r} returned {effect!r} for {call}; it must return (state, result) or None"
        )
    return effect


class _Search:
    def __init__(self, calls: Sequence[Timed], specification: SpecificationLike, limit: int) -> None:
        self._calls, self._specification, self._limit = calls, specification, limit
        self._head = _Entry(-1)
        self._ends: dict[_Entry, int] = {}  # the ends, with their time
        self._open = sum(timed.end is not None for timed in calls)  # completed calls not yet taken
        self._tried = 0
        self._deepest = -1
        self._best: tuple[tuple[Timed, ...], Any, Timed | None] = ((), specification.initial, None)
        self._build()

    def _build(self) -> None:
        begins = [_Entry(number) for number in range(len(self._calls))]
        points = [(timed.begin, 1, number) for number, timed in enumerate(self._calls)]
        points += [(timed.end, 0, number) for number, timed in enumerate(self._calls) if timed.end is not None]
        last = self._head
        for time, is_begin, number in sorted(points):
            entry = begins[number] if is_begin else _Entry(number)
            if not is_begin:
                begins[number].match = entry
                self._ends[entry] = time
            entry.previous, last.following = last, entry
            last = entry

    def run(self) -> Linearization:
        state: Any = self._specification.initial
        taken, seen = 0, set[tuple[int, Any]]()
        path: list[tuple[_Entry, Any]] = []
        entry = self._head.following
        while self._open:
            if entry is not None and entry not in self._ends:
                following = self._try(entry, state)
                mask = taken | 1 << entry.number
                if self._tried > self._limit:
                    order, reached, _ = self._best
                    return Linearization(Verdict.INCONCLUSIVE, order, reached, None, self._tried)
                if following is not None and self._is_new(seen, mask, following[0]):
                    path.append((entry, state))
                    taken, state = mask, following[0]
                    self._take(entry)
                    entry = self._head.following
                else:
                    entry = entry.following
                continue
            if entry is not None:
                self._blocked(entry, path, state)
            if not path:
                return Linearization(Verdict.VIOLATED, *self._best, self._tried)
            entry, state = path.pop()
            taken &= ~(1 << entry.number)
            self._give_back(entry)
            entry = entry.following
        order = tuple(self._calls[entry.number] for entry, _ in path)
        return Linearization(Verdict.HOLDS, order, state, None, self._tried)

    def _try(self, entry: _Entry, state: Any) -> tuple[Any, Any] | None:
        """Return the effect of taking the call now, or None if not allowed; a pending call may have any result."""
        self._tried += 1
        call = self._calls[entry.number].call
        effect = step_of(self._specification, state, call)
        if effect is None or (call.completed and effect[1] != call.result):
            return None
        return effect

    def _is_new(self, seen: set[tuple[int, Any]], mask: int, state: Any) -> bool:
        try:
            if (mask, state) in seen:
                return False
            seen.add((mask, state))
        except TypeError:
            raise UsageError(f"states of a specification must be hashable (tuples, not lists): {state!r}") from None
        return True

    def _take(self, entry: _Entry) -> None:
        entry.take_out()
        if entry.match is not None:
            entry.match.take_out()
            self._open -= 1

    def _give_back(self, entry: _Entry) -> None:
        if entry.match is not None:
            entry.match.put_back()
            self._open += 1
        entry.put_back()

    def _blocked(self, end: _Entry, path: Sequence[tuple[_Entry, Any]], state: Any) -> None:
        """Record that the call of `end` had to be taken before its end, and was not."""
        if self._ends[end] > self._deepest:
            self._deepest = self._ends[end]
            order = tuple(self._calls[entry.number] for entry, _ in path)
            self._best = order, state, self._calls[end.number]
