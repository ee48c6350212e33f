"""Faults in the middle of an instruction, the one lock of a vCPU, and the operations that the host must have."""

from __future__ import annotations

from simaie.corpus.audit_case import Case, Expect, Needs
from simaie.corpus.common import ARM, X86, X
from simaie.corpus.faults import ALIAS, READ_ONLY, faults_in_rmw
from simaie.guest.code import Ins, ins
from simaie.guest.program import FinalState, Program, ThreadCode

__all__ = ["CASES"]

ONES = (1 << 64) + 1
WIDE = (1 << 32) + 1


def _faulting(name: str, vcpus: int, times: int) -> Program:
    """vCPU 0 faults in the middle of an RMW and continues; the others then lock the granule by its other name."""

    increments = [ins("lock_inc", ALIAS + X)] * times

    def final(state: FinalState) -> bool:
        return state[X] == times * (vcpus - 1) and state.registers.get("0:faulted") == 1

    threads: list[ThreadCode] = [faults_in_rmw("lock_inc", X, times=times), *[increments] * (vcpus - 1)]
    return Program(name, isa="x86", threads=threads, init={X: 0}, pages=READ_ONLY, final=final)


def _every_shape(name: str, times: int) -> Program:
    """Two loads and two stores under one lock, against two checked stores in two granules, the first registered."""
    wide = [ins("lock_cmpxchg16b", X, 0, ONES)] * times
    halves = [ins("lock_inc", X + 8, width=8), *[ins("movups", X + 8, ONES)] * times]
    return Program(name, isa="x86", threads=[wide, halves], init={X: (0, 16), X + 16: (0, 8)})


def _every_shape_large(name: str) -> Program:
    """More shapes and vCPUs; each begins with an RMW in each granule, so that its stores are checked."""
    first = [ins("lock_inc", X, width=8), ins("lock_inc", X + 16, width=8)]
    shapes: list[list[Ins]] = [
        [ins("lock_cmpxchg16b", X, 0, ONES), ins("xchg", X + 4, 1)],
        [ins("movups", X + 8, ONES), ins("lock_bts", X, 3)],
        [ins("lock_cmpxchg", X + 16, 0, 1), ins("movups", X, ONES)],
        [ins("store", X + 8, 1, width=8), ins("lock_neg", X + 16)],
    ]
    return Program(name, isa="x86", threads=[first + s for s in shapes], init={X: (0, 16), X + 16: (0, 8)})


def _wide_atomics(name: str, vcpus: int) -> Program:
    """The widest atomics of x86, for which an emulator is tempted to use a wide host compare-and-swap."""
    shapes = ([ins("lock_cmpxchg16b", X, 0, ONES)], [ins("lock_cmpxchg8b", X, 0, 1), ins("xchg", X, 2, width=8)])
    return Program(name, isa="x86", threads=[shapes[n % 2] for n in range(vcpus)], init={X: (0, 16)})


def _wide_exclusives(name: str, vcpus: int) -> Program:
    """LDREXD and STREXD against SWP."""
    shapes = ([ins("ldrexd", X), ins("strexd", X, WIDE, into="failed")], [ins("swpb", X + 8, 2)])
    return Program(name, isa="arm", threads=[shapes[n % 2] for n in range(vcpus)], init={X: (0, 8), X + 8: 0})


CASES = (
    Case(
        row=21,
        title="a fault in the middle of an RMW releases the lock",
        why="The exception path unlocks what the instruction holds, so the others can take the lock.",
        program=_faulting("fault-in-mid-rmw", 2, 1),
        larger=_faulting("fault-in-mid-rmw-large", 4, 3),
        needs=Needs(full_system=True, address_bits=13),
        expected=X86(Expect.MUST_NOT),
    ),
    Case(
        row=22,
        title="locks per vCPU at most one, none held between instructions",
        why="An instruction under LOCK takes no second lock; a plain store releases its lock before the next check.",
        program=_every_shape("one-lock-at-a-time", 1),
        larger=_every_shape_large("one-lock-at-a-time-large"),
        expected=X86(Expect.MUST_NOT),
    ),
    Case(
        row=28,
        title="nothing of the host but mutexes and pointer-size atomics",
        why="Wide guest atomics are plain accesses under a mutex; host atomics only touch the emulator's own cells.",
        program=_wide_atomics("host-operations", 2),
        larger=_wide_atomics("host-operations-large", 4),
        expected=X86(Expect.MUST_NOT),
    ),
    Case(
        row=28,
        title="nothing of the host but mutexes and pointer-size atomics (LL/SC, SWP)",
        why="LDREXD, STREXD and SWP are plain loads and stores under a mutex.",
        program=_wide_exclusives("host-operations-arm", 2),
        larger=_wide_exclusives("host-operations-arm-large", 4),
        expected=ARM(Expect.MUST_NOT),
    ),
)
