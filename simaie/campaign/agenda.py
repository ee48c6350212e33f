"""Which shard comes next: the units with the fewest shards first, so that new programs come first, then the oldest.

The order has no influence on results, only on what is known early. The memory depends on the number of units alone.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from simaie.campaign.store import Pending
from simaie.campaign.unit import Ending, Known, Piece, Result, Unit

__all__ = ["Agenda"]


@dataclass
class _Open:
    """A unit with shards to run."""

    number: int
    unit: Unit
    next: int
    holes: list[int]
    executions: int
    left: bytes | None
    whole: bool
    running: int = 0
    ended: bool = False


class Agenda:
    """The shards that are still to be run.

    Args:
        pending: The units that are not finished.
        known: Returns the shortest witnesses of a unit, by its number.
        common: The piece from which all pieces take what does not depend on the unit.
    """

    def __init__(self, pending: Iterable[Pending], known: Callable[[int], dict[str, Known]], common: Piece) -> None:
        self._known, self._common = known, common
        self._open: dict[int, _Open] = {}
        self._due: list[tuple[int, int]] = []  # the number of shards that were begun, and the number of the unit
        for each in pending:
            made = _Open(
                each.number, each.unit, each.next, list(each.holes)[::-1], each.executions, each.left, each.whole
            )
            self._open[each.number] = made
            heapq.heappush(self._due, (each.next - len(each.holes), each.number))

    def unit(self, number: int) -> Unit:
        """Return a unit that was not finished at the start."""
        return self._open[number].unit

    def take(self) -> Piece | None:
        """Return the next shard to run; None if there is none, at least until a result arrives."""
        while self._due:
            begun, number = heapq.heappop(self._due)
            state = self._open[number]
            piece = self._piece(state)
            if piece is None:
                continue
            state.running += 1
            if not state.unit.exhaustive:
                heapq.heappush(self._due, (begun + 1, number))
            return piece
        return None

    def hear(self, result: Result) -> None:
        """Note a result, after which an exhaustive search may have its next shard."""
        state = self._open[result.number]
        state.running -= 1
        if result.ending is Ending.REFUSED and not result.shard:
            state.ended = True
        elif state.unit.exhaustive:
            self._go_on(state, result)

    def _go_on(self, state: _Open, result: Result) -> None:
        if result.ending is Ending.AGAIN:
            state.whole, state.left, state.executions, state.next = True, None, 0, 0
        else:
            state.executions += result.executions
            state.left, state.next = result.left, result.shard + 1
            spent = state.executions >= state.unit.executions
            state.ended = result.ending is not Ending.DONE or result.left is None or spent
        if not state.ended:
            heapq.heappush(self._due, (state.next, state.number))

    def _piece(self, state: _Open) -> Piece | None:
        unit = state.unit
        if state.ended:
            return None
        shard = state.next
        if not unit.exhaustive:
            if state.holes:
                shard = state.holes.pop()
            elif shard >= unit.seeds:
                state.ended = True
                return None
            else:
                state.next += 1
        common = self._common
        return Piece(
            number=state.number, unit=unit, shard=shard, before=state.executions if unit.exhaustive else 0,
            left=state.left, whole=state.whole, known=self._known(state.number), version=common.version,
            folder=common.folder, most_seconds=common.most_seconds, most_bytes=common.most_bytes,
        )  # fmt: skip
