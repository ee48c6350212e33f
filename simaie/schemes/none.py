"""No emulation of atomicity: every guest atomic is split into plain loads and stores.

This baseline fails everywhere: a locked read-modify-write loses updates, and a store-conditional only checks that its
address is the one that was load-linked.
"""

from __future__ import annotations

from typing import ClassVar

from simaie.op import Function
from simaie.protocols import VCpu
from simaie.schemes.holes import LLSC_HOLES, LOCK_HOLES, Hole, Variant
from simaie.schemes.scheme import Scheme

__all__ = ["NoScheme"]

#: What needs no atomicity: the record of the load-linked is right, and no access is wider or narrower than the guest's.
_HOLDS = {Hole.ADDRESS, Hole.ALONE, Hole.FAULT, Hole.SWITCH, Hole.BYTE, Hole.SPLIT_LOAD}


class NoScheme(Scheme):
    """Guest atomics as plain accesses: ld; op; st. ``cpu.local`` is the address of the last load-linked, or None."""

    name: ClassVar[str] = "none"
    variants: ClassVar[tuple[Variant, ...]] = (Variant("", (frozenset(LLSC_HOLES) | set(LOCK_HOLES)) - _HOLDS),)

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Load, and record the address."""
        value = await self.load(cpu, address, width)
        cpu.local = address
        return value

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Store if the address is the recorded one; drop the record."""
        linked, cpu.local = cpu.local, None
        if linked != address:
            return False
        await self.store(cpu, address, width, value)
        return True

    async def clear_exclusive(self, cpu: VCpu) -> None:
        """Drop the recorded address; only this vCPU can see it, so this is no step."""
        cpu.local = None

    async def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Load plainly, then store plainly."""
        old = await self.load(cpu, address, width)
        await self.store(cpu, address, width, function.apply(old))
        return old
