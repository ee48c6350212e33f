"""The ideal LL/SC monitor: exactly the behaviour that the guest's architecture allows.

The memory keeps the reserved bytes and what others have stored to them since (`Kind.LOAD_LINKED`,
`Kind.STORE_CONDITIONAL` and `Kind.CLEAR_RESERVATION`). This module applies the instruction set's `ReservationRule`:

- A store-conditional to the load-linked bytes stores if no other vCPU stored to them: the granule of this monitor is
  exactly these bytes. An implementation with a larger granule fails more often; such a failure counts as one without
  cause, and so does a failure after a plain store of the same vCPU.
- After an exception that need not end the reservation, a decision determines whether it did.
- If the architecture leaves open whether a store-conditional to other bytes stores, a decision determines it.

The bytes that a store-conditional needs untouched are part of its operation. They are also part of the load-linked's
operation if they may be more than the bytes that it reads. Dependence of operations (`simaie.dependence.conflict`) thus
covers them.
"""

from __future__ import annotations

from typing import TypeAlias

from simaie.guest.reservation import Cause, Elsewhere, Place, ReservationRule
from simaie.host.host import Host
from simaie.host.loaded import truth
from simaie.op import Kind, Op
from simaie.protocols import VCpu

__all__ = ["IdealMonitor"]


#: The bytes that a vCPU has load-linked, and whether an exception since then may have cleared the reservation. Plain
#: data, so that two snapshots of a guest that polls with load-linked can be compared.
_Reservation: TypeAlias = tuple[Place, bool]
#: Bytes that UMONITOR watches: the usual cache line.
_LINE = 64


class IdealMonitor:
    """The monitors of all vCPUs; ``cpu.local`` of each vCPU is its reservation, or None."""

    def __init__(
        self, host: Host, rule: ReservationRule | None, *, exact: bool, spurious: bool, host_decides: bool = False
    ) -> None:
        """Create the monitors of one execution.

        Args:
            host: Host port.
            rule: The reservation rule of the instruction set; None if the guest has no LL/SC.
            exact: Whether the option ``reservation="exact"`` of `Native` is set.
            spurious: Whether the option ``spurious_failures`` of `Native` is set.
            host_decides: Whether a store-conditional of the host itself may fail spuriously.
        """
        self._host_decides = host_decides
        self._host = host
        self._rule = rule
        self._exact = exact or rule is None
        self._spurious = spurious
        inside = rule is not None and Elsewhere.INSIDE in (rule.other_address, rule.other_width)
        #: Whether a store-conditional may need bytes that the load-linked did not read.
        self._watches_granule = inside and not self._exact

    async def load_linked(self, cpu: VCpu, place: Place) -> int:
        """Load from `place` and reserve it.

        Args:
            cpu: The vCPU that loads.
            place: The bytes to load and reserve.
        """
        op = Op(Kind.LOAD_LINKED, None, place.physical, place.width)
        if self._watches_granule:
            assert self._rule is not None
            widest = place.known.physical & -self._rule.most, self._rule.most
            op = Op(Kind.LOAD_LINKED, None, place.physical, place.width, expected=widest)
        value: int = await op
        cpu.local = place.known, False
        return value

    async def watch(self, cpu: VCpu, address: int) -> None:
        """Load the byte at the physical `address`, and reserve the line around it, as UMONITOR does."""
        line = address & -_LINE
        await Op(Kind.LOAD_LINKED, None, address, 1, expected=(line, _LINE))
        cpu.local = Place(line, line, _LINE), False

    def watched(self, cpu: VCpu) -> Op | None:
        """Return the operation that asks whether the vCPU has lost its reservation; None if it has none."""
        reservation: _Reservation | None = cpu.local
        if reservation is None:
            return None
        _, first, width = reservation[0]
        return Op(Kind.STORE_CONDITIONAL, None, first, width, expected=(first, width))

    async def fails_early(self, cpu: VCpu) -> bool:
        """Whether a store-conditional fails wherever it stores to: a decision, which also clears the monitor.

        On a host that takes orders, the host decides it.
        """
        reservation: _Reservation | None = cpu.local
        if self._host_decides:
            return False
        if self._spurious:
            fails = await self._host.choose(2, "the store-conditional fails spuriously")
        elif reservation is not None and reservation[1]:
            fails = await self._host.choose(2, "the exception has ended the reservation")
        else:
            return False
        if fails:
            await self.clear(cpu)
        return bool(fails)

    async def store_conditional(self, cpu: VCpu, place: Place, value: int) -> bool:
        """Store if the rule allows it, and clear the monitor in any case; return whether it stored.

        Args:
            cpu: The vCPU that stores.
            place: The bytes to store to.
            value: The unsigned integer to store.
        """
        reservation: _Reservation | None = cpu.local
        known = place.known
        rule, linked = self._rule, known if reservation is None else reservation[0]
        elsewhere = None if self._exact or rule is None else rule.elsewhere(linked, known)
        if elsewhere is None:
            # A store-conditional outside the reservation needs its own bytes, which are not reserved, so it fails.
            return await self._store(cpu, place, value, linked if linked.holds(known) else known)
        if elsewhere is Elsewhere.FAILS or not await self._stores_elsewhere():
            await self.clear(cpu)
            return False
        if elsewhere is Elsewhere.UNPREDICTABLE:
            await self.clear(cpu)
            await self._host.exchange(place.physical, place.width, value)
            return True
        assert rule is not None
        granule = rule.granule_of((linked, known)) if elsewhere is Elsewhere.INSIDE else None
        return await self._store(cpu, place, value, linked if granule is None else granule)

    async def _stores_elsewhere(self) -> bool:
        """Whether a store-conditional to bytes other than the reserved ones stores, where the rule allows it."""
        if self._spurious and not self._host_decides:
            return True  # `fails_early` has already decided that it does not fail
        return bool(await self._host.choose(2, "the store-conditional stores to other bytes than those reserved"))

    async def _store(self, cpu: VCpu, place: Place, value: int, needed: Place) -> bool:
        """Store to `place` if the bytes of `needed` are reserved and untouched."""
        cpu.local = None
        watched = needed.physical, needed.width
        stored: bool = truth(await Op(Kind.STORE_CONDITIONAL, None, place.physical, place.width, value, watched))
        return stored

    async def clear(self, cpu: VCpu) -> None:
        """Clear the vCPU's own monitor."""
        cpu.local = None
        await Op(Kind.CLEAR_RESERVATION)

    async def exception(self, cpu: VCpu) -> None:
        """Take an exception: clear the monitor, or leave open whether the exception ended the reservation."""
        reservation: _Reservation | None = cpu.local
        if reservation is None or self._rule is None or Cause.EXCEPTION in self._rule.must:
            await self.clear(cpu)
        elif Cause.EXCEPTION in self._rule.may:
            cpu.local = reservation[0], True
