"""Misaligned and split LOCK on hosts without it: three emulations of a locked instruction across two host words.

Hosts other than x86 have no atomic access across the end of a naturally aligned word. A locked instruction within one
word is a host atomic here; one that crosses its end is emulated:

- `SplitCas`: load both halves; compare-and-swap the upper one, then the lower one. If the second fails, the upper half
  is put back. Until then others see it.
- `SplitMutex`: load and store under a mutex, which every other access ignores.
- `SplitLowByte`: load the whole; an exclusive pair on the low byte; store the rest plainly. It is used for every
  misaligned access, also within a word. An update that leaves the low byte as it is goes unnoticed.

Sources: FEX-Emu, its issues 3948 and 3974 (strict split lock); box64, its dynarec for Arm hosts and issue 808.
"""

from __future__ import annotations

from typing import Any, ClassVar

from simaie.host.host import Host, join_parts, split_parts
from simaie.host.pages import PageTable
from simaie.op import Function, Kind, Op
from simaie.protocols import MachineFacts, VCpu
from simaie.schemes.holes import Hole, Variant
from simaie.schemes.linked import LinkedScheme
from simaie.schemes.scheme import Scheme

__all__ = ["SplitCas", "SplitLowByte", "SplitMutex"]


class _SplitLock(LinkedScheme):
    """Base: a locked instruction within a host word is a host atomic. LL/SC is not emulated."""

    load_linked = Scheme.load_linked
    store_conditional = Scheme.store_conditional

    def is_split(self, address: int, width: int) -> bool:
        """Whether the host has no atomic for the access.

        Args:
            address: Guest-virtual address.
            width: Width in bytes.
        """
        return address % self.host.word + width > self.host.word

    async def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Perform one host atomic, or the emulation of a split access."""
        if self.is_split(address, width):
            return await self.split_rmw(cpu, address, width, function)
        return await self.on_ram(address, True, lambda at: self.host.fetch(at, width, function))

    async def split_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Perform a locked instruction for which the host has no atomic.

        Args:
            cpu: The vCPU that performs it.
            address: Guest-virtual address.
            width: Width in bytes.
            function: Computes the new value from the old one.
        """
        raise NotImplementedError


class SplitCas(_SplitLock):
    """A split locked instruction as two compare-and-swaps, of which the first is undone if the second fails."""

    name: ClassVar[str] = "split-cas"
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("", frozenset({Hole.SPLIT, Hole.SPLIT_LOCK, Hole.SPLIT_STORE, Hole.SPLIT_LOAD, Hole.WIDE_LOCK})),
    )

    async def split_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Swap the parts one after the other, the upper one first, until all have been swapped."""
        parts = _by_word(await self.ranges(address, width, write=True), self.host.word)
        widths, endian = [size for _, size in parts], self.host.endian
        while True:
            old = [await self.host.load(*part) for part in parts]
            whole = join_parts(old, widths, endian)
            new = split_parts(function.apply(whole), widths, endian)
            if await self._swap_all(parts, old, new):
                return whole

    async def _swap_all(self, parts: list[tuple[int, int]], old: list[int], new: list[int]) -> bool:
        """Swap each part, the last one first; on a failure put back those that were swapped, and return False."""
        swap = self.host.compare_and_swap
        for number in reversed(range(len(parts))):
            if await swap(*parts[number], old[number], new[number]) != old[number]:
                for swapped in range(number + 1, len(parts)):
                    await swap(*parts[swapped], new[swapped], old[swapped])
                return False
        return True


class SplitMutex(_SplitLock):
    """A split locked instruction under one mutex of the process."""

    name: ClassVar[str] = "split-mutex"
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("", frozenset({Hole.SPLIT_LOCK, Hole.SPLIT_STORE, Hole.WIDE_LOCK})),
    )

    def __init__(self, host: Host, pages: PageTable, machine: MachineFacts, **usual: Any) -> None:
        super().__init__(host, pages, machine, **usual)
        self.mutex = host.mutex("split-lock mutex")

    async def split_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Load and store under the mutex."""
        ranges = await self.ranges(address, width, write=True)
        await self.lock(cpu, self.mutex)
        old = await self.apply(ranges, function)
        await self.unlock(cpu)
        return old


class SplitLowByte(_SplitLock):
    """A misaligned locked instruction as an exclusive pair on its low byte and a plain store of the rest."""

    name: ClassVar[str] = "split-low-byte"
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant(
            "",
            frozenset(
                {Hole.SPLIT, Hole.SPLIT_LOCK, Hole.SPLIT_STORE, Hole.SPLIT_LOAD, Hole.MISALIGNED, Hole.WIDE_LOCK}
            ),
        ),
    )

    def is_split(self, address: int, width: int) -> bool:
        """Whether the access is misaligned, or wider than a host word."""
        return address % width != 0 or width > self.host.word

    async def split_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Store the low byte conditionally, then the rest plainly; try again if the low byte has changed."""
        ranges = await self.ranges(address, width, write=True)
        (at, size), *others = ranges
        low, rest = (at, 1), tuple(part for part in ((at + 1, size - 1), *others) if part[1])
        endian = self.host.endian
        while True:
            old = await self.host.load_ranges(ranges)
            first, _ = split_parts(old, (1, width - 1), endian)
            new_first, new_rest = split_parts(function.apply(old), (1, width - 1), endian)
            if await Op(Kind.LOAD_LINKED, None, *low) != first:
                await Op(Kind.CLEAR_RESERVATION)
            elif await Op(Kind.STORE_CONDITIONAL, None, *low, new_first):
                await self.host.store_ranges(rest, new_rest)
                return old


def _by_word(ranges: tuple[tuple[int, int], ...], word: int) -> list[tuple[int, int]]:
    """Cut ranges of RAM at the ends of host words."""
    parts: list[tuple[int, int]] = []
    for at, size in ranges:
        end = at + size
        while at < end:
            parts.append((at, min(word - at % word, end - at)))
            at += parts[-1][1]
    return parts
