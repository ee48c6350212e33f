"""All execution graphs of a small program, found without the search: all histories, all sources, all orders of stores.

What is shared with the search is the memo, which says what a vCPU does after which results, and the local order of the
memory model. Everything else is done again by brute force: a graph is what the axioms allow.
"""

from __future__ import annotations

import functools
import itertools
import math

from simaie.engine.graph.again import repeated
from simaie.engine.graph.attributes import ATOMICS
from simaie.engine.graph.growing import initial_value
from simaie.engine.graph.layout import BeginAnew
from simaie.engine.graph.search import GraphSearch
from simaie.engine.graph.walk import Walk
from simaie.host.graph.consistency import has_cycle
from simaie.host.graph.event import INITIAL
from simaie.host.graph.graph import Graph
from simaie.host.graph.linear import linear, source_in
from simaie.host.graph.revisit import revisits
from simaie.machine import Machine
from simaie.op import Kind
from simaie.protocols import ExecutionInfo

_TOO_MANY = 60_000
#: Rounds in which loads return what was stored in the round before; a counter would need more and more.
_ROUNDS = 8


class TooManyError(Exception):
    """A program has more candidates than a test can try."""


def key_of(graph):
    """What tells graphs apart: sources, orders of stores, and results of store-conditionals."""
    return (
        frozenset(graph.source.items()),
        frozenset((str(place), tuple(stores)) for place, stores in graph.coherence.items() if stores),
        frozenset((number, event.choice) for number, event in graph.events.items() if event.choice >= 0),
    )


def graphs_of(program, machine: Machine):
    """The search, and the graphs that it finds."""
    search = GraphSearch(program, machine)
    found = []
    while True:
        try:
            if not search.advance():
                return search, found
            found.append(search.graph[0])
        except BeginAnew:
            found.clear()


def searched(program, machine: Machine):
    """The search, and the keys of the graphs that it finds."""
    search, found = graphs_of(program, machine)
    return search, [key_of(graph) for graph in found]


def enumerated(search: GraphSearch, values=()):
    """The keys of all graphs that the model allows.

    Args:
        search: A search that is exhausted.
        values: What loads return only, of whatever place; empty: the values that are initial or stored there.
    """
    memo = search._memo
    histories = _histories_of_all(memo, values)
    if math.prod(len(each) for each in histories) > _TOO_MANY:
        raise TooManyError
    found = set()
    tried = 0
    for chosen in itertools.product(*histories):
        events = {event.id: event for history in chosen for event, _ in history}
        wanted = {event.id: value for history in chosen for event, value in history if value is not None}
        if not all(_is_found(memo, events, events[read].place, value) for read, value in wanted.items()):
            continue
        for graph in _graphs(memo, events, wanted):
            tried += 1
            if tried > _TOO_MANY:
                raise TooManyError
            if _is_coherent(graph) and _is_atomic(graph) and not has_cycle(graph):
                found.add(key_of(graph))
    return found


def _empty(memo):
    graph = Graph(memo.model, [], pieces=memo.layout.has_pieces)
    graph.whole = True
    return graph


def _histories_of_all(memo, values):
    """Every history of each vCPU; if `values` is empty, loads return what is stored to their place in one of them."""
    walk = Walk(memo, _empty(memo), lambda graph: None, 1000)
    stored = {}
    for _ in range(_ROUNDS):
        found = [_histories(walk, vcpu, actor.start, values, stored) for vcpu, actor in enumerate(memo.actors)]
        events = [event for each in found for history in each for event, _ in history]
        more = {(event.place, event.value) for event in events if event.writes}
        if values or all(value in stored.get(place, ()) for place, value in more):
            return found
        for place, value in more:
            stored.setdefault(place, set()).add(value)
    raise TooManyError


def _is_found(memo, events, place, value):
    """Whether a place has a value, at first or by one of these events."""
    return initial_value(memo, place) == value or any(
        event.writes and event.place == place and event.value == value for event in events.values()
    )


