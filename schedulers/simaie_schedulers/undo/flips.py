"""The order of the heads before a compare-and-swap or store-conditional that shares only some bytes with them.

Whether such an operation p writes may change with each head: a store to one of its bytes makes it fail, and another one
makes it succeed again. If p fails, it is a read, and a head that only reads is then not before p at all: its trace
belongs to the class without that head. So an order of heads is *valid* only if, after each of them, all heads up to it
happen before p. Of the valid orders with the same trace the search explores one: the first in the order of actors.

If p always reads or always writes, or if all heads touch exactly its place, every order is valid, and
`simaie_schedulers.undo.races.is_canonical` decides without executing anything.
"""

from __future__ import annotations

from simaie.locations import WORLD
from simaie_schedulers.undo.order import bits
from simaie_schedulers.undo.path import Path, Schedule

__all__ = ["is_first"]


def is_first(path: Path, schedule: Schedule) -> bool:
    """Whether the heads before the step of `schedule.actor` are in the order that the search explores.

    Args:
        path: The path; it ends with the steps of the schedule. It is moved, and brought back.
        schedule: The schedule.
    """
    order, head = path.order, len(path) - 1
    if order.steps[head].place == WORLD:
        return True
    first = schedule.chain[0]
    start = (path.heads | ~path.scheduled & (1 << first) - 1) & (1 << first) - 1
    orders = _Orders(path, start.bit_length(), schedule.actor)
    heads = orders.first()
    orders.close()
    return heads == (*schedule.chain, head)


class _Orders:
    """The valid orders of heads that lead to the trace at the end of the path.

    Args:
        path: The path.
        start: Length of the path at the node.
        actor: Whose step the heads are put before.
    """

    def __init__(self, path: Path, start: int, actor: int) -> None:
        order = path.order
        self._path, self._start, self._actor = path, start, actor
        self._all = (1 << len(path)) - (1 << start)
        self._events = range(start, len(path))
        self._actors, self._steps, self._past = order.actors.copy(), order.steps.copy(), order.past.copy()
        self._siblings = path.state.buffered(actor)[1] if path.state.has_buffers else 0
        self._cut = path.cut(start)
        self._known: dict[int, tuple[int, int]] = {}

    def close(self) -> None:
        """Bring the path back to where it was."""
        self._path.repeat(self._cut)

    def first(self, done: int = 0, heads: tuple[int, ...] = ()) -> tuple[int, ...] | None:
        """Return the first valid order of all heads after the events of `done`; None if no order is valid."""
        conflicting, past = self._step_after(done)
        if any(not past >> head & 1 for head in heads):
            return None
        if done == self._all:
            return heads
        candidates = bits(conflicting & self._all & ~done)
        for event in sorted(candidates, key=lambda event: self._actors[event]):
            before = self._past[event] & self._all & ~done
            if before & conflicting == 1 << event:
                found = self.first(done | before, (*heads, event))
                if found is not None:
                    return found
        return None

    def _step_after(self, done: int) -> tuple[int, int]:
        """Return which events the step conflicts with, and which happen before it, if it is performed after `done`."""
        known = self._known.get(done)
        if known is None:
            known = self._known[done] = self._try(done)
        return known

    def _try(self, done: int) -> tuple[int, int]:
        path, performed = self._path, bits(done)
        for event in performed:
            path.step(self._actors[event], self._cut[event - self._start].choice, ())
        path.step(self._actor, 0, ())
        last = len(path) - 1
        step, past = path.order.steps[last], path.order.past[last] >> self._start
        path.rewind(self._start)
        near = set(path.state.overlaps[step.place])
        conflicting = 0
        for event in self._events:
            other = self._steps[event]
            if other.place in near and (step.wrote or other.wrote) and not self._siblings >> event & 1:
                conflicting |= 1 << event
        before = sum(1 << event for number, event in enumerate(performed) if past >> number & 1)
        return conflicting, before
