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

from simaie.host.host import Host, join_parts, split_parts
from simaie.host.loaded import plain, truth
from simaie.host.pages import PageTable
from simaie.op import Function
from simaie.protocols import MachineFacts, VCpu, require_one_of
from simaie.schemes.holes import BY_COMPARE, Hole, Variant
from simaie.schemes.linked import Linked, LinkedScheme
from simaie.schemes.two_places import compare_two_alone

__all__ = ["CompareAndSwap"]

#: Bytes of the narrowest atomic of a host that has none for bytes and half words.
_WORD = 4


class CompareAndSwap(LinkedScheme):
    """LL/SC and locked instructions as host atomics on guest RAM, as in QEMU.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        narrow: How a locked compare-and-exchange of less than four bytes runs: ``"atomic"``, by a host atomic of that
            width; or ``"word"``, by a load and a plain store of its word. A host with atomics of words only (RISC-V
            without Zabha, MIPS) needs a loop there, and the mistake is to leave it out.
        **usual: Options of `LinkedScheme`.
    """

    name: ClassVar[str] = "cas"
    usual_barriers: ClassVar[str] = "full"  # as TCG emits them
    only_returns_old: ClassVar[bool] = True
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("", BY_COMPARE),
        Variant("on_exception=leave", BY_COMPARE | {Hole.EXCEPTION}),
        Variant("reservation=any-address", BY_COMPARE | {Hole.ADDRESS, Hole.SWITCH}),
        Variant("narrow=word", BY_COMPARE | {Hole.BYTE}),
    )

    def __init__(
        self, host: Host, pages: PageTable, machine: MachineFacts, *, narrow: str = "atomic", **usual: Any
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        require_one_of("narrow", narrow, ("atomic", "word"))
        self.narrow = narrow

    # -- LL/SC --------------------------------------------------------------------------------

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Load plainly; record the guest-virtual address and the value."""
        value = await self.load(cpu, address, width)
        cpu.local.linked = Linked(address, value)
        return value

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Compare-and-swap from the recorded value, if the address is the recorded one; then drop the record."""
        linked = self.take_linked(cpu, address)
        if linked is None:
            return False
        # Of a wider load-linked the low bytes are compared, as a C cast does.
        expected = linked.value & ((1 << 8 * width) - 1)
        if self.is_host_atomic(address, width):
            seen = await self._compare_and_swap(address, width, expected, value)
            return truth(seen == expected)  # type: ignore[no-any-return]  # a bool, or one with dependencies
        seen = await self._alone(cpu, address, width, lambda old: value if old == expected else None)
        return truth(seen == expected)  # type: ignore[no-any-return]  # as above

    # -- locked instructions ------------------------------------------------------------------

    def atomic_rmw(  # type: ignore[override]  # as in Scheme: it is only awaited, and one coroutine less is faster
        self, cpu: VCpu, address: int, width: int, function: Function
    ) -> Awaitable[int]:
        """Perform one host atomic, or the whole instruction with the world stopped."""
        if not self.is_host_atomic(address, width):
            return self._alone(cpu, address, width, function.apply)
        order, form = self.atomic_order, self.atomic_form
        return self.on_ram(address, True, lambda at: self.host.fetch(at, width, function, order, form))

    def cmpxchg(self, cpu: VCpu, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        """Perform one host compare-and-swap, or the whole instruction with the world stopped."""
        if not self.is_host_atomic(address, width):
            return self._alone(cpu, address, width, lambda old: new if old == expected else old)
        if self.narrow == "word" and width < _WORD:
            return self._by_word(address, width, expected, new)
        return self._compare_and_swap(address, width, expected, new)

    async def _by_word(self, address: int, width: int, expected: int, new: int) -> int:
        """Load the word of the access; store it with the new value in its place if the old one is `expected`."""
        offset = plain(address) % _WORD
        at = await self.physical(address - offset, write=True)
        sizes, endian = (offset, width, _WORD - offset - width), self.host.endian
        before, old, after = split_parts(await self.host.load(at, _WORD), sizes, endian)
        if old == expected:
            await self.host.store(at, _WORD, join_parts((before, new, after), sizes, endian))
        return old

    def _compare_and_swap(self, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        order, form = self.atomic_order, self.atomic_form
        return self.on_ram(address, True, lambda at: self.host.compare_and_swap(at, width, expected, new, order, form))

    def cmpxchg_two(
        self, cpu: VCpu, addresses: tuple[int, int], width: int, expected: tuple[int, int], new: tuple[int, int]
    ) -> Awaitable[int]:
        """Perform the instruction with the world stopped."""
        stop, resume = partial(self.stop_world, cpu), partial(self.resume_world, cpu)
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
        await self.stop_world(cpu)
        old = await self.load(cpu, address, width)
        new = new_value(old)
        if new is not None:
            await self.store(cpu, address, width, new)
        await self.resume_world(cpu)
        return old
