"""The hosts of execution graphs keep their contract, and memories that break it are caught."""

from __future__ import annotations

import pytest

from simaie.host.armv8 import Armv8, Armv8Memory
from simaie.host.graph.memory import GraphMemory
from simaie.host.graph_reference import GraphScMemory, GraphTsoMemory
from simaie.host.rvwmo import RvwmoMemory
from simaie.testing import check_graph_memory


@pytest.mark.parametrize("memory", [Armv8Memory, RvwmoMemory, GraphScMemory, GraphTsoMemory])
def test_it_keeps_the_contract(memory):
    check_graph_memory(memory)


class _NoFences(Armv8):
    def fence(self, past, orders, control, form):
        """Ignore it."""


class _NoAcquire(Armv8):
    def add(self, past, event, depends):
        past.add(event)


class _NoDependencies(Armv8):
    def order_of(self, past, event, depends):
        return past.full | past.before_loads | (past.to_place.get(event.place, 0) if event.writes else 0)




def _with(model):
    class Memory(GraphMemory):
        def __init__(self, endian="little"):
            super().__init__(endian)
            self.model = model()

    return Memory


@pytest.mark.parametrize(
    ("model", "what"),
    [(_NoFences, "SB reaches .*full barriers"), (_NoAcquire, "release and acquire"), (_NoDependencies, "reaches")],
)
def test_a_model_that_orders_too_little_is_caught(model, what):
    with pytest.raises(AssertionError, match=what):
        check_graph_memory(_with(model))


def test_a_memory_that_promises_too_much_is_caught():
    class Memory(Armv8Memory):
        order = GraphTsoMemory.order

    with pytest.raises(AssertionError, match="although the memory promises"):
        check_graph_memory(Memory)
