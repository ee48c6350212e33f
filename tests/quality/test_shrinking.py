"""Counterexamples come out minimal: compared with the minimum over all executions, which is known by running them."""

from __future__ import annotations

import functools

import pytest

from simaie import Machine, Program, explore, ins
from simaie.check import judge
from simaie.explore.explorer import make_scheduler
from simaie.guest import corpus
from simaie.replay.run import run
from simaie.replay.shrink import Size

X = 0x100
SMALL = {"address_bits": 12}
#: A lost update by three: 0 loads; 1 increments; 2 increments; 0 stores 1. Two deviations, three switches.
LOST_BY_ALL = Program(
    "lost-by-all", isa="x86", threads=[[ins("inc", X)]] * 3, init={X: 0}, final=lambda m: m[X] != 1
)

BUGS = {
    "a lost update of three vCPUs": (LOST_BY_ALL, Machine(), "final-check", (2, 3)),
    # vCPU 1 looks; 0 registers and loads; 1 stores; 0 stores. It deviates at the start, and preempts twice.
    "first registration": (corpus.program("first-registration-window"), Machine("aie-rfc", **SMALL), "rmw-atomicity",
                           (3, 3)),
    "first registration, bitmap": (corpus.program("first-registration-window"), Machine("aie-v2", **SMALL),
                                   "rmw-atomicity", (3, 3)),
    "SWP switch": (corpus.program("swp-before-switch"), Machine("aie-rfc", **SMALL), "rmw-atomicity", (3, 3)),
}


@functools.cache
def minimum(name: str) -> Size:
    """The smallest of all failing executions there are."""
    program, machine, kind, _ = BUGS[name]
    scheduler, index, sizes = make_scheduler("dfs")[0], 0, []
    while not scheduler.exhausted:
        trace = run(program, machine, scheduler, index=index)
        index += 1
        if any(finding.kind == kind for finding in judge(trace)):
            sizes.append(Size.of(trace))
    return min(sizes)


@pytest.mark.parametrize("name", BUGS)
def test_the_minimum_is_what_it_is_known_to_be(name):
    assert minimum(name)[:2] == BUGS[name][3]


@pytest.mark.parametrize("name", BUGS)
def test_shrinking_reaches_the_minimum_in_19_of_20_seeds_within_500_executions(name):
    program, machine, kind, _ = BUGS[name]
    reached = 0
    for seed in range(20):
        found = explore(program, machine, scheduler="random-walk", seed=seed).failures[0]
        _, report = found.shrink(kind=kind, cut=False, executions=500)
        reached += report.after == minimum(name)
    assert reached >= 19
