"""LL/SC by value in a stopped world: the scheme of QEMU's user mode before 2016.

A load-linked records the address and the value. The store-conditional stops the world, loads the value again, and
stores if it is the recorded one. Locked instructions run in a stopped world too. So they are atomic with respect to
everything, but a store-conditional also succeeds if the location changed and changed back (A-B-A).

Source: QEMU 2.6, linux-user/main.c (do_strex of Arm, do_store_exclusive of MIPS and POWER, start_exclusive).
"""

from __future__ import annotations

from typing import ClassVar

from simaie.protocols import VCpu
from simaie.schemes.holes import BY_VALUE, Hole, Variant
from simaie.schemes.linked import Linked, LinkedScheme

__all__ = ["StopWorldValue"]


class StopWorldValue(LinkedScheme):
    """LL: ld; save address and value. SC: stop the world; store if address and value match."""

    name: ClassVar[str] = "stop-world-value"
    variants: ClassVar[tuple[Variant, ...]] = (Variant("", BY_VALUE | {Hole.ABA_BY_SC}),)

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Load plainly; record the address and the value."""
        value = await self.load(cpu, address, width)
        cpu.local.linked = Linked(address, value)
        return value

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Store in a stopped world, if memory holds the recorded value."""
        linked = self.take_linked(cpu, address)
        if linked is None:
            return False
        at = await self.physical(address, write=True)
        await self.stop_world(cpu)
        stored = await self.store_if(at, width, linked.value, value)
        await self.resume_world(cpu)
        return stored
