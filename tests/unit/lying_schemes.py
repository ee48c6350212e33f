"""Schemes that do something else than their instructions ask for, and unusual ones that do what is asked.

`LIARS` and `ODD` list them, each with the instruction set and the guest that shows what they do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from simaie.host.host import join_words
from simaie.op import Function
from simaie.schemes.aie_rfc import AieRfc
from simaie.schemes.cas import CompareAndSwap
from simaie.schemes.native import Native
from simaie.schemes.none import NoScheme
from simaie.schemes.scheme import Scheme

__all__ = ["LIARS", "ODD", "RestsOnAnEarlierRead", "Shown", "X", "strex_of"]

X = 0x40


# -- guests ------------------------------------------------------------------------------------------


async def storing(cpu: Any) -> None:
    await cpu.store(X, 0x01020304)


async def storing_bytes(cpu: Any) -> None:
    await cpu.store(X, 0x81, width=1)


async def loading(cpu: Any) -> None:
    await cpu.load(X)


async def loading_eight(cpu: Any) -> None:
    await cpu.load(X, width=8)


async def adding(cpu: Any) -> None:
    await cpu.lock_xadd(X, 5)


async def adding_bytes(cpu: Any) -> None:
    await cpu.lock_xadd(X + 1, 5, width=1)


async def comparing(cpu: Any) -> None:
    """One fails, one succeeds, of what `INITIAL` puts there."""
    await cpu.lock_cmpxchg(X, 1, 7)
    await cpu.lock_cmpxchg(X, 0x11223344, 8)


def strex_of(change: int) -> Callable[[Any], Any]:
    """A guest that adds `change` by a load-linked and a store-conditional, and then tries one without a reservation."""

    async def conditional(cpu: Any) -> None:
        value = await cpu.ldrex(X)
        await cpu.strex(X, value + change)
        await cpu.strex(X, 9)

    return conditional


async def linking(cpu: Any) -> None:
    await cpu.ldrex(X)


async def moving_sixteen(cpu: Any) -> None:
    await cpu.lock_cmpxchg16b(X, 0, 1 << 100)


# -- stores ------------------------------------------------------------------------------------------


class DropsStores(Native):
    async def store(self, cpu, address, width, value):
        pass


class FencesForStores(Native):
    async def store(self, cpu, address, width, value):
        await self.host.fence()


class StoresHalf(Native):
    def store(self, cpu, address, width, value):
        return self.host.store(address, width // 2, value)


class StoresTooMuch(Native):
    def store(self, cpu, address, width, value):
        return self.host.store(address, 4, value)


class StoresNextDoor(Native):
    def store(self, cpu, address, width, value):
        return self.host.store(address + 1, width, value)


class StoresAnotherValue(Native):
    async def store(self, cpu, address, width, value):
        await self.host.store(address, width, value)
        await self.host.store(address, width, value + 1)


# -- loads -------------------------------------------------------------------------------------------


class LoadsNothing(Native):
    async def load(self, cpu, address, width):
        return 7


class LoadsAConstant(Native):
    async def load(self, cpu, address, width):
        await super().load(cpu, address, width)
        return 7


class LoadsHalf(Native):
    def load(self, cpu, address, width):
        return self.host.load(address, width // 2)


class SwapsHalves(Native):
    async def load(self, cpu, address, width):
        high, low = await self.host.load(address, 4), await self.host.load(address + 4, 4)
        return join_words([low, high], 4, self.host.endian)


class LoadsAndAdds(Native):
    def load(self, cpu, address, width):
        return self.host.fetch(address, width, Function("add 1", lambda old: old + 1))


class LinksAndMarks(CompareAndSwap):
    async def load_linked(self, cpu, address, width):
        value = await super().load_linked(cpu, address, width)
        await self.host.store(address, width, 0)
        return value


# -- locked instructions -----------------------------------------------------------------------------


class ReturnsTheNewValue(CompareAndSwap):
    async def atomic_rmw(self, cpu, address, width, function):
        return function.apply(await super().atomic_rmw(cpu, address, width, function))


class LeavesMemory(Native):
    def atomic_rmw(self, cpu, address, width, function):
        return self.host.load(address, width)


class AppliesTwice(Native):
    async def atomic_rmw(self, cpu, address, width, function):
        old = await self.host.load(address, width)
        await self.host.store(address, width, function.apply(function.apply(old)))
        return old


class RestsOnAnEarlierRead(Native):
    """What another vCPU stores between its two loads is lost, with nothing between the second load and the store."""

    async def atomic_rmw(self, cpu, address, width, function):
        old = await self.host.load(address, width)
        await self.host.load(address, width)
        await self.host.store(address, width, function.apply(old))
        return old


class StoresOnFailure(Native):
    async def cmpxchg(self, cpu, address, width, expected, new):
        return await self.host.exchange(address, width, new)


class ExchangesForAnother(Native):
    def cmpxchg(self, cpu, address, width, expected, new):
        return self.host.compare_and_swap(address, width, expected, new + 1)


class NeverExchanges(Native):
    def cmpxchg(self, cpu, address, width, expected, new):
        return self.host.load(address, width)


class ClaimsToHaveExchanged(Native):
    async def cmpxchg(self, cpu, address, width, expected, new):
        await super().cmpxchg(cpu, address, width, expected, new)
        return expected


class ExchangesHalf(Native):
    async def cmpxchg(self, cpu, address, width, expected, new):
        old = join_words([await self.host.load(address + i, 8) for i in (0, 8)], 8, self.host.endian)
        await self.host.store(address, 8, new & (1 << 64) - 1)
        return old


# -- store-conditionals ------------------------------------------------------------------------------


def inverted(base: type[Scheme]) -> type[Scheme]:
    """`base` with Arm's 0 for success taken for the truth."""

    async def store_conditional(self, cpu, address, width, value):
        return not await base.store_conditional(self, cpu, address, width, value)

    return type(f"Inverted{base.__name__}", (base,), {"store_conditional": store_conditional})


