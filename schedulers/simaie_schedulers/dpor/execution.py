"""The decisions of one execution of an optimal DPOR search.

First the execution repeats the path and compares each offer with the recorded one. Then it follows the wake-up tree to
its end; the other branches of the tree wait. After that the choice is free, and the running actor goes on. If the
wake-up tree could not be followed (see `simaie_schedulers.dpor.partial_state`), some actors may still be asleep; they
are not chosen.

The wake-up tree resolves a local choice if its next branch is one of the same vCPU. Any other choice is one that the
sequence does not contain: it is resolved by 0, and the tree is followed after it.
"""

from __future__ import annotations

from typing import Any

from simaie.errors import NondeterminismError
from simaie.op import Kind, Op
from simaie.protocols import Candidate, Offer
from simaie_schedulers.dpor.frozen import frozen
from simaie_schedulers.dpor.tree import ExplorationTree, Node
from simaie_schedulers.dpor.wakeup_tree import Branch, count

__all__ = ["Run"]


class Run:
    """Makes the decisions of one execution along an exploration tree, and adds its nodes to the tree.

    Args:
        tree: The exploration tree.

    Attributes:
        led_nowhere: Whether the wake-up tree could not be followed.
        gave_up: Whether it has chosen nothing, so that the execution ended there.
    """

    def __init__(self, tree: ExplorationTree) -> None:
        self._tree = tree
        self._seen: tuple[Any, ...] = ()
        self._names: tuple[str, ...] = ()
        self.led_nowhere = self.gave_up = False

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the recorded actor on the path, then the actor of the wake-up tree, then the running actor.

        Returns:
            A candidate; None if the execution is to be given up.

        Raises:
            NondeterminismError: The offer differs from the recorded one.
        """
        candidates = offer.candidates
        running: Any = offer.running  # not None where it is used: the first offer is a new one
        pending: Op | tuple[Op, ...] | None
        if candidates is self._seen:
            pending = running.op
        else:
            self._seen = candidates
            self._names = tuple([candidate.name for candidate in candidates])
            pending = tuple([candidate.op for candidate in candidates])
        tree, step = self._tree, offer.step
        chosen: Candidate | None = None
        if step < tree.known:
            node = tree.path[step]
            if node is None or node.names != self._names:
                raise self._other_decision(step, node)
            if type(pending) is tuple or node.taken.actor != running.name:
                self._compare_pending(step, node, offer)
            chosen = self._find(step, node.taken)
        elif tree.guide:
            chosen = self._follow(step, pending)
        if chosen is None:
            chosen = offer.running
            if chosen not in candidates:
                chosen = candidates[0]
            if tree.asleep:
                chosen = self._awake(chosen)
                if chosen is None:
                    self.gave_up = True
                    return None
            self._visit(step, Node(self._names, 0, Branch(chosen.name, None, chosen.op, 0, False), [], pending=pending))
        if chosen.op.function is not None and step >= tree.known - 1:
            tree.path[step].apply = frozen(chosen.op.function.apply)  # type: ignore[union-attr]  # just visited
        return chosen

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the recorded value on the path, then the value of the wake-up tree, then 0.

        Args:
            offer: The scheduling point, with the vCPU that chooses.
            arity: Number of alternatives.

        Raises:
            NondeterminismError: The choice differs from the recorded one.
        """
        tree, step = self._tree, offer.step
        if step < tree.known:
            node = tree.path[step]
            if node is None or node.names is not None or node.arity != arity:
                raise _differs(step, "another decision", f"a choice among {arity}")
        elif tree.guide and _is_meant(tree.guide[0], offer.chooser):
            taken = tree.guide[0]
            node = Node(None, arity, taken, tree.guide[1:])
            tree.guide = taken.children
            tree.branches -= 1
            self._visit(step, node)
        else:
            node = Node(None, arity, Branch(offer.chooser, 0, None, 0, False), [])
            self._visit(step, node)
        return node.taken.value or 0

    def _visit(self, step: int, node: Node) -> None:
        path = self._tree.path
        while len(path) < step:
            path.append(None)
        path.append(node)

    def _other_decision(self, step: int, node: Node | None) -> NondeterminismError:
        offered = ", ".join(self._names)
        if node is None or node.names is None:
            return _differs(step, "a local choice", f"an offer to {offered}")
        differing = [name for name in (*node.names, *self._names) if (name in node.names) is not (name in self._names)]
        return _differs(step, f"an offer to {', '.join(node.names)}", f"one to {offered}", next(iter(differing), ""))

    def _find(self, step: int, branch: Branch) -> Candidate:
        """Return the candidate of `branch`, after a check that it has announced the recorded operation."""
        candidate: Candidate = self._seen[self._names.index(branch.actor)]
        if branch.op is not None and not _same(branch.op, candidate.op):
            raise _differs(step, f"{branch.actor}: {branch.op}", f"{candidate.name}: {candidate.op}", branch.actor)
        return candidate

    def _compare_pending(self, step: int, node: Node, offer: Offer) -> None:
        """Check that every enabled actor, chosen or not, has announced the recorded operation."""
        recorded = node.pending
        if recorded is None:
            return
        candidates = self._seen if isinstance(recorded, tuple) else (offer.running,)
        for op, candidate in zip(recorded if isinstance(recorded, tuple) else (recorded,), candidates, strict=True):
            if not _same(op, candidate.op):
                raise _differs(step, f"{candidate.name}: {op}", f"{candidate.name}: {candidate.op}", candidate.name)

    def _follow(self, step: int, pending: Op | tuple[Op, ...] | None) -> Candidate | None:
        """Take the first feasible branch of the wake-up tree and keep those after it, or return None."""
        tree = self._tree
        guide, tree.guide = tree.guide, []
        for index, branch in enumerate(guide):
            if branch.value is not None:
                raise _differs(step, f"a choice of {branch.actor}", f"an offer to {', '.join(self._names)}")
            if branch.actor in self._names:
                candidate = self._find(step, branch)
                tree.guide = branch.children
                tree.branches -= 1
                self._visit(step, Node(self._names, 0, branch, guide[index + 1 :], pending=pending))
                if tree.asleep:
                    tree.asleep = tree.still_asleep(tree.asleep, branch.actor, branch.place, branch.wrote)
                return candidate
            if not branch.doubtful and branch.op is not None:
                offered = f"an offer to {', '.join(self._names)}"
                raise _differs(step, f"{branch.actor} enabled: {branch.op}", offered, branch.actor)
            self.led_nowhere = True
            tree.infeasible += 1
            tree.branches -= count([branch])
        return None

    def _awake(self, default: Candidate) -> Candidate | None:
        """Return a candidate that is awake, preferably `default`; its step wakes the sleepers that it may affect."""
        tree = self._tree
        sleeping = {name for name, _, _ in tree.asleep}
        awake = [candidate for candidate in self._seen if candidate.name not in sleeping]
        if not awake:
            return None
        chosen: Candidate = default if default in awake else awake[0]
        might_write = chosen.op.kind is not Kind.LOAD
        tree.asleep = tree.still_asleep(tree.asleep, chosen.name, tree.locations.of(chosen.op), might_write)
        return chosen


def _is_meant(branch: Branch, chooser: str) -> bool:
    """Whether `branch` resolves the next choice of the vCPU `chooser`."""
    return branch.value is not None and branch.actor == chooser


def _same(recorded: Op, announced: Op) -> bool:
    """Whether two operations of two executions are equal; cells are compared by name."""
    if recorded.kind is not announced.kind or recorded.address != announced.address:
        return False
    if recorded.width != announced.width or (recorded.cell is None) is not (announced.cell is None):
        return False
    if recorded.cell is not None and announced.cell is not None and recorded.cell.name != announced.cell.name:
        return False
    return type(recorded.value) is not int or recorded.value == announced.value


def _differs(step: int, recorded: str, got: str, vcpu: str = "") -> NondeterminismError:
    what = f"vCPU {vcpu} acted differently" if vcpu else "an execution went differently"
    return NondeterminismError(
        f"{what} at step {step} after the same decisions: expected {recorded}, got {got}; the guest or the scheme "
        "looks at clocks, random numbers or set order, or keeps state from one execution to the next",
        step=step,
        expected=recorded,
        got=got,
        vcpu=vcpu,
    )
