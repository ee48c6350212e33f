"""The tree that optimal DPOR explores, of which only the current path is kept, and what a complete execution adds to
it.

Invariants: the branches that wait at a node are not redundant, given who sleeps there; whoever is put to sleep at a
node has had everything explored that begins with its operation there; at the end of a wake-up sequence nobody is
asleep.
"""

from __future__ import annotations

from typing import NamedTuple

from schedulers.happens_before import HappensBefore
from schedulers.locations import Locations
from schedulers.reversal import Reversal
from schedulers.wakeup_tree import Branch, Last, Sleeper, chain, count, insert, is_redundant, is_weak_initial
from simaie.op import Kind, Op
from simaie.trace import Ending, Trace

__all__ = ["Claim", "ExplorationTree", "Node"]

_BLOCKING = (Kind.LOCK, Kind.AWAIT, Kind.JOIN, Kind.BEGIN_EXCLUSIVE)
_UNSURE = (Kind.CAS, Kind.STORE_CONDITIONAL)
_STUCK = (Ending.DEADLOCK, Ending.LIVELOCK)


class Node:
    """One decision of the current path.

    names: who was enabled; None at a local choice, which has `arity` alternatives instead. taken: the branch in
    exploration. waiting: the branches still to come, in order. sleep: who slept on arrival. done: who was put to
    sleep here. values: of a choice, those explored.
    """

    __slots__ = ("arity", "done", "names", "sleep", "taken", "values", "waiting")

    def __init__(self, names: tuple[str, ...] | None, arity: int, taken: Branch, waiting: list[Branch]) -> None:
        self.names = names
        self.arity = arity
        self.taken = taken
        self.waiting = waiting
        self.sleep: list[Sleeper] = []
        self.done: list[Sleeper] = []
        self.values: list[int] = []


class Claim(NamedTuple):
    """A local choice that was resolved as the wake-up tree says, on the assumption that it was the one meant.

    Who asked shows only when the execution has ended. guide, asleep: as they were before.
    """

    step: int
    guide: list[Branch]
    asleep: list[Sleeper]


