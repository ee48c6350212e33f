"""What shrinking a long failure costs, against the executions that it runs. Run by hand: `make benchmark`."""

from __future__ import annotations

import time

import pytest

from simaie import Machine, Program, explore, ins

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


INCREMENTS = [item for i in range(100) for item in (ins("lock_inc", X + 64 * i), ins("lock_inc", X + 8))]
STORES = [item for i in range(90) for item in (ins("store", X + 64 * i, 5), ins("lock_inc", X + 8))]
LISTS = [INCREMENTS, STORES, [ins("lock_inc", X + 8)] * 90]


def lost(memory):
    """Whether none of the increments of places that are stored to got lost in the middle."""
    return all(memory[X + 64 * i] in (5, 6) for i in range(90))


@pytest.mark.parametrize(
    ("threads", "kind", "most"),
    [([increments, stores, noise], "rmw-atomicity", (3, 3, 4, 40)), (LISTS, "rmw-atomicity", (3, 3, 4, 40)),
     ([increments, stores, noise], "final-check", (3, 5, 500, 3_000))],
    ids=["functions", "lists", "nothing may be left out"],
)
def test_a_failure_of_two_thousand_steps_shrinks_at_the_cost_of_its_executions(threads, kind, most):
    """At most five times what the same number of plain executions takes, judging and planning included."""
    program = Program("long", isa="x86", threads=threads, init={X + 64 * i: 0 for i in range(100)}, final=lost)
    machine = Machine("aie-rfc", address_bits=16)
    failure = next(
        failure
        for failure in explore(program, machine, scheduler="random-walk", seed=0).failures
        if kind in {finding.kind for finding in failure.findings}
    )
    assert len(failure.trace) >= 2_000
    began = time.perf_counter()
    _, report = failure.shrink(kind=kind)
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    explore(program, machine, scheduler="random-walk", executions=report.executions, failures=None)
    ratio = seconds / (time.perf_counter() - began)
    print(f"\n{report}: {seconds:.1f} s, {ratio:.1f}x a random walk of as many executions (limit 5x)")
    assert all(after <= limit for after, limit in zip(report.after, most, strict=True))
    assert ratio <= 5
