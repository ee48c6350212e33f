"""Accesses to guest RAM as those checkers see them that look at all of memory at once.

Only RAM is guest data: the emulator's own cells are not. A failed compare-and-swap or store-conditional is a read. A
store that is buffered takes effect when it drains, and a load that its vCPU's own buffer answers is no access. A
*location* is a maximal set of bytes that are always accessed together: where accesses of several sizes overlap, every
byte is one of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count

import msgspec

from simaie.check.evidence import owner
from simaie.op import Kind, Op, writes
from simaie.trace import Event, Trace

__all__ = ["Access", "locations", "ram_accesses"]

_READS = frozenset(
    {
        Kind.LOAD, Kind.CAS, Kind.EXCHANGE, Kind.FETCH, Kind.LOAD_LINKED,
        Kind.STORE_CONDITIONAL,  # a failed one: it looked, and found that it must not store
    }
)  # fmt: skip
_MAY_WRITE = frozenset({Kind.STORE, Kind.CAS, Kind.EXCHANGE, Kind.FETCH, Kind.STORE_CONDITIONAL})
_Range = tuple[int, int]  # address and width
_LOAD, _STORE, _AWAIT, _SC, _BUFFER = Kind.LOAD, Kind.STORE, Kind.AWAIT, Kind.STORE_CONDITIONAL, Kind.BUFFER


class Access(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One access of an event to RAM. reads, writes: at least one of them holds."""

    step: int
    event: Event
    address: int
    width: int
    reads: bool
    writes: bool


def ram_accesses(trace: Trace) -> list[Access]:
    """Every access to RAM, in the order of taking effect; a wait for several places is one of each."""
    found = _all_accesses(trace)
    if _BUFFER in trace.kinds:
        forwarded = _forwarded(trace)
        found = [access for access in found if access.step not in forwarded]
    return found


def _forwarded(trace: Trace) -> frozenset[int]:
    """The steps of loads whose bytes all came from stores in the vCPU's own buffer."""
    buffered: dict[str, list[Op]] = {}
    steps: list[int] = []
    for step, event in enumerate(trace.events):
        mine = buffered.setdefault(owner(event), [])
        if event.op.kind is _BUFFER:
            mine.append(event.op.value)
        elif event.op in mine:  # an operation is equal to itself only: it is the drain
            mine.remove(event.op)
        elif mine and event.op.kind is _LOAD and event.op.cell is None:
            wanted = set(range(event.op.address, event.op.address + event.op.width))
            if wanted <= {byte for op in mine for byte in range(op.address, op.address + op.width)}:
                steps.append(step)
    return frozenset(steps)


def _all_accesses(trace: Trace) -> list[Access]:
    found: list[Access] = []
    for step, event in enumerate(trace.events):
        op = event.op
        kind = op.kind
        if kind is _AWAIT:
            found += [Access(step, event, p.address, p.width, True, False) for p in op.places if p.cell is None]
        elif not op.width:
            continue
        elif kind is _LOAD:
            found.append(Access(step, event, op.address, op.width, True, False))
        elif kind is _STORE:
            found.append(Access(step, event, op.address, op.width, False, True))
        else:
            wrote = kind in _MAY_WRITE and writes(op, event.value)
            read = kind in _READS and not (kind is _SC and wrote)
            if read or wrote:
                found.append(Access(step, event, op.address, op.width, read, wrote))
    return found


def locations(accesses: Iterable[Access]) -> dict[_Range, tuple[int, ...]]:
    """(address, width) of each access -> the locations that it touches, numbered from 0."""
    ranges = sorted({(access.address, access.width) for access in accesses})
    numbers = count()
    found: dict[_Range, tuple[int, ...]] = {}
    cluster: list[_Range] = []
    end = -1
    for place in [*ranges, None]:
        if cluster and (place is None or place[0] >= end):
            found |= _numbered(cluster, end, numbers)
            cluster = []
        if place is not None:
            cluster.append(place)
            end = max(end, place[0] + place[1])
    return found


def _numbered(cluster: list[_Range], end: int, numbers: Iterator[int]) -> dict[_Range, tuple[int, ...]]:
    """The locations of ranges that overlap: one if all are the same range, else one for each byte."""
    if len(cluster) == 1:
        return {cluster[0]: (next(numbers),)}
    first = cluster[0][0]
    bytes_ = [next(numbers) for _ in range(first, end)]
    return {(at, width): tuple(bytes_[at - first : at - first + width]) for at, width in cluster}
