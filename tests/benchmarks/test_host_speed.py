"""What a host with store buffers costs an optimal search, beside a sequentially consistent one.

The same programs, explored to the end by DPOR on both hosts, in turns of one run. Under TSO each store is two steps,
into the buffer and out of it, so an execution is longer: how much is printed beside what it costs (1.2 to 1.9 times
as much, for 1.1 to 2.0 times the steps). The median of the ratios of neighbouring turns, since whatever else the
machine does slows both of them down.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import pytest
from exhaustive import programs

from simaie import Machine, Program
from simaie.engine.inline import run_inline
from simaie.exploration.scheduler_choice import make_scheduler
from simaie.replaying.run import make_execution

pytestmark = pytest.mark.benchmark

TURNS = 15
TURN = 0.04  # seconds; at least one exploration
RATIO = 2.0  # cost of an execution under TSO against one under SC, at most

PROGRAMS: dict[str, Callable[[], Program]] = {
    "SB": programs.sb,
    "MP": programs.mp,
    "2+2W": programs.two_plus_two_w,
    "IRIW": programs.iriw,
    "inc(3)": lambda: programs.inc(3),
    "inc(4)": lambda: programs.inc(4),
    "fib_bench 2 updaters x 2": lambda: programs.fib_bench(2, checker=False),
    "readers(6)": lambda: programs.readers(6),
    "lastzero(3)": lambda: programs.lastzero(3),
}


class Cost(NamedTuple):
    """Of one execution, on average: seconds, steps."""

    seconds: float
    steps: float


def explore(program: Program, machine: Machine) -> tuple[int, int]:
    """Every execution that DPOR wants; how many they were, and their steps."""
    dpor = make_scheduler("dpor")[0]
    executions = steps = 0
    while not dpor.exhausted:
        steps += len(run_inline(make_execution(program, machine, dpor, index=executions)))
        executions += 1
    return executions, steps


def turn(program: Program, machine: Machine) -> Cost:
    """Explore the program to the end, as often as fits."""
    executions = steps = 0
    began = time.perf_counter()
    while (seconds := time.perf_counter() - began) < TURN:
        some, theirs = explore(program, machine)
        executions, steps = executions + some, steps + theirs
    return Cost(seconds / executions, steps / executions)


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_execution_under_tso_costs_at_most_twice_one_under_sc(name: str) -> None:
    """Turn by turn; in the middle of all."""
    program, sc, tso = PROGRAMS[name](), Machine(host="sc"), Machine(host="tso")
    turns = [(turn(program, sc), turn(program, tso)) for _ in range(TURNS)]
    on_sc, on_tso = (min(costs) for costs in zip(*turns, strict=True))
    ratio = statistics.median(under_tso.seconds / under_sc.seconds for under_sc, under_tso in turns)
    print(f"\n{name}: sc {on_sc.seconds * 1e6:.1f} us and {on_sc.steps:.1f} steps an execution")
    print(f"tso {on_tso.seconds * 1e6:.1f} us and {on_tso.steps:.1f} steps: {ratio:.2f}x (limit {RATIO:.1f}x)")
    assert ratio <= RATIO