def _histories(walk, vcpu, start, values, stored):
    """Every history of a vCPU: its events, each read with the value that it returns."""
    found = []

    def options(place):
        return values or sorted({initial_value(walk._memo, place), *stored.get(place, ())})

    def go(node, events):
        if len(found) > _TOO_MANY:
            raise TooManyError
        if node.op is None:
            found.append(events)
            return
        label, kind = node.label, node.op.kind
        if kind is Kind.STORE_CONDITIONAL and label.stores:
            go(walk.following(vcpu, node, 1), [*events, *((event, None) for event in label.stores)])
            go(walk.following(vcpu, node, 0), [*events, (label.fails, None)])
        elif label.reads:
            for each in itertools.product(*(options(event.place) for event in label.reads)):
                more = list(zip(label.reads, each, strict=True))
                (pieces, _), = label.groups
                result = label.layout.joined(pieces, each)
                if kind in ATOMICS:
                    more += [(event, None) for event in label.write(result).events]
                go(walk.following(vcpu, node, result), [*events, *more])
        else:
            result = 0 if kind is Kind.STORE_CONDITIONAL else None
            go(walk.following(vcpu, node, result), [*events, *((event, None) for event in label.stores)])

    go(walk.following(vcpu, start, None), [])
    return found


def _graphs(memo, events, wanted):
    """Every graph of these events in which each read returns what is wanted."""
    places = {}
    for event in events.values():
        if event.writes:
            places.setdefault(event.place, []).append(event.id)
    sources = []
    for read, value in wanted.items():
        place = events[read].place
        options = [store for store in places.get(place, []) if events[store].value == value]
        options += [INITIAL] if initial_value(memo, place) == value else []
        sources.append([(read, option) for option in options])
    orders = [[(place, order) for order in itertools.permutations(stores)] for place, stores in places.items()]
    for source in itertools.product(*sources):
        for order in itertools.product(*orders):
            graph = _empty(memo)
            graph.events = dict(events)
            graph.added = sorted(events)
            graph.mask = sum(1 << number for number in events)
            graph.coherence = {place: list(stores) for place, stores in order}
            for read, store in source:
                graph.read_from(read, store)
            yield graph


def _is_coherent(graph):
    """Whether the accesses of each vCPU to one place go forward in its order of stores."""
    last = {}
    for number in sorted(graph.events):
        event = graph.events[number]
        if event.place is None:
            continue
        stores = graph.coherence.get(event.place, [])
        store = number if event.writes else graph.source[number]
        at = -1 if store == INITIAL else stores.index(store)
        before = last.get((event.vcpu, event.place), (-1, True))
        if at < before[0] or (event.writes and at == before[0]):
            return False
        if not event.writes and store != INITIAL:
            own = graph.events[store]
            if own.vcpu == event.vcpu and own.index > event.index:
                return False
        last[event.vcpu, event.place] = at, event.writes
    return True


def _is_atomic(graph):
    """Whether no store of another vCPU comes between the read and the write of a pair."""
    for event in graph.events.values():
        if event.pair < 0:
            continue
        stores = graph.coherence[event.place]
        source = graph.source[event.base + event.pair]
        first = -1 if source == INITIAL else stores.index(source)
        if any(graph.events[store].vcpu != event.vcpu for store in stores[first + 1 : stores.index(event.id)]):
            return False
    return True


def all_revisits(program, machine: Machine, monkeypatch):
    """The keys of the graphs that a search finds which revisits wherever it can, and knows what it has been at."""
    seen = {}

    class Remembering(Walk):
        def __init__(self, memo, graph, others, limit, enough):
            def unless_seen(other):
                key = key_of(other), other.mask, tuple(sorted(other.forced.items()))
                known = seen.setdefault(memo, set())  # a search that begins anew has another memo
                if key not in known:
                    known.add(key)
                    others(other)

            super().__init__(memo, graph, unless_seen, limit, enough)

    with monkeypatch.context() as patched:
        patched.setattr("simaie.engine.graph.search.Walk", Remembering)
        for module in ("growing", "stepper"):
            everything = functools.partial(revisits, everything=True)
            patched.setattr(f"simaie.engine.graph.{module}.revisits", everything)
        return set(searched(program, machine)[1])


def explained(program, machine: Machine, every: int, count: int) -> int:
    """Check that a linear order explains each value of each graph, and that decisions lead there; return a new count.

    Args:
        program: The program.
        machine: The machine.
        every: Decisions are looked for of one in `every` graphs.
        count: The number of graphs before.
    """
    search = GraphSearch(program, machine)
    while True:
        try:
            if not search.advance():
                return count
        except BeginAnew:
            continue
        graph, _ = search.graph
        order = linear(graph)
        assert all(source_in(graph, order, number) == graph.source[event]
                   for number, event in enumerate(order) if event in graph.source)  # fmt: skip
        trace, info = search.trace().complete(), ExecutionInfo(0, 0, len(program.threads))
        count += 1
        if count % every == 0:
            again = repeated(program, machine, info, search.outline(graph), trace.digest)
            assert again is not None
            assert again.digest == trace.digest
