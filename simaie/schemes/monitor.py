"""The ideal LL/SC monitor: whatever the guest's architecture allows is possible, and nothing else.

The memory keeps what is reserved and what others have stored to it since (`Kind.LOAD_LINKED`, `Kind.STORE_CONDITIONAL`
and `Kind.CLEAR_RESERVATION`). Here is what the instruction set's `ReservationRule` makes of it:

- a store-conditional to the bytes that were load-linked stores if nobody else stored to them: the granule of this
  monitor holds just these bytes. That an implementation with a larger one fails more often is among the failures
  without cause, and so is a failure after a plain store of the same vCPU;
- after an exception that need not end the reservation, a decision tells whether it did;
- of a store-conditional to other bytes, a decision tells whether it stores, if the architecture leaves it open.

What a store-conditional needs untouched is part of its operation, and of the load-linked's where it may be more than
the load-linked reads, so that the dependence of operations (`simaie.dependence.conflict`) knows it.
"""

from __future__ import annotations

from typing import TypeAlias

from simaie.guest.reservation import Cause, Elsewhere, Place, ReservationRule
from simaie.host.host import Host
from simaie.op import Kind, Op
from simaie.protocols import VCpu

__all__ = ["IdealMonitor"]


#: What a vCPU has load-linked, and whether an exception since then may have cleared it. Plain data, so that two
#: snapshots of a guest that looks by load-linked can be compared.
_Reservation: TypeAlias = tuple[Place, bool]


class IdealMonitor:
    """The monitors of all vCPUs; each keeps its own reservation in ``cpu.local``, None where there is none."""

    def __init__(self, host: Host, rule: ReservationRule | None, *, exact: bool, spurious: bool) -> None:
        """rule: None if the guest has no LL/SC. exact, spurious: the options of `Native`."""
        self._host = host
        self._rule = rule
        self._exact = exact or rule is None
        self._spurious = spurious
        inside = rule is not None and Elsewhere.INSIDE in (rule.other_address, rule.other_width)
        #: Whether a store-conditional may ask for bytes that the load-linked did not read.
        self._watches_granule = inside and not self._exact

    async def load_linked(self, cpu: VCpu, place: Place) -> int:
        """Load and reserve."""
        op = Op(Kind.LOAD_LINKED, None, place.physical, place.width)
        if self._watches_granule:
            assert self._rule is not None
            widest = place.physical & -self._rule.most, self._rule.most
            op = Op(Kind.LOAD_LINKED, None, place.physical, place.width, expected=widest)
        value: int = await op
        cpu.local = place, False
        return value

    async def fails_early(self, cpu: VCpu) -> bool:
        """Whether a store-conditional fails wherever it stores to: by a decision, which also clears the monitor."""
        reservation: _Reservation | None = cpu.local
        if self._spurious:
            fails = await self._host.choose(2, "the store-conditional fails without cause")
        elif reservation is not None and reservation[1]:
            fails = await self._host.choose(2, "the exception has ended the reservation")
        else:
            return False
        if fails:
            await self.clear(cpu)
        return bool(fails)

    async def store_conditional(self, cpu: VCpu, place: Place, value: int) -> bool:
        """Store if the rule allows it, and clear the monitor in any case. Returns whether it stored."""
        reservation: _Reservation | None = cpu.local
        rule, linked = self._rule, place if reservation is None else reservation[0]
        elsewhere = None if self._exact or rule is None else rule.elsewhere(linked, place)
        if elsewhere is None:
            # One that is not inside asks for its own bytes, which are not reserved, and fails.
            return await self._store(cpu, place, value, linked if linked.holds(place) else place)
        if elsewhere is Elsewhere.FAILS or not await self._stores_elsewhere():
            await self.clear(cpu)
            return False
        if elsewhere is Elsewhere.UNPREDICTABLE:
            await self.clear(cpu)
            await self._host.exchange(place.physical, place.width, value)
            return True
        assert rule is not None
        granule = rule.granule_of((linked, place)) if elsewhere is Elsewhere.INSIDE else None
        return await self._store(cpu, place, value, linked if granule is None else granule)

    async def _stores_elsewhere(self) -> bool:
        """Whether a store-conditional to other bytes than the reserved ones stores, if it can at all."""
        if self._spurious:
            return True  # that it fails was decided already
        return bool(await self._host.choose(2, "the store-conditional stores to other bytes than those reserved"))

    async def _store(self, cpu: VCpu, place: Place, value: int, needed: Place) -> bool:
        """Store to `place` if what is `needed` is reserved, and untouched."""
        cpu.local = None
        watched = needed.physical, needed.width
        return bool(await Op(Kind.STORE_CONDITIONAL, None, place.physical, place.width, value, watched))

    async def clear(self, cpu: VCpu) -> None:
        """Clear the vCPU's own monitor."""
        cpu.local = None
        await Op(Kind.CLEAR_RESERVATION)

    async def exception(self, cpu: VCpu) -> None:
        """An exception clears the monitor, unless there is a reservation that it need not end: this is in doubt now."""
        reservation: _Reservation | None = cpu.local
        if reservation is None or self._rule is None or Cause.EXCEPTION in self._rule.must:
            await self.clear(cpu)
        elif Cause.EXCEPTION in self._rule.may:
            cpu.local = reservation[0], True
