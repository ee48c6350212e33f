"""What the two AIE schemes share: the helpers that the translator plants around guest accesses.

An access is bracketed: *pre-load* before a load under LOCK, *pre-store* and *post-store* around every store, *lock
enable* and *lock disable* at the two ends of a locked instruction. A locked instruction takes the lock of the granule
that its first access touches and keeps it to its end; a later access of the same instruction is **not** checked again,
even if it lies in another granule. Of an access that crosses a granule, or a page, only the first granule is locked or
tested, though each page is translated. A plain store takes the lock only if the granule was used atomically before.
A vCPU holds at most one lock at a time, so no order of locks is needed.

The key of a lock is the guest-virtual address in user mode, the physical one in full-system mode.
"""

from __future__ import annotations

from typing import ClassVar

from simaie.aie.entry import Entry, OwnedEntry
from simaie.host.host import Ranges, join_words, split_words
from simaie.op import Function
from simaie.protocols import Promise, VCpu
from simaie.schemes.scheme import Scheme

__all__ = ["AieScheme", "HelperState", "Reservation"]

#: The widest single guest access; a 16-byte instruction makes two of them.
_WIDEST = 8


class Reservation:
    """What a vCPU remembers of its last load-linked: the entry, guest address, width in bytes and value."""

    __slots__ = ("address", "entry", "value", "width")

    def __init__(self, entry: OwnedEntry, address: int, width: int, value: int) -> None:
        self.entry, self.address, self.width, self.value = entry, address, width, value


class HelperState:
    """``cpu.local``. held: the entry whose lock this vCPU holds; lock_enabled: inside a LOCK-prefixed instruction."""

    __slots__ = ("held", "lock_enabled", "reservation")

    def __init__(self) -> None:
        self.held: Entry | None = None
        self.lock_enabled = False
        self.reservation: Reservation | None = None


class AieScheme(Scheme):
    """Locked instructions and checked stores; a revision says how a lock is found (`get_lock`, `check`)."""

    name: ClassVar[str] = "aie"
    promises = frozenset({Promise.MUTEXES_ONLY, Promise.ONE_LOCK, Promise.REGISTERED_BY_ATOMICS})

    def enter(self, cpu: VCpu) -> None:
        """A vCPU starts with no lock and no reservation."""
        cpu.local = HelperState()

    # -- what a revision defines --------------------------------------------------------------

    async def get_lock(self, cpu: VCpu, key: int) -> None:
        """Lock the granule of `key`, with an entry made if need be; ``cpu.local.held`` is then that entry."""
        raise NotImplementedError

    async def check(self, cpu: VCpu, key: int) -> None:
        """A plain store's check: lock the granule of `key` if it was used atomically before."""
        raise NotImplementedError

    # -- the helpers --------------------------------------------------------------------------

    async def reach(self, address: int, width: int, *, write: bool) -> tuple[int, Ranges]:
        """The key of the lock and the places in RAM of an access; the translation may fault."""
        ranges = await self.ranges(address, width, write=write)
        return (ranges[0][0] if self.machine.full_system else address), ranges

    def lock_enable(self, cpu: VCpu) -> None:
        """A locked instruction begins; local, so no step."""
        cpu.local.lock_enabled = True

    async def lock_disable(self, cpu: VCpu) -> None:
        """A locked instruction ends."""
        await self.release(cpu)
        cpu.local.lock_enabled = False

    async def pre_load(self, cpu: VCpu, address: int, width: int) -> Ranges:
        """Before a load under LOCK: lock, unless something is locked already. Returns the places in RAM."""
        key, ranges = await self.reach(address, width, write=False)
        if cpu.local.held is None:
            await self.get_lock(cpu, key)
        return ranges

    async def pre_store(self, cpu: VCpu, address: int, width: int) -> Ranges:
        """Before any store: lock under LOCK, unless locked already; else check. Returns the places in RAM."""
        key, ranges = await self.reach(address, width, write=True)
        if not cpu.local.lock_enabled:
            await self.check(cpu, key)
        elif cpu.local.held is None:
            await self.get_lock(cpu, key)
        return ranges

    async def post_store(self, cpu: VCpu) -> None:
        """After any store: a plain one lets go of its lock."""
        if not cpu.local.lock_enabled:
            await self.release(cpu)

    async def release(self, cpu: VCpu) -> None:
        """Unlock what this vCPU holds, if anything."""
        entry = cpu.local.held
        if entry is not None:
            cpu.local.held = None
            await entry.lock.unlock()

    # -- the access classes -------------------------------------------------------------------

    async def store(self, cpu: VCpu, address: int, width: int, value: int) -> None:
        """A store between its two helpers."""
        ranges = await self.pre_store(cpu, address, width)
        await self.host.store_ranges(ranges, value)
        await self.post_store(cpu)

    async def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Lock at the load, hold through the store, let go at the end."""
        self.lock_enable(cpu)
        old = await self._load_parts(cpu, address, width)
        await self._store_parts(cpu, address, width, function.apply(old))
        await self.lock_disable(cpu)
        return old

    async def load_locked(self, cpu: VCpu, address: int, width: int) -> int:
        """A load of a locked instruction, at most 8 bytes wide."""
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
        """An exception releases the lock, and ends the locked instruction."""
        await self.lock_disable(cpu)
