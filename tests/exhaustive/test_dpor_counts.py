"""Optimal DPOR runs exactly as many executions as there are Mazurkiewicz traces: the numbers of the literature."""

from __future__ import annotations

from math import factorial

import pytest

from exhaustive import programs as p
from exhaustive.canonical import canonical
from exhaustive.searches import explored
from simaie.machine import Machine

COUNTS = [
    (p.sb(), 3),
    (p.mp(), 3),
    (p.lb(), 3),
    (p.two_plus_two_w(), 3),
    (p.iriw(), 15),
    (p.corr1(), 36),
    *[(p.inc(n), count) for n, count in ((2, 4), (3, 36), (4, 576))],
    *[(p.ainc(n), factorial(n)) for n in (2, 3, 4, 5)],
    (p.binc(2), 4),
    *[(p.casrot(n), count) for n, count in ((2, 2), (3, 5), (4, 14), (5, 43), (6, 144))],
    *[(p.readers(n), 2**n) for n in (1, 2, 3, 8)],
    (p.lastzero(5), 64),
    *[(p.fib_bench(n), count) for n, count in ((1, 11), (2, 140), (3, 1698))],
    *[(p.fib_bench(n, checker=False), count) for n, count in ((1, 3), (2, 19))],
    (p.indexer(12), 8),
    (p.filesystem(14), 2),
    (p.filesystem(16), 8),
    (p.dekker(), 3),
    (p.popl14_example(), 5),
    (p.combination_lock_1(), 6),
    (p.sleeping_races_6(), 10),
]
HYPERCALLS = Machine(p.Hypercalls)


@pytest.mark.parametrize(("program", "count"), COUNTS, ids=[f"{program.name}-{count}" for program, count in COUNTS])
def test_one_execution_is_run_of_each_mazurkiewicz_trace(program, count):
    traces, scheduler = explored(program, HYPERCALLS)
    assert len(traces) == count
    assert len({canonical(trace) for trace in traces[:200]}) == min(count, 200)
    assert scheduler.complete
    assert _wasted(scheduler) == 0


@pytest.mark.parametrize(("program", "count", "blocked"), [(p.peterson(), 4, 6), (p.szymanski(), 6, 97)])
def test_executions_that_an_assumption_ends_are_counted_apart(program, count, blocked):
    traces, scheduler = explored(program)
    ended_early = [trace for trace in traces if _is_blocked(trace)]
    assert len(ended_early) == blocked
    assert len(traces) - len(ended_early) == count
    assert _wasted(scheduler) == 0


@pytest.mark.soak
@pytest.mark.parametrize(
    ("program", "count"),
    [(p.inc(5), 14_400), (p.fib_bench(5, checker=False), 8_953), (p.readers(13), 8_192), (p.lastzero(10), 3_328)],
)
def test_the_large_programs_of_the_literature(program, count):
    traces, scheduler = explored(program)
    assert len(traces) == count
    assert _wasted(scheduler) == 0


def _is_blocked(trace):
    return any(value for name, value in trace.outcome.items if name.endswith(":blocked"))


def _wasted(scheduler):
    """Executions that an optimal search never makes."""
    return sum(scheduler.statistics[name] for name in ("sleep_set_blocked", "redundant", "infeasible"))
