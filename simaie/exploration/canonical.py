"""Which Mazurkiewicz trace an execution belongs to, as 64 bits.

Two executions of one program on one machine are equivalent if swapping adjacent independent operations turns one into
the other (A. Mazurkiewicz, 1977; independent: not `simaie.dependence.conflict`). They then have the same values,
outcome and findings, so that the number of distinct traces, not of executions, says how much an exploration has seen.

The canonical form gives each actor a row, and each of its events an entry: the last write before it to the place that
it touches, named by the actor and the number within the actor. That fixes the order of all dependent pairs: the writes
to a place form a chain, and a read lies between the write it names and the next in the chain. A stop-the-world
operation conflicts with everything, and its entry says how far each actor has come. What an operation
is need not be said: it follows from the actor's code and from what the entries before it made it read. Only two
values do not follow from the order of conflicting operations and are added: that of a local choice, and whether a
store-conditional succeeded (its reservation may be wider than its own bytes).

One pass over the trace, with a table of last writes by address; bytes are told apart only in a trace
in which accesses overlap in part. Words go through BLAKE2b, so that the digest is the same in every process.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, TypeAlias

import msgspec

from simaie.dependence import ALWAYS_WRITES, STOPS_WORLD, THREAD_KINDS, THREADS, WRITES_IF_IT_SUCCEEDS, writes
from simaie.op import Kind, Op, owner_of
from simaie.trace import Event, Trace

__all__ = ["trace_digest"]

#: A number for each actor (its own first, then one entry an event), by its name.
Rows: TypeAlias = dict[str, list[Any]]

#: By kind, whether it writes; None if that shows in its value.
_WRITES = [None if kind in WRITES_IF_IT_SUCCEEDS else kind in ALWAYS_WRITES for kind in Kind]
_EXCLUSIVE = [kind in (Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL) for kind in Kind]  # may watch other bytes, too
_CHOICE, _STORE_CONDITIONAL, _AWAIT = Kind.CHOICE, Kind.STORE_CONDITIONAL, Kind.AWAIT


def trace_digest(trace: Trace) -> int:
    """64 bits that are equal for equivalent executions of one program on one machine, and (but for chance) only then.

    With n traces the chance that any two share a digest is about n**2 / 2**65: one in 10**9 for 200,000.
    """
    events = trace.events
    names = sorted({event.actor for event in events})
    rows: Rows = {name: [number] for number, name in enumerate(names)}
    if Kind.BUFFER in trace.kinds:
        _fill_beside_buffers(events, rows)
    elif not _fill(events, rows, {}):
        rows = {name: [number] for number, name in enumerate(names)}
        _fill(events, rows, None)
    packed = msgspec.msgpack.encode((names, list(rows.values())))
    return int.from_bytes(blake2b(packed, digest_size=8).digest(), "little")


def _fill(events: Sequence[Event], rows: Rows, widths: dict[int, int] | None) -> bool:
    """Fill in `rows`. widths: of the accesses so far, by address; None to go by bytes.

    Returns whether it could be done: not if `widths` finds that accesses overlap in part.
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
    """The place of an operation on neither a cell nor RAM; None if it has none, and the entry is made."""
    kind = event.op.kind
    if kind in THREAD_KINDS:
        return THREADS
    if kind in STOPS_WORLD:
        row.append([len(other) for other in rows.values()])
    else:
        row.append(event.value if kind is _CHOICE else 0)
    return None


def _claim(op: Op, widths: dict[int, int], owners: dict[int, int]) -> bool:
    """Note an access to new bytes of RAM; False if some of them belong to another access."""
    address, width = op.address, op.width
    for byte in range(address, address + width):
        if owners.setdefault(byte, address) != address:
            return False
    return widths.setdefault(address, width) == width


def _last_writes(op: Op, last: dict[Any, int]) -> int | list[int]:
    """The last writes to the bytes of a load: one if they agree, as where no accesses overlap in part."""
    if op.cell is not None:
        return last.get(op.cell, 0)
    found = [last.get(byte, 0) for byte in range(op.address, op.address + op.width)]
    return found[0] if len(set(found)) == 1 else found