class ClaimsToHaveStored(CompareAndSwap):
    async def store_conditional(self, cpu, address, width, value):
        return True


class LooksAndClaimsToHaveStored(CompareAndSwap):
    async def store_conditional(self, cpu, address, width, value):
        await self.host.load(address, width)
        return True


class ClaimsAfterAFailure(CompareAndSwap):
    async def store_conditional(self, cpu, address, width, value):
        await self.host.compare_and_swap(address, width, 0x55, value)
        return True


class StoresAnother(CompareAndSwap):
    async def store_conditional(self, cpu, address, width, value):
        await self.host.store(address, width, value ^ 1)
        return True


class Shown(NamedTuple):
    """A scheme, a guest that shows what it does, and that guest's instruction set."""

    scheme: type[Scheme]
    guest: Callable[[Any], Any]
    isa: str = "x86"


LIARS: list[Shown] = [
    *(Shown(scheme, storing) for scheme in (DropsStores, FencesForStores, StoresHalf, StoresNextDoor)),
    Shown(StoresAnotherValue, storing),
    Shown(StoresTooMuch, storing_bytes),
    *(Shown(scheme, loading) for scheme in (LoadsNothing, LoadsAConstant, LoadsHalf, LoadsAndAdds)),
    Shown(SwapsHalves, loading_eight),
    *(Shown(scheme, adding) for scheme in (ReturnsTheNewValue, LeavesMemory, AppliesTwice)),
    *(Shown(scheme, comparing) for scheme in (StoresOnFailure, ExchangesForAnother, NeverExchanges)),
    Shown(ClaimsToHaveExchanged, comparing),
    Shown(ExchangesHalf, moving_sixteen),
    Shown(LinksAndMarks, linking, "arm"),
    *(
        Shown(scheme, strex_of(change), "arm")
        for scheme in (
            *map(inverted, (Native, NoScheme, AieRfc, CompareAndSwap)),
            ClaimsToHaveStored, LooksAndClaimsToHaveStored, ClaimsAfterAFailure, StoresAnother,
        )
        for change in (1, 0)
    ),
]  # fmt: skip


# -- unusual, and right --------------------------------------------------------------------------------


class ReadsTwice(Native):
    """A load that looks again until it sees the same value twice."""

    async def load(self, cpu, address, width):
        value = await self.host.load(address, width)
        while value != (value := await self.host.load(address, width)):
            pass
        return value


class TriesAgain(Native):
    """A read-modify-write by compare-and-swap: the last read counts."""

    async def atomic_rmw(self, cpu, address, width, function):
        old = await self.host.load(address, width)
        while (seen := await self.host.compare_and_swap(address, width, old, function.apply(old))) != old:
            old = seen
        return old


class SwapsTheWordAround(Native):
    """A narrow read-modify-write by a compare-and-swap of the aligned word around it."""

    async def atomic_rmw(self, cpu, address, width, function):
        base = address & ~3
        shift = 8 * ((address - base) if self.host.endian == "little" else 4 - width - (address - base))
        mask = ((1 << 8 * width) - 1) << shift
        word = await self.host.load(base, 4)
        while True:
            new = word & ~mask | function.apply((word & mask) >> shift) << shift
            seen = await self.host.compare_and_swap(base, 4, word, new)
            if seen == word:
                return (word & mask) >> shift
            word = seen


class Marks(Native):
    """A read-modify-write that puts a mark into the location while it computes, and looks whether it is still there."""

    async def atomic_rmw(self, cpu, address, width, function):
        old = await self.host.exchange(address, width, 0x77)
        await self.host.load(address, width)
        await self.host.store(address, width, function.apply(old))
        return old


class LoadsByCompareAndSwap(Native):
    """As a host does that has no load that wide: it swaps 0 for 0."""

    def load(self, cpu, address, width):
        return self.host.compare_and_swap(address, width, 0, 0)


class WritesTheOldBack(Native):
    """A failing compare-and-exchange writes the old value back."""

    def cmpxchg(self, cpu, address, width, expected, new):
        return Scheme.cmpxchg(self, cpu, address, width, expected, new)


class PutsTheOldBack(CompareAndSwap):
    """A store-conditional that loads and stores in any case: the old value where it fails."""

    async def store_conditional(self, cpu, address, width, value):
        linked, cpu.local.linked = cpu.local.linked, None
        old = await self.host.load(address, width)
        stored = linked is not None and linked[1] == old
        await self.host.store(address, width, value if stored else old)
        return stored


ODD: list[Shown] = [
    Shown(ReadsTwice, loading),
    Shown(LoadsByCompareAndSwap, loading),
    *(Shown(scheme, guest) for scheme in (TriesAgain, SwapsTheWordAround, Marks) for guest in (adding, adding_bytes)),
    Shown(WritesTheOldBack, comparing),
    *(Shown(PutsTheOldBack, strex_of(change), "arm") for change in (1, 0)),
]
