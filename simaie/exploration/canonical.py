"""The Mazurkiewicz trace of an execution, as a digest of 64 bits.

Two executions of one program on one machine are equivalent if swapping adjacent independent operations turns one into
the other (A. Mazurkiewicz, 1977; independent operations have no `simaie.dependence.conflict`). Equivalent executions
have the same values, outcome and findings. The number of distinct traces, and not of executions, therefore says how
much of the state space an exploration covered.

In the canonical form each actor has a row, and each of its events an entry. The entry is the last write to the same
place before the event, as the number of its actor and its number within that actor. These entries fix the order of all
dependent pairs: the writes to a place form a chain, and a read lies between the write in its entry and the next write
of the chain. A stop-the-world operation conflicts with everything, and its entry is the number of events of each actor
before it. The operations themselves are left out, because they follow from the actors' code and from the values that
the entries determine. Two values do not follow from the order of conflicting operations and are added: the value of a
local choice, and whether a store-conditional succeeded (its reservation may be wider than its own bytes).

The form is built in one pass over the trace, with a table of the last writes by address. Bytes are treated separately
only in a trace in which accesses overlap partly.

On a host of execution graphs, executions are equivalent if their graphs are equal: if each vCPU performed the same
operations, each read read the same store, and the stores to each place took effect in the same order. The order of the
events in the trace does not count there. BLAKE2b makes the digest the same in every process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, TypeAlias

import msgspec

from simaie.dependence import ALWAYS_WRITES, STOPS_WORLD, THREAD_KINDS, THREADS, WRITES_IF_IT_SUCCEEDS, writes
from simaie.execution_graph import ExecutionGraph
from simaie.op import Kind, Op, owner_of
from simaie.trace import Event, Trace

__all__ = ["digest_of_events", "trace_digest"]

#: The row of each actor by name: its number, then one entry for each event.
Rows: TypeAlias = dict[str, list[Any]]

#: For each kind, whether it writes; None if its value decides.
_WRITES = [None if kind in WRITES_IF_IT_SUCCEEDS else kind in ALWAYS_WRITES for kind in Kind]
_EXCLUSIVE = [kind in (Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL) for kind in Kind]  # may watch other bytes too
_CHOICE, _STORE_CONDITIONAL, _AWAIT = Kind.CHOICE, Kind.STORE_CONDITIONAL, Kind.AWAIT


def trace_digest(trace: Trace) -> int:
    """Return a digest of 64 bits that is equal for equivalent executions of one program on one machine.

    Executions that are not equivalent have different digests with high probability: among n traces, any two share a
    digest with probability n**2 / 2**65, which is 10**-9 for 200,000.
    """
    events = trace.events
    if trace.graph is not None:
        return _digest(_graph_form(events, trace.graph))
    return digest_of_events(events, buffered=Kind.BUFFER in trace.kinds)


def digest_of_events(events: Sequence[Event], *, buffered: bool = False) -> int:
    """Return the digest of a trace with these events, on a host without execution graphs.

    Args:
        events: The events, in order.
        buffered: Whether stores were buffered.
    """
    names = sorted({event.actor for event in events})
    rows: Rows = {name: [number] for number, name in enumerate(names)}
    if buffered:
        _fill_beside_buffers(events, rows)
    elif not _fill(events, rows, {}):
        rows = {name: [number] for number, name in enumerate(names)}
        _fill(events, rows, None)
    return _digest((names, list(rows.values())))


def _digest(form: Any) -> int:
    return int.from_bytes(blake2b(msgspec.msgpack.encode(form), digest_size=8).digest(), "little")


def _graph_form(events: Sequence[Event], graph: ExecutionGraph) -> Any:
    """Return a graph in a form that does not depend on the order of its steps: these are renumbered vCPU by vCPU."""
    numbers = graph.numbers
    order = sorted(range(len(events)), key=lambda step: (events[step].actor, numbers[step]))
    place = {step: number for number, step in enumerate(order)} | {-1: -1}
    counts = Counter(event.actor for event in events)
    values = [int(events[step].value) for step in order if events[step].op.kind in (_CHOICE, _STORE_CONDITIONAL)]
    sources = sorted((place[read], number, place[store]) for number, (read, store) in enumerate(graph.sources))
    stores = sorted([place[store] for store in chain] for chain in graph.coherence)
    return sorted(counts.items()), values, [(read, store) for read, _, store in sources], stores


def _fill(events: Sequence[Event], rows: Rows, widths: dict[int, int] | None) -> bool:
    """Fill in `rows`; return False if accesses overlap partly, so that bytes must be treated separately.

    Args:
        events: The events of the trace.
        rows: The rows of the canonical form, each with the number of its actor.
        widths: The widths of the accesses so far, by address; None to treat each byte separately.
    """
    last: dict[Any, int] = {}  # place -> the last write there: (number in the row) * (number of rows) + row
    owners: dict[int, int] = {}  # byte -> address of the access that covers it
    count = len(rows)
    for event in events:
        op = event.op
        kind = op.kind
        row = rows[event.actor]
        me = len(row) * count + row[0]
        wrote = _WRITES[kind]
        if wrote is None:
            wrote = writes(op, event.value)
            if kind is _STORE_CONDITIONAL:
                row.append(wrote)
        if _EXCLUSIVE[kind] and op.watches_more:
            if widths is not None:
                return False
            row.append([_last_writes(part, last) for part in op.places])
            if wrote:
                last.update(dict.fromkeys(_bytes(op), me))
            continue
        place: Any = op.cell
        if place is None:
            width = op.width
            if not width:
                if kind is _AWAIT:  # of several places
                    if widths is not None:
                        return False
                    row.append([_last_writes(part, last) for part in op.value])
                    continue
                place = _elsewhere(event, row, rows)
                if place is None:
                    continue
            elif widths is None:
                row.append(_last_writes(op, last))
                if wrote:
                    last.update(dict.fromkeys(range(op.address, op.address + width), me))
                continue
            else:
                place = op.address
                if widths.get(place) != width and not _claim(op, widths, owners):
                    return False
        row.append(last.get(place, 0))
        if wrote:
            last[place] = me
    return True


def _fill_beside_buffers(events: Sequence[Event], rows: Rows) -> None:
    """Fill in `rows` where stores were buffered: a vCPU's read is named after the last write of another vCPU, since
    before or after its own drain makes no difference."""
    last: dict[Any, tuple[int, str, int]] = {}  # place -> last write, by which vCPU, last write of another before it
    for event in events:
        op, row, vcpu = event.op, rows[event.actor], owner_of(event.actor)
        me = len(row) * len(rows) + row[0]
        wrote = event.wrote
        if op.kind is _STORE_CONDITIONAL:
            row.append(wrote)
        places = [place for part in op.places for place in _bytes(part)]
        if not places:
            place = _elsewhere(event, row, rows)
            if place is None:
                continue
            places = [place]
        own = _bytes(op) if op.width else places
        found = []
        for place in places:
            write, by, foreign = last.get(place, (0, "", 0))
            found.append(foreign if by == vcpu and not wrote else write)
            if wrote and place in own:
                last[place] = (me, vcpu, foreign if by == vcpu else write)
        row.append(found[0] if len(set(found)) == 1 else found)


def _bytes(op: Op) -> Sequence[Any]:
    return [op.cell] if op.cell is not None else range(op.address, op.address + op.width)


def _elsewhere(event: Event, row: list[Any], rows: Rows) -> str | None:
    """Return the place of an operation on neither a cell nor RAM; for an operation without a place, add its entry."""
    kind = event.op.kind
    if kind in THREAD_KINDS:
        return THREADS
    if kind in STOPS_WORLD:
        row.append([len(other) for other in rows.values()])
    else:
        row.append(event.value if kind is _CHOICE else 0)
    return None


def _claim(op: Op, widths: dict[int, int], owners: dict[int, int]) -> bool:
    """Record an access to new bytes of RAM; return False if some of them belong to another access."""
    address, width = op.address, op.width
    for byte in range(address, address + width):
        if owners.setdefault(byte, address) != address:
            return False
    return widths.setdefault(address, width) == width


def _last_writes(op: Op, last: dict[Any, int]) -> int | list[int]:
    """Return the last writes to the bytes of a load; a single number if all bytes have the same last write."""
    if op.cell is not None:
        return last.get(op.cell, 0)
    found = [last.get(byte, 0) for byte in range(op.address, op.address + op.width)]
    return found[0] if len(set(found)) == 1 else found
