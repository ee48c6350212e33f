"""The base of both AIE schemes: the helpers that the translator inserts around guest accesses.

A locked instruction starts with *lock enable* and ends with *lock disable*. A *pre-load* helper runs before each load
under LOCK; a *pre-store* and a *post-store* helper run around every store. A locked instruction takes the lock of the
granule of its first access and keeps that lock to its end. A later access of the same instruction is **not** checked
again, even if it lies in another granule. If an access crosses a granule or a page, only its first granule is locked
or tested, though each page is translated. A plain store takes the lock only if the granule was used atomically before.
A vCPU holds at most one lock at a time, so no lock order is needed.

A compare-and-swap of two locations (CAS2 of m68k) would need the locks of two granules. It runs with the world stopped,
when no other vCPU is inside an instruction and so none holds a lock; its stores are checked as plain stores are. The
published designs are for Arm and x86, which have no such instruction: this is deduced from the one-lock rule.

The key of a lock is the guest-virtual address in user mode and the physical address in full-system mode.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any, ClassVar

import msgspec

from simaie.aie.entry import Entry, OwnedEntry
from simaie.aie.radix_tree import levels_for
from simaie.host.host import Ranges, join_words, split_words
from simaie.op import Function
from simaie.protocols import MachineFacts, Promise, VCpu
from simaie.schemes.scheme import Scheme
from simaie.schemes.stopping import StoppingScheme
from simaie.schemes.two_places import compare_two_alone

__all__ = ["AieScheme", "HelperState", "Reservation", "present_if_deep"]

#: Bytes of the widest single guest access; a 16-byte instruction makes two of them.
_WIDEST = 8


def present_if_deep(machine: MachineFacts, granule: Any) -> Mapping[str, Any]:
    """Return the option that leaves out races for inner nodes, if a tree for `granule` has inner levels.

    Args:
        machine: Facts about the machine.
        granule: Bytes per lock; what is no granule is refused elsewhere.
    """
    index_bits = machine.address_bits - granule.bit_length() + 1 if isinstance(granule, int) else 0
    return {"inner_nodes": "present"} if levels_for(index_bits) > 1 else {}


class Reservation(msgspec.Struct, frozen=True, eq=False):
    """The last load-linked of a vCPU.

    Attributes:
        entry: The entry of the granule that the load-linked reserved.
        address: The guest address of the load-linked.
        width: Its width in bytes.
        value: The value that it loaded.
    """

    entry: OwnedEntry
    address: int
    width: int
    value: int


class HelperState:
    """The AIE state of one vCPU, kept in ``cpu.local``.

    Attributes:
        held: The entry whose lock the vCPU holds, or None.
        lock_enabled: Whether the vCPU is inside a LOCK-prefixed instruction.
        reservation: The vCPU's last load-linked, or None.
        stopped: Whether the vCPU has stopped the world.
    """

    __slots__ = ("held", "lock_enabled", "reservation", "stopped")

    def __init__(self) -> None:
        self.held: Entry | None = None
        self.lock_enabled = False
        self.reservation: Reservation | None = None
        self.stopped = False


class AieScheme(StoppingScheme):
    """Base of the AIE schemes: locked instructions and checked stores.

    A revision implements `get_lock` and `check`, which find the lock of a granule.
    """

    name: ClassVar[str] = "aie"
    promises = frozenset({Promise.MUTEXES_ONLY, Promise.ONE_LOCK, Promise.REGISTERED_BY_ATOMICS})
    mapped_methods: ClassVar[Mapping[str, str]] = {**Scheme.mapped_methods, "load_locked": "load"}

    def enter(self, cpu: VCpu) -> None:
        """Start the vCPU with no lock and no reservation."""
        cpu.local = HelperState()

    # -- what a revision defines --------------------------------------------------------------

    async def get_lock(self, cpu: VCpu, key: int) -> None:
        """Lock the granule of `key` and record its entry in ``cpu.local.held``; create the entry if needed.

        Args:
            cpu: The vCPU that locks.
            key: Address whose granule is locked: guest-virtual in user mode, physical in full-system mode.
        """
        raise NotImplementedError

    async def check(self, cpu: VCpu, key: int) -> None:
        """Check a plain store: lock the granule of `key` if it was used atomically before.

        Args:
            cpu: The vCPU that stores.
            key: Address whose granule is checked: guest-virtual in user mode, physical in full-system mode.
        """
        raise NotImplementedError

    # -- the helpers --------------------------------------------------------------------------

    async def reach(self, address: int, width: int, *, write: bool) -> tuple[int, Ranges]:
        """Translate an access, which may fault; return the key of its lock and its ranges in RAM.

        Args:
            address: Guest-virtual address of the access.
            width: Width of the access in bytes.
            write: Whether the access writes, so that a read-only page faults.
        """
        ranges = await self.ranges(address, width, write=write)
        return (ranges[0][0] if self.machine.full_system else address), ranges

    def lock_enable(self, cpu: VCpu) -> None:
        """Mark the start of a locked instruction; this is local to the vCPU, so it is no step."""
        cpu.local.lock_enabled = True

    async def lock_disable(self, cpu: VCpu) -> None:
        """End a locked instruction: release its lock."""
        await self.release(cpu)
        cpu.local.lock_enabled = False

    async def pre_load(self, cpu: VCpu, address: int, width: int) -> Ranges:
        """Lock before a load under LOCK, unless the vCPU holds a lock already; return the ranges of the load in RAM.

        Args:
            cpu: The vCPU that loads.
            address: Guest-virtual address.
            width: Width in bytes.
        """
        key, ranges = await self.reach(address, width, write=False)
        if cpu.local.held is None:
            await self.get_lock(cpu, key)
        return ranges

    async def pre_store(self, cpu: VCpu, address: int, width: int) -> Ranges:
        """Prepare a store and return its ranges in RAM.

        Under LOCK, take the lock unless the vCPU holds one already; otherwise check the granule.

        Args:
            cpu: The vCPU that stores.
            address: Guest-virtual address.
            width: Width in bytes.
        """
        key, ranges = await self.reach(address, width, write=True)
        if not cpu.local.lock_enabled:
            await self.check(cpu, key)
        elif cpu.local.held is None:
            await self.get_lock(cpu, key)
        return ranges

    async def post_store(self, cpu: VCpu) -> None:
        """Finish a store: a plain store releases its lock."""
        if not cpu.local.lock_enabled:
            await self.release(cpu)

    async def release(self, cpu: VCpu) -> None:
        """Release the lock that the vCPU holds, if any."""
        entry = cpu.local.held
        if entry is not None:
            cpu.local.held = None
            await entry.lock.unlock()

    # -- the access classes -------------------------------------------------------------------

    async def store(self, cpu: VCpu, address: int, width: int, value: int) -> None:
        """Store between the pre-store and post-store helpers."""
        ranges = await self.pre_store(cpu, address, width)
        await self.host.store_ranges(ranges, value)
        await self.post_store(cpu)

    async def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Perform a locked read-modify-write: lock at the load, hold through the store, release at the end."""
        self.lock_enable(cpu)
        old = await self._load_parts(cpu, address, width)
        await self._store_parts(cpu, address, width, function.apply(old))
        await self.lock_disable(cpu)
        return old

    def cmpxchg_two(
        self, cpu: VCpu, addresses: tuple[int, int], width: int, expected: tuple[int, int], new: tuple[int, int]
    ) -> Awaitable[int]:
        """Perform the instruction with the world stopped; its stores are checked."""
        stop, resume = partial(self.stop_world, cpu), partial(self.resume_world, cpu)
        return compare_two_alone(
            self, cpu, addresses, width, expected, new, stop=stop, resume=resume, store=self.store
        )

    async def load_locked(self, cpu: VCpu, address: int, width: int) -> int:
        """Load in a locked instruction, at most 8 bytes.

        Args:
            cpu: The vCPU that loads.
            address: Guest-virtual address.
            width: Width in bytes.
        """
        ranges = await self.pre_load(cpu, address, width)
        return await self.host.load_ranges(ranges)

    async def _load_parts(self, cpu: VCpu, address: int, width: int) -> int:
        if width <= _WIDEST:
            return await self.load_locked(cpu, address, width)
        parts = [await self.load_locked(cpu, address + i, _WIDEST) for i in range(0, width, _WIDEST)]
        return join_words(parts, _WIDEST, self.host.endian)

    async def _store_parts(self, cpu: VCpu, address: int, width: int, value: int) -> None:
        if width <= _WIDEST:
            return await self.store(cpu, address, width, value)
        await self.check_pages(address, width, write=True)
        for i, part in enumerate(split_words(value, width, _WIDEST, self.host.endian)):
            await self.store(cpu, address + i * _WIDEST, _WIDEST, part)
        return None

    async def exception(self, cpu: VCpu, cause: str) -> None:
        """Take an exception: release the lock, end the locked instruction, and resume a stopped world."""
        await self.lock_disable(cpu)
        await self.resume_world(cpu)
