"""LL/SC by compare-and-swap: the scheme of QEMU since 2016, called PICO-CAS in the literature.

A load-linked records the address and the value. The store-conditional is one host compare-and-swap from that value,
so it also succeeds if the location changed and changed back (A-B-A). A locked read-modify-write is one host atomic. If
the host has no such atomic (the access is too wide or misaligned), the instruction runs with the world stopped.

Sources: E. G. Cota, P. Bonzini, A. Bennée, L. P. Carloni, "Cross-ISA Machine Emulation for Multicores", CGO 2017;
QEMU's atomic_template.h and target/arm/tcg/translate.c.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, ClassVar

from simaie.host.host import Host
from simaie.host.loaded import plain, truth
from simaie.host.pages import PageTable
from simaie.op import Function
from simaie.protocols import MachineFacts, VCpu, require_one_of
from simaie.schemes.holes import BY_VALUE, Hole, Variant
from simaie.schemes.scheme import Scheme
from simaie.schemes.two_places import compare_two_alone

__all__ = ["CasState", "CompareAndSwap"]


class CasState:
    """The scheme's state of one vCPU.

    Attributes:
        linked: Virtual address and value of the last load-linked, or None.
        stopped: Whether the vCPU has stopped the world.
    """

    __slots__ = ("linked", "stopped")

    def __init__(self) -> None:
        self.linked: tuple[int, int] | None = None
        self.stopped = False


class CompareAndSwap(Scheme):
    """LL/SC and locked instructions as host atomics on guest RAM, as in QEMU.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        on_exception: Whether an exception is to ``"clear"`` the reservation or ``"leave"`` it.
        **usual: Options of `Scheme`.
    """

    name: ClassVar[str] = "cas"
    usual_barriers: ClassVar[str] = "full"  # as TCG emits them
    only_returns_old: ClassVar[bool] = True
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("", BY_VALUE | {Hole.ABA_BY_SC}),
        Variant("on_exception=leave", BY_VALUE | {Hole.ABA_BY_SC, Hole.EXCEPTION}),
    )

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
        """Start the vCPU without a reservation."""
        cpu.local = CasState()

    # -- LL/SC --------------------------------------------------------------------------------

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Load plainly; record the guest-virtual address and the value."""
        value = await self.load(cpu, address, width)
        cpu.local.linked = address, value
        return value

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Compare-and-swap from the recorded value, if the address is the recorded one; then drop the record."""
        linked, cpu.local.linked = cpu.local.linked, None
        if linked is None or linked[0] != address:
            return False
        # Of a wider load-linked the low bytes are compared, as a C cast does.
        expected = linked[1] & ((1 << 8 * width) - 1)
        if self.is_host_atomic(address, width):
            seen = await self._compare_and_swap(address, width, expected, value)
            return truth(seen == expected)  # type: ignore[no-any-return]  # a bool, or one with dependencies
        seen = await self._alone(cpu, address, width, lambda old: value if old == expected else None)
        return truth(seen == expected)  # type: ignore[no-any-return]  # as above

    async def clear_exclusive(self, cpu: VCpu) -> None:
        """Drop the reservation; only this vCPU can see it, so this is no step."""
        cpu.local.linked = None

    # -- locked instructions ------------------------------------------------------------------

    def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> Awaitable[int]:
        """Perform one host atomic, or the whole instruction with the world stopped."""
        if not self.is_host_atomic(address, width):
            return self._alone(cpu, address, width, function.apply)
        order, form = self.atomic_order, self.atomic_form
        return self.on_ram(address, True, lambda at: self.host.fetch(at, width, function, order, form))

    def cmpxchg(self, cpu: VCpu, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        """Perform one host compare-and-swap, or the whole instruction with the world stopped."""
        if not self.is_host_atomic(address, width):
            return self._alone(cpu, address, width, lambda old: new if old == expected else old)
        return self._compare_and_swap(address, width, expected, new)

    def _compare_and_swap(self, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        order, form = self.atomic_order, self.atomic_form
        return self.on_ram(address, True, lambda at: self.host.compare_and_swap(at, width, expected, new, order, form))

    def cmpxchg_two(
        self, cpu: VCpu, addresses: tuple[int, int], width: int, expected: tuple[int, int], new: tuple[int, int]
    ) -> Awaitable[int]:
        """Perform the instruction with the world stopped."""
        stop, resume = partial(self._stop_for, cpu), partial(self._resume_world, cpu)
        return compare_two_alone(self, cpu, addresses, width, expected, new, stop=stop, resume=resume)

    def is_host_atomic(self, address: int, width: int) -> bool:
        """Whether the host has an atomic for the access: no wider than a host word, and aligned.

        Args:
            address: Guest-virtual address.
            width: Width in bytes.
        """
        at: int = plain(address)  # known when the instruction is translated, or checked without a branch
        return width <= self.host.word and at % width == 0

    async def _alone(self, cpu: VCpu, address: int, width: int, new_value: Callable[[int], int | None]) -> int:
        """With the world stopped, load the old value and store ``new_value(old)`` unless it is None; return the old."""
        await self._stop_for(cpu)
        old = await self.load(cpu, address, width)
        new = new_value(old)
        if new is not None:
            await self.store(cpu, address, width, new)
        await self._resume_world(cpu)
        return old

    async def exception(self, cpu: VCpu, cause: str) -> None:
        """Take an exception: resume the world if this vCPU stopped it, then apply the option `on_exception`."""
        await self._resume_world(cpu)
        if self.on_exception == "clear":
            cpu.local.linked = None

    async def _stop_for(self, cpu: VCpu) -> None:
        await self.host.begin_exclusive()
        cpu.local.stopped = True

    async def _resume_world(self, cpu: VCpu) -> None:
        if cpu.local.stopped:
            cpu.local.stopped = False
            await self.host.end_exclusive()
