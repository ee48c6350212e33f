"""Data races: two plain accesses to one place, at least one of them a write, that no synchronisation orders.

The order is happens-before: within a vCPU; from a spawn to the new thread, and from a thread's end to its join; from an
unlock to the next lock of the same mutex that the *guest* requests (by an exception, say; what a scheme locks inside an
access is not the guest's); and through synchronisation places. A place is one if in this execution an atomic
instruction, an exclusive or a wait touches it. A write to it releases, and a read of it acquires from the last write.
Plain accesses do so too, such as the store that unlocks a spinlock. Accesses to such places do not race.

A buffered store takes effect when it drains, but happens after what its vCPU knew when it issued the store. A load that
finds its own vCPU's store in the buffer acquires nothing, and is compared with others as if it came right after the
drain of that store. So equivalent executions (`simaie.predecessors`) have races at the same places; the first race of
each place is the first in the order that they share.

Clocks of vCPUs, and for each location the last write and the reads since: C. Flanagan, S. N. Freund, "FastTrack:
Efficient and Precise Dynamic Race Detection", PLDI 2009. Linear in the trace for a given number of vCPUs. A race of two
accesses is no error by itself, since a machine's plain accesses are well defined; so this checker runs only on request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from simaie.check.accesses import Access, late_reads, ram_accesses
from simaie.check.evidence import describe, owner
from simaie.check.order import canonical_places
from simaie.dependence import RELEASES, TAKES, locations
from simaie.finding import Finding
from simaie.op import Cell, Kind
from simaie.trace import AccessKind, Event, Trace

__all__ = ["data_races"]

KIND = "data-race"
_SYNCHRONISING = frozenset({AccessKind.ATOMIC, AccessKind.LOAD_LINKED, AccessKind.STORE_CONDITIONAL})
_ORDERING = TAKES | RELEASES | {Kind.SPAWN, Kind.JOIN, Kind.BUFFER}

Clock = dict[str, int]
_Pairs = dict[tuple[int, int], tuple[Access, Access]]  # by their steps


def data_races(trace: Trace) -> Iterable[Finding]:
    """Find the first race at each place. Steps and vcpus: of the earlier access and of the later one."""
    if any(True for _ in _Sweep(trace, range(len(trace.events))).run()):
        yield from _Sweep(trace, canonical_places(trace)).run()


class _Place(msgspec.Struct):
    """A plain location: its last write and, by vCPU, the last reads since; each as (time of its vCPU, access)."""

    write: tuple[int, Access] | None = None
    reads: dict[str, tuple[int, Access]] = {}


class _Sweep:
    """Goes through the accesses and what orders them.

    Args:
        trace: The execution.
        when: By step, its place in the order of the sweep.
    """

    def __init__(self, trace: Trace, when: Sequence[int]) -> None:
        self._accesses = sorted(ram_accesses(trace), key=lambda access: when[access.step])
        self._places = locations(self._accesses)
        self._late = late_reads(self._accesses, self._places)
        self._synchronising = {
            location
            for access in self._accesses
            if _synchronises(access.event)
            for location in self._places[access.address, access.width]
        }
        self._ordering = [step for step, event in enumerate(trace.events) if event.op.kind in _ORDERING]
        self._ordering.sort(key=lambda step: when[step])
        self._events, self._when = trace.events, when
        self._clocks: dict[str, Clock] = {}
        self._issued: dict[int, Clock] = {}  # of buffered stores, by the step at which they entered the buffer
        self._looked: dict[int, Clock] = {}  # of late reads, by index
        self._released: dict[int | Cell | None, Clock] = {}  # by synchronisation place, and by mutex
        self._plain: dict[int, _Place] = {}
        self._racy: set[int] = set()

    def run(self) -> Iterator[Finding]:
        ordering = iter(self._ordering)
        later = next(ordering, None)
        for index, access in enumerate(self._accesses):
            while later is not None and self._when[later] < self._when[access.step]:
                self._order(later, self._events[later])
                later = next(ordering, None)
            for pair in self._touch(index, access):
                yield _finding(*pair)

    def _touch(self, index: int, access: Access) -> Iterable[tuple[Access, Access]]:
        """Acquire, search for races, release, in this order, for one access; return the pairs that race."""
        places = self._places[access.address, access.width]
        synchronising = [place for place in places if place in self._synchronising]
        me = owner(access.event)
        clock = self._clock(me) if access.entered < 0 else self._issued.pop(access.entered)
        if access.reads:
            for place in synchronising:
                if (index, place) not in self._late.reads:
                    _join(clock, self._released.get(place, {}))
        pairs: _Pairs = {}
        if len(synchronising) < len(places):
            for place in places:
                if (index, place) in self._late.reads:
                    self._looked[index] = clock.copy()
                else:
                    self._compare(access, clock, place, pairs)
        if access.writes:
            for place in synchronising:
                self._released[place] = clock.copy()
            if access.entered < 0:
                clock[me] += bool(synchronising)
        for read, place in self._late.due.get(index, ()):
            if read in self._looked:
                self._compare(self._accesses[read], self._looked[read], place, pairs)
        return pairs.values()

    def _compare(self, access: Access, clock: Clock, place: int, pairs: _Pairs) -> None:
        """Record an earlier access that races with this one at a plain place without a known race."""
        if place in self._synchronising or place in self._racy:
            return
        other = self._race(access, clock, place)
        if other is not None:
            self._racy.add(place)
            pairs[other.step, access.step] = other, access

    def _clock(self, vcpu: str) -> Clock:
        return self._clocks.setdefault(vcpu, {vcpu: 1})

    # -- synchronisation ------------------------------------------------------------------------

    def _order(self, step: int, event: Event) -> None:
        """Process a thread operation, a mutex that the guest requested, or a store that enters a buffer."""
        op, me = event.op, owner(event)
        clock = self._clock(me)
        if op.kind is Kind.BUFFER:
            store = op.value
            self._issued[step] = clock.copy()
            places = self._places.get((store.address, store.width), ()) if store.width else ()
            clock[me] += any(place in self._synchronising for place in places)
            return
        if op.kind is Kind.SPAWN:
            self._release(me, clock, self._clock(str(getattr(event.value, "name", ""))))
        elif op.kind is Kind.JOIN:
            _join(clock, self._clock(str(getattr(op.value, "name", ""))))
        elif event.instruction is not None and event.instruction.access is not AccessKind.OTHER:
            return
        elif op.kind in TAKES:
            _join(clock, self._released.get(op.cell, {}))
        else:
            self._release(me, clock, self._released.setdefault(op.cell, {}))

    def _release(self, vcpu: str, clock: Clock, target: Clock) -> None:
        _join(target, clock)
        clock[vcpu] += 1

    # -- races ----------------------------------------------------------------------------------

    def _race(self, access: Access, clock: Clock, location: int) -> Access | None:
        """Return an earlier access that races with this one, or None; record this one."""
        me = owner(access.event)
        place = self._plain.setdefault(location, _Place())
        earlier = [place.write] if place.write is not None else []
        if access.writes:
            earlier += place.reads.values()
        racing = [one for time, one in earlier if time > clock.get(owner(one.event), 0)]
        if access.writes:
            place.write, place.reads = (clock[me], access), {}
        else:
            place.reads[me] = (clock[me], access)
        return min(racing, key=lambda one: self._when[one.step], default=None)


def _synchronises(event: Event) -> bool:
    instruction = event.instruction
    if instruction is None:
        return False
    # An AWAIT that replaces a PAUSE represents the loads of a spin loop, which keep their own kind.
    waits = event.op.kind is Kind.AWAIT and instruction.access is not AccessKind.OTHER
    return waits or instruction.access in _SYNCHRONISING


def _join(clock: Clock, other: Clock) -> None:
    for vcpu, time in other.items():
        if time > clock.get(vcpu, 0):
            clock[vcpu] = time


def _finding(earlier: Access, later: Access) -> Finding:
    what = "writes" if earlier.writes and later.writes else "accesses, one a write,"
    return Finding(
        KIND,
        f"{describe(earlier.event)} and {describe(later.event)} are {what} that no synchronisation orders",
        (earlier.step, later.step),
        (earlier.address, later.address),
        (owner(earlier.event), owner(later.event)),
    )
