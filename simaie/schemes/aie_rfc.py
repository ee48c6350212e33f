"""AIE as in the RFC: a mutex for each 16-byte granule that was ever used atomically, for Arm and x86 guests.

LL/SC: the entry keeps the set of the vCPUs that hold a reservation on the granule. LDREX inserts its vCPU. A STREX
stores only if its vCPU is a member, and then empties the set; both happen under the entry's mutex. Therefore no A-B-A
is possible among store-conditionals. A *plain* store between LDREX and STREX goes undetected, by design.

SWP is a locked instruction. The first SWP flips a one-way switch *before* it takes its lock (in the emulator: when the
SWP is translated). From then on plain stores are checked: each tests the switch and walks the tree, but never creates
an entry. On x86 plain stores are always checked.

Source: the RFC "Helper-based Atomic Instruction Emulation" (QEMU mailing list, May 2015). The RFC leaves some details
open; each detail that is deduced is an option. Beyond the RFC, a STREX to a different granule than that of the last
LDREX also ends the reservation, as the architecture requires.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from simaie.aie.entry import Entry, OwnedEntry
from simaie.aie.radix_tree import RadixTree
from simaie.aie.registry import Registry
from simaie.errors import UsageError
from simaie.host.host import Host, Ranges
from simaie.host.pages import PageTable
from simaie.op import Function, Role
from simaie.protocols import MachineFacts, VCpu, require_one_of
from simaie.schemes.aie import AieScheme, Reservation, present_if_deep
from simaie.schemes.holes import BY_VALUE, Hole, Variant

__all__ = ["AieRfc"]

_SWITCH = Role.SWITCH
#: Plain stores that no reservation sees, or that come before the first registration of their granule.
_STORES = BY_VALUE | {Hole.STORE, Hole.NEIGHBOUR, Hole.RMW_STORE, Hole.SPLIT_STORE}
#: Bytes per lock, by default.
_GRANULE = 16


class AieRfc(AieScheme):
    """AIE as in the RFC: a mutex and a set of reserving vCPUs for each granule.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        granule: Bytes per lock, a power of two.
        drop_first_reservation: Whether a second LDREX, on another granule, drops the first reservation.
        match: ``"granule"`` if a STREX needs a reservation on its granule; ``"address"`` if it also needs the exact
            address of this vCPU's last LDREX.
        compare_value: Whether a STREX also needs memory to hold the value that LDREX read, at the same address and
            width.
        checked_store_revokes: Whether a checked plain store and a SWP also empty the set of their granule.
        on_exception: Whether an exception is to ``"clear"`` the reservation or ``"leave"`` it.
        on_exit: Whether the end of the thread is to ``"clear"`` the reservation or ``"leave"`` it.
        inner_nodes: Whether the vCPUs create the nodes of the tree's inner levels and race for them, ``"raced"``, as in
            the emulator, or find them there, ``"present"``, as if granules nearby had been registered before. The race
            for the entry of a granule is modelled in either case, and outcomes and kinds of finding are the same (see
            `simaie.aie.radix_tree`), but each raced level multiplies the executions of two vCPUs by up to 4. A search
            that runs every execution takes ``"present"`` if the option is not given.
        **usual: Options of `Scheme`.
    """

    name: ClassVar[str] = "aie-rfc"
    usual_barriers: ClassVar[str] = "none"  # the RFC does not emulate them
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("", _STORES | {Hole.EXCEPTION, Hole.LLSC_RMW}),
        Variant("on_exception=clear,checked_store_revokes=true", _STORES),
    )
    tree_class: type[RadixTree[OwnedEntry]] = RadixTree

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        granule: int = _GRANULE,
        drop_first_reservation: bool = True,
        match: str = "granule",
        compare_value: bool = False,
        checked_store_revokes: bool = False,
        on_exception: str = "leave",
        on_exit: str = "leave",
        inner_nodes: str = "raced",
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        require_one_of("match", match, ("granule", "address"))
        require_one_of("on_exception", on_exception, ("leave", "clear"))
        require_one_of("on_exit", on_exit, ("leave", "clear"))
        self.drop_first_reservation = _flag("drop_first_reservation", drop_first_reservation)
        self.match = match
        self.compare_value = _flag("compare_value", compare_value)
        self.checked_store_revokes = _flag("checked_store_revokes", checked_store_revokes)
        self.on_exception = on_exception
        self.on_exit = on_exit
        self.registry = Registry(
            host,
            address_bits=machine.address_bits,
            granule=granule,
            make_entry=OwnedEntry,
            tree_class=self.tree_class,
            inner_nodes=inner_nodes,
        )
        #: Whether any SWP was ever issued. None if the guest has no SWP: plain stores are then checked from the start.
        self.swp_switch = host.cell(_SWITCH.value, False, role=_SWITCH) if machine.isa == "arm" else None

    @classmethod
    def search_options(cls, machine: MachineFacts, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return ``inner_nodes="present"`` if the tree has inner levels."""
        return present_if_deep(machine, options.get("granule", _GRANULE))

    # -- locks --------------------------------------------------------------------------------

    async def get_lock(self, cpu: VCpu, key: int) -> None:
        """Find or create the entry of `key`, and lock it."""
        cpu.local.held = await self.registry.get_lock(key)

    async def check(self, cpu: VCpu, key: int) -> None:
        """Lock the entry of `key` if it exists and plain stores are checked at all."""
        if self.swp_switch is not None and not await self.swp_switch.load():
            return
        entry = await self.registry.look_up(key)
        if entry is not None:
            await self._lock(cpu, entry)

    async def _lock(self, cpu: VCpu, entry: Entry) -> None:
        await entry.lock.lock()
        cpu.local.held = entry

    async def post_store(self, cpu: VCpu) -> None:
        """Revoke the granule's reservations if the option asks for it, then release a plain store's lock."""
        entry = cpu.local.held
        if self.checked_store_revokes and entry is not None:
            await entry.owners.clear()
        await super().post_store(cpu)

    # -- SWP and the locked instructions of x86 -----------------------------------------------

    async def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Switch on the check of plain stores if it is off, then run as a locked instruction."""
        if self.swp_switch is not None and not await self.swp_switch.load():
            await self.swp_switch.store(True)
        return await super().atomic_rmw(cpu, address, width, function)

    # -- LL/SC --------------------------------------------------------------------------------

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Load and insert the vCPU into the granule's set, under the lock."""
        key, ranges = await self.reach(address, width, write=False)
        if self.drop_first_reservation:
            await self._abandon(cpu, unless=key)
        await self.get_lock(cpu, key)
        value = await self.host.load_ranges(ranges)
        entry = cpu.local.held
        await entry.owners.insert(cpu.identity)
        await self.release(cpu)
        cpu.local.reservation = Reservation(entry, address, width, value)
        return value

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Store and empty the set if the vCPU is a member, under the lock; the reservation ends in any case."""
        key, ranges = await self.reach(address, width, write=True)
        entry = await self.registry.look_up(key)
        stored = False
        if entry is not None:
            await self._lock(cpu, entry)
            if await entry.owners.contains(cpu.identity):
                stored = await self._still_matches(cpu, address, width, ranges)
                if stored:
                    await self.host.store_ranges(ranges, value)
                    await self.end_reservations(entry)
                else:
                    await entry.owners.remove(cpu.identity)
            await self.release(cpu)
        await self._abandon(cpu, unless=key)
        cpu.local.reservation = None
        return stored

    async def end_reservations(self, entry: OwnedEntry) -> None:
        """End every reservation on the granule, after a successful store-conditional."""
        await entry.owners.clear()

    async def _still_matches(self, cpu: VCpu, address: int, width: int, ranges: Ranges) -> bool:
        """Whether the store-conditional passes the options `match` and `compare_value`, beyond membership."""
        linked = cpu.local.reservation
        if self.match == "granule" and not self.compare_value:
            return True
        if linked is None or linked.address != address:
            return False
        if not self.compare_value:
            return True
        return bool(linked.width == width and await self.host.load_ranges(ranges) == linked.value)

    async def clear_exclusive(self, cpu: VCpu) -> None:
        """Remove the vCPU from the set that its last load-linked joined."""
        await self._abandon(cpu)

    async def _abandon(self, cpu: VCpu, unless: int | None = None) -> None:
        """Drop the reservation of the last load-linked, unless the address `unless` lies in the reserved granule."""
        linked = cpu.local.reservation
        if linked is None:
            return
        entry = linked.entry
        if unless is not None and self.registry.number_of(unless) == self.registry.number_of(entry.address):
            return
        cpu.local.reservation = None
        await self._lock(cpu, entry)
        await entry.owners.remove(cpu.identity)
        await self.release(cpu)

    # -- the system side ----------------------------------------------------------------------

    async def exception(self, cpu: VCpu, cause: str) -> None:
        """Release the lock; clear or leave the reservation, as the option `on_exception` says."""
        await super().exception(cpu, cause)
        if self.on_exception == "clear":
            await self._abandon(cpu)

    async def thread_exit(self, cpu: VCpu) -> None:
        """Clear or leave the reservation, as the option `on_exit` says.

        If it is left, a later thread with the same identity inherits it.
        """
        if self.on_exit == "clear":
            await self._abandon(cpu)


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{name} must be true or false, not {value!r}")
    return value
