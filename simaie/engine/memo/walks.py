"""Random walks through joint states: uniform random executions without an engine, where everything is known.

A joint state is the state of the whole program: the node of each vCPU, the values of cells and RAM, the reservations,
and which vCPU ran last. As long as vCPUs do nothing but access memory and take mutexes, a joint state and the chosen
vCPU determine the next joint state. They make a graph, and a uniform random execution is a walk through it: one random
number for each step, and one look-up.

          {A: load, B: load, [X]: 0}
           A /                 \\ B
    {A: store 1, B: load, ...}  {A: load, B: store 1, ...}
        A /      \\ B               A /      \\ B

An edge is made when a walk first needs it: the memory performs one operation, and the memo says what the vCPU announces
then. No code of a guest runs here. A walk has no trace; coverage takes its digest from the events on the edges, which
are kept for that only. So an execution runs on an engine, under the same index, if a
checker may want to judge it, if the memo does not know a vCPU's next operation, and if anything else happens than
accesses and mutexes: waits, threads, faults, deadlocks.

The graph is given up where it does not pay, because too few walks come to their end or too many of their steps are new.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TypeAlias

from simaie.check.needs import OPEN
from simaie.engine.memo.execution import first_actors
from simaie.engine.memo.memo import Memo
from simaie.engine.memo.monitors import refute
from simaie.engine.memo.node import END, MUTEX, OTHER, Node, key_of, yields
from simaie.engine.memo.restored import CannotUndo, perform
from simaie.engine.memo.walked import Needed, PathCoverage, Walked
from simaie.host.sc import ScMemory
from simaie.op import Cell, Kind
from simaie.prng import derive, stream
from simaie.trace import Ending, Event, Outcome

__all__ = ["Walks"]

#: The number of joint states at most, each of some 500 bytes.
_MOST_STATES = 100_000
#: The number of places in memory at most: all are read when an edge is made.
_MOST_PLACES = 32
#: How often the graph is begun anew, at most, because the memo has come to know of more places.
_MOST_RESTARTS = 16
#: As many edges are made, and as many walks end early, before it matters whether that pays.
_EDGES_FIRST, _ENDED_FIRST = 600, 500
#: The most edges that are made for each whole walk after these: at first, when the graph grows quickly, and later, when
#: a walk that makes more takes longer than an engine. There are `_LEARNED` whole walks in between.
_EDGES_EACH_FIRST, _EDGES_EACH, _LEARNED = 4, 1, 500

#: What a preemption adds to the number of deviations where both are counted, which is smaller.
_PREEMPTION = 1 << 32

#: The edges that leave a joint state, one for each enabled vCPU; see `_Joint`.
_Edges: TypeAlias = "list[tuple[Any, Any, Any]]"


class _End(list[Any]):
    """The joint state at the end of an execution. It is empty, and thereby false: no edge leaves it.

    Attributes:
        joint: The joint state.
        outcome: The outcome.
        length: The number of steps.
        needs_engine: Whether an execution that ends here needs an engine.
        reached: The number of walks that have ended here and are not reported yet.
    """

    __slots__ = ("joint", "length", "needs_engine", "outcome", "reached")

    def __init__(self, joint: _Joint, outcome: Outcome, length: int, *, needs_engine: bool) -> None:
        super().__init__()
        self.joint, self.outcome, self.length, self.needs_engine = joint, outcome, length, needs_engine
        self.reached = 0


class _Joint:
    """A joint state.

    Attributes:
        nodes: The node of each vCPU.
        values: The values of all places.
        reservations: The reservations.
        enabled: The numbers of the enabled vCPUs, in the order in which schedulers see them.
        running: The number of the vCPU that ran last; -1 at the start.
        edges: For each of `enabled` the edges of the next joint state or an `_End`, whether the step is a switch (1 or
            0), and None. If coverage is counted, `_PREEMPTION` is added where the step preempts, and the event is
            there instead of the last None. An edge that is not made yet is None with this joint state and None; one
            that cannot be made is three times None.
    """

    __slots__ = ("edges", "enabled", "nodes", "reservations", "running", "values")

    def __init__(self, nodes: tuple[Node, ...], values: tuple[Any, ...], reservations: Any, running: int) -> None:
        self.nodes, self.values, self.reservations, self.running = nodes, values, reservations, running
        self.enabled: tuple[int, ...] = ()
        self.edges: _Edges = []


class Walks:
    """The graph of the joint states of a memo, as far as it is known.

    Args:
        memo: The memo, whose host memory is sequentially consistent; the program has no devices.
        needed: Which executions need an engine.

    Attributes:
        over: Whether the graph was given up.
    """

    def __init__(self, memo: Memo, needed: Needed) -> None:
        assert isinstance(memo.memory, ScMemory)
        self._memo, self._memory, self._needed = memo, memo.memory, needed
        self._limit = memo.machine.limits.steps
        self._actors = first_actors(memo)
        self._states: dict[Any, _Joint | _End] = {}
        self._start: _Joint | None = None
        self._at: _Joint | None = None  # the joint state that memory is in, if it is known
        self._is_changed = False  # whether memory may not be as at the start
        self._cells: list[Cell] = []
        self._views: list[tuple[Any, int]] = []  # the places in RAM, as `Ram.view` returns them
        self._ranges = 0
        self._restarts = self._made = 0
        self._whole = self._early = 0  # how many walks came to an end, and how many did not
        self._has_final = memo.program.final is not None
        self._coverage = None if needed.digest is None else PathCoverage(needed.digest)
        self.over = False

    def run(self, seed: int, first: int, last: int) -> Walked:
        """Run executions in order until one needs an engine, or all have run.

        Args:
            seed: The seed of the exploration.
            first: The index of the first execution.
            last: The index after the last one.
        """
        start = self._begin()
        if start is None:
            return Walked()
        switched, met = 0, []
        needs_engine: dict[int, bool] = {}  # by the number of deviations
        coverage, preemptions = self._coverage, 0
        path: list[Event] = []
        if coverage is not None:
            coverage.begin()
        index = first - 1
        for index in range(first, last):
            edges, switches, following = start.edges, 0, None
            path.clear()
            for word in stream(derive(seed, index)):
                following, switch, event = edges[word * len(edges) >> 32]
                if not following:
                    if following is None:
                        following, switch, event = self._new_edge(switch, word, index - first)
                    if not following:
                        break
                edges = following
                switches += switch
                if coverage is not None:
                    path.append(event)
            if following is None or following.needs_engine or (self._has_final and not self._accepts(following)):
                self._early += 1
                break
            switches += switch
            if coverage is not None:
                preemptions, switches = divmod(switches, _PREEMPTION)
            if switches not in needs_engine:
                needs_engine[switches] = self._needed.by_deviations(switches)
            if needs_engine[switches]:
                break
            if coverage is not None:
                path.append(event)
                coverage.add(path, preemptions)
            switched += switches
            if not following.reached:
                met.append(following)
            following.reached += 1
        else:
            index += 1
        return self._reported(index - first, switched, met)

    def _accepts(self, end: _End) -> bool:
        """Return whether the program's final check accepts; if not, an engine asks again and tells why."""
        self._go_to(end.joint)
        self._is_changed = True
        try:
            return self._memo.refusal(self._memory, end.joint.nodes, end.outcome) is None
        except Exception:
            return False

    def _reported(self, executions: int, switches: int, met: list[_End]) -> Walked:
        """Return the figures of walks that have come to the ends `met`, and prepare for an engine."""
        steps = sum([end.length * end.reached for end in met])
        outcomes = [(end.outcome, end.reached) for end in met]
        for end in met:
            end.reached = 0
        if self._is_changed and self._start is not None:
            self._go_to(self._start)
            self._is_changed = False
        self._at = None
        self._memo.keep_bounds(steps)
        self._whole += executions
        self.over = self.over or self._early > _ENDED_FIRST + self._whole
        covered = None if self._coverage is None else self._coverage.covered()
        return Walked(executions, steps, max([end.length for end in met], default=0), switches, outcomes, covered)

    # -- the start --------------------------------------------------------------------------------

    def _begin(self) -> _Joint | None:
        """Return the joint state at the start; None if it cannot be known yet, or ever."""
        cells, ranges = self._memo.written_cells, self._memo.written_places
        if len(self._cells) != len(list(cells)) or self._ranges != len(list(ranges)):
            self._begin_anew(cells, ranges)
        if self._start is None and not self.over:
            nodes = tuple([actor.start.edges.get(None) for actor in self._actors])
            if nodes and all(node is not None and node.code not in (OTHER, END) for node in nodes):
                self._memo.reset()
                made = self._joint(nodes, -1)  # type: ignore[arg-type]  # none is None
                self._start = made if isinstance(made, _Joint) else None
        return None if self.over else self._start

    def _begin_anew(self, cells: Iterable[Cell], ranges: Iterable[tuple[int, int]]) -> None:
        """Forget the graph: there are places that it does not have."""
        self._start, self._states = None, {}
        self._cells, places = list(cells), list(ranges)
        self._ranges = len(places)
        views = [self._memory.ram.view(address, width) for address, width in places]
        self._views = [view for view in views if view is not None]
        self._restarts += 1
        too_many = len(self._cells) + len(places) > _MOST_PLACES or self._restarts > _MOST_RESTARTS
        self.over = self.over or too_many or None in views

    # -- making edges ------------------------------------------------------------------------------

    def _new_edge(self, joint: _Joint | None, word: int, walked: int) -> tuple[Any, Any, Any]:
        """Make the edge of `joint` that `word` chooses, and return it; three times None if an engine has to go on.

        Args:
            joint: The joint state; None if the edge cannot be made.
            word: The random number.
            walked: The number of whole walks that are not reported yet.
        """
        self.over = self.over or self._made > _most_edges(self._whole + walked)
        if joint is None or self.over or len(self._states) >= _MOST_STATES:
            return None, None, None
        choice = word * len(joint.edges) >> 32
        actor = joint.enabled[choice]
        node = joint.nodes[actor]
        op: Any = node.op  # an operation, since the vCPU is enabled
        if self._at is not joint:
            self._go_to(joint)
        self._at, self._is_changed = None, True
        made: _Joint | _End | None = None
        with suppress(CannotUndo):  # an engine will raise what the operation raised
            value = perform(self._memory, self._actors[actor], op)
            following = node.edges.get(value if value is None or type(value) is int else key_of(value))
            if following is None:
                return None, None, None  # an engine will make it
            made = self._joint((*joint.nodes[:actor], following, *joint.nodes[actor + 1 :]), actor)
        self._made += 1
        if made is None:
            joint.edges[choice] = None, None, None
            return None, None, None
        runs_on = joint.running in joint.enabled
        switch, event = int(actor != joint.running and (runs_on or choice > 0)), None
        if self._coverage is not None:
            event = Event(self._actors[actor].name, op, value, node.instruction)
            if runs_on and actor != joint.running and not yields(joint.nodes[joint.running], has_waited=False):
                switch += _PREEMPTION
        edge = joint.edges[choice] = (made.edges if isinstance(made, _Joint) else made), switch, event
        return edge

    def _joint(self, nodes: tuple[Node, ...], running: int) -> _Joint | _End | None:
        """Return the joint state in which memory is now, with vCPUs at `nodes`; None if walks do not know it."""
        values = (*[cell.value for cell in self._cells], *[view[index] for view, index in self._views])
        reservations = self._memory.saved_reservations() if self._memory.reservations else ()
        keys = tuple([value if type(value) is int else key_of(value) for value in values])
        key = running, nodes, keys, reservations
        known = self._states.get(key)
        if known is None:
            made = self._new_state(_Joint(nodes, values, reservations, running))
            if made is None:
                return None
            known = self._states[key] = made
        self._at = known if isinstance(known, _Joint) else None
        return known

    def _new_state(self, joint: _Joint) -> _Joint | _End | None:
        enabled = []
        for actor, node in enumerate(joint.nodes):
            if node.code == OTHER:
                return None
            if node.code != END and (node.code != MUTEX or self._may_go_on(actor, node)):
                enabled.append(actor)
        length = sum([node.depth - 1 for node in joint.nodes])
        if not enabled:
            is_over = length <= self._limit and all(node.code == END for node in joint.nodes)
            return self._end(joint, length) if is_over else None
        if length >= self._limit:
            return None
        joint.enabled = tuple(enabled)
        joint.edges = [(None, joint, None)] * len(enabled)
        return joint

    def _may_go_on(self, actor: int, node: Node) -> bool:
        op: Any = node.op
        return op.kind is not Kind.LOCK or self._memory.enabled(self._actors[actor], op)

    def _end(self, joint: _Joint, length: int) -> _End:
        memo, nodes = self._memo, joint.nodes
        occurred = memo.promised | memo.ending_bits[Ending.FINISHED]
        for node in nodes:
            occurred |= node.occurred
        if occurred & OPEN:  # what depends on the order of the steps stays open
            occurred = refute(occurred, (), nodes, is_known=False)
        return _End(joint, memo.outcome(self._memory, nodes), length, needs_engine=self._needed.by_occurred(occurred))

    def _go_to(self, joint: _Joint) -> None:
        """Set memory to what it is in `joint`."""
        number = len(self._cells)
        for cell, value in zip(self._cells, joint.values, strict=False):
            cell.value = value
        for (view, index), value in zip(self._views, joint.values[number:], strict=True):
            view[index] = value
        self._memory.restore_reservations(joint.reservations)
        self._at = joint


def _most_edges(walks: int) -> int:
    """Return the number of edges beyond which a graph does not pay.

    Args:
        walks: The number of walks that came to their end.
    """
    return _EDGES_FIRST + _EDGES_EACH * walks + (_EDGES_EACH_FIRST - _EDGES_EACH) * min(walks, _LEARNED)
