"""Bugs of real emulators, each as a program that finds it in any scheme.

The code is this project's own: each program is the smallest that shows the bug, not the code in which it was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simaie.corpus.audit_case import Expect, Needs
from simaie.corpus.bugs_of_interruption import OF_INTERRUPTION
from simaie.corpus.bugs_of_order import OF_ORDER
from simaie.corpus.bugs_of_width import OF_WIDTH
from simaie.corpus.common import LOST_RMW, TORN_LLSC, X, Y
from simaie.corpus.faults import ABSENT, faults_then_stores
from simaie.corpus.regression import Regression
from simaie.guest.code import Ins, ins
from simaie.guest.program import FinalState, Program
from simaie.host.pages import PAGE_SIZE

__all__ = ["REGRESSIONS"]

_HOLDS, _FOUND = Expect.MUST_NOT, Expect.FINDABLE


def _riscv(name: str, *threads: Sequence[Ins]) -> Program:
    return Program(name, isa="riscv", threads=threads, init={X: (0, 8), Y: (0, 8)})


def _arm(name: str, *threads: Sequence[Ins]) -> Program:
    return Program(name, isa="arm", threads=threads, init={X: (0, 8), Y: (0, 8)})


_LR, _SC = ins("lr", X, into="seen"), ins("sc", X, 1, into="failed")
_LL, _STREX = ins("ldrex", X, into="seen"), ins("strex", X, 1, into="failed")


async def _burst(device: Any) -> None:
    await device.store(X - 4, 5, width=8)


def _increments(state: FinalState) -> bool:
    """X counts the store-conditionals that succeeded."""
    return state[X] == sum(1 - state.registers[f"{vcpu}:failed"] for vcpu in "01")


def _dirty_log(name: str, *, mark_first: bool) -> Program:
    """vCPU 0 stores to X and marks it as dirty in Y; vCPU 1 clears the mark and copies X if it was set."""
    store, mark = ins("str_", X, 5), ins("str_", Y, 1)
    writer = [mark, store] if mark_first else [store, mark]
    copier = [ins("swp", Y, 0, into="dirty"), ins("ldr", X, into="copy")]

    def final(state: FinalState) -> bool:
        copied = state.registers["1:copy"] if state.registers["1:dirty"] else 0
        return state[Y] == 1 or copied == state[X]

    return Program(name, isa="arm", threads=[writer, copier], init={X: 0, Y: 0}, final=final)


REGRESSIONS = (
    Regression(
        title="a path that does not release the monitor's lock",
        why="A store-conditional without a reservation returns early. It must release the lock that it has taken.",
        program=_arm("bug-lock-kept", [ins("strex", X, 1, into="failed")], [_LL, _STREX]),
        kinds=frozenset({"lock-leak", "deadlock"}),
        expected={
            "native": _HOLDS,
            "aie-rfc": _HOLDS,
            "tlib": _HOLDS,
            "monitor-spin": _HOLDS,
            "monitor-spin:unlocks=false": _FOUND,
        },
    ),
    Regression(
        title="a load-linked that reserves before it faults",
        why="The reservation is set and the load faults. The store-conditional after the handler must not find it.",
        program=Program(
            "bug-reserved-before-fault",
            isa="riscv",
            threads=[faults_then_stores],
            init={PAGE_SIZE: 0},
            pages=ABSENT,
        ),
        kinds=TORN_LLSC,
        expected={
            "native": _HOLDS,
            "cas": _HOLDS,
            "aie-rfc": _HOLDS,
            "hst": _HOLDS,
            "stop-world-value:on_exception=leave": _HOLDS,
            "stop-world-value:order=reserve-first": _HOLDS,
            "stop-world-value:order=reserve-first,on_exception=leave": _FOUND,
        },
        needs=Needs(full_system=True, address_bits=13),
    ),
    Regression(
        title="a store-conditional that ignores its address",
        why="The reservation is for another word. Only the flag that there is one is tested.",
        program=_riscv("bug-address-ignored", [_LR, ins("sc", Y, 1, into="failed")]),
        kinds=TORN_LLSC,
        expected={
            "native": _HOLDS,
            "cas": _HOLDS,
            "cas:reservation=any-address": _FOUND,
            "aie-rfc": _HOLDS,
            "tlib": _HOLDS,
            "tlib:reservation=any-address": _HOLDS,  # the tag of the other word is not the vCPU's
            "none": _HOLDS,
        },
    ),
    Regression(
        title="a failed store-conditional that keeps the reservation",
        why="The store-conditional to another word fails. Any store-conditional ends the reservation, failed or not.",
        program=_riscv("bug-reservation-kept", [_LR, ins("sc", Y, 1, into="other"), _SC]),
        kinds=TORN_LLSC,
        expected={
            "native": _HOLDS,
            "cas": _HOLDS,
            "aie-rfc": _HOLDS,
            "tlib": _HOLDS,
            "stop-world-value": _HOLDS,
            "stop-world-value:reservation=kept": _FOUND,
        },
    ),
    Regression(
        title="address 0 as the mark of no reservation",
        why="A vCPU without a reservation counts as one that has reserved address 0, so it may store there.",
        program=Program("bug-reserved-zero", isa="riscv", threads=[[ins("sc", 0, 1, into="failed")]], init={0: 0}),
        kinds=TORN_LLSC,
        expected={
            "native": _HOLDS,
            "cas": _HOLDS,
            "aie-rfc": _HOLDS,
            "tlib": _HOLDS,
            "none": _HOLDS,
            "stop-world-value": _HOLDS,
            "stop-world-value:reservation=zero": _FOUND,
        },
    ),
    Regression(
        title="a burst that invalidates at its first address only",
        why="A wide store of another part of the emulator begins below the reserved word and covers it. Here the value "
        "of the word stays, so comparing values does not help.",
        program=Program("bug-burst-base", isa="arm", threads=[[_LL, _STREX]], devices=[_burst], init={X: 0}),
        kinds=TORN_LLSC,
        expected={"native": _HOLDS, "tlib": _FOUND, "pst": _HOLDS},
    ),
    Regression(
        title="a dirty log that is marked before the store",
        why="The mark is cleared and the old value copied before the store lands. It is then never copied.",
        program=_dirty_log("bug-dirty-mark-first", mark_first=True),
        kinds=frozenset({"final-check"}),
        expected={"native": _FOUND, "cas": _FOUND},
    ),
    Regression(
        title="a dirty log that is marked after the store",
        why="What the copy misses is marked: the repair of the bug above. The mark must be taken by an indivisible "
        "swap, since a mark between the load and the store of a divided one is lost.",
        program=_dirty_log("bug-dirty-store-first", mark_first=False),
        kinds=frozenset({"final-check"}),
        expected={"native": _HOLDS, "cas": _HOLDS, "none": _FOUND},
    ),
    Regression(
        title="a flush of another vCPU's TLB by the wrong thread",
        why="The other vCPU has looked into its TLB and not stored yet. A flush must wait until it is between "
        "instructions.",
        program=_arm("bug-foreign-flush", [_LL, _STREX], [ins("str_", X + 8, 1), ins("str_", X, 5)]),
        kinds=TORN_LLSC,
        expected={"native": _HOLDS, "tlb-excl": _HOLDS, "tlb-excl:flush=at-once": _FOUND, "nsim": _HOLDS},
    ),
    Regression(
        title="a load-linked that reads memory twice",
        why="The guest computes with the first value, and the store-conditional compares with the second.",
        program=Program(
            "bug-read-twice",
            isa="arm",
            threads=[[_LL, ins("reg_add", "seen", 1, into="next"), ins("strex", X, "next", into="failed")]] * 2,
            init={X: 0},
            final=_increments,
        ),
        kinds=TORN_LLSC,
        expected={"native": _HOLDS, "cas": _HOLDS, "aie-rfc": _HOLDS, "none": _FOUND},
    ),
    Regression(
        title="a store-conditional of unchanged data that skips the check",
        why="It stores what the load-linked read, so it changes nothing; but in between another vCPU has stored.",
        program=_arm("bug-unchanged-data", [_LL, ins("strex", X, 0, into="failed")], [ins("str_", X, 5)]),
        kinds=TORN_LLSC | {"instruction-results"},
        expected={"native": _HOLDS, "cas": _HOLDS, "pico-st": _HOLDS, "aie-rfc": _FOUND},
    ),
    Regression(
        title="an atomic memory operation that leaves a foreign reservation",
        why="RISC-V mixes AMOs and LR/SC on one word. An AMO is a store like any other.",
        program=_riscv("bug-amo-leaves-reservation", [_LR, _SC], [ins("amoadd", X, 1, into="old")]),
        kinds=TORN_LLSC,
        expected={"native": _HOLDS, "cas": _HOLDS, "tlib": _HOLDS, "aie-rfc": _FOUND},
    ),
    Regression(
        title="a compare-and-swap of a byte as a store of its word",
        why="The bytes around it are written back with their old values, over what others have stored there.",
        program=Program(
            "bug-word-for-byte",
            isa="x86",
            threads=[[ins("lock_cmpxchg", X, 0, 1, width=1, into="old")], [ins("store", X + 1, 5, width=1)]],
            init={X: 0},
            watch={X + 1: 1},
            final=lambda state: state[X + 1] == 5,
        ),
        kinds=LOST_RMW,
        expected={
            "native": _HOLDS,
            "cas": _HOLDS,
            "cas:narrow=word": _FOUND,
            "aie-rfc": _HOLDS,
            "aie-v2": _HOLDS,
            "none": _HOLDS,
        },
    ),
    Regression(
        title="a reservation that survives an exception",
        why="On AArch64 the return from an exception clears the monitor; another thread may have run in between.",
        program=Program(
            "bug-reservation-across-exception",
            isa="aarch64",
            threads=[[ins("ldxr", X, into="seen"), ins("exception"), ins("stxr", X, 1, into="failed")]],
            init={X: (0, 8)},
        ),
        kinds=TORN_LLSC,
        expected={"native": _HOLDS, "cas": _HOLDS, "hst": _HOLDS, "ldstex2cas": _FOUND, "aie-rfc": _FOUND},
    ),
    Regression(
        title="a swap as a load and a store: two vCPUs take one lock",
        why="Both swaps read 0, the free lock.",
        program=Program(
            "bug-two-owners",
            isa="arm",
            threads=[[ins("swp", X, 1, into="taken")]] * 2,
            init={X: 0},
            final=lambda state: state.registers["0:taken"] + state.registers["1:taken"] == 1,
        ),
        kinds=LOST_RMW,
        expected={"native": _HOLDS, "cas": _HOLDS, "aie-rfc": _HOLDS, "none": _FOUND},
    ),
    Regression(
        title="CMPXCHG16B under a mutex that other locked instructions ignore",
        why="A locked instruction on one of its halves comes between its load and its store, and is lost.",
        program=Program(
            "bug-wide-mutex",
            isa="x86",
            threads=[[ins("lock_cmpxchg16b", X, 0, 1 << 64, into="old")], [ins("lock_xadd", X + 8, 1, width=8)]],
            init={X: (0, 16)},
        ),
        kinds=LOST_RMW,
        expected={"native": _HOLDS, "cas": _HOLDS, "aie-rfc": _HOLDS, "wide-mutex": _FOUND},
    ),
    Regression(
        title="a store that is marked before it is made",
        why="Two stores mark before a load-linked does, and land after it.",
        program=_arm("bug-mark-first", [_LL, _STREX], [ins("str_", X, 7)], [ins("str_", X, 0)]),
        kinds=TORN_LLSC,
        expected={"native": _HOLDS, "tlib": _HOLDS, "hst": _FOUND, "hst-htm": _FOUND},
    ),
    *OF_WIDTH,
    *OF_ORDER,
    *OF_INTERRUPTION,
)
