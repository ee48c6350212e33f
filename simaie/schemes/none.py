"""No emulation of atomicity at all: every guest atomic is taken apart into plain loads and stores.

The baseline that breaks everywhere: a locked read-modify-write loses updates, and a store-conditional only
looks whether its address is the one that was load-linked.
"""

from __future__ import annotations

from typing import ClassVar

from simaie.op import Function
from simaie.protocols import VCpu
from simaie.schemes.scheme import Scheme

__all__ = ["NoScheme"]


class NoScheme(Scheme):
    """ld; op; st. ``cpu.local`` is the address of the last load-linked, None if there is none."""

    name: ClassVar[str] = "none"

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Load, and remember the address."""
        value = await self.load(cpu, address, width)
        cpu.local = address
        return value

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Store if the address is the remembered one; forget it."""
        linked, cpu.local = cpu.local, None
        if linked != address:
            return False
        await self.store(cpu, address, width, value)
        return True

    async def clear_exclusive(self, cpu: VCpu) -> None:
        """Forget the address: nobody else can see it, so no step."""
        cpu.local = None

    async def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """A plain load and a plain store."""
        old = await self.load(cpu, address, width)
        await self.store(cpu, address, width, function.apply(old))
        return old
