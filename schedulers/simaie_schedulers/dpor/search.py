"""Optimal dynamic partial-order reduction: every Mazurkiewicz trace of a program, each exactly once.

P. Abdulla, S. Aronis, B. Jonsson, K. Sagonas, "Source sets: a foundation for optimal dynamic partial order reduction"
(JACM 64(4), 2017; first in POPL 2014), algorithm 2: source sets, sleep sets and wake-up trees. Two executions are
equivalent if swapping adjacent operations that do not conflict (`simaie.dependence.conflict`, applied to what the
operations *did*) turns one into the other. All executions of a class have the same values, outcome and findings, so one
of them is enough.

**Guarantee.** When `complete`, no class is missing. Where `simaie_schedulers.dpor.partial_state` is exact, which is
nearly everywhere, one execution of each class was run, none twice, and no sleep set cut an execution. Where it is in
doubt, a few executions may be redundant or lead nowhere, and are counted. Deadlocks are classes too.

An execution repeats the path up to a node with a branch left, follows the wake-up tree from there to its end, and then
takes the default (the running actor goes on). After its end every race is reversed: the events that do not happen after
the first operation of the race, followed by the second, enter the wake-up tree at the node before the first operation,
unless an actor asleep there makes them redundant.

**Deviations.** Locks as in JACM section 7; waits (AWAIT), joins and stop-the-world sections by the rules of
`simaie_schedulers.dpor.blocking`. The values of a local choice are branches that complete executions add, as races do.
The effect of an operation in a reversed race is computed, so that a failed compare-and-swap is a read there too: from
the memory at the start (`ExecutionInfo.beginning`, `Cell.initial`) and from what the events wrote. If the effect
cannot be computed, the operation counts as a write even if it turns out to be a read. Bounds on preemptions or delays
are refused: the reduction is unsound under them (K. Coons, M. Musuvathi, K. McKinley, OOPSLA 2013).

Only the current path and the branches waiting at its nodes are in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simaie.errors import UsageError
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler, SearchOfGraphs, require_count
from simaie.small_steps import SmallSteps
from simaie.trace import Ending, Trace
from simaie_schedulers.dpor.execution import Run
from simaie_schedulers.dpor.profile import load, save
from simaie_schedulers.dpor.race_reversal import RaceReversal
from simaie_schedulers.dpor.tree import ExplorationTree
from simaie_schedulers.dpor.wakeup_tree import count
from simaie_schedulers.undo.divided import DividedSearch

__all__ = ["Dpor"]

_COUNTS = (
    "executions", "races", "branches", "sleep_set_blocked", "redundant", "presumed", "infeasible", "unforeseen",
    "cut_short", "peak_nodes", "peak_branches",
)  # fmt: skip
_CUT_SHORT = (Ending.STEP_LIMIT, Ending.THREAD_LIMIT, Ending.LASSO)


class Dpor(Scheduler):
    """Explores all Mazurkiewicz traces, each once.

    Use it to prove a small program, or to see all its outcomes: no complete search needs fewer executions.

    Args:
        memory_limit: Maximum number of nodes and branches to keep; None for no limit.
        **bounds: Nothing; `preemptions` and `delays` of `dfs` are refused, since the reduction is unsound under a
            bound.

    Raises:
        UsageError: A bound is set.
    """

    exhaustive = True
    up_to_commutation = True

    def __init__(self, *, memory_limit: int | None = None, **bounds: Any) -> None:
        for name, given in bounds.items():
            if name not in ("preemptions", "delays"):
                raise TypeError(f"Dpor got an unexpected keyword argument {name!r}")
            if given is not None:
                raise UsageError(
                    f"dpor takes no bound on {name}: a race that the bound forbids to reverse may be the only "
                    f"way to an execution within the bound; use dfs:{name}={given} for a bounded search"
                )
        require_count(memory_limit=memory_limit)
        self.memory_limit = memory_limit
        self._executions = self._races = self._blocked = self._redundant = self._cut_short = self._presumed = 0
        self._peak_nodes = self._peak_branches = 0
        self._tree = ExplorationTree()
        self._reversal = RaceReversal(self._tree)
        self._run = Run(self._tree)
        self._finished = self._over_limit = False
        self._undo: DividedSearch | None = None
        self._graphs: SearchOfGraphs | None = None

    # -- by undo ------------------------------------------------------------------------------

    def by_undo(self, state: SmallSteps) -> DividedSearch | None:
        """Return the search of `simaie_schedulers.undo`; None if a limit is set, or this search has begun already."""
        if self.memory_limit is not None or self._executions or self._tree.guide:
            return None
        self._undo = DividedSearch(state)
        return self._undo

    def by_graphs(self, search: SearchOfGraphs) -> bool:
        """Leave the executions to a search of execution graphs, and return True."""
        if self.memory_limit is not None:
            raise UsageError("dpor has no limit on memory on a host of execution graphs; leave out memory_limit")
        self._graphs = search
        return True

    @property
    def _undoing(self) -> DividedSearch | None:
        """The search by undo that goes on instead of this one."""
        return None if self._undo is None or self._undo.abandoned else self._undo

    # -- state of the search ------------------------------------------------------------------

    @property
    def exhausted(self) -> bool:
        """Whether the tree is explored, or the memory limit ended the search."""
        if self._graphs is not None:
            return self._graphs.exhausted
        undo = self._undoing
        return self._finished if undo is None else undo.exhausted

    @property
    def complete(self) -> bool:
        """Whether everything was explored: no limit cut the search or an execution."""
        return self.exhausted and not self.bound_note

    @property
    def bound_note(self) -> str:
        """Which limit left something out, or why an execution may be missing; empty if neither."""
        if self._over_limit:
            return f"the search ended at its memory limit of {self.memory_limit} nodes"
        notes = []
        if self._cut_short:
            notes.append(f"a limit of the machine cut {self._cut_short} executions short")
        if self._tree.unforeseen:
            notes.append(
                f"{self._tree.unforeseen} compare-and-swaps or store-conditionals had another effect than memory said; "
                "use dfs for a host memory in which they may"
            )
        return "; ".join(notes)

    @property
    def statistics(self) -> dict[str, int]:
        """The counts of the search so far, by name.

        ``executions``: executions run. ``races``: races seen. ``branches``: branches inserted.
        ``sleep_set_blocked`` and ``redundant``: executions that a sleep set cut or that turned out redundant (0 if all
        effects can be computed). ``presumed``: executions that may repeat a class, because an operation whose effect
        could not be computed was presumed to write and did not. ``infeasible``: wake-up sequences that led nowhere.
        ``unforeseen``: operations with an effect other than the computed one; the search is then not complete.
        ``cut_short``: executions that a limit of the machine cut short. ``peak_nodes`` and ``peak_branches``: most
        nodes and most waiting branches at one time.
        """
        undo = self._undoing
        if undo is not None:
            return dict.fromkeys(_COUNTS, 0) | {
                "executions": undo.executions,
                "races": undo.reversals,
                "branches": undo.reversals,
                "redundant": undo.redundant,
                "infeasible": undo.infeasible,
                "peak_nodes": undo.peak_length,
                "peak_branches": undo.peak_kept,
            }
        return {
            "executions": self._executions,
            "races": self._races,
            "branches": self._tree.inserted,
            "sleep_set_blocked": self._blocked,
            "redundant": self._redundant,
            "presumed": self._presumed,
            "infeasible": self._tree.infeasible,
            "unforeseen": self._tree.unforeseen,
            "cut_short": self._cut_short,
            "peak_nodes": self._peak_nodes,
            "peak_branches": self._peak_branches,
        }

    def profile(self) -> Mapping[str, Any]:
        """Return the decisions up to where the next execution departs from the last, and the wake-up tree below.

        The profile is empty during a search by undo, which has its own.
        """
        if self._undoing is not None:
            return {}
        tree = self._tree
        path = [node.taken for node in tree.path[: tree.known] if node is not None]
        return save(tree.locations, path, tree.guide, tree.asleep)

    def restore(self, profile: Mapping[str, Any]) -> None:
        """Make the next execution the one of `profile`; the search then starts from it."""
        self._tree = tree = ExplorationTree()
        tree.guide, tree.asleep = load(tree.locations, profile)
        tree.branches = count(tree.guide)
        self._reversal, self._run = RaceReversal(tree), Run(tree)

    # -- choosing -----------------------------------------------------------------------------

    def start(self, info: ExecutionInfo) -> None:
        """Start a new run along the exploration tree."""
        self._reversal.begin(info.beginning)
        self._run = Run(self._tree)

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the recorded actor, then that of the wake-up tree, then the running one; None ends the execution."""
        return self._run.choose(offer)

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the recorded value, then that of the wake-up tree, then 0."""
        return self._run.choose_value(offer, arity)

    # -- learning -----------------------------------------------------------------------------

    def finish(self, trace: Trace) -> None:
        """Reverse the races of the execution that ended, and find where the next one departs."""
        tree = self._tree
        self._executions += 1
        asleep_at = tree.take_in(trace)
        self._presumed += tree.is_overcautious
        ending = trace.ending
        if ending is Ending.PRUNED and self._run.gave_up:
            self._blocked += not self._run.led_nowhere
        elif asleep_at is not None:
            self._redundant += 1
        else:
            self._races += self._reversal.reverse(trace)
        if ending in _CUT_SHORT:
            self._cut_short += 1
        nodes, branches = len(tree.path), tree.branches
        if nodes > self._peak_nodes:
            self._peak_nodes = nodes
        if branches > self._peak_branches:
            self._peak_branches = branches
        kept = nodes + branches
        self._finished = not tree.backtrack(asleep_at)
        if self.memory_limit is not None and kept > self.memory_limit and not self._finished:
            self._finished = self._over_limit = True
