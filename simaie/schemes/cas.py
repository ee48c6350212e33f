"""LL/SC by the value: what QEMU does since 2016, called PICO-CAS in the literature.

A load-linked remembers the address and the value. The store-conditional is one host compare-and-swap from that value,
so it also succeeds when the location changed and changed back (A-B-A). Locked read-modify-writes are one host atomic;
what the host has none for (too wide, misaligned) runs alone, with the world stopped.

Sources: E. G. Cota, P. Bonzini, A. Bennée, L. P. Carloni, "Cross-ISA Machine Emulation for Multicores", CGO 2017;
QEMU's atomic_template.h and target/arm/tcg/translate.c.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.op import Function
from simaie.protocols import MachineFacts, VCpu, require_one_of
from simaie.schemes.scheme import Scheme

__all__ = ["CompareAndSwap"]


class _Local:
    """linked: virtual address and value of the load-linked. stopped: whether the vCPU has stopped the world."""

    __slots__ = ("linked", "stopped")

    def __init__(self) -> None:
        self.linked: tuple[int, int] | None = None
        self.stopped = False


class CompareAndSwap(Scheme):
    """Host atomics on guest RAM. on_exception: ``"clear"`` or ``"leave"`` the reservation."""

    name: ClassVar[str] = "cas"
    usual_barriers: ClassVar[str] = "full"  # as TCG emits them

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        on_exception: str = "clear",
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        require_one_of("on_exception", on_exception, ("clear", "leave"))
        self.on_exception = on_exception

    def enter(self, cpu: VCpu) -> None:
        """A vCPU starts without a reservation."""
        cpu.local = _Local()

    # -- LL/SC --------------------------------------------------------------------------------

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """A plain load; remember the guest-virtual address and the value."""
        value = await self.load(cpu, address, width)
        cpu.local.linked = address, value
        return value

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Compare-and-swap from the remembered value, if the address is the remembered one; forget both."""
        linked, cpu.local.linked = cpu.local.linked, None
        if linked is None or linked[0] != address:
            return False
        # A wider load-linked is compared by its low bytes, as a C cast does.
        expected = linked[1] & ((1 << 8 * width) - 1)
        if self.is_host_atomic(address, width):
            seen = await self.on_ram(address, True, lambda at: self.host.compare_and_swap(at, width, expected, value))
            return bool(seen == expected)
        seen = await self._alone(cpu, address, width, lambda old: value if old == expected else None)
        return bool(seen == expected)

    async def clear_exclusive(self, cpu: VCpu) -> None:
        """Forget the reservation: nobody else can see it, so no step."""
        cpu.local.linked = None

    # -- locked instructions ------------------------------------------------------------------

    def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> Awaitable[int]:
        """One host atomic, or the whole instruction alone."""
        if not self.is_host_atomic(address, width):
            return self._alone(cpu, address, width, function.apply)
        return self.on_ram(address, True, lambda at: self.host.fetch(at, width, function))

    def cmpxchg(self, cpu: VCpu, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        """One host compare-and-swap, or the whole instruction alone."""
        if not self.is_host_atomic(address, width):
            return super().cmpxchg(cpu, address, width, expected, new)
        return self.on_ram(address, True, lambda at: self.host.compare_and_swap(at, width, expected, new))

    def is_host_atomic(self, address: int, width: int) -> bool:
        """Whether the host has an atomic for an access: no wider than its word, and aligned."""
        return width <= self.host.word and address % width == 0

    async def _alone(self, cpu: VCpu, address: int, width: int, new_value: Callable[[int], int | None]) -> int:
        """Load, and store what ``new_value(old)`` gives unless that is None, with the world stopped."""
        await self.host.begin_exclusive()
        cpu.local.stopped = True
        old = await self.load(cpu, address, width)
        new = new_value(old)
        if new is not None:
            await self.store(cpu, address, width, new)
        await self._resume_world(cpu)
        return old

    async def exception(self, cpu: VCpu, cause: str) -> None:
        """A fault while the world is stopped lets it go on."""
        await self._resume_world(cpu)
        if self.on_exception == "clear":
            cpu.local.linked = None

    async def _resume_world(self, cpu: VCpu) -> None:
        if cpu.local.stopped:
            cpu.local.stopped = False
            await self.host.end_exclusive()
