"""Conflict serializability by vector clocks: a second algorithm, against which the first one is tested.

U. Mathur, M. Viswanathan, "Atomicity Checking in Linear Time Using Vector Clocks" (AeroDrome), ASPLOS 2020. A clock is
kept for each lane and for each place where a lane leaves information for others: the last write of a location, the
reads since, the end of a transaction. It records which transactions began before, directly or through others. The
execution is not serializable iff an active transaction meets a clock that includes its own beginning.

A transaction that ends passes its knowledge on to everything that comes after it, which now also comes after its
predecessors. Only what was written since its beginning can come after it; that is kept in a log.

Deviation: lanes instead of threads. Transactions of one vCPU may overlap (see `simaie.check.transactions`), which
threads with nested transactions do not allow. Each overlapping transaction gets a lane, and their order goes through
the clocks left at their ends. The algorithm finds whether there is a cycle and the step that closes one, but not the
cycle.

Only for executions without store buffers: it assumes that a vCPU's accesses take effect in their program order.
"""

from __future__ import annotations

import msgspec

from simaie.check.accesses import Access
from simaie.check.transactions import Transactions
from simaie.dependence import locations

__all__ = ["first_violation"]

Clock = list[int]


def first_violation(found: Transactions) -> int | None:
    """Return the step of an operation that closes a cycle of transactions; None if the execution is serializable."""
    return _Sweep(found).run()


class _Lane(msgspec.Struct):
    """A sequence of non-overlapping transactions of one vCPU.

    Attributes:
        number: Number of the lane.
        vcpu: Name of the vCPU.
        clock: The transactions before its latest one.
        begun: The lane's own component of the clock when the active transaction began; 0 if none is active.
        logged: Length of the log at that time.
    """

    number: int
    vcpu: str
    clock: Clock
    begun: int = 0  # 0 while none is active
    logged: int = 0  # length of the log at that beginning


class _Place(msgspec.Struct):
    """A location's history: the last write, and the reads since by vCPU (the reads of one vCPU share one clock)."""

    writer: str = ""
    written: Clock | None = None
    reads: dict[str, Clock] = {}


class _Sweep:
    def __init__(self, found: Transactions) -> None:
        self._found = found
        self._lanes: list[_Lane] = []
        self._free: dict[str, list[_Lane]] = {}
        self._lane_of: dict[int, _Lane] = {}  # of active transactions
        self._ends: dict[str, list[tuple[int, Clock]]] = {}  # those with no ended successor: last access, clock
        self._log: list[Clock] = []
        self._places: dict[int, _Place] = {}

    def run(self) -> int | None:
        found = self._found
        numbers = locations(found.accesses)
        for index, access in enumerate(found.accesses):
            transaction = found.all[found.of[index]]
            if transaction.first == index:
                self._begin(index)
            lane = self._lane_of[found.of[index]]
            for location in numbers[access.address, access.width]:
                if not self._touch(lane, access, self._places.setdefault(location, _Place())):
                    return access.step
            if transaction.last == index and not self._end(index):
                return access.step
        return None

    # -- transactions ---------------------------------------------------------------------------

    def _begin(self, index: int) -> None:
        me = self._found.of[index]
        vcpu = self._found.all[me].vcpu
        free = self._free.setdefault(vcpu, [])
        lane = free.pop() if free else self._new_lane(vcpu)
        for _, clock in self._ends.get(vcpu, ()):
            _join(lane.clock, clock)
        _grow(lane.clock, lane.number)
        lane.clock[lane.number] += 1
        lane.begun, lane.logged = lane.clock[lane.number], len(self._log)
        self._lane_of[me] = lane

    def _new_lane(self, vcpu: str) -> _Lane:
        lane = _Lane(len(self._lanes), vcpu, [])
        self._lanes.append(lane)
        return lane

    def _end(self, index: int) -> bool:
        """Pass on what the transaction knows; return False if that closes a cycle through another transaction."""
        me = self._found.of[index]
        lane, transaction = self._lane_of.pop(me), self._found.all[me]
        for other in self._lanes:
            if other is not lane and _knows(other.clock, lane) and not self._meet(other, lane.clock):
                return False
        for clock in self._log[lane.logged :]:
            if _knows(clock, lane):
                _join(clock, lane.clock)
        lane.begun = 0
        self._free[lane.vcpu].append(lane)
        left = lane.clock.copy()
        self._log.append(left)
        before = self._ends.get(lane.vcpu, ())
        self._ends[lane.vcpu] = [*(end for end in before if end[0] > transaction.first), (index, left)]
        return True

    # -- accesses -------------------------------------------------------------------------------

    def _touch(self, lane: _Lane, access: Access, place: _Place) -> bool:
        """Come after conflicting accesses and record this one; return False if that closes a cycle."""
        if place.written is not None and place.writer != lane.vcpu and not self._meet(lane, place.written):
            return False
        if not access.writes:
            mine = place.reads.setdefault(lane.vcpu, [])
            _join(mine, lane.clock)
            self._log.append(mine)
            return True
        for vcpu, clock in place.reads.items():
            if vcpu != lane.vcpu and not self._meet(lane, clock):
                return False
        place.reads = {}
        place.writer, place.written = lane.vcpu, lane.clock.copy()
        self._log.append(place.written)
        return True

    def _meet(self, lane: _Lane, clock: Clock) -> bool:
        """Order `lane` after `clock`; return False if `clock` comes after the lane's own active transaction."""
        if lane.begun and _at(clock, lane.number) >= lane.begun:
            return False
        _join(lane.clock, clock)
        return True


def _knows(clock: Clock, lane: _Lane) -> bool:
    return _at(clock, lane.number) >= lane.begun


def _at(clock: Clock, number: int) -> int:
    return clock[number] if number < len(clock) else 0


def _grow(clock: Clock, number: int) -> None:
    clock.extend([0] * (number + 1 - len(clock)))


def _join(clock: Clock, other: Clock) -> None:
    """Set `clock` to the least clock that includes both."""
    _grow(clock, len(other) - 1)
    for number, value in enumerate(other):
        if value > clock[number]:
            clock[number] = value
