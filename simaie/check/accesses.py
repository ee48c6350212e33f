"""Accesses to guest RAM as those checkers see them that look at all of memory at once.

Only RAM is guest data: the emulator's own cells are not. A failed compare-and-swap or store-conditional is a read. A
*location* is a maximal set of bytes that are always accessed together: where accesses of several sizes overlap, every
byte is one of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import NamedTuple

from simaie.op import Kind, writes
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
_LOAD, _STORE, _AWAIT, _SC = Kind.LOAD, Kind.STORE, Kind.AWAIT, Kind.STORE_CONDITIONAL


class Access(NamedTuple):
    """One access of an event to RAM. reads, writes: at least one of them holds."""

    step: int
    event: Event
    address: int
    width: int
    reads: bool
    writes: bool


def ram_accesses(trace: Trace) -> list[Access]:
    """Every access to RAM, in the order of taking effect; a wait for several places is one of each."""
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
