"""Generated traces for checkers that judge whole histories: instructions, blocks and LL/SC, in any interleaving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handmade import Tape
from hypothesis import strategies as st

from simaie.block import Block
from simaie.check.transactions import Transactions
from simaie.op import Kind, Op
from simaie.trace import AccessKind, Trace

PLACES = [(0x100, 4), (0x104, 4), (0x108, 4)]
MIXED = [(0x100, 4), (0x102, 2), (0x104, 4), (0x100, 8)]

#: An instruction: its kind, and the places of its operations, one after the other.
Shape = tuple[str, list[tuple[int, int]]]


def shapes(places: Sequence[tuple[int, int]]) -> st.SearchStrategy[Shape]:
    return st.tuples(
        st.sampled_from(["load", "store", "rmw", "rmw", "fetch", "failed-cas", "ll", "sc", "sc"]),
        st.lists(st.sampled_from(list(places)), min_size=1, max_size=2),
    )


def threads(places: Sequence[tuple[int, int]] = PLACES, size: int = 5) -> st.SearchStrategy[list[list[Shape]]]:
    return st.lists(st.lists(shapes(places), min_size=1, max_size=size), min_size=2, max_size=3)


def operations(shape: Shape) -> list[tuple[Kind, int, int]]:
    """The operations of an instruction, each with its place."""
    kind, places = shape
    one = {
        "load": [Kind.LOAD], "store": [Kind.STORE], "rmw": [Kind.LOAD, Kind.STORE], "fetch": [Kind.FETCH],
        "failed-cas": [Kind.CAS], "ll": [Kind.LOAD], "sc": [Kind.STORE],
    }[kind]  # fmt: skip
    if kind in ("ll", "sc"):
        places = places[:1]
    return [(k, *place) for place in places for k in one]


_ACCESS = {
    "load": AccessKind.LOAD, "store": AccessKind.STORE, "rmw": AccessKind.PLAIN_RMW, "fetch": AccessKind.ATOMIC,
    "failed-cas": AccessKind.ATOMIC, "ll": AccessKind.LOAD_LINKED, "sc": AccessKind.STORE_CONDITIONAL,
}  # fmt: skip


def interleaved(
    code: Sequence[Sequence[Shape]], picks: Sequence[int], blocks: Sequence[tuple[int, int, int]] = ()
) -> Trace:
    """The trace of `code` in the order of `picks`. blocks: (vCPU, first instruction, how many), which may be nested."""
    tape = Tape()
    pending: list[list[tuple[Shape, int, tuple[Kind, int, int]]]] = [
        [(shape, n, op) for shape in thread for n, op in enumerate(operations(shape))] for thread in code
    ]
    for pick in [*picks, *[0] * sum(map(len, pending))]:
        left = [number for number, thread in enumerate(pending) if thread]
        if not left:
            break
        vcpu = left[pick % len(left)]
        shape, n, (kind, address, width) = pending[vcpu].pop(0)
        name = str(vcpu)
        if n == 0:
            tape.begin(name, _ACCESS[shape[0]], shape[0], address, width)
        value: Any = {Kind.CAS: 1}.get(kind, 0)
        tape.op(name, Op(kind, None, address, width, value=7, expected=0), value)
    marked = [Block(str(vcpu % len(code)), f"b{vcpu}", first, first + count) for vcpu, first, count in blocks]
    return tape.trace(blocks=tuple(sorted(_laminar(marked), key=lambda b: (b.vcpu, b.first))))


def _laminar(blocks: list[Block]) -> list[Block]:
    """Those that, in order, do not cross one before."""
    kept: list[Block] = []
    for block in sorted(blocks, key=lambda b: (b.vcpu, b.first, -(b.after or 0))):
        crosses = any(
            other.vcpu == block.vcpu and other.after is not None and block.after is not None
            and other.first < block.after and block.first < other.after < block.after
            for other in kept
        )  # fmt: skip
        if not crosses:
            kept.append(block)
    return kept


def all_pairs_cycle(found: Transactions) -> bool:
    """Whether the conflict graph of all pairs has a cycle: by definition, in quadratic time."""
    graph: dict[int, set[int]] = {number: set() for number in range(len(found.all))}
    for i, a in enumerate(found.accesses):
        for j, b in enumerate(found.accesses[i + 1 :], i + 1):
            s, t = found.of[i], found.of[j]
            same_vcpu = found.all[s].vcpu == found.all[t].vcpu
            overlap = a.address < b.address + b.width and b.address < a.address + a.width
            if s != t and not same_vcpu and overlap and (a.writes or b.writes):
                graph[s].add(t)
    for s, one in enumerate(found.all):
        graph[s] |= {t for t, two in enumerate(found.all) if one.vcpu == two.vcpu and one.last < two.first}
    while leaves := {node for node, following in graph.items() if not following & graph.keys()}:
        graph = {node: following for node, following in graph.items() if node not in leaves}
    return bool(graph)
