"""Row 24: a page-table walker that sets accessed and dirty bits, against an operating system that edits the entry.

The page table is in guest RAM: PTE is one entry of it, 8 bytes, in the format of x86. The walker is a device, since the
emulator walks the table by accesses of its own, which no helper sees. TLB is the entry of the software TLB, a word of
the emulator's memory; it holds the entry as walked, or 0 if it is invalid. The operating system runs on another vCPU.

QEMU has had both kinds of walker: one that stores the bits plainly, and one that compares and swaps.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from simaie.corpus.audit_case import Case, Expect
from simaie.corpus.common import LOST_RMW, X86, X, Y, Z
from simaie.guest.code import ins
from simaie.guest.program import FinalState, Program

__all__ = ["CASES"]

PTE, TLB, FRAME = X, Y, Z
PRESENT, ACCESSED, DIRTY = 1, 1 << 5, 1 << 6
_FULL = PRESENT | ACCESSED | DIRTY
Code = Callable[[Any], Coroutine[Any, Any, None]]


def _walk(*, by_cas: bool, bits: int = ACCESSED | DIRTY) -> Code:
    """Walk the table for one guest store: set the bits of a present entry."""

    async def walker(device: Any) -> None:
        entry = await device.dma_read(PTE, width=8)
        while entry & PRESENT:
            if not by_cas:
                await device.dma_write(PTE, entry | bits, width=8)
                return
            seen = await device.dma_cas(PTE, entry, entry | bits, width=8)
            if seen == entry:
                return
            entry = seen

    return walker


async def _store_by_tlb(device: Any) -> None:
    """A guest store on another vCPU: look the page up in the TLB, then store to the frame."""
    if await device.dma_read(TLB, width=8) & PRESENT:
        await device.dma_write(FRAME, 7)


def _unmapped(name: str, by_cas: bool) -> Program:
    """The operating system takes the entry away by an exchange; it must stay away."""

    def final(state: FinalState) -> bool:
        return state.read(PTE, width=8) == 0

    return Program(
        name, isa="x86", threads=[[ins("xchg", PTE, 0, width=8, into="old")]], devices=[_walk(by_cas=by_cas)],
        init={PTE: (PRESENT, 8)}, final=final,
    )  # fmt: skip


def _cleaned(name: str, walkers: int) -> Program:
    """The operating system clears the dirty bit by a locked instruction; no accessed bit may be lost meanwhile."""

    def final(state: FinalState) -> bool:
        return bool(state.read(PTE, width=8) & ACCESSED)

    return Program(
        name, isa="x86", threads=[[ins("lock_and", PTE, PRESENT | ACCESSED, width=8)]],
        devices=[_walk(by_cas=True, bits=ACCESSED)] * walkers, init={PTE: (PRESENT | DIRTY, 8)}, final=final,
    )  # fmt: skip


def _invalidated(name: str) -> Program:
    """The operating system unmaps the page, invalidates the TLB of the other vCPU, and reuses the frame at once."""
    system = [ins("xchg", PTE, 0, width=8), ins("store", TLB, 0, width=8), ins("store", FRAME, 5)]
    init: dict[int, int | tuple[int, int] | bytes] = {PTE: (_FULL, 8), TLB: (_FULL, 8), FRAME: 0}
    return Program(
        name, isa="x86", threads=[system], devices=[_store_by_tlb], init=init, final=lambda s: s[FRAME] == 5
    )


CASES = (
    Case(
        row=24,
        title="a page-table walker that stores accessed and dirty bits plainly",
        why="The walker reads the entry; the exchange takes it away; the walker's store puts it back.",
        program=_unmapped("walker-stores-plainly", by_cas=False),
        kinds=LOST_RMW,
        expected=X86(Expect.FINDABLE, cas=Expect.FINDABLE),
        ideal_keeps=False,
    ),
    Case(
        row=24,
        title="a page-table walker that compares and swaps, against a locked instruction",
        why="The walker takes no lock, so that it sets the bit between the load and the store of the instruction.",
        program=_cleaned("walker-compares-and-swaps", 1),
        larger=_cleaned("walker-compares-and-swaps-large", 3),
        samples=100,
        kinds=LOST_RMW,
        expected=X86(Expect.FINDABLE, cas=Expect.MUST_NOT),
    ),
    Case(
        row=24,
        title="a TLB that another vCPU invalidates without waiting for its user",
        why="The store looks its page up before the invalidation, and lands after the frame has been reused.",
        program=_invalidated("stale-tlb-entry"),
        kinds=frozenset({"final-check"}),
        expected=X86(Expect.FINDABLE, cas=Expect.FINDABLE),
        ideal_keeps=False,
    ),
)
