"""The conformance suite for schemes passes ours, where they promise atomicity, and fails each broken one."""

from __future__ import annotations

import re
from contextlib import nullcontext

import pytest

from simaie import Scheme, plugins
from simaie.errors import UnknownNameError, UsageError
from simaie.guest.forms import kinds_of
from simaie.schemes.cas import CompareAndSwap
from simaie.schemes.global_lock import GlobalLock
from simaie.schemes.holes import LLSC_HOLES, LOCK_HOLES, Hole
from simaie.schemes.native import Native
from simaie.testing import check_scheme

#: What AIE and the global lock do not promise: that a plain store waits for a locked instruction.
STORES = ("store", "release", "plain-rmw")
#: What comparing values does not promise.
LLSC = ("load-linked", "store-conditional", "clear")


def without(isa, *kinds):
    return [kind for kind in kinds_of(isa) if kind not in kinds]


QUICK = [
    ("native", "x86", kinds_of("x86")),
    ("native", "arm", kinds_of("arm")),
    ("cas", "x86", kinds_of("x86")),
    ("cas", "riscv", without("riscv", *LLSC)),
    ("global-lock", "x86", without("x86", *STORES)),
    ("aie-rfc", "arm", without("arm", *STORES)),
    ("aie-v2", "x86", without("x86", *STORES)),
    ("none", "x86", ["load", "store", "fence"]),
]
#: The schemes of the literature; what they do not promise is in `Scheme.variants`.
FAMILY = [
    *(
        (scheme, "arm", without("arm", *LLSC))
        for scheme in (
            "stop-world-value", "pico-st", "hst", "pst-remap", "hst-weak", "monitor-spin", "tlib", "inline-cas",
            "ldstex2cas", "qemu-atomicity", "pico-htm", "htm", "hst-htm", "pst", "tlb-excl", "nsim",
        )
    ),
    *((scheme, "x86", kinds_of("x86")) for scheme in ("split-cas", "split-mutex", "split-low-byte", "wide-mutex")),
]  # fmt: skip
THE_OTHERS = [
    *(("native", isa, kinds_of(isa)) for isa in ("aarch64", "riscv", "mips", "ppc")),
    *(("cas", isa, without(isa, *LLSC)) for isa in ("arm", "aarch64", "mips", "ppc")),
    ("aie-rfc", "x86", without("x86", *STORES)),
    ("none", "arm", ["load", "store", "fence"]),
]


@pytest.mark.one_in(4)
@pytest.mark.untraced
@pytest.mark.parametrize(("scheme", "isa", "kinds"), QUICK, ids=[f"{scheme}-{isa}" for scheme, isa, _ in QUICK])
def test_our_schemes_pass(scheme, isa, kinds):
    check_scheme(scheme, isa=isa, kinds=kinds, programs=8)


@pytest.mark.untraced
@pytest.mark.parametrize(("scheme", "isa", "kinds"), [FAMILY[1], FAMILY[3], FAMILY[-2]])
def test_the_schemes_of_the_literature_pass(scheme, isa, kinds):
    check_scheme(scheme, isa=isa, kinds=kinds, programs=2)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("scheme", "isa", "kinds"), QUICK + FAMILY + THE_OTHERS)
def test_our_schemes_pass_on_every_instruction_set(scheme, isa, kinds, seed):
    check_scheme(scheme, isa=isa, kinds=kinds, seed=seed, programs=100)


@pytest.mark.untraced
def test_a_scheme_passes_on_a_host_with_store_buffers():
    check_scheme("cas", isa="x86", host="tso", programs=3)


@pytest.mark.one_in(2)
@pytest.mark.untraced
@pytest.mark.parametrize(
    ("scheme", "isa", "method"),
    [
        ("none", "x86", "NoScheme.atomic_rmw"),
        ("global-lock", "x86", "GlobalLock.atomic_rmw"),
        ("aie-rfc", "x86", "AieRfc."),
        ("aie-rfc", "arm", "AieRfc."),
    ],
)
def test_the_holes_of_our_schemes_are_found_among_all_kinds(scheme, isa, method):
    with pytest.raises(AssertionError, match=re.escape(method)):
        check_scheme(scheme, isa=isa)


# -- broken ones ---------------------------------------------------------------------------------------


class DroppedStore(Native):
    """A store only looks."""

    async def store(self, cpu, address, width, value):
        await self.host.load(address, width)


class WrongOldValue(Native):
    """A read-modify-write returns the new value."""

    async def atomic_rmw(self, cpu, address, width, function):
        return function.apply(await self.host.fetch(address, width, function))


class InvertedConditional(Native):
    """A store-conditional says the opposite."""

    async def store_conditional(self, cpu, address, width, value):
        return not await super().store_conditional(cpu, address, width, value)


class ReturnsNone(Native):
    """A load returns nothing."""

    async def load(self, cpu, address, width):
        await self.host.load(address, width)


