"""Counterexamples come out minimal: compared with the minimum over all executions, which is known by running them."""

from __future__ import annotations

import functools
from itertools import pairwise

import pytest

from simaie import Machine, Program, corpus, explore, ins
from simaie.check import judge
from simaie.exploration.scheduler_choice import make_scheduler
from simaie.replaying.run import run
from simaie.replaying.shrink import Size
from simaie.trace import Trace

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


def preemptions(trace: Trace) -> int:
    """How often a vCPU was left that could have gone on."""
    last = {event.actor: step for step, event in enumerate(trace.events)}
    return sum(before.actor != after.actor and step < last[before.actor]
               for step, (before, after) in enumerate(pairwise(trace.events)))


@pytest.mark.one_in(30)
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("bits", [12, 32])
@pytest.mark.parametrize(("kind", "cut"), [("rmw-atomicity", True), ("rmw-atomicity", False), ("final-check", True)])
def test_the_first_registration_window_comes_down_to_its_two_preemptions_from_every_seed(seed, bits, kind, cut):
    """Of the storer between its look and its store, and of the registering vCPU between its load and its store."""
    program, machine = corpus.program("first-registration-window"), Machine("aie-rfc", address_bits=bits)
    found = explore(program, machine, scheduler="random-walk", seed=seed).failures[0]
    small, report = found.shrink(kind=kind, cut=cut, executions=500)
    assert not report.exhausted
    assert (preemptions(small.trace), report.after.switches) == (2, 3)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("seed", range(5))
def test_two_instructions_are_left_of_hundreds(seed):
    """On their way they make the nodes of a tree, which others had made when the failure was found.

    The first turn is the storer's, which is a deviation unless nothing is left of the vCPUs before it.
    """

    async def increments(cpu):
        for place in range(40):
            await cpu.lock_inc(X + 64 * place)
            await cpu.lock_inc(X + 8)

    async def stores(cpu):
        for place in range(40):
            await cpu.store(X + 64 * place, 5)
            await cpu.lock_inc(X + 8)

    program = Program("long", isa="x86", threads=[increments, stores, increments], init={X: 0})
    found = explore(program, Machine("aie-rfc"), scheduler="random-walk", seed=seed).failures[0]
    assert found.shrink(executions=500).report.after in ((3, 3, 2, 18), (2, 3, 2, 18))


def test_the_a_b_a_of_a_lock_free_stack_comes_down_to_one_preemption():
    """Popper 0 has read the top and what is below; popper 1 takes both, and puts the first back."""
    top, link = 0x100, 0x200

    async def push(cpu, node):
        async with cpu.call("push", node) as call:
            failed = 1
            while failed:
                await cpu.str_(link + 4 * node, await cpu.ldrex(top))
                failed = await cpu.strex(top, node)
            call.returns()

    async def pop(cpu):
        async with cpu.call("pop") as call:
            node, failed = 0, 1
            while failed:
                node = await cpu.ldrex(top)
                if not node:
                    break
                failed = await cpu.strex(top, await cpu.ldr(link + 4 * node))
            call.returns(node or None)
        return node

    async def first(cpu):
        await push(cpu, 1)
        await push(cpu, 2)
        await pop(cpu)
        await pop(cpu)

    async def second(cpu):
        node = await pop(cpu)
        await pop(cpu)
        if node:
            await push(cpu, node)

    async def third(cpu):
        await pop(cpu)
        await push(cpu, 3)
        await pop(cpu)

    program = Program("stack", isa="arm", threads=[first, second, third], init={top: 0})
    found = explore(program, Machine("cas"), scheduler="random-walk", seed=2, checkers=["linearizable-stack"],
                    executions=50_000).failures[0]  # fmt: skip
    small, report = found.shrink()
    assert (report.after.deviations, preemptions(small.trace), report.after.switches) == (1, 1, 2)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", BUGS)
def test_shrinking_reaches_the_minimum_in_19_of_20_seeds_within_500_executions(name):
    program, machine, kind, _ = BUGS[name]
    reached = 0
    for seed in range(20):
        found = explore(program, machine, scheduler="random-walk", seed=seed).failures[0]
        _, report = found.shrink(kind=kind, cut=False, executions=500)
        reached += report.after == minimum(name)
    assert reached >= 19
