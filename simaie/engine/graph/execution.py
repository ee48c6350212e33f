"""Executions on hosts of execution graphs that a scheduler chooses, decision by decision.

A scheduler is asked which vCPU goes on (`Scheduler.choose`), and what else is open (`Scheduler.choose_value`): which
store a load reads, from the newest (0) to older ones; where a store goes in the order of its place, from the newest (0)
down, or which earlier load it feeds instead; whether a store-conditional stores (0) or fails. If a store feeds an
earlier load, what depends on that load is done again.

`Offer.step` counts the decisions here, and so do the steps of a trace's schedule.
"""

from __future__ import annotations

from typing import Any

from simaie.decision import Choice, Schedule, Switch
from simaie.engine.actor import Actor
from simaie.engine.beginning import Beginning
from simaie.engine.blame import bad_choice, bad_value
from simaie.engine.execution import Execution
from simaie.engine.graph.layout import MOST_EVENTS, BeginAnew, Layout
from simaie.engine.graph.memo import GraphMemo
from simaie.engine.graph.picked import Alternatives, PickedWalk
from simaie.engine.graph.trace import ending_of, trace_of
from simaie.engine.graph.walk import End
from simaie.engine.memo.execution import first_actors
from simaie.engine.memo.shared import SharedState
from simaie.errors import InternalError, SimaieError
from simaie.guest.program import Program
from simaie.host.graph.consistency import allows_whole
from simaie.host.graph.event import Event
from simaie.host.graph.graph import Graph
from simaie.machine import Machine
from simaie.protocols import ExecutionInfo, Offer, Question, Scheduler
from simaie.trace import Ending, Trace

__all__ = ["GraphExecution"]

#: The number of decisions for each event of an execution, at most: its vCPU, its own, and those that are made again.
_DECISIONS = 3


class GraphExecution(Execution):
    """One run of a program under a scheduler, on a host of execution graphs."""

    #: What a vCPU does is compared by the memo, as the events of a trace are not in the order of the program.
    went_elsewhere = True

    def __init__(self, program: Program, machine: Machine, scheduler: Scheduler, info: ExecutionInfo) -> None:
        machine.limits.require_threads(program)
        if not __debug__:
            program.require_asserts()
        self.program, self.machine, self.scheduler = program, machine, scheduler
        beginning = Beginning(program, machine)
        self._info = ExecutionInfo(info.seed, info.index, info.threads, beginning, has_graphs=True)
        self.ending: Ending | None = None
        self.memory = machine.make_memory(program)
        self._layout = Layout(machine.endian)
        self._limit = min(machine.limits.steps, MOST_EVENTS)
        self._trace: Trace | None = None
        self._memo: GraphMemo | None = None
        self._reset()

    def _reset(self) -> None:
        """Begin: no decision was made."""
        self.scheduler.start(self._info)
        self.events: list[Any] = []
        self._switched: list[Switch] = []
        self._chosen: list[Choice] = []
        self._offer = Offer(self.events)
        self._given_up = False

    # -- what drivers call ------------------------------------------------------------------------

    def begin(self) -> Actor | None:
        """Run to the end, and return None, since no driver has to resume an actor."""
        while self._trace is None:
            self.close()
            self._memo = GraphMemo(self.program, self.machine, SharedState(self.program), self._layout)
            try:
                self._trace = self._run(self._memo)
            except BeginAnew:
                self._reset()
        return None

    def result(self) -> Trace:
        """Return the finished trace, after the scheduler has received it."""
        if self._trace is None:
            raise InternalError("an execution was asked for its result before its end")
        self.scheduler.finish(self._trace)
        return self._trace

    @property
    def actors(self) -> list[Actor]:
        """The vCPUs so far."""
        return [] if self._memo is None else list(self._memo.actors)

    def close(self) -> None:
        """Close every suspended coroutine."""
        if self._memo is not None:
            self._memo.close()

    # -- the run ----------------------------------------------------------------------------------

    def _run(self, memo: GraphMemo) -> Trace:
        for actor in first_actors(memo):
            memo.enter(actor)
        graph = Graph(memo.model, [], pieces=self._layout.has_pieces, stops=self._layout.has_sections)
        self._walk = walk = PickedWalk(memo, graph, self._pick, self._choose_vcpu, self._limit)
        for vcpu, actor in enumerate(list(memo.actors)):
            graph.at.append(walk.following(vcpu, actor.start, None))
        end = self._walked(walk)
        memo.require_sound()
        self.ending = self._ending(end) or Ending.PRUNED
        trace = trace_of(memo, walk.graph, self.ending).complete()
        trace.schedule = Schedule(tuple(self._switched), tuple(self._chosen))
        trace.deviations = len(self._switched)
        return trace

    def _ending(self, end: End) -> Ending | None:
        """Return how the execution ended; None if the model does not allow it."""
        graph = self._walk.graph
        if end is End.DEAD or not allows_whole(graph):
            return None
        if end is End.DONE:
            assert self._memo is not None
            return ending_of(self._memo, graph)
        return None if self._given_up else Ending.STEP_LIMIT

    @staticmethod
    def _walked(walk: PickedWalk) -> End:
        """Run to the end, and return which it is."""
        try:
            return walk.go()
        except SimaieError:
            if allows_whole(walk.graph):
                raise
            return End.DEAD  # the guest or the scheme need not be ready for it

    def _choose_vcpu(self, candidates: list[int]) -> int:
        offer, memo = self._offer, self._memo
        assert memo is not None
        actors = sorted((memo.actors[vcpu] for vcpu in candidates), key=lambda actor: actor.rank)
        for vcpu, node in enumerate(self._walk.graph.at):
            actor = memo.actors[vcpu]
            actor.enabled = vcpu in candidates
            if node is not None and node.op is not None:
                actor.node, actor.op = node, node.label.op
        offer.candidates = tuple(actors)
        offer.numbers = {actor.name: actor.node.depth - 1 for actor in actors}
        if len(self.events) >= _DECISIONS * self._limit:
            return -1
        chosen = self._ask_vcpu(offer)
        if chosen is None:
            self._given_up = True
            return -1
        if chosen not in offer.candidates:
            raise bad_choice(self.scheduler, chosen, offer)
        if chosen is not offer.default:
            self._switched.append(Switch(offer.step, chosen.name))
        offer.running = chosen
        self.events.append(chosen)
        return next(vcpu for vcpu in candidates if memo.actors[vcpu] is chosen)

    def _ask_vcpu(self, offer: Offer) -> Any:
        """Return the candidate that goes on, or None to give up the execution."""
        return self.scheduler.choose(offer)

    def _ask_value(self, event: Event, alternatives: Alternatives) -> int:
        """Return the index of one of several alternatives."""
        return self.scheduler.choose_value(self._offer, len(alternatives))

    def _pick(self, event: Event, alternatives: Alternatives) -> int:
        offer, arity = self._offer, len(alternatives)
        question = Question.WRITE if event.writes else Question.READ
        offer.question = question if event.place is not None else Question.LOCAL
        assert self._memo is not None
        offer.chooser = self._memo.actors[event.vcpu].name
        value = self._ask_value(event, alternatives)
        if type(value) is not int or not 0 <= value < arity:
            raise bad_value(self.scheduler, value, arity, offer)
        if value:
            self._chosen.append(Choice(offer.step, value))
        self.events.append(event)
        return value
