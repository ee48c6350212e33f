"""Inline compare-and-swap next to a monitor: exclusive accesses of Dynarmic with inlined code and a fallback.

Translated code performs an exclusive access inline if it can: the load-linked records address and value, and the
store-conditional is one host compare-and-swap, which looks at no monitor but its own and clears none. If the fast path
misses, the access goes through the monitor (`simaie.schemes.monitor_spin`). The monitor alone is safe for traffic by
LL/SC alone; with an inline path it is not, since an inline store-conditional leaves the monitors of others as they are.

Source: Dynarmic, src/dynarmic/backend/x64/a32_emit_x64_memory.cpp, with the option Unsafe_IgnoreGlobalMonitor.
"""

from __future__ import annotations

from typing import Any, ClassVar

from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.protocols import MachineFacts, VCpu, require_one_of
from simaie.schemes.holes import BY_COMPARE, Variant
from simaie.schemes.linked import Linked, LinkedState
from simaie.schemes.monitor_spin import MonitorSpin

__all__ = ["InlineCas"]

class _PathState(LinkedState):
    """The state of one vCPU; `inline` is whether its last load-linked took the inline path."""

    __slots__ = ("inline",)

    def __init__(self) -> None:
        super().__init__()
        self.inline = True


class InlineCas(MonitorSpin):
    """SC: a compare-and-swap that clears no monitor, or the store-conditional of `MonitorSpin`.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        misses: Whether an exclusive access misses the inline path: ``"sometimes"``, decided for each load-linked, or
            ``"never"``. A store-conditional follows the path of its load-linked.
        **usual: Options of `MonitorSpin`.
    """

    name: ClassVar[str] = "inline-cas"
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("", BY_COMPARE),
        Variant("misses=never", BY_COMPARE),
    )

    def __init__(
        self, host: Host, pages: PageTable, machine: MachineFacts, *, misses: str = "sometimes", **usual: Any
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        require_one_of("misses", misses, ("sometimes", "never"))
        self.misses = misses

    def enter(self, cpu: VCpu) -> None:
        """Start the vCPU without a reservation."""
        cpu.local = _PathState()

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Load and record the value inline, or go through the monitor."""
        cpu.local.inline = not await self._misses()
        if not cpu.local.inline:
            return await super().load_linked(cpu, address, width)
        value = await self.load(cpu, address, width)
        cpu.local.linked = Linked(address, value)
        return value

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Compare and swap inline, or go through the monitor."""
        if not cpu.local.inline:
            return await super().store_conditional(cpu, address, width, value)
        linked = self.take_linked(cpu, address)
        if linked is None:
            return False
        return await self.swap(await self.physical(address, write=True), width, linked.value, value)

    async def _misses(self) -> bool:
        if self.misses == "never":
            return False
        return bool(await self.host.choose(2, "the access misses the inline path"))
