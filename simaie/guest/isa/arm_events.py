"""The instructions of Arm about events and interrupts, in A32 and A64: DDI 0487, D1.6 and C6.2."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from simaie.guest.events import send_event, wait_for_event, wait_for_interrupt
from simaie.guest.isa.load_store import LoadStoreCpu

__all__ = ["ArmEvents"]


class ArmEvents(LoadStoreCpu):
    """A vCPU with an event register; whether it sleeps is the option ``events`` of the scheme."""

    def sev(self) -> Coroutine[Any, Any, None]:
        """Send an event to all vCPUs: SEV. It orders no accesses, so that a store before it may be seen later."""
        return send_event(self, "sev")

    def sevl(self) -> Coroutine[Any, Any, None]:
        """Send an event to this vCPU: SEVL."""
        return send_event(self, "sevl", self.name)

    def wfe(self, *, spurious: bool = False) -> Coroutine[Any, Any, None]:
        """Wait for an event, or until another vCPU stores to the bytes that this one has reserved: WFE.

        With the scheme's option ``events=hint``, the default, it is a hint that other vCPUs go first.

        Args:
            spurious: Whether the sleep may also end without an event, which then is a decision.
        """
        return wait_for_event(self, "wfe", spurious=spurious)

    def wfi(self, *, arrives: bool = False) -> Coroutine[Any, Any, None]:
        """Wait for an interrupt of `send_interrupt`, and take it: WFI. It is a hint as WFE is.

        Args:
            arrives: Whether the interrupt of a device may arrive as well, which then is a decision.
        """
        return wait_for_interrupt(self, "wfi", arrives=arrives)
