"""Optimal dynamic partial order reduction: every Mazurkiewicz trace of a program, each exactly once.

P. Abdulla, S. Aronis, B. Jonsson, K. Sagonas, "Source sets: a foundation for optimal dynamic partial order reduction"
(JACM 64(4), 2017; first in POPL 2014), algorithm 2: source sets, sleep sets and wake-up trees. Two executions are
equivalent if swapping adjacent operations that do not conflict (`simaie.op.conflict`, on what the operations *did*)
turns one into the other; all of a class have the same values, outcome and findings, so one of them is enough.

**Guarantee.** When `complete`, one execution of each class was run, none twice, and none was cut by a sleep set,
provided that what `schedulers.reversal` has to know was seen. Otherwise a few runs may be redundant or lead nowhere,
and are counted; no class is ever missing. Deadlocks are classes too.

An execution repeats the path up to a node that has a branch left, follows the wake-up tree from there as far as it
reaches, and then the default (go on with whoever runs). When it has ended, every race of it is reversed: the events
that do not happen after the first half of the race, and then the second half, go into the wake-up tree at the node
before the first half, unless somebody who sleeps there makes that redundant.

**Deviations.** Locks as in JACM section 7; waits (AWAIT), joins and stop-the-world sections by the rules of
`schedulers.happens_before`. The values of a local choice are branches that complete executions ask for, as races are.
The effect of an operation in a reversed race is computed, so that a failed compare-and-swap is a read there too.
Bounds on preemptions or delays are refused: the reduction is unsound under them (K. Coons, M. Musuvathi, K. McKinley,
OOPSLA 2013).

Only the current path and the branches that wait beside it are in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schedulers.dpor_profile import load, save
from schedulers.exploration_tree import Claim, ExplorationTree, Node
from schedulers.wakeup_tree import Branch, count
from simaie.errors import NondeterminismError, UsageError
from simaie.op import Kind, Op
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler, require_positive
from simaie.trace import Ending, Trace

__all__ = ["Dpor"]

_BEGIN = Kind.BEGIN_EXCLUSIVE
_CUT_SHORT = (Ending.STEP_LIMIT, Ending.THREAD_LIMIT)
_COUNTERS = ("executions", "races", "branches", "sleep_set_blocked", "redundant", "infeasible", "cut_short")


class Dpor(Scheduler):
    """Explores all Mazurkiewicz traces, each once. memory_limit: most nodes and branches to keep; None for no limit.

    `statistics` counts executions, races seen, branches inserted, executions that a sleep set cut or that turned out
    redundant (0 where the guarantee holds), wake-up sequences that led nowhere (infeasible), executions that a limit of
    the machine cut short, and the peak numbers of nodes and of waiting branches.

    Raises UsageError for ``preemptions=`` and ``delays=``.
    """

    exhaustive = True

    def __init__(self, *, memory_limit: int | None = None, preemptions: Any = None, delays: Any = None) -> None:
        for name, given in (("preemptions", preemptions), ("delays", delays)):
            if given is not None:
                raise UsageError(
                    f"dpor cannot be combined with {name}=: a race that the bound forbids to reverse may be the only "
                    f"way to an execution within the bound; use dfs:{name}={given} for a bounded search"
                )
        require_positive(memory_limit=memory_limit)
        self.memory_limit = memory_limit
        self.statistics = dict.fromkeys((*_COUNTERS, "peak_nodes", "peak_branches"), 0)
        self._tree = ExplorationTree()
        self._finished = self._over_limit = False
        self._forget_run()

    def _forget_run(self) -> None:
        self._seen: tuple[Any, ...] = ()
        self._names: tuple[str, ...] = ()
        self._stopper: str | None = None  # who has stopped the world
        self._lost: NondeterminismError | None = None  # unless a local choice was taken for another
        self._led_nowhere = False  # whether the wake-up tree could not be followed

    # -- what the explorer asks ---------------------------------------------------------------

    @property
    def exhausted(self) -> bool:
        """Whether the tree is explored, or the memory limit ended the search."""
        return self._finished

    @property
    def complete(self) -> bool:
        """Whether everything was explored: no limit cut the search or an execution."""
        return self._finished and not self.bound_note

    @property
    def bound_note(self) -> str:
        """Which limit left something out."""
        if self._over_limit:
            return f"the search ended at its memory limit of {self.memory_limit} nodes"
        cut = self.statistics["cut_short"]
        return f"a limit of the machine cut {cut} executions short" if cut else ""

    def profile(self) -> Mapping[str, Any]:
        """The decisions up to where the next execution departs from the last, and the wake-up tree below."""
        tree = self._tree
        path = [node.taken for node in tree.path[: tree.known] if node is not None]
        return save(tree.locations, path, tree.guide, tree.asleep)

    def restore(self, profile: Mapping[str, Any]) -> None:
        """Make the next execution the one that `profile` was taken for; the search then starts anew from it."""
        self._tree = tree = ExplorationTree()
        tree.guide, tree.asleep = load(tree.locations, profile)
        tree.branches = count(tree.guide)

    # -- choosing -----------------------------------------------------------------------------

    def start(self, info: ExecutionInfo) -> None:
        """Nothing of the last run is known of this one."""
        self._forget_run()

    def choose(self, offer: Offer) -> Candidate:
        """Repeat the path, then follow the wake-up tree, then go on with whoever runs."""
        candidates = offer.candidates
        if candidates is not self._seen:
            self._seen = candidates
            self._names = tuple([candidate.name for candidate in candidates])
        tree, step = self._tree, offer.step
        chosen: Candidate | None = None
        if step < tree.known:
            chosen = self._repeat(step)
        elif tree.guide:
            try:
                chosen = self._follow(step)
            except NondeterminismError as error:
                if not tree.claims:
                    raise
                self._lost = error
                return None  # type: ignore[return-value]  # the engine prunes the execution
        if chosen is None:
            chosen = offer.running
            if chosen not in candidates:
                chosen = candidates[0]
            if tree.asleep:
                chosen = self._awake(chosen)
                if chosen is None:
                    return None  # type: ignore[return-value]  # the engine prunes the execution
            self._visit(step, Node(self._names, 0, Branch(chosen.name, None, chosen.op, 0, False), []))
        if self._stopper is not None or chosen.op.kind is _BEGIN:
            self._watch_world(chosen)
        return chosen

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Repeat the path, then follow the wake-up tree, then take the first alternative."""
        step, tree = offer.step, self._tree
        if step < tree.known:
            node = tree.path[step]
            if node is None or node.names is not None or node.arity != arity:
                raise _differs(step, "another decision", f"a choice among {arity}")
        elif tree.guide and _may_mean(tree.guide[0], arity):
            taken = tree.guide[0]
            tree.claims.append(Claim(step, tree.guide, tree.asleep))
            node = Node(None, arity, taken, tree.guide[1:])
            tree.guide = taken.children
            tree.branches -= 1
            self._visit(step, node)
        else:
            node = Node(None, arity, Branch("", 0, None, 0, False), [])
            self._visit(step, node)
        return node.taken.value or 0

    def _visit(self, step: int, node: Node) -> None:
        path = self._tree.path
        while len(path) < step:
            path.append(None)
        path.append(node)

    def _repeat(self, step: int) -> Candidate:
        node = self._tree.path[step]
        offered = ", ".join(self._names)
        if node is None or node.names is None:
            raise _differs(step, "a local choice", f"an offer to {offered}")
        if node.names != self._names:
            raise _differs(step, f"an offer to {', '.join(node.names)}", f"one to {offered}")
        return self._find(step, node.taken)

    def _find(self, step: int, branch: Branch) -> Candidate:
        """The candidate that `branch` is about, with the operation that was recorded."""
        candidate: Candidate = self._seen[self._names.index(branch.actor)]
        if branch.op is not None and not _same(branch.op, candidate.op):
            raise _differs(step, f"{branch.actor}: {branch.op}", f"{candidate.name}: {candidate.op}")
        return candidate

    def _follow(self, step: int) -> Candidate | None:
        """The first branch of the wake-up tree that can be taken; those after it wait. None if there is none."""
        tree = self._tree
        guide, tree.guide = tree.guide, []
        for index, branch in enumerate(guide):
            if branch.value is not None:
                raise _differs(step, f"a choice of {branch.actor}", f"an offer to {', '.join(self._names)}")
            if branch.actor in self._names:
                candidate = self._find(step, branch)
                tree.guide = branch.children
                tree.branches -= 1
                self._visit(step, Node(self._names, 0, branch, guide[index + 1 :]))
                if tree.asleep:
                    tree.asleep = tree.still_asleep(tree.asleep, branch.actor, branch.place, branch.wrote)
                return candidate
            self._led_nowhere = True
            tree.infeasible += 1
            tree.branches -= count([branch])
        return None

    def _awake(self, default: Candidate) -> Candidate | None:
        """A candidate that does not sleep, `default` if that is one; its step wakes whom it might concern."""
        tree = self._tree
        sleeping = {name for name, _, _ in tree.asleep}
        awake = [candidate for candidate in self._seen if candidate.name not in sleeping]
        if not awake:
            return None
        chosen: Candidate = default if default in awake else awake[0]
        might_write = chosen.op.kind is not Kind.LOAD
        tree.asleep = tree.still_asleep(tree.asleep, chosen.name, tree.locations.of(chosen.op), might_write)
        return chosen

    def _watch_world(self, chosen: Candidate) -> None:
        """Who is offered in a stopped world, beside its owner, is a device: nothing stops it."""
        if self._stopper is None:
            self._stopper = chosen.name
            return
        self._tree.order.unstoppable.update(name for name in self._names if name != self._stopper)
        if chosen.op.kind is Kind.END_EXCLUSIVE and chosen.name == self._stopper:
            self._stopper = None

    # -- learning -----------------------------------------------------------------------------

    def finish(self, trace: Trace) -> None:
        """Reverse the races of the execution that ended, and find where the next one departs."""
        tree, statistics = self._tree, self.statistics
        statistics["executions"] += 1
        if tree.claims and tree.misled(trace):
            tree.infeasible += 1
            return
        if self._lost is not None:
            raise self._lost
        asleep_at = tree.take_in(trace)
        statistics["cut_short"] += trace.ending in _CUT_SHORT
        if trace.ending is Ending.PRUNED:
            statistics["sleep_set_blocked"] += not self._led_nowhere
        elif asleep_at is not None:
            statistics["redundant"] += 1
        else:
            statistics["races"] += tree.reverse_races(trace)
        statistics["branches"] = tree.inserted
        statistics["infeasible"] = tree.infeasible
        statistics["peak_nodes"] = max(statistics["peak_nodes"], len(tree.path))
        statistics["peak_branches"] = max(statistics["peak_branches"], tree.branches)
        kept = len(tree.path) + tree.branches
        self._finished = not tree.backtrack(asleep_at)
        if self.memory_limit is not None and kept > self.memory_limit and not self._finished:
            self._finished = self._over_limit = True


def _may_mean(branch: Branch, arity: int) -> bool:
    """Whether a choice among so many alternatives may be the one that `branch` resolves."""
    return branch.value is not None and (branch.op is None or branch.op.value == arity)


def _same(recorded: Op, announced: Op) -> bool:
    """Whether two operations, of two executions, are one: cells are known by their names."""
    if recorded.kind is not announced.kind or recorded.address != announced.address:
        return False
    if recorded.width != announced.width or (recorded.cell is None) is not (announced.cell is None):
        return False
    if recorded.cell is not None and announced.cell is not None and recorded.cell.name != announced.cell.name:
        return False
    return type(recorded.value) is not int or recorded.value == announced.value


def _differs(step: int, recorded: str, got: str) -> NondeterminismError:
    return NondeterminismError(
        f"at step {step} an earlier execution of the same beginning had {recorded}, this one has {got}; the guest "
        "looks at clocks, random numbers or set order, or keeps state from one execution to the next"
    )
