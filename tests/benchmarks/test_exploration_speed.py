"""What the searches cost, as ratios in one process. Run by hand: `make benchmark`.

DPOR against a random walk of the same programs, per execution; the random schedulers against a random walk, per step.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from typing import Any

import pytest
from exhaustive import programs
from simaie_schedulers.dpor.search import Dpor

from simaie import Machine, Program
from simaie.engine.inline import run_inline
from simaie.exploration.scheduler_choice import make_scheduler
from simaie.protocols import Scheduler
from simaie.replaying.run import make_execution

pytestmark = pytest.mark.benchmark

BIG = {"inc(5)": 14_400, "fib_bench 2 updaters x 5": 8_953, "readers(13)": 8_192, "lastzero(10)": 3_328}


def program_of(name: str) -> Program:
    makers = {
        "inc(5)": lambda: programs.inc(5),
        "fib_bench 2 updaters x 5": lambda: programs.fib_bench(5, checker=False),
        "readers(13)": lambda: programs.readers(13),
        "lastzero(10)": lambda: programs.lastzero(10),
    }
    return makers[name]()


def timed(program: Program, scheduler: Scheduler, executions: int) -> tuple[float, int, int]:
    """(seconds, executions, steps) of running until the scheduler is exhausted or the limit."""
    machine = Machine()
    began = time.perf_counter()
    done = steps = 0
    while done < executions and not scheduler.exhausted:
        steps += len(run_inline(make_execution(program, machine, scheduler, index=done)))
        done += 1
    return time.perf_counter() - began, done, steps


@pytest.mark.parametrize("name", BIG)
def test_an_execution_of_dpor_costs_at_most_five_of_a_random_walk_and_no_more_at_the_end(name):
    """Exactly the published number of traces; the last thousand executions cost what the first thousand did."""
    program = program_of(name)
    dpor: Any = make_scheduler("dpor")[0]
    first = timed(program, dpor, 1_000)
    middle = timed(program, dpor, BIG[name] - 2_000)
    last = timed(program, dpor, 1_000_000)
    executions = first[1] + middle[1] + last[1]
    seconds = first[0] + middle[0] + last[0]
    walk = timed(program, make_scheduler("random-walk")[0], 2_000)
    ratio = seconds / executions / (walk[0] / walk[1])
    growth = (last[0] / last[1]) / (first[0] / first[1])
    print(f"\n{name}: {executions} executions, {executions / seconds:,.0f} a second")
    print(f"{ratio:.2f}x a random walk (limit 5x); last against first thousand {growth:.2f}x; {dpor.statistics}")
    assert executions == BIG[name]
    assert ratio <= 5
    assert growth <= 1.5


@pytest.mark.parametrize("name", BIG)
def test_the_whole_search_by_dpor_fits_into_four_megabytes(name):
    """Tree, wake-up trees, and what one execution needs; nothing stays of an execution that is over.

    Most of it are branches that wait: of readers(13), where all races show at once, nearly one for each trace.
    """
    program, dpor = program_of(name), make_scheduler("dpor")[0]
    timed(program, dpor, 10)
    gc.collect()
    tracemalloc.start()
    timed(program, dpor, 1_000_000)
    peak = tracemalloc.get_traced_memory()[1] / 1024
    tracemalloc.stop()
    assert isinstance(dpor, Dpor)
    counts = dpor.statistics
    nodes, branches = counts["peak_nodes"], counts["peak_branches"]
    print(f"\n{name}: peak memory {peak:,.0f} KiB (limit 4,096): {nodes} nodes, {branches} waiting branches at most")
    assert peak <= 4_096


@pytest.mark.parametrize("scheduler", ["pct", "pos", "surw", "urw"])
def test_a_step_of_the_other_random_schedulers_costs_at_most_two_of_a_random_walk(scheduler):
    """On two vCPUs of 100 loads and stores; the least of five interleaved rounds."""

    async def accesses(cpu: Any) -> None:
        for value in range(50):
            await cpu.load(0x1000)
            await cpu.store(0x1000, value)

    program = Program("accesses", isa="x86", threads=[accesses, accesses], init={0x1000: 0})
    best = {scheduler: float("inf"), "random-walk": float("inf")}
    made = {name: make_scheduler(name)[0] for name in best}
    for _ in range(5):
        for name in best:
            seconds, _, steps = timed(program, made[name], 50)
            best[name] = min(best[name], seconds / steps * 1e6)
    ratio = best[scheduler] / best["random-walk"]
    print(f"\n{scheduler}: {best[scheduler]:.2f} us a step, {ratio:.2f}x a random walk (limit 2x)")
    assert ratio <= 2
