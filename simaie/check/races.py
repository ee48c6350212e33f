"""Data races: two plain accesses to one place, one of them a write, that no synchronisation orders.

Order is happens-before: within a vCPU; from a spawn to the new thread and from a thread's end to who joins it; from an
unlock to the next lock of the same mutex that the *guest* asks for (by an exception, say: what a scheme locks
inside an access is not the guest's); and through synchronisation places. A place is one if in this execution an atomic
instruction, an exclusive or a wait touches it. What writes it releases, and what reads it acquires from the last write:
plain accesses too, as the store does that unlocks a spinlock. Accesses to such places do not race.

Clocks of vCPUs, and for each location the last write and the reads since: C. Flanagan, S. N. Freund, "FastTrack:
Efficient and Precise Dynamic Race Detection", PLDI 2009. Linear in the trace for a given number of vCPUs. That two
accesses race is no error by itself, since a machine's plain accesses are well defined: so this is asked for by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from simaie.check.accesses import Access, locations, ram_accesses
from simaie.check.evidence import describe, owner
from simaie.finding import Finding
from simaie.op import Cell, Kind
from simaie.trace import AccessKind, Event, Trace

__all__ = ["data_races"]

KIND = "data-race"
_SYNCHRONISING = frozenset({AccessKind.ATOMIC, AccessKind.LOAD_LINKED, AccessKind.STORE_CONDITIONAL})
_MUTEXES = frozenset({Kind.LOCK, Kind.UNLOCK, Kind.BEGIN_EXCLUSIVE, Kind.END_EXCLUSIVE})
_ORDERING = _MUTEXES | {Kind.SPAWN, Kind.JOIN}

Clock = dict[str, int]


def data_races(trace: Trace) -> Iterable[Finding]:
    """The first race at each place. Steps and vcpus: of the earlier access and of the later one."""
    return _Sweep(trace).run()


class _Place(msgspec.Struct):
    """A plain location: the last write and, by vCPU, the last reads since; each as (time of its vCPU, access)."""

    write: tuple[int, Access] | None = None
    reads: dict[str, tuple[int, Access]] = {}


class _Sweep:
    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._accesses = ram_accesses(trace)
        self._places = locations(self._accesses)
        self._synchronising = {
            location
            for access in self._accesses
            if _synchronises(access.event)
            for location in self._places[access.address, access.width]
        }
        self._clocks: dict[str, Clock] = {}
        self._released: dict[int | Cell | None, Clock] = {}  # by synchronisation place, and by mutex
        self._plain: dict[int, _Place] = {}
        self._racy: set[int] = set()

    def run(self) -> Iterator[Finding]:
        ordering = (
            (step, event) for step, event in enumerate(self._trace.events) if event.op.kind in _ORDERING
        )
        later = next(ordering, None)
        for access in self._accesses:
            while later is not None and later[0] < access.step:
                self._order(later[1])
                later = next(ordering, None)
            for other in self._touch(access):
                yield _finding(other, access)

    def _touch(self, access: Access) -> Iterable[Access]:
        """Acquire, look for races, release, in this order: it is one access. Returns those it races with."""
        places = self._places[access.address, access.width]
        synchronising = [place for place in places if place in self._synchronising]
        me = owner(access.event)
        clock = self._clock(me)
        if access.reads:
            for place in synchronising:
                _join(clock, self._released.get(place, {}))
        pairs: dict[int, Access] = {}
        if len(synchronising) < len(places):
            for place in places:
                if place in self._synchronising or place in self._racy:
                    continue
                other = self._race(access, place)
                if other is not None:
                    self._racy.add(place)
                    pairs[other.step] = other
        if access.writes:
            for place in synchronising:
                self._released[place] = clock.copy()
            clock[me] += bool(synchronising)
        return pairs.values()

    def _clock(self, vcpu: str) -> Clock:
        return self._clocks.setdefault(vcpu, {vcpu: 1})

    # -- what orders ----------------------------------------------------------------------------

    def _order(self, event: Event) -> None:
        """A thread operation, or a mutex that the guest asked for."""
        op, me = event.op, owner(event)
        clock = self._clock(me)
        if op.kind is Kind.SPAWN:
            self._release(me, clock, self._clock(str(getattr(event.value, "name", ""))))
        elif op.kind is Kind.JOIN:
            _join(clock, self._clock(str(getattr(op.value, "name", ""))))
        elif event.instruction is not None and event.instruction.access is not AccessKind.OTHER:
            return
        elif op.kind in (Kind.LOCK, Kind.BEGIN_EXCLUSIVE):
            _join(clock, self._released.get(op.cell, {}))
        else:
            self._release(me, clock, self._released.setdefault(op.cell, {}))

    def _release(self, vcpu: str, clock: Clock, target: Clock) -> None:
        _join(target, clock)
        clock[vcpu] += 1

    # -- what races -----------------------------------------------------------------------------

    def _race(self, access: Access, location: int) -> Access | None:
        """An earlier access that races with this one, and take note of this one."""
        me = owner(access.event)
        clock = self._clock(me)
        place = self._plain.setdefault(location, _Place())
        earlier = [place.write] if place.write is not None else []
        if access.writes:
            earlier += place.reads.values()
        racing = [one for time, one in earlier if time > clock.get(owner(one.event), 0)]
        if access.writes:
            place.write, place.reads = (clock[me], access), {}
        else:
            place.reads[me] = (clock[me], access)
        return min(racing, key=lambda one: one.step, default=None)


def _synchronises(event: Event) -> bool:
    instruction = event.instruction
    if instruction is None:
        return False
    # The wait that a PAUSE has become stands for the loads of a spin loop, which are what they are.
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