class ExplorationTree:
    """path: the current decisions by index of their events, None where there was nothing to decide.

    known: so many steps of the next execution repeat the path. guide: the wake-up tree that it follows then. asleep:
    who sleeps there. branches: how many wait, beside the path and below; inserted: how many ever did; infeasible: how
    many could not be taken.
    """

    def __init__(self) -> None:
        self.locations = Locations()
        self.order = HappensBefore(self.locations)
        self.path: list[Node | None] = []
        self.known = 0
        self.guide: list[Branch] = []
        self.asleep: list[Sleeper] = []
        self.branches = 0
        self.inserted = 0
        self.infeasible = 0
        self.claims: list[Claim] = []  # of this run
        self.doubts = False  # whether anything doubtful was ever inserted
        self._reversal = Reversal(self.order)
        self._after: list[int] = []
        self._decided = 0  # the mask of events that have a node

    def still_asleep(self, asleep: list[Sleeper], actor: str, place: int, wrote: bool) -> list[Sleeper]:
        """Those of `asleep` whom a step of `actor` does not wake."""
        dependent = self.locations.dependent
        return [s for s in asleep if s[0] != actor and not dependent(s[1], s[2], place, wrote)]

    # -- taking an execution in ---------------------------------------------------------------

    def take_in(self, trace: Trace) -> int | None:
        """Note what happened. Returns the index of the first step of an actor that was asleep, if there is one."""
        first = max(self.known - 1, 0)
        path = self.path
        path += [None] * (len(trace.events) - len(path))
        self.branches -= count(self.guide)
        self.guide, self.asleep, self.claims = [], [], []
        self.order.rewind(first)
        self.order.extend(trace.events)
        return self._settle(first)

    def misled(self, trace: Trace) -> bool:
        """Whether a local choice was taken for another. Then the next execution makes up for this one, which counts for
        nothing. To be asked before `take_in`."""
        for claim in self.claims:
            if claim.step < len(trace.events) and trace.events[claim.step].actor != claim.guide[0].actor:
                self._go_back_to(claim, trace)
                return True
        return False

    def _go_back_to(self, claim: Claim, trace: Trace) -> None:
        """Resolve the choice by default, and only then go on with the wake-up tree."""
        del self.path[claim.step :]
        event = trace.events[claim.step]
        self.path.append(Node(None, event.op.value, Branch(event.actor, 0, event.op, 0, False), []))
        first = max(self.known - 1, 0)
        self.order.rewind(first)
        self.order.extend(trace.events[: claim.step + 1])
        self._settle(first)
        self.known, self.guide, self.asleep = claim.step + 1, claim.guide, claim.asleep
        self.claims = []
        self.branches = sum([count(node.waiting) for node in self.path if node is not None]) + count(self.guide)

    def _settle(self, first: int) -> int | None:
        """Complete the nodes from `first` on: effects, and who sleeps."""
        order = self.order
        node = self.path[first] if self.path else None
        sleep = node.sleep if node is not None else []
        for index in range(first, len(self.path)):
            node = self.path[index]
            if node is None:
                continue
            event, taken = order.events[index], node.taken
            node.sleep = sleep
            taken.actor = event.actor
            taken.op = event.op
            if node.names is None:
                continue
            taken.place, taken.wrote = order.place[index], order.wrote[index]
            if sleep and any(name == event.actor for name, _, _ in sleep):
                return index
            if sleep or node.done:
                sleep = self.still_asleep(sleep + node.done, event.actor, taken.place, taken.wrote)
        return None

    # -- what it asks for ---------------------------------------------------------------------

    def reverse_races(self, trace: Trace) -> int:
        """Put the reversal of every race, and the other values of every choice, into the tree; returns the races."""
        order = self.order
        self._after = order.futures()
        self._decided = sum([1 << index for index, node in enumerate(self.path) if node is not None])
        self._reversal.offered = [node.names if node is not None else None for node in self.path]
        self._reversal.pending = trace.waiting
        events = order.events
        for earlier, later in order.races:
            event = events[later]
            self._reverse(earlier, event.actor, event.op, order.place[later], order.wrote[later])
        races = len(order.races)
        if trace.ending in _STUCK:
            races += self._reverse_waits(trace)
        for index, node in enumerate(self.path):
            if node is not None and node.names is None:
                self._ask_for_values(index, node)
        return races

    def _reverse_waits(self, trace: Trace) -> int:
        """Whoever is stuck for ever might have gone on earlier."""
        order, races = self.order, 0
        for actor, op in trace.waiting.items():
            place, wrote, past = self.locations.of(op), op.kind is not Kind.AWAIT, order.past_of(actor)
            found = order.waited_for(actor, op, place, past)
            for earlier in order.stops(actor, past) if found is None else found:
                races += 1
                self._reverse(earlier, actor, op, place, wrote)
        return races

    def _reverse(self, earlier: int, actor: str, op: Op, place: int, wrote: bool) -> None:
        """Put into the tree: the events that do not happen after `earlier`, then `op`."""
        before = (1 << earlier) - 1
        sequence = self._unrelated(earlier)
        kind = op.kind
        if kind in _UNSURE:
            wrote = self._reversal.would_write(actor, op, place, before | sequence)
        enabled: bool | None = True
        if kind in _BLOCKING or self.order.world:
            enabled = self._reversal.would_be_enabled(actor, op, place, before | sequence)
            if enabled is False:
                return
        doubtful = enabled is None
        node = self.path[earlier]
        assert node is not None, "a local choice races with nobody"
        self._insert(node, sequence & self._decided, (actor, op, place, wrote, doubtful))
        self.doubts |= doubtful

    def _unrelated(self, index: int) -> int:
        """The events after `index` that do not happen after it."""
        return (1 << len(self._after)) - 1 & ~self._after[index] & ~((2 << index) - 1)

    def _insert(self, node: Node, sequence: int, last: Last) -> None:
        order = self.order
        for sleeper in node.sleep:
            if is_weak_initial(order, sleeper, sequence, last):
                return
        for sleeper in node.done:
            if is_weak_initial(order, sleeper, sequence, last):
                return
        self._grow(insert(order, node.waiting, sequence, last))

    def _ask_for_values(self, index: int, node: Node) -> None:
        """The values of a local choice are alternatives to each other: the same execution, with another value."""
        order, taken = self.order, node.taken
        sequence = self._unrelated(index) & self._decided
        if any(is_weak_initial(order, sleeper, sequence, None) for sleeper in node.sleep):
            return
        for value in range(node.arity):
            if value == taken.value or value in node.values:
                continue
            branch = next((b for b in node.waiting if b.value == value), None)
            if branch is None:
                branch = Branch(taken.actor, value, taken.op, 0, False)
                node.waiting.append(branch)
                below = chain(order, sequence, None)
                branch.children += below[:1]
                self._grow(1 + len(below))
            elif branch.children:
                self._grow(insert(order, branch.children, sequence, None))

    def _grow(self, branches: int) -> None:
        self.branches += branches
        self.inserted += branches

    # -- where to depart from -----------------------------------------------------------------

    def backtrack(self, asleep_at: int | None) -> bool:
        """Go back to the last node with a branch left; false if there is none. `asleep_at`: see `take_in`."""
        path = self.path
        redundant = asleep_at is not None
        while asleep_at is not None and len(path) > asleep_at + 1:
            self._drop(path.pop())
        while path:
            node = path[-1]
            if node is not None:
                branch = self._next_branch(node, redundant)
                if branch is not None:
                    self._depart(node, branch)
                    return True
                redundant = False
            path.pop()
        self.known = 0
        return False

    def _next_branch(self, node: Node, redundant: bool) -> Branch | None:
        taken = node.taken
        if node.names is None:
            node.values.append(taken.value or 0)
        elif not redundant:
            node.done.append((taken.actor, taken.place, taken.wrote))
        while node.waiting:
            branch = node.waiting.pop(0)
            if node.names is not None and branch.actor not in node.names:
                self.infeasible += 1
            elif not self.doubts or not is_redundant(self.locations, branch, node.sleep + node.done):
                self.branches -= 1
                return branch
            self.branches -= count([branch])
        if redundant and not node.done:
            sleeping = {name for name, _, _ in node.sleep}
            for name in node.names or ():
                if name not in sleeping:
                    return Branch(name, None, None, 0, False)
        return None

    def _depart(self, node: Node, branch: Branch) -> None:
        node.taken = branch
        self.known = len(self.path)
        self.guide = branch.children
        asleep = node.sleep + node.done
        if node.names is not None:
            known = branch.op is not None
            asleep = self.still_asleep(asleep, branch.actor, branch.place, branch.wrote) if known else []
        self.asleep = asleep

    def _drop(self, node: Node | None) -> None:
        if node is not None:
            self.branches -= count(node.waiting)