class DictState(Native):
    """It keeps what vCPUs share in a dictionary."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.seen = {}

    async def atomic_rmw(self, cpu, address, width, function):
        self.seen[address] = cpu.name
        return await super().atomic_rmw(cpu, address, width, function)


class ForgottenAwait(CompareAndSwap):
    """It makes a fence and does not await it."""

    async def load_linked(self, cpu, address, width):
        self.host.fence("full")
        return await super().load_linked(cpu, address, width)


class UnreleasedLock(GlobalLock):
    """It never lets go of its lock."""

    async def _release(self, cpu):
        pass


class UnlockedRmw(Native):
    """A read-modify-write is a load and a store."""

    async def atomic_rmw(self, cpu, address, width, function):
        physical = await self.physical(address, write=True)
        old = await self.host.load(physical, width)
        await self.host.store(physical, width, function.apply(old))
        return old


class RaisingHelper(Native):
    """A fence raises."""

    async def fence(self, cpu, kind):
        raise KeyError(kind)


class EndlessHelper(Native):
    """It loads for ever."""

    async def clear_exclusive(self, cpu):
        while True:
            await self.host.load(0x800, 4)


class SpinningHelper(Native):
    """It goes on for ever without any operation."""

    async def clear_exclusive(self, cpu):
        while True:
            pass


class HeldAcrossAnException(GlobalLock):
    """A fault leaves the lock held."""

    async def exception(self, cpu, cause):
        pass


class TrustsAnAddress(Native):
    """In full-system mode it does not translate."""

    def load(self, cpu, address, width):
        return self.host.load(address, width)


class NoHook(Native):
    """A hook is no coroutine function."""

    def thread_exit(self, cpu):
        return None


class NarrowStore(Native):
    """It stores half of what is wider than a word."""

    def store(self, cpu, address, width, value):
        return super().store(cpu, address, min(width, 4), value & 0xFFFFFFFF)


class OwnConstructor(Scheme):
    """Its constructor takes nothing."""

    def __init__(self):
        pass


class KeptReservation(CompareAndSwap):
    """The reservation survives CLREX."""

    async def clear_exclusive(self, cpu):
        pass


BROKEN = [
    (DroppedStore, "arm", "DroppedStore.store "),
    (WrongOldValue, "x86", "WrongOldValue.atomic_rmw "),
    (InvertedConditional, "arm", "InvertedConditional.store_conditional "),
    (ReturnsNone, "arm", "ReturnsNone.load returned None; it must return an int"),
    (DictState, "x86", "seen"),
    (ForgottenAwait, "arm", "ForgottenAwait.load_linked "),
    (UnreleasedLock, "x86", "UnreleasedLock.atomic_rmw "),
    (UnlockedRmw, "x86", "UnlockedRmw.atomic_rmw "),
    (RaisingHelper, "arm", "RaisingHelper.fence "),
    (EndlessHelper, "arm", "EndlessHelper.clear_exclusive "),
    (KeptReservation, "arm", "KeptReservation.clear_exclusive "),
    (HeldAcrossAnException, "x86", "HeldAcrossAnException."),
    (TrustsAnAddress, "arm", "TrustsAnAddress.load "),
    (NoHook, "arm", "NoHook.thread_exit returned None"),
    (NarrowStore, "x86", "NarrowStore.store "),
    (OwnConstructor, "x86", "OwnConstructor.__init__: "),
]


@pytest.mark.untraced
@pytest.mark.parametrize(("scheme", "isa", "words"), BROKEN, ids=[scheme.__name__ for scheme, _, _ in BROKEN])
def test_a_broken_scheme_fails_and_the_method_is_named(scheme, isa, words):
    with pytest.raises(AssertionError) as caught:
        check_scheme(scheme, isa=isa)
    assert words in str(caught.value)
    assert scheme.__name__ in str(caught.value)


@pytest.mark.untraced
def test_a_helper_that_spins_without_an_operation_is_stopped():
    with pytest.raises(AssertionError, match=r"SpinningHelper\.clear_exclusive"):
        check_scheme(SpinningHelper, isa="arm")


def test_what_a_scheme_does_not_emulate_is_left_out():
    """Without LL/SC, and without any locked instruction."""
    check_scheme("global-lock", isa="arm", kinds=["load", "atomic"], programs=5)
    check_scheme(Scheme, isa="riscv", programs=5)


@pytest.mark.untraced
def test_full_system_mode_can_be_left_out():
    check_scheme(TrustsAnAddress, isa="x86", kinds=["load", "store"], full_system=False, programs=2)


def test_bad_questions():
    with pytest.raises(UnknownNameError):
        check_scheme("native", isa="x87")
    with pytest.raises(UnknownNameError):
        check_scheme("native", isa="x86", kinds=["load-linked"])
    with pytest.raises(UsageError):
        check_scheme("native", isa="x86", programs=0)
    with pytest.raises(UnknownNameError):
        check_scheme("nativ", isa="x86")


#: What generated programs of two vCPUs with a few instructions show; the other classes need a pattern of their own.
SHOWN = {
    Hole.LLSC, Hole.STORE, Hole.SAME_VALUE, Hole.ABA_ONE_STORER, Hole.LLSC_RMW, Hole.RMW, Hole.RMW_STORE,
}  # fmt: skip
IN_CI = [("nsim", "arm"), ("cas", "arm"), ("aie-v2", "x86")]


def judged():
    """Yield each scheme with a kind of guest for which its data say whether it passes."""
    for name in plugins.names(plugins.SCHEMES):
        for variant in plugins.resolve(plugins.SCHEMES, name).variants:
            scheme = name + f":{variant.options}" * bool(variant.options)
            for isa, classes in (("arm", LLSC_HOLES), ("x86", LOCK_HOLES)):
                broken = variant.holes & set(classes)
                if not broken or broken & SHOWN:
                    soak = [pytest.mark.soak] * ((scheme, isa) not in IN_CI)
                    yield pytest.param(scheme, isa, not broken, marks=soak, id=f"{scheme}-{isa}")


@pytest.mark.parametrize(("scheme", "isa", "passes"), list(judged()))
def test_a_scheme_passes_or_fails_as_its_data_say(scheme, isa, passes):
    """A scheme without a violation for such guests passes, and one with a violation that programs show fails."""
    with nullcontext() if passes else pytest.raises(AssertionError, match="the guest ran"):
        check_scheme(scheme, isa=isa, programs=15, full_system=False)
