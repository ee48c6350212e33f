"""What must be in a graph for an event to be what it is, while the graph changes: nothing stale is remembered."""

from __future__ import annotations

from simaie.host.armv8 import Armv8
from simaie.host.graph.above import all_before
from simaie.host.graph.event import INITIAL, Event
from simaie.host.graph.graph import Graph
from simaie.host.graph.order import predecessors
from simaie.host.graph.prefix import prefix
from simaie.host.rvwmo import Rvwmo

_STRIDE = 64
_PLACE = (0x100, 4)


def event(vcpu, index, *, writes=False, after=(), reads_before=()):
    """An event of a vCPU that is ordered behind the events `after` of it."""
    made = Event(vcpu, index, _STRIDE, writes=writes, place=_PLACE)
    made.order = sum(1 << each.id for each in after)
    made.reads_before = reads_before
    made.reads_since = sum(1 << each.id for each in reads_before)
    return made


def graph_of(model, *events):
    """A graph to which the events were added in this order; each store is the newest, and reads have no source."""
    graph = Graph(model, [])
    for each in events:
        graph.add(each)
        if each.writes:
            graph.stores_to(_PLACE).append(each.id)
    return graph


def mask(*events):
    return sum(1 << each.id for each in events)


def test_an_event_that_comes_again_with_another_order_has_another_prefix():
    first = event(0, 0)
    later = event(0, 2, after=(first,))
    graph = graph_of(Armv8(), first, later)
    graph.read_from(first.id, INITIAL)
    graph.read_from(later.id, INITIAL)
    assert prefix(graph, later.id)[0] == mask(first, later)
    again = event(0, 2)
    graph.replace(again)
    assert prefix(graph, again.id)[0] == mask(again)


def test_a_read_that_read_another_store_than_a_later_one_is_before_it_and_not_in_its_prefix():
    """Rule 2 of RVWMO orders the two reads of one place; which store the earlier one reads may still change."""
    store = event(1, 1, writes=True)
    first = event(0, 0)
    second = event(0, 2, reads_before=(first,))
    graph = graph_of(Rvwmo(), store, first, second)
    graph.read_from(second.id, store.id)
    for source, before in [(store.id, mask(store)), (INITIAL, mask(store, first))]:
        graph.read_from(first.id, source)
        assert predecessors(graph, second) == before
        assert prefix(graph, second.id)[0] == mask(store, second)
        graph.unread(first.id)


def test_an_event_that_comes_again_with_another_order_has_another_past():
    first = event(0, 0)
    later = event(0, 2, after=(first,))
    graph = graph_of(Armv8(), first, later)
    graph.read_from(first.id, INITIAL)
    graph.read_from(later.id, INITIAL)
    assert all_before(graph, mask(later)) == mask(first, later)
    graph.replace(event(0, 2))
    assert all_before(graph, mask(later)) == mask(later)


def test_a_read_that_has_another_source_has_another_past_and_is_before_other_stores():
    store = event(1, 1, writes=True)
    read = event(0, 0)
    graph = graph_of(Armv8(), store, read)
    for source, past in [(store.id, mask(store, read)), (INITIAL, mask(read)), (store.id, mask(store, read))]:
        graph.read_from(read.id, source)
        assert all_before(graph, mask(read)) == past
        assert all_before(graph, mask(store)) == mask(store) | (0 if source == store.id else mask(read))
        graph.unread(read.id)


def test_a_store_that_goes_between_others_is_before_the_later_one():
    old, new, between = (event(vcpu, 1, writes=True) for vcpu in range(3))
    graph = graph_of(Armv8(), old, new)
    assert all_before(graph, mask(new)) == mask(old, new)
    graph.add(between)
    graph.insert(between, 1)
    assert all_before(graph, mask(new)) == mask(old, new, between)
