"""The base of the schemes that keep a reservation in the vCPU, and protect it by locks or by stopping the world.

It has what these schemes have in common: what a load-linked records, the lock or the stopped world that a vCPU must
not keep past an exception, and locked instructions. A locked instruction is a store-conditional without a condition.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from simaie.host.host import Host, Mutex, Ranges
from simaie.host.pages import PageTable
from simaie.op import Function
from simaie.protocols import MachineFacts, VCpu, require_one_of
from simaie.schemes.stopping import StoppingScheme

__all__ = ["RESERVATIONS", "Linked", "LinkedScheme", "LinkedState"]

#: How a vCPU keeps the record of its last load-linked: ``exact``, or with one of three mistakes of emulators. ``kept``:
#: a store-conditional to another address leaves the record (NEMU before its pull request 148). ``any-address``: a
#: store-conditional does not compare addresses. ``zero``: address 0 also stands for "no record" (libriscv, issue 387).
RESERVATIONS = ("exact", "kept", "any-address", "zero")


class Linked(NamedTuple):
    """The record of a load-linked: its guest-virtual address, and the value that it loaded."""

    address: int
    value: int


class LinkedState:
    """The scheme's state of one vCPU, kept in ``cpu.local``.

    Attributes:
        linked: The last load-linked, or None.
        held: The mutex that the vCPU holds, or None.
        stopped: Whether the vCPU has stopped the world.
        in_section: Whether the vCPU is in an indivisible section.
    """

    __slots__ = ("held", "in_section", "linked", "stopped")

    def __init__(self) -> None:
        self.linked: Linked | None = None
        self.held: Mutex | None = None
        self.stopped = False
        self.in_section = False


class LinkedScheme(StoppingScheme):
    """Base of schemes for guests with LL/SC.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        on_exception: Whether an exception is to ``"clear"`` the reservation or ``"leave"`` it.
        reservation: How a vCPU keeps the record of its last load-linked, one of `RESERVATIONS`.
        **usual: Options of `Scheme`.
    """

    name: ClassVar[str] = "linked"

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        on_exception: str = "clear",
        reservation: str = "exact",
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        require_one_of("on_exception", on_exception, ("clear", "leave"))
        require_one_of("reservation", reservation, RESERVATIONS)
        self.on_exception = on_exception
        self.reservation = reservation

    def enter(self, cpu: VCpu) -> None:
        """Start the vCPU without a reservation and without a lock."""
        cpu.local = LinkedState()

    # -- the reservation of the vCPU ------------------------------------------------------------

    def take_linked(self, cpu: VCpu, address: int) -> Linked | None:
        """Forget the vCPU's last load-linked, and return it if it was at `address`; see the option `reservation`.

        Args:
            cpu: The vCPU that stores conditionally.
            address: Guest-virtual address of the store-conditional.
        """
        linked: Linked | None = cpu.local.linked
        if linked is None and self.reservation == "zero":
            linked = Linked(0, 0)
        if linked is None:
            return None
        matches = linked.address == address
        if matches or self.reservation != "kept":
            cpu.local.linked = None
        return linked if matches or self.reservation == "any-address" else None

    async def clear_exclusive(self, cpu: VCpu) -> None:
        """Drop the reservation; only this vCPU can see it, so this is no step."""
        cpu.local.linked = None

    async def end_reservations(self, cpu: VCpu, at: int) -> None:
        """End what other vCPUs have reserved at the physical address `at`, before a locked instruction stores there.

        Args:
            cpu: The vCPU that stores.
            at: Physical address of the first byte.
        """

    # -- locks and indivisible sections ---------------------------------------------------------

    async def lock(self, cpu: VCpu, mutex: Mutex) -> None:
        """Take `mutex`, which the vCPU holds until `unlock` or an exception."""
        await mutex.lock()
        cpu.local.held = mutex

    async def unlock(self, cpu: VCpu) -> None:
        """Release the mutex that the vCPU holds, if any."""
        held: Mutex | None = cpu.local.held
        if held is not None:
            cpu.local.held = None
            await held.unlock()

    async def begin_section(self, cpu: VCpu) -> None:
        """Begin an indivisible section, which lasts until `end_section` or an exception."""
        await self.host.begin_section()
        cpu.local.in_section = True

    async def end_section(self, cpu: VCpu) -> None:
        """End the indivisible section of this vCPU, if there is one."""
        if cpu.local.in_section:
            cpu.local.in_section = False
            await self.host.end_section()

    async def exception(self, cpu: VCpu, cause: str) -> None:
        """Take an exception: release what the vCPU holds or has stopped, then apply the option `on_exception`."""
        await self.end_section(cpu)
        await self.unlock(cpu)
        await self.resume_world(cpu)
        if self.on_exception == "clear":
            cpu.local.linked = None

    # -- stores under protection ----------------------------------------------------------------

    async def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Load and store with the world stopped."""
        ranges = await self.ranges(address, width, write=True)
        await self.stop_world(cpu)
        await self.end_reservations(cpu, ranges[0][0])
        old = await self.apply(ranges, function)
        await self.resume_world(cpu)
        return old

    async def apply(self, ranges: Ranges, function: Function) -> int:
        """Load from `ranges` and store what `function` makes of the value, plainly; return the old value.

        Args:
            ranges: (physical address, width in bytes) of each part.
            function: Computes the new value from the old one.
        """
        old = await self.host.load_ranges(ranges)
        await self.host.store_ranges(ranges, function.apply(old))
        return old

    async def swap(self, at: int, width: int, expected: int, new: int) -> bool:
        """Store `new` if RAM holds `expected`, by the host's compare-and-swap if it has one of this width.

        A wider one is a load and a store: the caller protects it as far as the scheme does.

        Args:
            at: Physical address.
            width: Width in bytes.
            expected: The value to compare with, of which the low `width` bytes count.
            new: The value to store.

        Returns:
            Whether it stored.
        """
        expected &= (1 << 8 * width) - 1
        if width <= self.host.word:
            return bool(await self.host.compare_and_swap(at, width, expected, new) == expected)
        return await self.store_if(at, width, expected, new)

    async def store_if(self, at: int, width: int, expected: int, new: int) -> bool:
        """Store `new` if a plain load returns `expected`; return whether it stored. The arguments are as for `swap`."""
        if await self.host.load(at, width) != expected & (1 << 8 * width) - 1:
            return False
        await self.host.store(at, width, new)
        return True
