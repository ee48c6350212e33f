"""Accesses that take effect out of program order: traces number and source them, and every view marks them."""

from __future__ import annotations

import copy
import json

import msgspec
import pytest
from graph_programs import SHAPES, X, Y, load, store

import simaie
from simaie import Machine, Program
from simaie.decision import Schedule, Switch
from simaie.engine.graph.search import GraphSearch
from simaie.errors import ReplayError
from simaie.execution_graph import overtaken
from simaie.op import Kind
from simaie.replaying.recorded import recorded
from simaie.show.picture.document import page_document
from simaie.show.picture.subject import subject_of
from simaie.show.reordered import early_accesses, reorderings
from simaie.show.trace_end import ending_fields
from simaie.show.trace_json import trace_document
from simaie.show.trace_table import trace_table


def failing(name, threads, forbidden, scheme="cas:barriers=none", **options):
    """The first execution on armv8 whose registers are `forbidden`."""

    def accepts(final):
        return dict(final.registers.items()) != forbidden

    program = Program(name, isa="x86", threads=threads, final=accepts)
    report = simaie.explore(program, Machine(scheme, host="armv8"), **{"scheduler": "dpor", **options})
    return report.failures[0]


@pytest.fixture(scope="module", name="mp")
def fixture_mp():
    return failing("MP", SHAPES["MP"], {"1:r": 1, "1:s": 0})


def traces_of(threads):
    search = GraphSearch(Program("p", isa="x86", threads=threads), Machine("native", host="armv8"))
    while search.advance():
        yield search.trace()


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ([0, 1, 2], []),
        ([1, 0, 2], [(0, (1,))]),
        ([2, 0, 3, 1], [(0, (1, 3)), (2, (3,))]),
        ([2, 1, 0], [(0, (1, 2)), (1, (2,))]),
    ],
)
def test_a_step_overtakes_the_later_steps_of_earlier_operations(numbers, found):
    assert list(overtaken(list(enumerate(numbers)))) == found


@pytest.mark.parametrize("name", ["MP", "LB", "2+2W", "WRC"])
def test_a_trace_numbers_each_operation_of_a_vcpu_and_names_the_store_that_each_read_read(name):
    for trace in traces_of(SHAPES[name]):
        for vcpu, code in enumerate(SHAPES[name]):
            own = [n for event, n in zip(trace.events, trace.graph.numbers, strict=True) if event.actor == str(vcpu)]
            assert sorted(own) == list(range(len(code)))
        reads = [step for step, event in enumerate(trace.events) if event.op.kind is Kind.LOAD]
        assert [read for read, _ in trace.graph.sources] == reads
        for read, source in trace.graph.sources:
            assert trace.events[read].value == (0 if source < 0 else trace.events[source].op.value)


def test_stores_to_one_place_are_in_coherence_order():
    for trace in traces_of(SHAPES["2+2W"]):
        assert all(list(stores) == sorted(stores) for stores in trace.graph.coherence)
        assert len(trace.graph.coherence) == 2


def test_a_host_without_graphs_has_no_graph():
    report = simaie.explore(Program("p", isa="x86", threads=[[store(X)]], final=lambda final: False), Machine())
    trace = report.failures[0].trace
    assert trace.graph is None
    assert not early_accesses(trace)
    assert "operation" not in trace_document(trace)["events"][0]


def test_what_took_effect_early_is_marked_in_every_view_with_the_reason(mp):
    trace = mp.trace
    ((step, (late,)),) = early_accesses(trace).items()
    assert trace.events[step].actor == trace.events[late].actor
    assert trace.graph.numbers[late] < trace.graph.numbers[step]
    rows = trace_table(trace).rows
    assert [row.step for row in rows if row.early] == [step]
    document = page_document(subject_of(mp))
    assert [row[2] for row in document["rows"] if len(row) > 7] == [step]
    assert [f for f in document["findings"] if f["steps"]], "the findings about the outcome name what was reordered"
    slices = [each for each in json.loads(mp.to_perfetto())["traceEvents"] if "before" in each.get("args", ())]
    assert [each["args"]["before"] for each in slices] == [[late] if n == step else [] for n in range(len(trace))]
    events = trace_document(trace)["events"]
    assert [event["before"] for event in events] == [each["args"]["before"] for each in slices]
    assert [(n, s) for n, event in enumerate(events) for s in event["reads_from"]] == list(trace.graph.sources)
    assert mp.to_svg().count(">^<") == 2, "the legend and the step"
    (reason,) = [value for label, value in ending_fields(trace) if label == "reordered"]
    assert "nothing orders" in reason
    assert "armv8" in reason
    assert reason in mp.explain()


def test_a_load_that_returns_what_its_vcpu_has_yet_to_store_is_told_apart():
    """SB with a load of the own store between: ordered loads leave no other way to (1, 0, 1, 0)."""
    threads = [[store(X), load(X, "r"), load(Y, "s")], [store(Y), load(Y, "r"), load(X, "s")]]
    failure = failing("SB+rfis", threads, {"0:r": 1, "0:s": 0, "1:r": 1, "1:s": 0}, "cas:barriers=ld-ld")
    forwarded = [words for words in reorderings(failure.trace) if "returns what the vCPU itself stores" in words]
    assert forwarded


def test_the_decisions_of_a_schedule_are_no_steps_of_the_trace():
    trace = copy.copy(next(traces_of(SHAPES["LB"])))
    trace.schedule = Schedule((Switch(1, "1"),), ())
    assert not any(row.switched for row in trace_table(trace).rows)
    trace.graph = None
    assert any(row.switched for row in trace_table(trace).rows)


def test_a_copy_and_a_recorded_trace_have_the_graph(mp, tmp_path):
    trace = next(traces_of(SHAPES["LB"]))
    assert copy.copy(trace).graph == trace.graph
    path = mp.save(tmp_path / "mp.json")
    held = recorded(path)
    assert held.trace.graph == mp.trace.graph
    assert reorderings(held.trace) == reorderings(mp.trace)


@pytest.mark.parametrize(("field", "value"), [("numbers", [0]), ("sources", [[0, 99]]), ("coherence", [[-1, 0]])])
def test_a_recorded_graph_of_other_steps_is_refused(mp, tmp_path, field, value):
    path = mp.save(tmp_path / "mp.json")
    content = msgspec.json.decode(path.read_bytes())
    content["trace"]["graph"][field] = value
    path.write_bytes(msgspec.json.encode(content))
    with pytest.raises(ReplayError, match="graph"):
        recorded(path)


def test_only_some_of_many_reorderings_are_told():
    """Each of 6 loads may overtake the first one; the rest of the clauses is counted."""
    threads = [[load(X, "a"), *[load(Y + 8 * n, f"r{n}") for n in range(6)]], [store(X)]]
    numbers = [6, 5, 4, 3, 2, 1, 0]
    trace = next(traces_of(threads))
    own = iter(numbers)
    order = tuple(next(own) if event.actor == "0" else 0 for event in trace.events)
    trace.graph = msgspec.structs.replace(trace.graph, numbers=order)
    *told, rest = reorderings(trace)
    assert len(told) == 3
    assert rest.startswith("3 more")
