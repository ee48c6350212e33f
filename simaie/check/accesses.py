"""Accesses to guest RAM, for the checkers that judge all of memory at once.

Only RAM is guest data; the emulator's own cells are not. A failed compare-and-swap or store-conditional is a read. For
locations see `simaie.dependence.locations`.

A buffered store takes effect when it drains. A load that finds such a store in its vCPU's own buffer is *late*: its
value reaches memory only with that drain. It comes after whatever was in memory when it looked, and before whatever is
written after its store has drained; it is unordered with a foreign write in between. That is the same in all equivalent
executions: if the load and the drain swap, the load simply comes after the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from simaie.dependence import writes
from simaie.op import Kind
from simaie.predecessors import drains_of
from simaie.trace import Event, Trace

__all__ = ["Access", "Late", "late_reads", "ram_accesses"]

_READS = frozenset(
    {
        Kind.LOAD, Kind.CAS, Kind.EXCHANGE, Kind.FETCH, Kind.LOAD_LINKED,
        Kind.STORE_CONDITIONAL,  # a failed one: it read memory and found that it must not store
    }
)  # fmt: skip
_Range = tuple[int, int]  # address and width
_LOAD, _STORE, _AWAIT, _SC, _BUFFER = Kind.LOAD, Kind.STORE, Kind.AWAIT, Kind.STORE_CONDITIONAL, Kind.BUFFER
_NOWHERE: Mapping[int, int] = {}


class Access(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One access of an event to RAM.

    Attributes:
        step: Step of the event.
        event: The event.
        address: Physical address.
        width: Width in bytes.
        reads: Whether it reads; an access reads or writes or both.
        writes: Whether it writes.
        entered: Of a drain, the step at which the store entered the buffer; -1 for any other access.
        stored: Of a read, the bytes that its vCPU has stored into a buffer before, each with the step at which the
            newest such store drains (the length of the trace if it never does).
    """

    step: int
    event: Event
    address: int
    width: int
    reads: bool
    writes: bool
    entered: int = -1
    stored: Mapping[int, int] = _NOWHERE

    @property
    def issued(self) -> int:
        """The step of the vCPU itself: of a drain, the step at which the store entered the buffer."""
        return self.step if self.entered < 0 else self.entered


def ram_accesses(trace: Trace) -> list[Access]:
    """Return every access to RAM, in the order of the steps; a wait for several locations is one access to each."""
    found = _all_accesses(trace)
    return _beside_buffers(trace, found) if _BUFFER in trace.kinds else found


def _beside_buffers(trace: Trace, accesses: Sequence[Access]) -> list[Access]:
    """Return the accesses with `entered` and `stored` filled in for those that involve store buffers."""
    drains = drains_of(trace.events)
    entries = {drain: entry for entry, drain in drains.items()}
    stored: dict[str, dict[int, int]] = {}  # vCPU -> byte -> the drain of its newest store there so far
    found: list[Access] = []
    at = 0
    for step, event in enumerate(trace.events):
        if event.op.kind is _BUFFER and event.op.value.width:
            store = event.op.value
            span = range(store.address, store.address + store.width)
            stored.setdefault(event.actor, {}).update(dict.fromkeys(span, drains.get(step, len(trace.events))))
        while at < len(accesses) and accesses[at].step == step:
            access = accesses[at]
            at += 1
            if step in entries:
                access = msgspec.structs.replace(access, entered=entries[step])
            elif access.reads and event.actor in stored:
                mine = stored[event.actor]
                span = range(access.address, access.address + access.width)
                newest = {byte: mine[byte] for byte in span if byte in mine}
                access = msgspec.structs.replace(access, stored=newest) if newest else access
            found.append(access)
    return found


class Late(msgspec.Struct):
    """The late reads of a list of accesses; all indices are into that list.

    Attributes:
        until: Index of a late read -> byte -> index of the drain.
        reads: (index of the late read, location).
        due: Index of a drain -> the late reads that come right after it, each with its location.
    """

    until: dict[int, dict[int, int]] = {}
    reads: set[tuple[int, int]] = set()
    due: dict[int, list[tuple[int, int]]] = {}


def late_reads(accesses: Sequence[Access], places: Mapping[_Range, tuple[int, ...]]) -> Late:
    """Return the late reads of `accesses`, which may be in any order that equivalent executions have.

    Args:
        accesses: Accesses to RAM.
        places: (address, width) of each access -> its locations.
    """
    found = Late()
    readers = [index for index, access in enumerate(accesses) if access.stored]
    if not readers:
        return found
    never = len(accesses)
    indices = {access.step: index for index, access in enumerate(accesses) if access.entered >= 0}
    for index in readers:
        access = accesses[index]
        until = {byte: at for byte, step in access.stored.items() if (at := indices.get(step, never)) > index}
        if until:
            found.until[index] = until
            for location, span in _spans(access, places[access.address, access.width]):
                at = max((until[byte] for byte in span if byte in until), default=-1)
                if at >= 0:
                    found.reads.add((index, location))
                    found.due.setdefault(at, []).append((index, location))
    return found


def _spans(access: Access, places: tuple[int, ...]) -> Iterator[tuple[int, range]]:
    """Yield each location of an access with the access's bytes in it."""
    end = access.address + access.width
    if len(places) == 1:
        yield places[0], range(access.address, end)
        return
    for place, byte in zip(places, range(access.address, end), strict=True):
        yield place, range(byte, byte + 1)


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
            wrote = writes(op, event.value)
            read = kind in _READS and not (kind is _SC and wrote)
            if read or wrote:
                found.append(Access(step, event, op.address, op.width, read, wrote))
    return found
