"""The one place that decides which engine runs an execution of a search.

**The reference engine** (`simaie.engine.inline`, or `simaie.engine.on_trio` for guests that await trio) runs

- the first executions, until the memo pays;
- those that are verified (`simaie.engine.verified.is_verified`), and one in `_EVERY` of the others. The memo then
  repeats them, and both must do the same;
- each failing execution again, if it is kept: what is shown and saved is the reference engine's;
- searches by undo that cannot go on, from the start;
- everything if the memo is switched off (`SIMAIE_MEMO=0`), for the trio driver and the determinism check, and after the
  memo was given up.

**The search by undo** (`simaie.engine.memo.undone`) runs searches whose scheduler has one (`Scheduler.by_undo`),
without devices and on a sequentially consistent host; on a host with total store order only searches up to commutation.
It begins with the first execution. If it meets what it cannot do, the search begins anew without it: `Engines.make`
raises `StartAgain` if executions were run already.

**Walks** (`simaie.engine.memo.walks`) are executions of a uniform random scheduler in which everything is known, and in
which no checker can find anything. No engine runs them. The last execution of an exploration is never a walk.

**The memo** (`simaie.engine.memo`) runs all others. It is dropped and begun anew when it has too many nodes. It is
given up if too many steps are new to it, or if it meets what it cannot remember; `Engines.why_given_up` says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from simaie.engine.blame import blamed
from simaie.engine.execution import Execution
from simaie.engine.graph.graphs import Graphs
from simaie.engine.guilty_line import Again
from simaie.engine.inline import run_inline
from simaie.engine.memo.execution import MemoExecution
from simaie.engine.memo.lazy import MemoTrace
from simaie.engine.memo.memo import MOST_NODES, Memo
from simaie.engine.memo.quick import make_memo_execution
from simaie.engine.memo.run import Deviation, compare, reference, run_memo
from simaie.engine.memo.shared import SharedState
from simaie.engine.memo.undone import Undone
from simaie.engine.memo.walked import Needed, Walked
from simaie.engine.memo.walks import Walks
from simaie.engine.verified import VerifiedExecution, is_trusted, is_verified, next_verified
from simaie.errors import InternalError, NondeterminismError
from simaie.exploration.coverage import PreemptionCounter
from simaie.exploration.histories import went_differently
from simaie.guest.program import Program
from simaie.host.sc import ScMemory
from simaie.host.tso import TsoMemory
from simaie.machine import Machine
from simaie.prng import derive
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.replaying.run import make_execution
from simaie.trace import Ending, Trace

__all__ = ["MEMO_SWITCH", "Engines", "OutOfTime", "StartAgain", "can_undo", "has_another_order", "is_switched_off"]

#: The environment variable that switches the memo off if it is ``0``.
MEMO_SWITCH = "SIMAIE_MEMO"
#: The memo begins after as many executions.
_FIRST = 16
#: One in as many executions runs on both engines.
_EVERY = 256


class OutOfTime(Exception):
    """The time of the search ended before its first execution."""


class StartAgain(Exception):
    """The search begins anew, on another engine: what was counted so far is counted again."""


class _Default(Scheduler):
    """Every vCPU goes on as long as it can."""

    def choose(self, offer: Offer) -> Candidate:
        """Return the default."""
        return offer.default


def is_switched_off() -> bool:
    """Whether the environment switches the memo off."""
    return os.environ.get(MEMO_SWITCH, "") == "0"


def _asked(scheduler: Scheduler) -> Scheduler:
    """Return the scheduler itself, without what counts its preemptions."""
    return scheduler.inner if isinstance(scheduler, PreemptionCounter) else scheduler


def has_another_order(scheduler: Scheduler) -> bool:
    """Whether `scheduler` runs its executions in another order than with the memo, which is switched off."""
    asked = _asked(scheduler)
    return is_switched_off() and asked.up_to_commutation and type(asked).by_undo is not Scheduler.by_undo


def can_undo(program: Program, machine: Machine, scheduler: Scheduler) -> bool:
    """Whether an exploration may try to go back by undo."""
    if type(_asked(scheduler)).by_undo is Scheduler.by_undo or program.devices or is_switched_off():
        return False
    if machine.limits.tries is None:  # no state is read on the way back
        return False
    memory = type(machine.make_memory(program))
    return memory is ScMemory or (memory is TsoMemory and _asked(scheduler).up_to_commutation)


class Engines:
    """Makes and runs the executions of one search, each on the engine that is due.

    Args:
        program: The program.
        machine: The machine.
        seed: The seed of the search.
        memo: Whether the memo may be used.
        most_nodes: Nodes of the memo at which it is dropped and begun anew.
        commuting: Whether the order of read-modify-writes that commute makes no difference to those who judge the
            executions, see `simaie.check.needs.ignores_order`.
        rehearsed: Called with an execution that ran before a search by undo, and belongs to no search.
        out_of_time: Whether the time of the search is over; a search of graphs asks between executions, too.

    Attributes:
        followed: The number of executions that the memo ran.
        rebuilt: How often the memo was dropped because it had too many nodes.
        why_given_up: Why the memo is no longer used; empty if it is still in use, or was never allowed.
        why_not_undone: Why the search does not go back by undo although it was tried; empty if it does.
        undone: The number of executions that a search by undo visited.
        by_index: Whether a plain exploration has the same executions at the same indices.
    """

    def __init__(
        self,
        program: Program,
        machine: Machine,
        *,
        seed: int = 0,
        memo: bool = True,
        most_nodes: int = MOST_NODES,
        commuting: bool = False,
        rehearsed: Callable[[Execution, Trace], None] | None = None,
        out_of_time: Callable[[], bool] = bool,
    ) -> None:
        self._program, self._machine, self._seed, self._most_nodes = program, machine, seed, most_nodes
        self._on_graphs = machine.has_graphs
        self._allowed = memo and not is_switched_off() and not self._on_graphs
        self._trusted = is_trusted(program, machine)
        self._shared = SharedState(program) if self._allowed else None
        self._memo: Memo | None = None
        self._made = 0
        self._threads = len(program.threads) + len(program.devices)
        self._before: MemoExecution | None = None  # the last execution of the memo
        self._walks: Walks | None = None  # of the memo
        self._to_repeat: Execution | None = None  # of the reference engine, which the memo runs too
        self.followed = self.rebuilt = 0
        self.why_given_up = self.why_not_undone = ""
        self.undone = 0
        self._commuting = commuting
        self.by_index = True
        self._rehearsed: Callable[[Execution, Trace], None] | None = rehearsed
        self._out_of_time = out_of_time
        self._undone: Undone | None = None
        self._counter: PreemptionCounter | None = None  # of the search by undo

    @property
    def undoing(self) -> Undone | None:
        """The search by undo, while there is one."""
        return self._undone

    def make(self, scheduler: Scheduler, index: int) -> Execution | Undone:
        """Return execution number `index`, ready to run; the scheduler has been started if it does not go by undo."""
        if self._undone is not None:
            return self._undone
        if not self._made and self._on_graphs and (graphs := self._graphs(scheduler)) is not None:
            self._undone = graphs
            return graphs
        if not self._made and not self.why_not_undone and self._can_undo(scheduler):
            self._counter = scheduler if isinstance(scheduler, PreemptionCounter) else None
            self._undone = Undone(
                self._program, self._machine, self._seed, self._new_memo, scheduler.by_undo,
                commuting=self._commuting, up_to_commutation=_asked(scheduler).up_to_commutation,
            )  # fmt: skip
            return self._undone
        self._made += 1
        memo = self._memo_at(index)
        if memo is None or self._runs_on_both(index):
            made = make_execution(self._program, self._machine, scheduler, seed=self._seed, index=index)
            self._to_repeat = None if memo is None else made
            return made
        try:
            self._before = make_memo_execution(memo, scheduler, self._info(index), self._before)
            return self._before
        except BaseException as error:
            if (found := blamed(error, scheduler)) is not None:
                raise found from error
            raise

    def _graphs(self, scheduler: Scheduler) -> Graphs | None:
        """Return the graphs of the program, if the scheduler leaves its executions to a search of these."""
        if type(scheduler).by_graphs is Scheduler.by_graphs:
            return None
        found = Graphs(self._program, self._machine, self._seed, self._out_of_time)
        if not scheduler.by_graphs(found.search):
            return None
        self.by_index = False
        return found

    def _can_undo(self, scheduler: Scheduler) -> bool:
        if not self._allowed or not can_undo(self._program, self._machine, scheduler):
            return False
        assert self._shared is not None
        return not self._shared.changed()

    def _visit(self, undone: Undone, index: int) -> Trace:
        """Return the trace of the execution that a search by undo has found, and let it find the next one."""
        if not undone.visited and not self._trusted:
            self._rehearse(undone)
        trace = undone.trace()
        if isinstance(undone, Graphs):
            return self._visit_graph(undone, trace, index)
        if trace is None:
            self.why_not_undone = undone.why_not
            self.by_index = not undone.visited or undone.keeps_order
            undone.close()
            self._undone = None
            raise StartAgain
        undone.index = index
        self.undone += 1
        if self._counter is not None:
            self._counter.count = undone.preemptions
        if (index + 1) % _EVERY == 0 or (is_verified(index) and not self._trusted):  # a small search is not held up
            trace = self.confirmed(undone, trace)
        undone.go_on()
        return trace

    def _visit_graph(self, graphs: Graphs, trace: Trace | None, index: int) -> Trace:
        """Return the trace of the graph that was found, and let the search find the next one."""
        if trace is None:
            if not graphs.comes_again:
                if not graphs.search.exhausted:
                    raise OutOfTime
                raise InternalError(f"the search found no execution graph of {self._program.name!r}")
            graphs.comes_again = False
            raise StartAgain
        graphs.index = index
        self.undone += 1
        graphs.go_on_later()
        return trace

    def _rehearse(self, undone: Undone) -> None:
        """Run one verified execution before code of the user runs by undo, so that its mistakes are named."""
        made = make_execution(self._program, self._machine, _Default(), seed=self._seed, kind=VerifiedExecution)
        undone.rehearsing = made
        trace = run_inline(made)
        undone.rehearsing = None
        if self._rehearsed is not None:
            self._rehearsed(made, trace)
        if self._shared is not None:
            undone.why_not = self._shared.changed()

    @property
    def may_walk(self) -> bool:
        """Whether executions of a uniform random scheduler may run without an engine, if it pays."""
        memo, before, walks = self._memo, self._before, self._walks
        if memo is None or before is None or not before.is_known:  # the memo still learns much
            return False
        is_plain = not self._program.devices and self._machine.limits.tries is not None
        return memo.is_quick and is_plain and (walks is None or not walks.over)

    def walk(self, index: int, most: int, needed: Needed) -> Walked:
        """Run the next executions of a uniform random scheduler without an engine, and return their figures.

        They are as many as possible, which may be none. The caller asks `may_walk` first.

        Args:
            index: The number of the next execution.
            most: The number of executions at most.
            needed: Which executions need an engine.
        """
        if self._runs_on_both(index):
            return Walked()
        if self._walks is None:
            assert self._memo is not None  # or there are no walks
            self._walks = Walks(self._memo, needed)
        end = index + min(most, _EVERY - index % _EVERY)
        walked = self._walks.run(self._seed, index, end if self._trusted else min(end, next_verified(index)))
        self.followed += walked.executions
        return walked

    def run(self, execution: Execution | Undone, index: int) -> Trace:
        """Run `execution` on its engine, inline. index: its number, if `make` returned it.

        Raises:
            StartAgain: The caller has to forget all executions so far, and make the first one again.
            OutOfTime: The time ended before the first execution.
            NondeterminismError: The two engines do not agree.
            SimaieError: A guest, the scheduler, the scheme or the host memory raised; the class says which.
        """
        if isinstance(execution, Undone):
            return self._visit(execution, index)
        if isinstance(execution, MemoExecution):
            self.followed += 1
            try:
                trace = run_memo(execution)
            except Deviation as deviation:
                raise self._nondeterminism(deviation) from deviation
        else:
            trace = run_inline(execution)
            if self._memo is not None and execution is self._to_repeat and trace.ending is not Ending.PRUNED:
                self._repeat(self._memo, trace, index)
        self._look_after()
        return trace

    def confirmed(self, execution: Execution | Undone, trace: Trace) -> Trace:
        """Return the trace of `execution` as the reference engine has it, which runs it again if the memo ran it.

        Raises:
            NondeterminismError: The two engines do not agree.
        """
        if isinstance(execution, Graphs):
            return execution.replayable(self.kept(trace))
        if not isinstance(execution, MemoExecution | Undone):
            return trace
        confirmed = run_inline(reference(execution, Again(trace.events)))
        try:
            compare(trace, confirmed)
        except Deviation as deviation:
            raise self._nondeterminism(deviation) from deviation
        return confirmed

    @property
    def note(self) -> str:
        """What a report says of the memo: that it was begun anew at its limit, or given up; empty if neither."""
        said = []
        rebuilt = self.rebuilt + (0 if self._undone is None else self._undone.rebuilt)
        if rebuilt:
            times = "once" if rebuilt == 1 else f"{rebuilt} times"
            said.append(f"the memo of vCPUs was begun anew {times}, at its limit of {self._most_nodes:,} nodes")
        if self.why_given_up:
            said.append(f"the memo of vCPUs was given up: {self.why_given_up}")
        return "; ".join(said)

    def kept(self, trace: Trace) -> Trace:
        """Return `trace`, which outlives this search, so that it holds nothing of the memo."""
        return trace.complete() if isinstance(trace, MemoTrace) else trace

    def close(self) -> None:
        """Close the coroutines that the memo keeps."""
        self._before = self._walks = None
        if self._undone is not None:
            self._undone.close()
        if self._memo is not None:
            self._memo.close()
            self._memo = None

    # -- which engine ---------------------------------------------------------------------------

    def _memo_at(self, index: int) -> Memo | None:
        """The memo, if it may run an execution now; it is made when it is first due."""
        if not self._allowed or self.why_given_up or self._made <= _FIRST:
            return None
        if self._memo is None:
            assert self._shared is not None
            if reason := self._shared.changed():
                self.why_given_up = reason
                return None
            self._memo = self._new_memo()
        return self._memo

    def _new_memo(self) -> Memo:
        assert self._shared is not None
        return Memo(self._program, self._machine, self._shared, most_nodes=self._most_nodes)

    def _runs_on_both(self, index: int) -> bool:
        return index % _EVERY == 0 or (is_verified(index) and not self._trusted)

    def _repeat(self, memo: Memo, trace: Trace, index: int) -> None:
        """Run an execution of the reference engine on the memo, too; NondeterminismError if it differs there."""
        try:
            compare(run_memo(make_memo_execution(memo, Again(trace.events), self._info(index))), trace)
        except Deviation as deviation:
            raise self._nondeterminism(deviation) from deviation

    def _look_after(self) -> None:
        """Drop the memo if it is too large, and give it up if it cannot go on."""
        memo = self._memo
        if memo is None or not memo.must_end:
            return
        if memo.given_up:
            self.why_given_up = memo.given_up
        else:
            self.rebuilt += 1
        self.close()

    def _info(self, index: int) -> ExecutionInfo:
        beginning = None if self._memo is None else self._memo.beginning
        return ExecutionInfo(derive(self._seed, index), index, self._threads, beginning)

    def _nondeterminism(self, deviation: Deviation) -> NondeterminismError:
        self.close()
        return went_differently(self._program.name, deviation.vcpu, deviation.step, deviation.expected, deviation.got)
