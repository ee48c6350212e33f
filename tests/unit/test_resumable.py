"""Explorations in stretches: together they run the executions of one exploration."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest

from simaie import Machine, Program, Verdict, explore
from simaie.check import DEFAULT
from simaie.errors import UsageError
from simaie.exploration.resumable import CannotGoOn, Stretch, explore_stretch

X = 0x1000


async def once(cpu: Any) -> None:
    await cpu.store(X, await cpu.load(X) + 1)


async def adder(cpu: Any) -> None:
    await cpu.lock_add(X, 1)
    await cpu.store(X + 8, await cpu.load(X))


async def parent(cpu: Any) -> None:
    child = await cpu.spawn(adder)
    await once(cpu)
    await cpu.join(child)


async def mixed(cpu: Any) -> None:
    if await cpu.load(X) == 2:
        await cpu.lock_cmpxchg(X, 2, 5, width=8)
        await cpu.store(X + 4, 1)


LOST = Program("lost", isa="x86", threads=[once] * 3, watch={X: 4}, final=lambda state: state[X] > 1)
PROGRAMS = {
    "violated": (LOST, "native"),
    "locked": (Program("locked", isa="x86", threads=[adder, once], watch={X: 4}), "aie-rfc"),
    "spawned": (Program("spawned", isa="x86", threads=[parent, once], watch={X: 4}), "native"),
}


def stretches(program: Program, scheme: str, steps: int, scheduler: str = "dpor", host: str = "sc") -> list[Stretch]:
    found: list[Stretch] = []
    while not found or found[-1].left is not None:
        found.append(
            explore_stretch(
                program, Machine(scheme, host=host), scheduler, seed=0, executions=10_000, steps=steps,
                checkers=DEFAULT, first_index=sum(each.report.executions for each in found),
                left=found[-1].left if found else None,
            )
        )  # fmt: skip
    return found


@pytest.mark.parametrize(("name", "host"), [*[(name, "sc") for name in PROGRAMS], ("violated", "tso")])
def test_stretches_run_the_executions_of_one_search_in_its_order(name: str, host: str) -> None:
    program, scheme = PROGRAMS[name]
    whole = explore(program, Machine(scheme, host=host), scheduler="dpor", failures=None, coverage=True)
    parts = stretches(program, scheme, steps=whole.statistics.steps // 5, host=host)
    assert len(parts) in (4, 5)
    assert [each.report.complete for each in parts] == [False] * (len(parts) - 1) + [True]
    assert sum(each.report.executions for each in parts) == whole.executions
    assert sum((Counter(dict(each.report.outcomes)) for each in parts), Counter()) == Counter(dict(whole.outcomes))
    found = [(failure.index, failure.trace.digest) for each in parts for failure in each.report.failures]
    assert len(found) == whole.failing
    assert found[:100] == [(failure.index, failure.trace.digest) for failure in whole.failures]
    coverage = whole.statistics.coverage
    assert coverage is not None
    assert len({digest for each in parts for digest in each.digests}) == coverage.traces


def test_a_search_that_cannot_be_continued_is_one_stretch() -> None:
    program, scheme = PROGRAMS["violated"]
    for scheduler, host in (("dfs", "sc"), ("dpor", "pso")):
        (only,) = stretches(program, scheme, 10, scheduler, host)
        assert only.report.complete


def test_a_random_scheduler_stops_after_the_steps() -> None:
    (only,) = stretches(LOST, "native", 100, "random-walk")
    assert 100 <= only.report.statistics.steps < 110
    assert only.report.verdict is Verdict.VIOLATED


def test_a_search_that_takes_more_as_dependent_too_late_must_begin_anew() -> None:
    program = Program("mixed", isa="x86", threads=[mixed, adder, adder], watch={X: 4})
    with pytest.raises(CannotGoOn):
        stretches(program, "native", 60)


@pytest.mark.parametrize("damaged", [b"", b"\xc1", msgspec.msgpack.encode([[], [], 1, True, True]),
                                     msgspec.msgpack.encode([[[0]], ["0", "1", "2"], [], False, False])])  # fmt: skip
def test_a_damaged_state_is_refused(damaged: bytes) -> None:
    with pytest.raises((UsageError, CannotGoOn)):
        explore_stretch(
            LOST, Machine(), "dpor", seed=0, executions=9, steps=9, checkers=DEFAULT, first_index=1, left=damaged
        )
