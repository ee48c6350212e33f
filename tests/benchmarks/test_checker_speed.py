"""What judging costs, as ratios in one process. Run by hand: `make benchmark`."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import pytest

from simaie import Limits, Machine, Program
from simaie.check import CHECKERS, judge
from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.exploration.scheduler_choice import make_scheduler
from simaie.prng import derive
from simaie.protocols import Checker, ExecutionInfo
from simaie.trace import Trace

pytestmark = pytest.mark.benchmark

X = 0x1000
ROUNDS = 7


def execute(rounds: int, scheme: str, isa: str = "x86", vcpus: int = 2, host_word: int = 64) -> Trace:
    """Two accesses to each of eight places a round, plain and locked ones, or LL/SC; of 8 bytes on a host of 4."""
    width = 8 if host_word == 32 else 4

    async def x86(cpu: Any) -> None:
        for number in range(rounds):
            await cpu.lock_add(X + 64 * (number % 8), 1, width=width)
            await cpu.add(X + 64 * (number % 8), 1, width=width)

    async def arm(cpu: Any) -> None:
        for number in range(rounds):
            value = await cpu.ldrex(X + 64 * (number % 8))
            await cpu.strex(X + 64 * (number % 8), value + 1)

    guest = x86 if isa == "x86" else arm
    program = Program("judged", isa=isa, threads=[guest] * vcpus, init={X: 0})
    machine = Machine(scheme, host_word=host_word, limits=Limits(steps=200_000))
    return run_inline(Execution(program, machine, make_scheduler("random-walk")[0], ExecutionInfo(derive(0, 1), 1, 2)))


def best(work: Callable[[], Any], repeats: int = 1) -> float:
    """The least seconds that `repeats` of `work` take."""
    least = float("inf")
    for _ in range(ROUNDS):
        gc.collect()
        began = time.perf_counter()
        for _ in range(repeats):
            work()
        least = min(least, time.perf_counter() - began)
    return least


def cost_per_event(checker: Checker, events: int) -> float:
    """Microseconds an event on traces of about so many events, each trace judged as if it were new."""
    rounds = max(1, events // 10)
    fresh = [execute(rounds, "none") for _ in range(max(1, 1000 // events))]

    def work() -> None:
        for trace in fresh:
            for cached in ("kinds", "accesses", "ram_writes", "instructions", "mutex_steps"):
                trace.__dict__.pop(cached, None)
            list(checker(trace))

    repeats = max(1, 3_000 // (events * len(fresh)))
    return best(work, repeats) / repeats / sum(map(len, fresh)) * 1e6


@pytest.mark.parametrize("name", ["serializability", "data-races", "rmw-atomicity", "single-copy-atomicity"])
def test_the_cost_per_event_does_not_grow_with_the_trace(name):
    costs = {size: cost_per_event(CHECKERS[name], size) for size in (10, 100, 1_000, 10_000)}
    print(f"\n{name}: " + ", ".join(f"{size}: {cost:.2f} us/event" for size, cost in costs.items()))
    least, most = min(costs.values()), max(costs.values())
    print(f"most against least: {most / least:.2f}x; against the first: {most / costs[10]:.2f}x (limit 1.5x)")
    assert most <= 1.5 * costs[10]


@pytest.mark.parametrize(
    ("scheme", "isa", "host_word"),
    [("native", "x86", 64), ("aie-v2", "x86", 64), ("aie-rfc", "arm", 64), ("none", "arm", 64), ("none", "x86", 32)],
)
def test_the_default_checkers_together_cost_at_most_the_execution_that_they_judge(scheme, isa, host_word):
    """Also where they find one thing after another."""

    def run() -> None:
        execute(100, scheme, isa, host_word=host_word)

    def run_and_judge() -> None:
        judge(execute(100, scheme, isa, host_word=host_word))

    alone, both = best(run, 3), best(run_and_judge, 3)
    print(f"\n{scheme}: judging costs {(both - alone) / alone:.2f}x of the execution (limit 1x)")
    assert both <= 2 * alone
