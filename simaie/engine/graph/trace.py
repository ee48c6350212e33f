"""The trace of a finished graph: its operations in an order in which they take effect one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from simaie.check.needs import FAULT, REFUSED
from simaie.dependence import STOPS
from simaie.engine.graph.held import has_changed, has_gone_on, initial_value
from simaie.engine.graph.label import Label
from simaie.engine.graph.memo import GraphMemo
from simaie.engine.graph.world import may_wait
from simaie.engine.memo.lazy import LateSteps, MemoTrace
from simaie.engine.memo.node import Node
from simaie.engine.memo.story import registers_of
from simaie.errors import InternalError
from simaie.execution_graph import ExecutionGraph
from simaie.host.graph.event import INITIAL
from simaie.host.graph.graph import Graph
from simaie.host.graph.linear import linear
from simaie.op import Kind, Op
from simaie.trace import Ending, Fault, Outcome

__all__ = ["GraphTrace", "ending_of", "trace_of"]


class GraphTrace(MemoTrace):
    """The trace of a graph, which is made when it is first asked for, as the graph by its steps is.

    Args:
        graph: The graph.
        parts: The number of pairs of events that an operation has room for.
        rest: As of a `MemoTrace`, with `LateSteps`.
    """

    def __init__(self, graph: Graph, parts: int, *rest: Any) -> None:
        super().__init__(*rest)
        self._unmade: tuple[Graph, int] | None = (graph, parts)

    def _complete(self, left: Any) -> None:
        super()._complete(left)
        assert self._unmade is not None
        self.graph = _by_steps(*self._unmade, left[1])
        self._unmade = None


def trace_of(memo: GraphMemo, graph: Graph, ending: Ending) -> GraphTrace:
    """Return the trace of a graph that has ended.

    Args:
        memo: The memo.
        graph: The graph.
        ending: How the execution ended.
    """
    last = tuple([node for node in graph.at if node is not None])
    waiting = {node.root.name: _pending(node) for node in last if node.op is not None}
    steps = LateSteps(last, partial(_steps, graph, last, memo.layout.parts))
    outcome = _outcome(memo, graph, last)
    occurred = memo.promised | memo.ending_bits[ending]
    for node in last:
        occurred |= node.occurred
    accepted, refusal = None, None
    if memo.program.final is not None and ending is Ending.FINISHED:
        refusal = memo.refusal(memo.memory, last, outcome)
        accepted = refusal is None
        occurred |= 0 if accepted else REFUSED
    return GraphTrace(
        graph, memo.layout.parts, memo.origin, steps, frozenset(), last, (), (), waiting, ending, outcome,
        _faults(steps, last) if occurred & FAULT else (), accepted, refusal or "", occurred,
    )  # fmt: skip


def _pending(node: Node) -> Op:
    label: Label = node.label
    return label.wait or label.op


def _steps(graph: Graph, last: tuple[Node, ...], parts: int) -> list[Node]:
    """Return the nodes to which the operations led, in an order in which these take effect.

    An operation of several events takes effect with the last of them. One without events follows the one before it.
    """
    paths = [node.path for node in last]
    vcpus = _places_in_last(graph)
    place: dict[tuple[int, int], int] = {}
    for number, event in enumerate(linear(graph)):
        each = graph.events[event]
        place[vcpus[each.vcpu], each.index // (2 * parts)] = number
    keyed: list[tuple[int, int, int, Node]] = []
    for number, path in enumerate(paths):
        at = -1
        for operation, node in enumerate(path[2:], 1):
            at = place.get((number, operation), at)
            keyed.append((at, number, operation, node))
    keyed.sort(key=lambda each: each[:3])
    return [node for _, _, _, node in keyed]


def _places_in_last(graph: Graph) -> list[int]:
    """Return, for each vCPU, its place among those that have begun; -1 for others."""
    found, begun = [], 0
    for node in graph.at:
        found.append(begun if node is not None else -1)
        begun += node is not None
    return found


def _by_steps(graph: Graph, parts: int, nodes: Sequence[Node]) -> ExecutionGraph:
    """Return a graph by the steps of its trace; what a vCPU reads that still waits is no step."""
    vcpus = _places_in_last(graph)
    places = {node.root: place for node, place in zip(graph.at, vcpus, strict=True) if node is not None}
    numbers = [(places[node.root], node.depth - 1) for node in nodes]  # of the vCPU, and of its operation from 1
    steps = {each: step for step, each in enumerate(numbers)}

    def step_of(event: int) -> int | None:
        each = graph.events[event]
        return steps.get((vcpus[each.vcpu], each.index // (2 * parts)))

    sources: list[tuple[int, int]] = []
    for read in sorted(graph.source):
        step, store = step_of(read), graph.source[read]
        found = INITIAL if store == INITIAL else step_of(store)
        if step is not None and found is not None:
            sources.append((step, found))
    chains = [tuple([step for store in stores if (step := step_of(store)) is not None])
              for stores in graph.coherence.values()]  # fmt: skip
    coherence = sorted(chain for chain in chains if len(chain) > 1)
    sources.sort(key=lambda each: each[0])
    return ExecutionGraph(graph.model.name, tuple([number - 1 for _, number in numbers]), tuple(sources),
                          tuple(coherence))  # fmt: skip


def _outcome(memo: GraphMemo, graph: Graph, last: tuple[Node, ...]) -> Outcome:
    """Return the outcome of a graph; RAM has its values if the final check needs them."""
    values = None if memo.program.final is not None else _watched(memo, graph)
    if values is None:
        _fill_memory(memo, graph)
        return memo.outcome(memo.memory, last)
    for node in last:
        values += registers_of(node) if node.registers is None else node.registers
    values.sort()
    return Outcome(tuple(values))


def _watched(memo: GraphMemo, graph: Graph) -> list[tuple[str, int]] | None:
    """Return the watched values, by name; None if something was written that overlaps a watched place in part."""
    coherence, events, found = graph.coherence, graph.events, []
    if not memo.apart.issuperset(coherence) and not all(memo.is_apart(place) for place in coherence):
        return None
    for place, name, initial in memo.watched:
        stores = coherence.get(place)
        found.append((name, events[stores[-1]].value if stores else initial))
    return found


def _fill_memory(memo: GraphMemo, graph: Graph) -> None:
    """Give RAM the values that its places have at the end."""
    ram = memo.memory.ram  # type: ignore[attr-defined]  # of an ScMemory
    for address, width in memo.written:
        ram.write(address, width, memo.beginning.read(address, width))
    memo.written.clear()
    for place, stores in graph.coherence.items():
        if type(place) is tuple and type(place[0]) is int and stores:
            ram.write(*place, graph.events[stores[-1]].value)
            memo.written.add(place)


def _faults(steps: Sequence[Node], last: tuple[Node, ...]) -> tuple[Fault, ...]:
    """Return the faults that ended vCPUs, in the order in which they occurred."""
    found = [Fault(node.root.name, 0, message, kind) for node in last for kind, message in _at_start(node).faults]
    for number, node in enumerate(steps, 1):
        found += [Fault(node.root.name, number, message, kind) for kind, message in node.faults]
    return tuple(found)


def _at_start(node: Node) -> Node:
    path = node.path
    return path[1] if len(path) > 1 else node


def ending_of(memo: GraphMemo, graph: Graph) -> Ending | None:
    """Return how a graph ended in which no vCPU can go on; None if some wait for what they could have seen.

    Args:
        memo: The memo.
        graph: The graph.
    """
    stuck = list(_stuck(graph))
    if not stuck:
        return Ending.FINISHED
    if graph.stops and not may_wait(graph, [node.label for node in stuck]):
        return None
    for node in stuck:
        label: Label = node.label
        if label.op.kind in STOPS:
            continue
        if label.retries or has_gone_on(graph, label):
            return None
        if label.wait is not None:
            if has_changed(memo, graph, label.wait):
                return None
            continue
        values = []
        for event in label.reads:
            stores = graph.coherence.get(event.place, ())
            newest = stores[-1] if stores else INITIAL
            if graph.source.get(event.id, newest) != newest:
                return None
            values.append(graph.events[newest].value if stores else initial_value(memo, event.place))
        if not values:
            raise InternalError(f"vCPU {node.root.name} waits with {node.op}, which reads nothing")
    waits = any(node.label.op.kind is Kind.AWAIT or node.wait is not None for node in stuck)
    return Ending.LIVELOCK if waits else Ending.DEADLOCK


def _stuck(graph: Graph) -> Iterator[Node]:
    for node in graph.at:
        if node is not None and node.op is not None:
            yield node
