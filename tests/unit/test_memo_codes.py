"""The operations that a memo performs by itself have the same effects as in the host memory."""

from __future__ import annotations

from typing import Any

import pytest
from exhaustive.programs import Hypercalls
from memo_runs import side_by_side

from simaie import Machine, Program
from simaie.machine import Limits

X, Y = 0x100, 0x104


def swaps(expected: int, new: int) -> Any:
    async def thread(cpu: Any) -> None:
        cpu.observe("old", await cpu.lock_cmpxchg(X, expected, new))

    return thread


def swaps_narrowly(expected: int, new: int) -> Any:
    async def thread(cpu: Any) -> None:
        cpu.observe("old", await cpu.lock_cmpxchg(X, expected, new, width=1))

    return thread


async def adds(cpu: Any) -> None:
    cpu.observe("old", await cpu.lock_xadd(X, 255))
    cpu.observe("new", await cpu.xchg(X, 7))


async def reserves(cpu: Any) -> None:
    cpu.observe("seen", await cpu.ldxr(X))
    cpu.observe("failed", await cpu.stxr(X, 5))


async def swaps_on_arm(cpu: Any) -> None:
    cpu.observe("old", await cpu.cas(X, 0, 0))


async def adds_on_arm(cpu: Any) -> None:
    cpu.observe("old", await cpu.ldadd(X, 0))


PROGRAMS = {
    "swaps": ("x86", [swaps(0, 1), swaps(1, 2), swaps(0, 3)]),
    "narrow swaps": ("x86", [swaps_narrowly(0, 257), swaps(257, 2), swaps_narrowly(1, 3)]),
    "other changes": ("x86", [adds, swaps(0, 1), adds]),
    "a swap ends a reservation": ("aarch64", [reserves, swaps_on_arm]),
    "an addition ends a reservation": ("aarch64", [reserves, adds_on_arm]),
}


@pytest.mark.parametrize("scheme", ["native", "global-lock", "cas"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_executions_are_those_of_the_reference_engine(name: str, scheme: str) -> None:
    isa, threads = PROGRAMS[name]
    if isa != "x86" and scheme == "global-lock":
        pytest.skip("the scheme has no LL/SC")
    program = Program(name, isa=isa, threads=threads, watch={X: 4})
    outcomes = set()
    for reference, followed in side_by_side(program, Machine(scheme), "random-walk", 40):
        assert followed.digest == reference.digest
        assert followed.outcome == reference.outcome
        outcomes.add(str(reference.outcome))
    assert len(outcomes) > 1


def locks(*names: str, looks_before: bool) -> Any:
    async def thread(cpu: Any) -> None:
        if looks_before:
            await cpu.load(X)
        for name in names:
            await cpu.exception(f"lock {name}")
        cpu.observe("seen", await cpu.load(X))
        await cpu.store(X, len(names))
        for name in reversed(names):
            await cpu.exception(f"unlock {name}")

    return thread


@pytest.mark.parametrize("looks_before", [False, True])
@pytest.mark.parametrize("limit", [14, 10_000])
def test_mutexes_are_free_again_after_an_execution_that_did_not_finish(limit: int, looks_before: bool) -> None:
    threads = [locks(*names, looks_before=looks_before) for names in ("ab", "ba", "a")]
    program = Program("locks", isa="x86", threads=threads, watch={X: 4})
    machine, endings = Machine(Hypercalls, limits=Limits(steps=limit)), set()
    for reference, followed in side_by_side(program, machine, "random-walk", 80):
        assert followed.digest == reference.digest
        assert {name: str(op) for name, op in followed.waiting.items()} == {
            name: str(op) for name, op in reference.waiting.items()
        }
        endings.add(reference.ending)
    assert len(endings) == 2
