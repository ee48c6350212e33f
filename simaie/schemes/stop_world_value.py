"""LL/SC by value in a stopped world: the scheme of QEMU's user mode before 2016.

A load-linked records the address and the value. The store-conditional stops the world, loads the value again, and
stores if it is the recorded one. Locked instructions run in a stopped world too. So they are atomic with respect to
everything, but a store-conditional also succeeds if the location changed and changed back (A-B-A).

Source: QEMU 2.6, linux-user/main.c (do_strex of Arm, do_store_exclusive of MIPS and POWER, start_exclusive).

The mistakes that its options add are those of emulators that run one instruction after the other, where the record of
the last load-linked is a field of the vCPU.
"""

from __future__ import annotations

from typing import Any, ClassVar

from simaie.host.host import Host, split_words
from simaie.host.pages import PageTable
from simaie.protocols import MachineFacts, VCpu, require_one_of
from simaie.schemes.holes import BY_COMPARE, Hole, Variant
from simaie.schemes.linked import Linked, LinkedScheme

__all__ = ["StopWorldValue"]

_WORD = 4


class StopWorldValue(LinkedScheme):
    """LL: ld; save address and value. SC: stop the world; store if address and value match.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        order: What a load-linked does first: ``"load-first"``; or ``"reserve-first"``, with the value 0, so that a page
            fault of the load leaves a record unless `on_exception` clears it.
        pair: How a store-conditional of 8 bytes stores: ``"whole"``; or as two words, where the mistake is that they
            are ``"swapped"``, which confuses the order of the registers with the byte order, or that the second one
            ``"overwrites"`` the first.
        **usual: Options of `LinkedScheme`.
    """

    name: ClassVar[str] = "stop-world-value"
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("", BY_COMPARE),
        Variant("on_exception=leave,order=reserve-first", BY_COMPARE | {Hole.EXCEPTION, Hole.FAULT}),
        Variant("reservation=kept", BY_COMPARE | {Hole.SWITCH}),
        Variant("reservation=zero", BY_COMPARE | {Hole.ALONE}),
    )

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        order: str = "load-first",
        pair: str = "whole",
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        require_one_of("order", order, ("load-first", "reserve-first"))
        require_one_of("pair", pair, ("whole", "swapped", "overwrites"))
        self.order, self.pair = order, pair

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Load plainly; record the address and the value."""
        if self.order == "reserve-first":
            cpu.local.linked = Linked(address, 0)
        value = await self.load(cpu, address, width)
        cpu.local.linked = Linked(address, value)
        return value

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Store in a stopped world, if memory holds the recorded value."""
        linked = self.take_linked(cpu, address)
        if linked is None:
            return False
        at = await self.physical(address, write=True)
        await self.stop_world(cpu)
        in_words = self.pair != "whole" and width == 2 * _WORD
        stored = await (self._store_words if in_words else self.store_if)(at, width, linked.value, value)
        await self.resume_world(cpu)
        return stored

    async def _store_words(self, at: int, width: int, expected: int, new: int) -> bool:
        """Store as `store_if` does, but the two words in the wrong places."""
        if await self.host.load(at, width) != expected:
            return False
        first, second = split_words(new, width, _WORD, self.host.endian)
        places = (at + _WORD, at) if self.pair == "swapped" else (at, at)
        for place, word in zip(places, (first, second), strict=True):
            await self.host.store(place, _WORD, word)
        return True
