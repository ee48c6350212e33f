"""Decisions that lead to a graph which a search has found, so that its execution can be replayed."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from simaie.dependence import STOPS
from simaie.engine.graph.execution import GraphExecution
from simaie.engine.graph.label import Label
from simaie.engine.graph.memo import GraphMemo
from simaie.engine.graph.picked import Alternatives
from simaie.errors import InternalError
from simaie.guest.program import Program
from simaie.host.graph.event import INITIAL, Event, members
from simaie.host.graph.graph import Graph
from simaie.host.graph.worlds import sections_apart
from simaie.machine import Machine
from simaie.op import Kind
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.trace import Trace

__all__ = ["Outline", "repeated"]

#: An event by the name of its vCPU, the number of its operation, and whether it writes: the same in every layout.
_Key = tuple[str, int, bool]
_ATTEMPTS = 8


class Outline:
    """What a graph is, whatever the layout of its events: which store each read reads, and the order of stores.

    Args:
        memo: The memo whose events the graph has.
        graph: The graph.
    """

    def __init__(self, memo: GraphMemo, graph: Graph) -> None:
        self.sources: dict[tuple[_Key, Hashable], _Key | None] = {}
        self.ranks: dict[tuple[_Key, Hashable], int] = {}
        self.choices: dict[_Key, int] = {}
        keys = {number: key_of(memo, event) for number, event in graph.events.items()}
        for number, event in graph.events.items():
            if event.choice >= 0:
                self.choices[(*keys[number][:2], False)] = event.choice
            if number in graph.source:
                store = graph.source[number]
                for part in parts_of(event.place):
                    self.sources[keys[number], part] = None if store == INITIAL else keys[store]
        self.before: dict[_Key, set[_Key]] = {}
        for number, earlier in (sections_apart(graph) if graph.stops else {}).items():
            self.before[keys[number]] = {keys[other] for other in members(earlier)}
        for place, stores in graph.coherence.items():
            for rank, store in enumerate(stores):
                for part in parts_of(place):
                    self.ranks[keys[store], part] = rank


def key_of(memo: GraphMemo, event: Event) -> _Key:
    """Return the key of an event of a memo's graph."""
    return memo.actors[event.vcpu].name, event.index // (2 * memo.layout.parts), event.writes


def parts_of(place: Any) -> Iterator[Hashable]:
    """Yield the bytes of a place in RAM, or the name of any other place."""
    if type(place) is tuple:
        if type(place[0]) is int:
            yield from range(place[0], sum(place))
        else:
            yield str(place)
    elif place is not None:
        yield place.name


class _Led(Scheduler):
    """Stands for the scheduler of an execution that an outline leads."""

    def choose(self, offer: Offer) -> Candidate | None:
        raise InternalError("an execution that is led to a graph asked its scheduler")


class _Leading(GraphExecution):
    """An execution that is led to the graph of an outline.

    Where a load reads a store that only comes later, it first reads another one. Which one, and which vCPU goes on
    where no load has its store, makes no difference in most programs: `attempt` numbers the ways.
    """

    outline: Outline
    attempt = 0

    def _ask_vcpu(self, offer: Offer) -> Any:
        """Let a vCPU go on whose next load has its store already, the running one first."""
        ready = [each for each in offer.candidates if self._is_ready(each)]
        default = offer.default if offer.can_continue or not self.attempt & 1 else offer.candidates[-1]
        if not ready:
            # A store that a section needs may come later in its vCPU than one that is performed after the section. Or a
            # load that is performed before the section comes later than one that reads what the section stores.
            section_first = self.attempt & 4 != 0
            ready = [each for each in offer.candidates if (each.op.kind in STOPS) is section_first]
        return default if default in ready or not ready else ready[-(self.attempt & 1)]

    def _is_ready(self, actor: Any) -> bool:
        graph = self._walk.graph
        fails = actor.node.label.fails
        if actor.op.kind is Kind.BEGIN_EXCLUSIVE and self.outline.choices.get((*self._key(fails)[:2], False)):
            return False  # it waits for ever
        if self.outline.before and not self._is_in_turn(actor.node.label):
            return False
        for event in actor.node.label.reads:
            wanted = self._wanted(event)
            if wanted is not None and not any(self._key(graph.events[number]) == wanted for number in graph.added):
                return False
        return True

    def _is_in_turn(self, label: Label) -> bool:
        """Whether the graph has what comes before the events of a label because of sections."""
        present = {self._key(event) for event in self._walk.graph.events.values()}
        events = label.reads or label.stores or (label.fails,)
        return all(self.outline.before.get(self._key(event), present) <= present for event in events if event)

    def _ask_value(self, event: Event, alternatives: Alternatives) -> int:
        if event.place is None or type(alternatives) is tuple:
            chosen = self.outline.choices.get((*self._key(event)[:2], False), 0)
            return list(alternatives).index(chosen)
        if not event.writes:
            wanted = self._wanted(event)
            other = len(alternatives) - 1 if self.attempt & 2 else 0
            return next((n for n, store in enumerate(alternatives) if self._store_key(store) == wanted), other)
        fitting = [n for n, each in enumerate(alternatives) if self._fits(event, each)]
        feeding = [n for n in fitting if type(alternatives[n]) is not int]
        return (feeding or fitting or [0])[0]

    def _key(self, event: Event) -> _Key:
        assert self._memo is not None
        return key_of(self._memo, event)

    def _store_key(self, store: int) -> _Key | None:
        return None if store == INITIAL else self._key(self._walk.graph.events[store])

    def _wanted(self, event: Event) -> _Key | None:
        return self.outline.sources.get((self._key(event), next(parts_of(event.place))))

    def _fits(self, event: Event, alternative: Any) -> bool:
        """Whether a place of a store is in the order of the outline, and so is the load that it feeds, if any."""
        graph, part, place = self._walk.graph, next(parts_of(event.place)), alternative
        if type(alternative) is not int:
            graph, read, place = alternative
            if self._wanted(graph.events[read]) != self._key(event):
                return False
        ranks, events = self.outline.ranks, self._walk.graph.events
        own = ranks.get((self._key(event), part), 0)
        stores = [store for store in graph.stores_to(event.place) if store != event.id]
        return all(
            (ranks.get((self._key(events[store]), part), -1) < own) == (number < place)
            for number, store in enumerate(stores)
        )


def repeated(program: Program, machine: Machine, info: ExecutionInfo, outline: Outline, digest: str) -> Trace | None:
    """Return the trace of the graph of `outline`, with a schedule that leads to it; None if no way to it was found.

    Args:
        program: The program.
        machine: The machine.
        info: What the execution's scheduler would be told.
        outline: The graph.
        digest: The digest of its trace.
    """
    for attempt in range(_ATTEMPTS):
        made = _Leading(program, machine, _Led(), info)
        made.outline, made.attempt = outline, attempt
        try:
            made.begin()
            trace = made.result()
        finally:
            made.close()
        if trace.digest == digest:
            return trace
    return None
