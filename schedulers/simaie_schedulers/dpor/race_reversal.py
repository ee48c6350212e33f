"""The branches that a complete execution adds: the reversal of each race, and the other values of each local choice.

The reversal of a race of e before e' is a sequence at the node before e: the events after e that do not happen after
it, then e'. It needs all of those events, not only the ones before e', or executions are lost. The reversal is dropped
if an actor asleep at the node is a weak initial of it, because then it is explored already or cannot be performed.
"""

from __future__ import annotations

from simaie.dependence import WRITES_IF_IT_SUCCEEDS
from simaie.errors import UsageError
from simaie.op import BLOCKING, Kind, Op
from simaie.protocols import Beginning
from simaie.trace import STUCK, Ending, Trace
from simaie_schedulers.dpor.blocking import bits, stops, waited_for
from simaie_schedulers.dpor.frozen import Apply, frozen
from simaie_schedulers.dpor.happens_before import WRITES
from simaie_schedulers.dpor.partial_state import PartialState
from simaie_schedulers.dpor.tree import ExplorationTree, Node
from simaie_schedulers.dpor.wakeup_tree import Branch, Last, chain, insert, is_weak_initial

__all__ = ["RaceReversal"]

_PLAIN = Kind.STORE  # loads and stores are always enabled and have a fixed effect


class RaceReversal:
    """Adds to an exploration tree the branches that its current execution calls for."""

    def __init__(self, tree: ExplorationTree) -> None:
        self._tree = tree
        self._order = tree.order
        self._state = PartialState(tree.order)
        self._values = self._state.values
        self._after: list[int] = []  # by event: what happens after it
        self._forced = 0  # the events without a node: choices of one alternative

    def begin(self, beginning: Beginning | None) -> None:
        """Record what every execution begins with; raise UsageError if `beginning` is missing."""
        if beginning is None:
            raise UsageError(
                "dpor was not given what the execution begins with; a scheduler that wraps it must pass on the "
                "ExecutionInfo that it receives, or a copy with its `beginning`"
            )
        if self._values.beginning is None:
            self._values.beginning = beginning
            self._order.unstoppable.update(beginning.devices)

    def reverse(self, trace: Trace) -> int:
        """Add the reversal of each race and the other values of each choice to the tree; return the number of races."""
        order = self._order
        self._after = order.futures()
        self._forced = sum([1 << index for index in bits(order.choices) if self._tree.path[index] is None])
        self._values.path = self._tree.path
        self._state.pending = trace.waiting
        events = order.events
        for earlier, later in order.races:
            event = events[later]
            self._reverse(earlier, event.actor, event.op, order.place[later], later)
        races = len(order.races)
        if trace.ending in STUCK or trace.ending is Ending.PRUNED:  # the latter is stuck too, and repeats tries
            races += self._reverse_waits(trace)
        for index in reversed(bits(order.choices)):
            node = self._tree.path[index]
            if node is not None:
                self._ask_for_values(index, node)
        return races

    def _reverse_waits(self, trace: Trace) -> int:
        """Reverse the waits of stuck actors, each of which might have gone on earlier; return the number of races."""
        order, races = self._order, 0
        for actor, op in trace.waiting.items():
            place, past = order.place_of(actor, op), order.past_of(actor)
            found = waited_for(order, actor, op, place, past)
            for earlier in stops(order, actor, past) if found is None else found:
                races += 1
                self._reverse(earlier, actor, op, place, None)
        return races

    def _reverse(self, earlier: int, actor: str, op: Op, place: int, later: int | None) -> None:
        """Add the sequence of the events not happening after `earlier`, then `op` (event `later`, if performed)."""
        sequence = self._unrelated(earlier)
        kind = op.kind
        wrote: bool | None = WRITES[kind]
        enabled: bool | None = True
        if kind > _PLAIN or self._order.world:
            state = (1 << earlier) - 1 | sequence
            if kind in WRITES_IF_IT_SUCCEEDS:
                wrote = self._state.would_write(actor, op, state)
            if kind in BLOCKING or self._order.world:
                enabled = self._state.would_be_enabled(actor, op, self._predicate(op, later), state)
            if enabled is False:
                return
        node = self._tree.path[earlier]
        assert node is not None, "a local choice has no races"
        last = Last(actor, op, place, wrote is not False, wrote is None, enabled is None)
        self._insert(node, sequence & ~self._forced, last)

    def _predicate(self, op: Op, later: int | None) -> Apply | None:
        """Return the predicate of an AWAIT; None for another operation, or if the predicate is no longer known."""
        if op.kind is not Kind.AWAIT:
            return None
        if later is None:
            return None if op.function is None else frozen(op.function.apply)
        node = self._tree.path[later]
        return None if node is None else node.apply

    def _unrelated(self, index: int) -> int:
        """Return the mask of the events after `index` that do not happen after it."""
        return (1 << len(self._after)) - 1 & ~self._after[index] & ~((2 << index) - 1)

    def _insert(self, node: Node, sequence: int, last: Last) -> None:
        order = self._order
        for sleeper in node.sleep:
            if is_weak_initial(order, sleeper, sequence, last):
                return
        for sleeper in node.done:
            if is_weak_initial(order, sleeper, sequence, last):
                return
        self._tree.grow(insert(order, node.waiting, sequence, last))

    def _ask_for_values(self, index: int, node: Node) -> None:
        """Add the other values of a local choice: alternatives with the same remaining execution."""
        order, taken = self._order, node.taken
        sequence = self._unrelated(index) & ~self._forced
        if any(is_weak_initial(order, sleeper, sequence, None) for sleeper in node.sleep):
            return
        explored, waiting = {taken.value, *node.values}, {branch.value: branch for branch in reversed(node.waiting)}
        for value in range(node.arity):
            if value in explored:
                continue
            branch = waiting.get(value)
            if branch is None:
                branch = Branch(taken.actor, value, taken.op, 0, False)
                node.waiting.append(branch)
                below = chain(order, sequence, None)
                branch.children += below[:1]
                self._tree.grow(1 + len(below))
            elif branch.children:
                self._tree.grow(insert(order, branch.children, sequence, None))
