"""Bugs of emulators with what interrupts an instruction or a pair of them: a context switch, a fault, a kill."""

from __future__ import annotations

from typing import Any

from simaie.corpus.audit_case import Expect, Needs
from simaie.corpus.common import TORN_LLSC, X, Y
from simaie.corpus.faults import READ_ONLY
from simaie.corpus.regression import Regression
from simaie.errors import GuestFault
from simaie.guest.code import ins
from simaie.guest.program import FinalState, GuestFunction, Program
from simaie.host.pages import Page

__all__ = ["OF_INTERRUPTION"]

_HOLDS, _FOUND = Expect.MUST_NOT, Expect.FINDABLE
#: A pair of which the store-conditional fails if a signal arrives within it.
_PAIR = [ins("ldxr", X, into="seen"), ins("stxr", X, 9, into="failed")]
#: A locked instruction across the end of an 8-byte word.
_SPLIT = ins("lock_xadd", X + 6, 1, width=4, into="old")


def _failing_cmpxchg(*, keeps_accumulator: bool) -> GuestFunction:
    """Return a thread that does what an emulator does for CMPXCHG on a read-only page, and starts it again.

    A CMPXCHG that fails writes the old value back, so it needs a writable page.
    """

    async def thread(cpu: Any) -> None:
        accumulator = 3
        while True:
            try:
                await cpu.lock_cmpxchg(X, accumulator, 7)
                return
            except GuestFault:
                if not keeps_accumulator:
                    accumulator = await cpu.load(X)
                await cpu.map_page(0, Page(0))

    return thread


def _faulting(name: str, *, keeps_accumulator: bool) -> Program:
    thread = _failing_cmpxchg(keeps_accumulator=keeps_accumulator)
    return Program(name, isa="x86", threads=[thread], init={X: 5}, pages=READ_ONLY, final=_is_unchanged)


def _signalled(scheme: str) -> str:
    """Return the text of `scheme` with a signal at any instruction of vCPU 0."""
    return f"interrupted:scheme={scheme},times=0,signals=1,vcpus=0"


def _is_unchanged(state: FinalState) -> bool:
    return state[X] == 5


OF_INTERRUPTION = (
    Regression(
        title="a reservation that survives a context switch",
        why="The operating system stores conditionally to a word of its own, so that the thread that it goes back to "
        "has no reservation.",
        program=Program(
            "bug-reservation-across-switch",
            isa="ppc",
            threads=[
                [ins("lwarx", X, into="seen"), ins("stwcx", Y, 0, into="dummy"), ins("stwcx", X, 1, into="stored")]
            ],
            init={X: (0, 8), Y: (0, 8)},
        ),
        kinds=TORN_LLSC,
        expected={
            "native": _HOLDS,
            "cas": _HOLDS,
            "tlib": _HOLDS,
            "stop-world-value": _HOLDS,
            "stop-world-value:reservation=kept": _FOUND,
        },
    ),
    Regression(
        title="a fault in a failing CMPXCHG after its accumulator has changed",
        why="The accumulator has the old value already when the write of it faults. The instruction starts again, "
        "compares with the new accumulator, and succeeds.",
        program=_faulting("bug-accumulator-changed", keeps_accumulator=False),
        kinds=frozenset({"final-check"}),
        expected={"native": _FOUND, "cas": _FOUND},
        needs=Needs(full_system=True, address_bits=13),
    ),
    Regression(
        title="a fault in a failing CMPXCHG before its accumulator changes",
        why="The repair of the bug above: nothing changes before the last access that may fault. Under a lock that a "
        "fault does not release, the second try waits for ever.",
        program=_faulting("bug-accumulator-kept", keeps_accumulator=True),
        kinds=frozenset({"lock-leak", "deadlock"}),
        expected={"native": _HOLDS, "cas": _HOLDS, "global-lock": _HOLDS, "global-lock:unlocks=false": _FOUND},
        needs=Needs(full_system=True, address_bits=13),
    ),
    Regression(
        title="a process that is killed while it holds the mutex of split accesses",
        why="The mutex is in memory that processes share, and no process releases it.",
        program=Program("bug-killed-with-mutex", isa="x86", threads=[[_SPLIT], [_SPLIT]], init={X: (0, 16)}),
        kinds=frozenset({"lock-leak", "deadlock"}),
        expected={
            "native": _HOLDS,
            "cas": _HOLDS,
            "split-mutex": _HOLDS,
            "interrupted:scheme=split-mutex,times=0,kills=1,vcpus=0": _FOUND,
        },
    ),
    Regression(
        title="a reservation that survives a signal, whose handler stores another value and the old one again",
        why="The return from an exception ends the reservation, so the interrupted store-conditional fails. One that "
        "compares values does not see what the handler did.",
        program=Program(
            "bug-aba-in-handler",
            isa="aarch64",
            threads=[_PAIR],
            handler=[ins("str_", X, 7), ins("str_", X, 0)],
            init={X: 0},
        ),
        kinds=TORN_LLSC,
        expected={
            "native": _HOLDS,
            **{_signalled(name): _HOLDS for name in ("native", "cas", "tlib", "hst", "stop-world-value", "pst-remap")},
            **{_signalled(name): _FOUND for name in ("cas:on_exception=leave", "ldstex2cas", "aie-rfc")},
        },
    ),
    Regression(
        title="a store-conditional that uses the reservation of a signal handler",
        why="The handler reserves the word too, and returns before its store-conditional. If its reservation survives "
        "the return, the interrupted store-conditional overwrites a store of another vCPU that came between its own "
        "load-linked and that of the handler.",
        program=Program(
            "bug-reservation-of-handler",
            isa="aarch64",
            threads=[_PAIR, [ins("str_", X, 5)]],
            handler=[ins("ldxr", X)],
            init={X: 0},
        ),
        kinds=TORN_LLSC,
        expected={
            "native": _HOLDS,
            **{_signalled(name): _HOLDS for name in ("native", "cas", "tlib", "hst", "stop-world-value", "pst-remap")},
            **{_signalled(name): _FOUND for name in ("cas:on_exception=leave", "ldstex2cas", "aie-rfc")},
        },
    ),
)
