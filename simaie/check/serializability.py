"""Conflict serializability: whether a serial order of the transactions leads to the same conflicts.

`simaie.check.transactions` defines a transaction, `simaie.check.conflict_graph` is the algorithm. A finding is a cycle
of the conflict graph, each edge with its two operations; there is one finding for each knot of cycles. If two
operations of one transaction have a foreign one between them, the finding shows these three, labelled with the pattern.
All equivalent executions have the same graph. They also get the same findings, since the evidence is selected in an
order that they share (`simaie.check.order`).

`serializability` judges every guest instruction, so it also finds what an instruction set never guaranteed: an x86
read-modify-write without LOCK is a transaction that others may interrupt. Therefore it runs only on request.
`atomic_blocks` judges the blocks that the guest declares atomic, and finds nothing without such a block. A block around
a retry loop (load-linked, store-conditional, again) is interrupted by any write that makes it retry: put one attempt in
the block, not the loop.

Stores to a location that no operation reads in between (W-W-W) form a cycle too, by the definition of conflicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from simaie.check.conflict_graph import Graph, components, conflict_graph, short_cycle, shorten_cycle
from simaie.check.order import canonical_places
from simaie.check.transactions import Transactions, Units, transactions
from simaie.check.unserializable import Pattern, unserializable
from simaie.finding import Finding
from simaie.op import Kind
from simaie.trace import Trace

__all__ = ["atomic_blocks", "serializability"]

KIND, BLOCKS_KIND = "serializability", "atomic-blocks"
_WRITES = frozenset({Kind.STORE, Kind.CAS, Kind.EXCHANGE, Kind.FETCH, Kind.STORE_CONDITIONAL})
#: Maximum number of edges that a message spells out.
_SHOWN = 6


def serializability(trace: Trace) -> Iterable[Finding]:
    """Find knots of cycles of guest instructions, LL..SC sequences and atomic blocks.

    Steps: of all operations that are the reason for an edge of the cycle, in order of time; vcpus: of its transactions.
    """
    return () if _WRITES.isdisjoint(trace.kinds) else _judge(trace, Units.INSTRUCTIONS, KIND)


def atomic_blocks(trace: Trace) -> Iterable[Finding]:
    """Find knots of cycles of the guest's own atomic blocks; all other accesses count singly."""
    return _judge(trace, Units.BLOCKS, BLOCKS_KIND) if trace.blocks else ()


def _judge(trace: Trace, units: Units, kind: str) -> Iterator[Finding]:
    found = transactions(trace, units)
    if not found.interrupted or not components(conflict_graph(found)):
        return
    found = found.rearranged(canonical_places(trace))
    graph = conflict_graph(found)
    knots = components(graph)
    patterns = unserializable(found) if knots else {}
    for knot in knots:
        known = [patterns[member] for member in knot if member in patterns]
        if known:
            pattern = min(known, key=lambda p: (not p.label, p.after, p.transaction))
            yield _of_pattern(found, pattern, kind)
        else:
            yield _of_cycle(found, *shorten_cycle(found, graph, short_cycle(graph, knot, found)), kind)


def _of_pattern(found: Transactions, pattern: Pattern, kind: str) -> Finding:
    local, remote = found.all[pattern.transaction], found.all[found.of[pattern.remote]]
    three = [found.accesses[index] for index in (pattern.before, pattern.remote, pattern.after)]
    before, between, after = three
    label = f" ({pattern.label})" if pattern.label else ""
    message = (
        f"{local} is not serializable{label}: {remote} fell between two of its operations, "
        f"{before.event.op} before {between.event.op}, and that before {after.event.op}"
    )
    steps = tuple(access.step for access in three)
    return Finding(kind, message, steps, tuple(access.address for access in three), (local.vcpu, remote.vcpu))


def _of_cycle(found: Transactions, cycle: Sequence[int], graph: Graph, kind: str) -> Finding:
    edges = list(zip(cycle, [*cycle[1:], cycle[0]], strict=True))
    reasons = [graph[before][after] for before, after in edges]
    events = {access.step: access for access in found.accesses}
    parts = [
        f"{found.all[before]}: {events[first].event.op} (step {first}) before {found.all[after]}: "
        f"{events[second].event.op} (step {second})"
        for (before, after), (first, second) in zip(edges, reasons, strict=True)
    ]
    hidden = len(parts) - _SHOWN
    shown = "; ".join(parts[:_SHOWN]) + (f"; and {hidden} more" if hidden > 0 else "")
    steps = sorted({step for reason in reasons for step in reason})
    return Finding(
        kind,
        f"{found.all[cycle[0]]} is not serializable, a cycle of {len(cycle)}: {shown}",
        tuple(steps),
        tuple(events[step].address for step in steps),
        tuple(found.all[member].vcpu for member in cycle),
    )
