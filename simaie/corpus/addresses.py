"""Unusual addresses: two names of one place, writers that bypass the helpers, accesses in two parts."""

from __future__ import annotations

from typing import Any

from simaie.corpus.audit_case import Case, Expect, Needs
from simaie.corpus.common import ARM, LOST_RMW, TORN_LLSC, X86, X
from simaie.corpus.faults import ALIAS
from simaie.guest.code import Ins, ins
from simaie.guest.program import FinalState, Program
from simaie.host.pages import Page

__all__ = ["CASES"]

#: Two pages with one frame, so that X + ALIAS is another name of X; it needs 13 address bits.
TWO_NAMES = {0: Page(0), ALIAS: Page(0)}
USER, FULL = Needs(address_bits=13), Needs(address_bits=13, full_system=True)
#: For exhaustive LL/SC: with granules of 32 bytes the tree of 13 bits has one level.
FULL_SHALLOW = Needs(address_bits=13, full_system=True, options={"granule": 32})

WIDE = (1 << 32) + 1


def _wide_case(isa: str) -> Case:
    name = "wide-access-on-narrow-host" + ("" if isa == "x86" else f"-{isa}")
    store, load = ("store", "load") if isa == "x86" else ("str_", "ldr")
    return Case(
        row=26,
        title="64-bit accesses on a 32-bit host tear",
        why="The host splits each access in two, and both parts of the load may fall between those of the store.",
        program=Program(
            name,
            isa=isa,
            threads=[[ins(store, X, WIDE, width=8)], [ins(load, X, width=8, into="r")]],
            init={X: (0, 8)},
            final=lambda s: s.registers.get("1:r") in (0, WIDE),
        ),
        kinds=frozenset({"final-check"}),
        needs=Needs(host_word=32),
        expected=X86(Expect.FINDABLE) if isa == "x86" else ARM(Expect.FINDABLE),
    )


def _aliased_increments(name: str, vcpus: int, times: int) -> Program:
    """Half of the vCPUs increment X by its one name, half by the other."""
    threads = [[ins("lock_inc", X + ALIAS * (number % 2))] * times for number in range(vcpus)]

    def final(state: FinalState) -> bool:
        return state[X] == vcpus * times

    return Program(name, isa="x86", threads=threads, init={X: 0}, pages=TWO_NAMES, final=final)


def _aliased_attempts(name: str, vcpus: int, times: int) -> Program:
    """LL/SC increments by both names; X counts the SCs that reported success."""
    threads: list[list[Ins]] = []
    for number in range(vcpus):
        place = X + ALIAS * (number % 2)
        attempt = [
            ins("ldrex", place, into="v"),
            ins("reg_add", "v", 1, into="v"),
            ins("strex", place, "v", into="failed"),
            ins("reg_sub", 1, "failed", into="ok"),
            ins("reg_add", "done", "ok", into="done"),
        ]
        threads.append(attempt * times)

    def final(state: FinalState) -> bool:
        return state[X] == sum(v for name, v in state.registers.items() if name.endswith(":done"))

    return Program(name, isa="arm", threads=threads, init={X: 0}, pages=TWO_NAMES, final=final)


async def _dma_write(device: Any) -> None:
    await device.dma_write(X, 5)


CASES = (
    Case(
        row=23,
        title="virtual aliases in full-system mode: one lock",
        why="The key is the physical address that the translation returns, the same for both names.",
        program=_aliased_increments("aliases-full-system", 2, 1),
        larger=_aliased_increments("aliases-full-system-large", 4, 3),
        needs=FULL,
        expected=X86(Expect.MUST_NOT),
    ),
    Case(
        row=23,
        title="virtual aliases in full-system mode: one tiny set",
        why="The reservation is in the entry of the physical address, which both names lead to.",
        program=_aliased_attempts("aliases-full-system-arm", 2, 1),
        larger=_aliased_attempts("aliases-full-system-arm-large", 4, 3),
        needs=FULL_SHALLOW,
        expected=ARM(Expect.MUST_NOT),
    ),
    Case(
        row=23,
        title="virtual aliases in user mode: two locks",
        why="The key is the guest-virtual address: each name has a separate lock, and neither waits for the other.",
        program=_aliased_increments("aliases-user-mode", 2, 1),
        kinds=LOST_RMW,
        needs=USER,
        expected=X86(Expect.FINDABLE),
    ),
    Case(
        row=23,
        title="virtual aliases in user mode: two tiny sets",
        why="Each name has a separate set, so an SC by one name leaves the reservation by the other.",
        program=_aliased_attempts("aliases-user-mode-arm", 2, 1),
        kinds=TORN_LLSC,
        needs=USER,
        expected=ARM(Expect.FINDABLE),
    ),
    Case(
        row=24,
        title="a writer that is not instrumented (device DMA) against LOCK RMW",
        why="The device bypasses the helpers: no lock delays it, not even on a registered granule.",
        program=Program(
            "dma-against-locked-rmw",
            isa="x86",
            threads=[[ins("lock_inc", X)]],
            devices=[_dma_write],
            init={X: 0},
            final=lambda s: s[X] in (5, 6),
        ),
        kinds=LOST_RMW,
        expected=X86(Expect.FINDABLE),
    ),
    Case(
        row=24,
        title="a writer that is not instrumented (device DMA) between LL and SC",
        why="The device bypasses the helpers, so the vCPU stays in the set and its SC overwrites the device's value.",
        program=Program(
            "dma-between-ll-and-sc",
            isa="arm",
            threads=[[ins("ldrex", X), ins("strex", X, 1, into="failed")]],
            devices=[_dma_write],
            init={X: 0},
        ),
        kinds=TORN_LLSC,
        expected=ARM(Expect.FINDABLE),
    ),
    *map(_wide_case, ("x86", "arm")),
)
