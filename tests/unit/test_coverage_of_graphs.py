"""Coverage on hosts of execution graphs: graphs are counted, whatever the order of their events in a trace."""

from __future__ import annotations

import msgspec
import pytest
from graph_programs import SHAPES, X, load, shape, store
from simaie_schedulers.coverage_guided import CoverageGuided, _handoffs_of

import simaie
from simaie import Machine, Program
from simaie.engine.graph.search import GraphSearch
from simaie.exploration.canonical import trace_digest
from simaie.exploration.probes import InterleavingProbe, TraceProbe


def covered(program, scheduler, scheme="native", executions=10_000):
    machine = Machine(scheme, host="armv8", address_bits=47)
    report = simaie.explore(
        program, machine, scheduler=scheduler, executions=executions, failures=None, checkers=(), coverage=True
    )
    return report.statistics.executions, report.statistics.coverage


def traces_of(threads):
    search = GraphSearch(Program("p", isa="x86", threads=threads), Machine("native", host="armv8"))
    while search.advance():
        yield search.trace()


@pytest.mark.parametrize(
    ("name", "scheme", "count"),
    [("IRIW", "native", 16), ("2+2W", "native", 4), ("LBQ", "aie-rfc:barriers=none,inner_nodes=raced", 14)],
)
def test_a_search_covers_as_many_as_it_visits(name, scheme, count):
    executions, coverage = covered(shape(name), "dpor", scheme)
    assert (executions, coverage.traces, coverage.traced) == (count, count, count)
    assert coverage.counts == "graphs"


def test_random_executions_cover_the_graphs_of_the_search_and_no_more():
    _, coverage = covered(shape("R"), "random-walk", executions=100)
    assert coverage.traces == 4


def swapped(trace, first):
    """The same graph, with the steps `first` and the next one in the other order."""
    place = list(range(len(trace)))
    place[first], place[first + 1] = first + 1, first
    graph, other = trace.graph, simaie.Trace.__new__(simaie.Trace)
    other.__dict__.update(trace.complete().__dict__)
    other.events = [trace.events[step] for step in place]
    new = {step: number for number, step in enumerate(place)} | {-1: -1}
    other.graph = msgspec.structs.replace(
        graph,
        numbers=tuple(graph.numbers[step] for step in place),
        sources=tuple(sorted((new[read], new[store]) for read, store in graph.sources)),
        coherence=tuple(tuple(new[step] for step in stores) for stores in graph.coherence),
    )
    return other


def test_the_order_of_the_events_of_a_vcpu_makes_no_other_graph():
    """Of MP where both loads read the initial values, either load may come first in the trace."""
    (trace,) = [each for each in traces_of(SHAPES["MP"]) if [store for _, store in each.graph.sources] == [-1, -1]]
    first = next(step for step, event in enumerate(trace.events) if event.actor == "1")
    other = swapped(trace, first)
    assert [str(event) for event in other.events] != [str(event) for event in trace.events]
    assert trace_digest(other) == trace_digest(trace)
    assert _handoffs_of(other.graph, other.events) == _handoffs_of(trace.graph, trace.events)


def test_a_store_that_a_load_reads_and_the_order_of_stores_make_another_graph():
    (first, *_) = traces_of([[store(X), store(X, 2)], [store(X, 3)], [load(X, "r")]])
    graph = first.graph
    ((read, source),), (chain,) = graph.sources, graph.coherence
    elsewhere = next(step for step in chain if step != source)
    digests = [trace_digest(first)]
    for changed in ({"sources": ((read, elsewhere),)}, {"coherence": (chain[::-1],)}):
        first.graph = msgspec.structs.replace(graph, **changed)
        digests.append(trace_digest(first))
    assert len(set(digests)) == 3


def test_guided_executions_are_guided_by_graphs():
    """The four graphs of MP are four fingerprints: which of its loads read the initial value."""
    scheduler = CoverageGuided()
    for trace in traces_of(SHAPES["MP"]):
        scheduler._taken = ["0"]
        scheduler._count(trace)
    assert len(scheduler._seen) == len(scheduler._parents) == 4
    assert covered(shape("MP"), "coverage-guided", executions=80)[1].traces == 4


@pytest.mark.untraced
def test_probes_estimate_the_decisions_and_claim_nothing_about_graphs():
    """A walk of a probe is one execution of `dfs`, with its decisions; no linear trace stands for a graph."""
    machine, options = Machine("native", host="armv8"), {"failures": None, "checkers": ()}
    every = simaie.explore(shape("MP"), machine, scheduler="dfs", executions=10_000, **options)
    assert every.complete
    probes = InterleavingProbe(), TraceProbe()
    for probe in probes:
        simaie.explore(shape("MP"), machine, scheduler=probe, executions=200, **options)
    total = probes[0].size().total
    assert total.low <= every.executions <= total.high
    assert (probes[1].size().hits, probes[1].size().total) == (0, None)
