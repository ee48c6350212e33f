"""The two drivers are one semantics: the same program, machine and seed give the same execution on either."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from simaie_schedulers.random_walk import RandomWalk
from simaie_schedulers.round_robin import RoundRobin

from simaie.check import judge
from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.engine.memo.memo import Memo
from simaie.engine.memo.quick import make_memo_execution
from simaie.engine.memo.run import run_memo
from simaie.engine.memo.shared import SharedState
from simaie.engine.on_trio.driver import in_trio, run_trio
from simaie.guest.program import Program
from simaie.machine import Limits, Machine
from simaie.prng import Random, derive
from simaie.protocols import ExecutionInfo, Scheduler
from simaie.trace import Ending, Trace

pytestmark = pytest.mark.untraced

PLACES = (0x1000, 0x1004, 0x2000)

# What a generated guest does at random: method, and how to make its arguments from the stream.
COMMON: list[tuple[str, Any]] = [
    ("load", lambda r: [r.choice(PLACES)]),
    ("store", lambda r: [r.choice(PLACES), r.below(4)]),
    ("choose", lambda r: [1 + r.below(3)]),
    ("wait_until", lambda r: [r.choice(PLACES), lambda value: value != 3]),
    ("exception", lambda r: []),
]
OF_ISA: dict[str, list[tuple[str, Any]]] = {
    "arm": [
        ("ldrex", lambda r: [r.choice(PLACES) + r.below(5) // 4]),  # now and then unaligned: a guest fault
        ("strex", lambda r: [r.choice(PLACES), r.below(4)]),
        ("clrex", lambda r: []),
        ("swp", lambda r: [r.choice(PLACES), r.below(4)]),
        ("wfe", lambda r: []),
    ],
    "x86": [
        ("lock_xadd", lambda r: [r.choice(PLACES), 1]),
        ("xadd", lambda r: [r.choice(PLACES), 1]),
        ("lock_cmpxchg", lambda r: [r.choice(PLACES), r.below(3), r.below(3)]),
        ("xchg", lambda r: [r.choice(PLACES), r.below(4)]),
    ],
}


def _guest(random: Random, isa: str, depth: int) -> Any:
    """A guest function of a few random instructions, which may start others, join them, and fail an assertion."""
    plan: list[tuple[str, Any]] = []
    for _ in range(1 + random.below(5)):
        if depth and random.below(5) == 0:
            plan.append(("spawn", _guest(random, isa, depth - 1)))
        else:
            name, arguments = random.choice(COMMON + OF_ISA[isa])
            plan.append((name, arguments(random)))
    joins, fails = random.below(2), random.below(12) == 0

    async def guest(cpu: Any) -> None:
        threads = []
        for number, (name, argument) in enumerate(plan):
            if name == "spawn":
                threads.append(await cpu.spawn(argument))
            else:
                value = await getattr(cpu, name)(*argument)
                cpu.observe(f"r{number}", int(value or 0))
        for thread in threads if joins else ():
            await cpu.join(thread)
        if fails:
            raise AssertionError("as generated")  # a bare assert would have another text under pytest

    return guest


def generated(seed: int) -> Program:
    """The program that `seed` stands for, the same for ever."""
    random = Random(seed)
    isa = random.choice(["arm", "x86"])
    threads = [_guest(random, isa, depth=2) for _ in range(1 + random.below(4))]
    return Program(f"generated {seed}", isa=isa, threads=threads, init=dict.fromkeys(PLACES, 0))


def execution(program: Program, scheduler: Scheduler, seed: int, steps: int = 500, host: str = "sc") -> Execution:
    info = ExecutionInfo(derive(seed, 0), 0, len(program.threads))
    return Execution(program, Machine("native", host=host, limits=Limits(steps=steps)), scheduler, info)


def on_trio(
    programs: list[Program], make: type[Scheduler], seeds: range, steps: int = 500, host: str = "sc"
) -> list[Trace]:
    """Every program under every seed, one after the other in one trio run."""

    async def all_of_them() -> list[Trace]:
        return [await run_trio(execution(p, make(), seed, steps, host)) for p in programs for seed in seeds]

    return in_trio(all_of_them)


def on_memo(programs: list[Program], make: type[Scheduler], seeds: range, host: str = "sc") -> list[Trace]:
    """Every program under every seed, along one memo for each program, which has seen all of it once before."""
    found: list[Trace] = []
    for program in programs:
        machine = Machine("native", host=host, limits=Limits(steps=500))
        memo, scheduler, last = Memo(program, machine, SharedState(program)), make(), None
        for number, seed in enumerate((*seeds, *seeds)):
            info = ExecutionInfo(derive(seed, 0), 0, len(program.threads))
            last = make_memo_execution(memo, scheduler, info, last)
            trace = run_memo(last)
            if number >= len(seeds):
                assert last.is_known
                found.append(trace)
        memo.close()
    return found


@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
@pytest.mark.parametrize("scheduler", [RandomWalk, RoundRobin])
@pytest.mark.parametrize("numbers", [48, pytest.param(240, marks=pytest.mark.soak)])
def test_generated_programs_run_alike_on_all_engines(scheduler: type[Scheduler], host: str, numbers: int):
    programs = [generated(number) for number in range(numbers)]
    seeds = range(2)
    inline = [run_inline(execution(p, scheduler(), seed, host=host)) for p in programs for seed in seeds]
    trio = on_trio(programs, scheduler, seeds, host=host)
    memo = on_memo(programs[: numbers // 2], scheduler, seeds, host)
    for others in (trio, memo):
        same = inline[: len(others)]
        assert [t.digest for t in others] == [t.digest for t in same]
        assert [t.schedule for t in others] == [t.schedule for t in same]
        assert [t.accepted for t in others] == [t.accepted for t in same]
    assert [judge(t) for t in memo] == [judge(t) for t in inline[: len(memo)]]


def test_the_generated_programs_cover_what_can_happen():
    """Otherwise the agreement above would say little: spawned threads, faults, failed assertions, stuck ends."""
    traces = [run_inline(execution(generated(number), RandomWalk(), 0)) for number in range(120)]
    assert {t.ending for t in traces} >= {Ending.FINISHED, Ending.LIVELOCK}
    assert {fault.kind for t in traces for fault in t.faults} == {"fault", "assertion"}
    assert any("." in event.actor for t in traces for event in t.events)


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8])
def test_the_drivers_agree_on_executions_that_are_cut(steps: int):
    programs = [generated(number) for number in range(20)]
    inline = [run_inline(execution(p, RandomWalk(), seed, steps)) for p in programs for seed in range(2)]
    trio = on_trio(programs, RandomWalk, range(2), steps)
    assert [t.digest for t in trio] == [t.digest for t in inline]


def test_the_drivers_agree_on_seeds():
    """One program under many seeds: both drivers see the same set of executions, and several."""
    program = generated(1)
    inline = [run_inline(execution(program, RandomWalk(), seed)).digest for seed in range(50)]
    assert [t.digest for t in on_trio([program], RandomWalk, range(50))] == inline


def digests() -> list[str]:
    """What the processes below compare: every fifth program, on both drivers."""
    programs = [generated(number) for number in range(0, 50, 5)]
    inline = [run_inline(execution(p, RandomWalk(), 7)).digest for p in programs]
    return inline + [t.digest for t in on_trio(programs, RandomWalk, range(7, 8))]


@pytest.mark.parametrize("hash_seed", ["0", "1", "4711"])
def test_digests_are_the_same_in_another_process_under_any_hash_seed(hash_seed: str):
    command = [sys.executable, "-c", "import test_drivers_agree as t; print(*t.digests())"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.path.dirname(__file__)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == digests()
