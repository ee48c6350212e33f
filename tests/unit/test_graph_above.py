"""What a graph keeps of the order is what the order is, however the graph has grown."""

from __future__ import annotations

import pytest
from graph_enumeration import graphs_of, key_of, searched
from graph_programs import shape

from simaie import Machine, Program, ins
from simaie.host.graph import bounds
from simaie.host.graph.order import all_predecessors
from simaie.host.graph.worlds import ancestors

X, Y, Z = 0x100, 0x200, 0x300
#: Stores that get places between others, and reads of others than the newest.
TWISTED = Program("twisted", isa="x86", threads=[
    [ins("store", X, 1), ins("load", Y, into="r"), ins("store", X, 2)],
    [ins("store", Y, 1), ins("load", X, into="s"), ins("store", Y, 2)],
    [ins("load", X, into="t"), ins("store", Y, 3)],
])  # fmt: skip
#: A load that is fed by a store which a later load of its vCPU decides.
FED_FROM_BEHIND = Program("fed", isa="aarch64", threads=[
    [ins("ldr", X, into="r"), ins("ldr", Y, into="s"), ins("str_", Z, "s"), ins("ldr", X, into="t")],
    [ins("ldr", Z, into="u"), ins("str_", X, "u"), ins("str_", Y, 1), ins("str_", Y, 2)],
])  # fmt: skip
CASES = [
    (shape("SBQ"), "cas:barriers=none"),
    (shape("MPQ"), "aie-rfc:barriers=none,inner_nodes=raced"),
    (TWISTED, "native"),
    (FED_FROM_BEHIND, "native"),
]


@pytest.mark.parametrize(("program", "scheme"), CASES, ids=lambda each: getattr(each, "name", each))
def test_what_is_kept_is_all_that_is_before_an_event(program, scheme):
    kept = 0
    for graph in graphs_of(program, Machine(scheme, host="armv8"))[1]:
        above = ancestors(all_predecessors(graph), graph.mask)
        assert graph.above == {number: above[number] for number in graph.above}
        kept += len(graph.above)
    assert kept


@pytest.mark.parametrize(("program", "scheme"), CASES, ids=lambda each: getattr(each, "name", each))
def test_a_search_that_keeps_nothing_finds_the_same_graphs_in_the_same_order(program, scheme, monkeypatch):
    machine = Machine(scheme, host="armv8")
    found = searched(program, machine)[1]
    monkeypatch.setattr(bounds, "can_keep", lambda graph: False)
    assert [key_of(graph) for graph in graphs_of(program, machine)[1]] == found
