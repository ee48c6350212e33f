"""The conformance suite for host memories whose executions are graphs.

It checks the laws that hold on every such memory, whatever it reorders. Accesses to one place are coherent. Full
barriers, and the orders that the memory promises, forbid what they must; stores become visible to all other vCPUs at
once. A load-acquire that reads from a store-release synchronises with it. Atomics are atomic, and no value comes out of
thin air. There is an order in which all events take effect one by one. As a `HostMemory` it is sequentially consistent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from simaie.barrier import Barrier
from simaie.engine.graph.layout import BeginAnew
from simaie.engine.graph.search import GraphSearch
from simaie.guest.code import Ins, ins
from simaie.guest.program import Program
from simaie.host.graph.consistency import has_cycle
from simaie.host.graph.graph import Graph
from simaie.host.graph.linear import linear, source_in
from simaie.host.graph.memory import GraphMemory
from simaie.host.ram import Endian
from simaie.machine import Machine
from simaie.testing.host_memories import check_host_memory
from simaie.trace import Outcome

__all__ = ["check_graph_memory"]

_X, _Y = 0x100, 0x200
_Threads = Sequence[Sequence[Ins]]

_LD_LD, _LD_ST, _ST_LD, _ST_ST = Barrier.LD_LD, Barrier.LD_ST, Barrier.ST_LD, Barrier.ST_ST


def check_graph_memory(factory: Callable[[Endian], GraphMemory]) -> None:
    """Check that host memories whose executions are graphs keep their contract.

    Args:
        factory: Makes a new memory for a byte order at each call.

    Raises:
        AssertionError: The memory breaks the contract; the message says what was promised and what happened.
    """
    check_host_memory(factory)
    promised = factory("little").order
    for name, threads, order, forbidden in _SHAPES:
        _forbids(factory, name, _fenced(threads, "full"), forbidden, "although full barriers are between the accesses")
        _forbids(factory, name, _fenced(threads, order.text), forbidden, f"although barriers keep {order.text}")
        if not order & ~promised:
            _forbids(factory, name, threads, forbidden, f"although the memory promises {order.text}")
    for name, threads, forbidden in _LAWS:
        _forbids(factory, name, threads, forbidden, "which no memory allows")


def _load(place: int, into: str, name: str = "ldr") -> Ins:
    return ins(name, place, into=into)


def _store(place: int, value: int | str, name: str = "str_") -> Ins:
    return ins(name, place, value)


_IS = dict[str, int]
#: Name, threads of two accesses, the orders that they need, and the outcome that these forbid.
_SHAPES: list[tuple[str, _Threads, Barrier, _IS]] = [
    ("SB", [[_store(_X, 1), _load(_Y, "r")], [_store(_Y, 1), _load(_X, "r")]], _ST_LD, {"0:r": 0, "1:r": 0}),
    ("MP", [[_store(_X, 1), _store(_Y, 1)], [_load(_Y, "r"), _load(_X, "s")]], _ST_ST | _LD_LD, {"1:r": 1, "1:s": 0}),
    ("LB", [[_load(_X, "r"), _store(_Y, 1)], [_load(_Y, "r"), _store(_X, 1)]], _LD_ST, {"0:r": 1, "1:r": 1}),
    ("2+2W", [[_store(_X, 1), _store(_Y, 2)], [_store(_Y, 1), _store(_X, 2)]], _ST_ST,
     {"[0x100]": 1, "[0x200]": 1}),
    ("IRIW", [[_store(_X, 1)], [_store(_Y, 1)], [_load(_X, "r"), _load(_Y, "s")], [_load(_Y, "r"), _load(_X, "s")]],
     _LD_LD, {"2:r": 1, "2:s": 0, "3:r": 1, "3:s": 0}),
    ("WRC", [[_store(_X, 1)], [_load(_X, "r"), _store(_Y, 1)], [_load(_Y, "r"), _load(_X, "s")]], _LD_ST | _LD_LD,
     {"1:r": 1, "2:r": 1, "2:s": 0}),
]  # fmt: skip
#: Name, threads, and an outcome that is impossible on every memory.
_LAWS: list[tuple[str, _Threads, _IS]] = [
    ("CoRR", [[_store(_X, 1)], [_load(_X, "r"), _load(_X, "s")]], {"1:r": 1, "1:s": 0}),
    ("CoWR", [[_store(_X, 1), _load(_X, "r")], [_store(_X, 2)]], {"0:r": 0}),
    ("CoWW", [[_store(_X, 1), _store(_X, 2)]], {"[0x100]": 1}),
    ("CoRW", [[_load(_X, "r"), _store(_X, 1)]], {"0:r": 1}),
    ("an atomic increment", [[ins("ldadd", _X, 1)], [ins("ldadd", _X, 1)]], {"[0x100]": 1}),
    ("exclusives", [[_load(_X, "r", "ldxr"), ins("stxr", _X, 1, into="s")], [_store(_X, 2), _load(_X, "r")]],
     {"0:r": 0, "0:s": 0, "1:r": 2, "[0x100]": 0}),
    ("thin air", [[_load(_X, "r"), _store(_Y, "r")], [_load(_Y, "r"), _store(_X, "r")]], {"0:r": 1}),
    ("release and acquire", [[_store(_X, 1), _store(_Y, 1, "stlr")], [_load(_Y, "r", "ldapr"), _load(_X, "s")]],
     {"1:r": 1, "1:s": 0}),
    ("release, then acquire", [[_store(_X, 1, "stlr"), _load(_Y, "r", "ldar")],
                               [_store(_Y, 1, "stlr"), _load(_X, "r", "ldar")]], {"0:r": 0, "1:r": 0}),
]  # fmt: skip


def _fenced(threads: _Threads, order: str) -> list[list[Ins]]:
    """Return the threads with a barrier before each access but the first."""
    return [[each for access in code for each in (ins("dmb", option=order), access)][1:] for code in threads]


def _forbids(
    factory: Callable[[Endian], GraphMemory], name: str, threads: _Threads, forbidden: _IS, why: str
) -> None:
    for outcome, graph in _executions(factory, name, threads):
        reached = all(outcome.as_dict().get(place) == value for place, value in forbidden.items())
        assert not reached, f"{name} reaches {outcome}, {why}"
        assert not has_cycle(graph), f"{name}: a graph whose order has a cycle was allowed"
        _check_linear(name, graph)


def _check_linear(name: str, graph: Graph) -> None:
    order = linear(graph)
    for number, event in enumerate(order):
        if event in graph.source:
            explained = source_in(graph, order, number) == graph.source[event]
            assert explained, f"{name}: no order in which stores take effect explains what {graph.events[event]} read"


def _executions(
    factory: Callable[[Endian], GraphMemory], name: str, threads: _Threads
) -> Iterator[tuple[Outcome, Graph]]:
    program = Program(name, isa="aarch64", threads=[list(code) for code in threads], watch={_X: 4, _Y: 4})
    search = GraphSearch(program, Machine("native", host=factory))
    try:
        while True:
            try:
                if not search.advance():
                    return
            except BeginAnew:
                continue
            assert search.graph is not None
            yield search.trace().outcome, search.graph[0]
    finally:
        search.close()
