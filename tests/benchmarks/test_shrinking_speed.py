"""What shrinking a long failure costs, against the executions that it runs. Run by hand: `make benchmark`."""

from __future__ import annotations

import time

import pytest

from simaie import Machine, Program, explore

pytestmark = pytest.mark.benchmark

X = 0x1000


async def increments(cpu):
    for i in range(100):
        await cpu.lock_inc(X + 64 * i)
        await cpu.lock_inc(X + 8)


async def stores(cpu):
    for i in range(90):
        await cpu.store(X + 64 * i, 5)
        await cpu.lock_inc(X + 8)


async def noise(cpu):
    for _ in range(90):
        await cpu.lock_inc(X + 8)


def test_a_failure_of_two_thousand_steps_shrinks_at_the_cost_of_its_executions():
    """At most five times what the same number of plain executions takes, judging and planning included."""
    program = Program("long", isa="x86", threads=[increments, stores, noise], init={X: 0})
    machine = Machine("aie-rfc", address_bits=16)
    failure = explore(program, machine, scheduler="random-walk", seed=0, executions=2_000).failures[0]
    assert len(failure.trace) >= 2_000
    began = time.perf_counter()
    _, report = failure.shrink()
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    explore(program, machine, scheduler="random-walk", executions=report.executions, failures=None)
    ratio = seconds / (time.perf_counter() - began)
    print(f"\n{report}: {seconds:.1f} s, {ratio:.1f}x a random walk of as many executions (limit 5x)")
    assert report.after.deviations <= 4
    assert ratio <= 5
