"""The exploration tree of optimal DPOR, of which only the current path is kept, and its update after an execution.

Invariants: the branches that wait at a node are not redundant, given the actors asleep there. If an actor is put to
sleep at a node, all executions that begin with its operation there were explored. At the end of a wake-up sequence no
actor is asleep.
"""

from __future__ import annotations

import msgspec

from simaie.locations import WORLD, Locations
from simaie.op import Op, owner_of
from simaie.trace import Trace
from simaie_schedulers.dpor.frozen import Apply
from simaie_schedulers.dpor.happens_before import HappensBefore
from simaie_schedulers.dpor.wakeup_tree import Branch, Sleeper, count

__all__ = ["ExplorationTree", "Node"]


class Node(msgspec.Struct, eq=False):
    """One decision of the current path.

    Attributes:
        names: The enabled actors; None at a local choice.
        arity: Number of alternatives of a local choice.
        taken: The branch in exploration.
        waiting: The branches still to explore, in order.
        sleep: The actors asleep on arrival.
        done: The actors put to sleep at this node.
        values: The explored values of a local choice.
        overcautious: Whether an operation that was presumed to write here did not.
        apply: The function that the operation applied, frozen at that time; None if it has none or cannot be frozen.
        pending: The operation of the vCPU that ran last; the operations of all enabled actors if a different set was
            enabled one step before. So each operation is recorded once, at the step at which it was new.
    """

    names: tuple[str, ...] | None
    arity: int
    taken: Branch
    waiting: list[Branch]
    sleep: list[Sleeper] = []
    done: list[Sleeper] = []
    values: list[int] = []
    overcautious: bool = False
    apply: Apply | None = None
    pending: Op | tuple[Op, ...] | None = None


class ExplorationTree:
    """The current path of the search, and the wake-up tree that the next execution follows.

    Attributes:
        path: The current decisions by index of their events; None where there was nothing to decide.
        known: Number of steps of the next execution that repeat the path.
        guide: The wake-up tree that it follows then.
        asleep: The actors asleep at the root of `guide`.
        branches: Number of waiting branches, at the nodes of the path and in `guide`.
        inserted: Number of branches ever inserted.
        infeasible: Number of branches that could not be taken.
        unforeseen: Number of operations with an effect other than the computed one.
        was_overcautious: Whether an operation that was presumed to write ever did not.
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
        self.unforeseen = 0
        self.was_overcautious = False

    def still_asleep(self, asleep: list[Sleeper], actor: str, place: int, wrote: bool) -> list[Sleeper]:
        """Return the sleepers that a step of `actor` does not wake; a vCPU and its store buffer never wake each other.

        Args:
            asleep: The sleepers.
            actor: Name of the actor of the step.
            place: Place of the step.
            wrote: Whether the step wrote.
        """
        near, still = self.locations.overlaps[place], []
        for sleeper in asleep:
            name, its_place, its_wrote = sleeper
            if name == actor:
                continue
            touch = (its_place in near and (wrote or its_wrote)) or its_place == WORLD or place == WORLD
            if not touch or owner_of(name) == owner_of(actor):
                still.append(sleeper)
        return still

    # -- taking an execution in ---------------------------------------------------------------

    def take_in(self, trace: Trace) -> int | None:
        """Record an execution; return the index of the first step of a sleeping actor, or None."""
        first = max(self.known - 1, 0)
        path = self.path
        path += [None] * (len(trace.events) - len(path))
        if self.guide:
            self.branches -= count(self.guide)
        self.guide, self.asleep = [], []
        self.order.rewind(first)
        self.order.extend(trace.events)
        return self._settle(first)

    def _settle(self, first: int) -> int | None:
        """Complete the nodes from `first` on: effects, and sleeping actors."""
        events, places, effects = self.order.events, self.order.place, self.order.wrote
        node = self.path[first] if self.path else None
        sleep = node.sleep if node is not None else []
        for index in range(first, len(self.path)):
            node = self.path[index]
            if node is None:
                continue
            event, taken = events[index], node.taken
            node.sleep = sleep
            taken.actor = actor = event.actor
            taken.op = event.op
            if node.names is None:
                continue
            place, wrote = places[index], effects[index]
            if taken.foreseen is not None and taken.foreseen is not wrote:
                if taken.presumed:
                    wrote = node.overcautious = self.was_overcautious = True
                else:
                    self.unforeseen += 1
            taken.place, taken.wrote = place, wrote
            if sleep:
                if actor in [name for name, _, _ in sleep]:
                    return index
                sleep = self.still_asleep(sleep, actor, place, wrote)
            if node.done:
                sleep = sleep + self.still_asleep(node.done, actor, place, wrote)
        return None

    @property
    def is_overcautious(self) -> bool:
        """Whether an operation of the current path counts as a write but did not write."""
        return self.was_overcautious and any(node is not None and node.overcautious for node in self.path)

    def grow(self, branches: int) -> None:
        """Count newly inserted branches."""
        self.branches += branches
        self.inserted += branches

    # -- where the next execution departs -----------------------------------------------------

    def backtrack(self, asleep_at: int | None) -> bool:
        """Go back to the last node with a branch left, or return False; `asleep_at` is what `take_in` returned."""
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
            if node.names is None:
                self.branches -= 1
                return branch
            if branch.actor not in node.names:
                self.infeasible += 1
            elif branch.actor not in [name for name, _, _ in node.done]:
                self.branches -= 1
                return branch
            self.branches -= count([branch])  # it cannot be taken, or a doubtful branch of that actor came before it
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
        if asleep and node.names is not None:
            known = branch.op is not None
            asleep = self.still_asleep(asleep, branch.actor, branch.place, branch.wrote) if known else []
        self.asleep = asleep

    def _drop(self, node: Node | None) -> None:
        if node is not None:
            self.branches -= count(node.waiting)
