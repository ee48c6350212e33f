"""One lock for all locked instructions, as in QEMU's x86 target until 2016; plain stores ignore it.

A LOCK-prefixed instruction takes the lock before its accesses and releases it at its end. Locked instructions are
atomic with respect to each other; a plain store between the load and the store of a locked instruction is lost.
If the access faults in between, the emulator leaves the helper by a long jump, and must release the lock on that path
too.
"""

from __future__ import annotations

from typing import Any, ClassVar

from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.op import Function
from simaie.protocols import MachineFacts, Promise, VCpu
from simaie.schemes.holes import Hole, Variant
from simaie.schemes.scheme import Scheme

__all__ = ["GlobalLock"]

#: What the lock does not keep out.
_LOST_STORES = frozenset({Hole.RMW_STORE, Hole.SPLIT_STORE})


class GlobalLock(Scheme):
    """One global lock around each locked instruction: lock(G); ld; op; st; unlock(G). LL/SC is not emulated.

    ``cpu.local`` is whether the vCPU holds G.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        unlocks: Whether an exception in the middle of a locked instruction releases the lock.
        **usual: Options of `Scheme`.
    """

    name: ClassVar[str] = "global-lock"
    promises = frozenset({Promise.MUTEXES_ONLY, Promise.ONE_LOCK})
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("", _LOST_STORES),
        Variant("unlocks=false", _LOST_STORES | {Hole.DEADLOCK, Hole.LEAK}),
    )

    def __init__(
        self, host: Host, pages: PageTable, machine: MachineFacts, *, unlocks: bool = True, **usual: Any
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        self.unlocks = unlocks
        self.lock = host.mutex("global lock")

    def enter(self, cpu: VCpu) -> None:
        """Start the vCPU without the lock."""
        cpu.local = False

    async def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Load and store under the global lock."""
        await self.lock.lock()
        cpu.local = True
        old = await Scheme.load(self, cpu, address, width)
        await Scheme.store(self, cpu, address, width, function.apply(old))
        await self._release(cpu)
        return old

    async def exception(self, cpu: VCpu, cause: str) -> None:
        """Release the lock after a fault in the middle of a locked instruction, unless `unlocks` is off."""
        if self.unlocks:
            await self._release(cpu)

    async def _release(self, cpu: VCpu) -> None:
        if cpu.local:
            cpu.local = False
            await self.lock.unlock()
