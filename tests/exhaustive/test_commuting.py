"""Read-modify-writes that commute, and whose old value is dropped: DPOR by undo explores one of their orders.

The oracle runs every interleaving and counts the classes of the coarser relation by its definition.
"""

from __future__ import annotations

from math import factorial

import pytest
from simaie_schedulers.dfs import DepthFirst
from simaie_schedulers.dpor.search import Dpor

from exhaustive.searches import search
from simaie import Machine, Program, explore, ins
from simaie.check.serializability import serializability
from simaie.dependence import conflict, family_of, writes
from simaie.exploration.engines import Engines
from simaie.prng import Random
from simaie.schemes.cas import CompareAndSwap
from simaie.schemes.native import Native

X, Y = 0x100, 0x108


def additions(vcpus, each, isa="x86", what=None):
    item = what or ins("lock_add", X, 1)
    return Program(f"{vcpus} vCPUs, {each} x {item}", isa=isa, threads=[[item] * each] * vcpus, init={X: 0})


@pytest.mark.parametrize("scheme", ["native", "cas"])
@pytest.mark.parametrize(
    ("isa", "item"),
    [
        ("x86", ins("lock_add", X, 1)), ("x86", ins("lock_inc", X)), ("x86", ins("lock_or", X, 4)),
        ("x86", ins("lock_xor", X, 1)), ("x86", ins("lock_btr", X, 1)), ("x86", ins("lock_xadd", X, 1)),
        ("aarch64", ins("stadd", X, 1)), ("aarch64", ins("ldumax", X, 1)), ("aarch64", ins("stset", X, 1, order="l")),
        ("riscv", ins("amoadd", X, 1)), ("riscv", ins("amomin", X, 1, aq=1)),
    ],
    ids=str,
)  # fmt: skip
def test_four_vcpus_with_three_each_are_one_class(isa, item, scheme):
    report = explore(additions(4, 3, isa, item), Machine(scheme), scheduler="dpor")
    assert (report.executions, report.complete) == (1, True)


@pytest.mark.parametrize(
    ("what", "scheme"),
    [
        (ins("lock_add", X, 1, into="r"), "native"),  # the result is used
        (ins("xchg", X, 1), "native"),  # does not commute
        (ins("lock_neg", X), "native"),  # commutes with itself only, and is not worth a family
    ],
    ids=str,
)
def test_others_are_ordered_in_all_ways(what, scheme):
    """Three vCPUs with two each: 6! / 2!^3."""
    report = explore(additions(3, 2, what=what), Machine(scheme), scheduler="dpor")
    assert report.executions == factorial(6) // 2**3


def test_functions_of_two_families_do_not_commute():
    """Two additions and two ors: an addition is ordered with an or, but not with the other addition."""
    threads = [[ins("lock_add", X, 1)], [ins("lock_add", X, 2)], [ins("lock_or", X, 1)]]
    report = explore(Program("two families", isa="x86", threads=threads, init={X: 0}), Machine(), scheduler="dpor")
    assert report.executions == 4  # for each addition, whether it is before the or


class Looks(Native):
    """A scheme that looks at the old value, which the guest drops."""

    async def atomic_rmw(self, cpu, address, width, function):
        old = await super().atomic_rmw(cpu, address, width, function)
        if old:
            await self.store(cpu, Y, 4, old)
        return old


class LooksAsWell:
    """A part of a scheme that looks at the old value."""

    async def atomic_rmw(self, cpu, address, width, function):
        old = await super().atomic_rmw(cpu, address, width, function)
        if old:
            await self.store(cpu, Y, 4, old)
        return old


class Mixed(LooksAsWell, Native):
    """A scheme that looks at the old value in a class before the ideal one."""


class OnRam(CompareAndSwap):
    """A scheme that looks at the old value in a method which `atomic_rmw` calls."""

    async def on_ram(self, *arguments):
        old = await super().on_ram(*arguments)
        if old:
            await self.host.store(Y, 4, old)
        return old


@pytest.mark.parametrize("scheme", [Looks, Mixed, OnRam])
def test_a_scheme_that_looks_at_the_old_value_has_all_orders(scheme):
    threads = [[ins("lock_add", X, 1)], [ins("lock_add", X, 2)]]
    made = Program("looks", isa="x86", threads=threads, init={X: 0, Y: 0})
    report = explore(made, Machine(scheme), scheduler="dpor")
    assert report.statistics.outcomes == 2  # Y is 1 or 2


def test_a_checker_that_judges_orders_sees_all_of_them():
    report = explore(additions(2, 2), Machine(), scheduler="dpor", checkers=[serializability])
    assert report.executions == 6


def test_the_order_counts_where_a_block_is_judged():
    """Two blocks of two additions to two places: 2 x 2 orders of the additions, of which two are no serial order."""

    async def both(cpu):
        async with cpu.atomic("both"):
            cpu.drops = True
            await cpu.lock_add(X, 1)
            await cpu.lock_add(Y, 1)

    made = Program("blocks", isa="x86", threads=[both, both], init={X: 0, Y: 0})
    report = explore(made, Machine(), scheduler="dpor", failures=None)
    all_orders = explore(made, Machine(), scheduler="dfs", failures=None)
    assert report.executions == 4
    assert report.verdict == all_orders.verdict


def test_a_wait_may_come_after_any_two_of_three_additions():
    """After each pair, with the third addition behind it; or never: it waits for ever if all three come before it."""

    async def waits(cpu):
        await cpu.wait_until(X, lambda value: value == 2)

    made = Program("wait", isa="x86", threads=[*([[ins("lock_add", X, 1)]] * 3), waits], init={X: 0})
    report = explore(made, Machine(), scheduler="dpor", failures=None)
    assert (report.executions, report.failing) == (4, 1)


# -- the oracle --------------------------------------------------------------------------------------------


def class_of(trace):
    """What an execution has in common with those that differ only in the order of independent operations."""
    counts: dict[str, int] = {}
    events, found = [], []
    for event in trace.events:
        name = event.actor, counts.get(event.actor, 0)
        counts[event.actor] = name[1] + 1
        before = frozenset(other for other, known in events if dependent(known, event))
        events.append((name, event))
        found.append((name, str(event.op), before))
    return frozenset(found), str(trace.ending)


def dependent(a, b):
    if a.actor == b.actor:
        return False
    if family_of(a.op) and family_of(a.op) == family_of(b.op) and same_place(a.op, b.op):
        return False
    return conflict(a.op, writes(a.op, a.value), b.op, writes(b.op, b.value))


def same_place(a, b):
    return (a.address, a.width) == (b.address, b.width)


def end_of(trace):
    return str(trace.ending), str(trace.outcome), tuple(sorted(map(str, trace.waiting.values())))


#: What a generated thread does: the method, its arguments, and whether its result is dropped.
MENUS = {
    "additions and accesses": [("lock_add", (X, 1), True), ("lock_or", (X, 2), True), ("load", (X,), False),
                               ("store", (X, 3), False)],
    "waits": [("lock_add", (X, 1), True), ("lock_xor", (X, 2), True), ("lock_add", (Y, 1), True),
              ("wait_until", (X, lambda value: value & 1), False)],
    "compare": [("lock_add", (X, 1), True), ("lock_cmpxchg", (X, 1, 5), False), ("lock_add", (Y, 1), True),
                ("load", (Y,), False)],
    "used and dropped": [("lock_add", (X, 1), True), ("lock_add", (X, 2), False), ("lock_btr", (X, 0), True)],
    "two widths": [("lock_add", (X, 1), True), ("lock_add_8", (X, 1), True), ("load", (X,), False)],
    "compare more bytes": [("lock_add", (X, 1), True), ("lock_cmpxchg_8", (X, 1, 5), False), ("lock_or", (X, 1), True),
                           ("store", (X, 1), False)],
}  # fmt: skip
SIZES = [(2, 2), (2, 1, 1), (1, 1, 1, 1), (3, 2), (2, 2, 1)]


def generated(menu, seed):
    random = Random(seed)
    plans = [[random.choice(MENUS[menu]) for _ in range(size)] for size in SIZES[seed % len(SIZES)]]

    def thread(plan):
        async def run(cpu):
            for number, (name, args, drops) in enumerate(plan):
                cpu.drops = drops
                method = getattr(cpu, name.removesuffix("_8"))
                value = await method(*args, width=8 if name.endswith("_8") else 4)
                if not drops:
                    cpu.observe(f"r{number}", int(value or 0))

        return run

    return Program(f"{menu} {seed}", isa="x86", threads=[thread(plan) for plan in plans], init={X: 0, Y: 0})


def by_undo(made):
    engines, scheduler, traces = Engines(made, Machine(), commuting=True), Dpor(), []
    while not scheduler.exhausted:
        traces.append(engines.run(engines.make(scheduler, len(traces)), len(traces)))
    engines.close()
    assert engines.undone == len(traces)
    return traces


@pytest.mark.parametrize(
    "seeds", [range(8), pytest.param(range(100, 300), marks=pytest.mark.soak)], ids=["some", "many"]
)
@pytest.mark.parametrize("menu", MENUS)
def test_one_execution_of_each_class_is_visited(menu, seeds):
    saved = 0
    for seed in seeds:
        made = generated(menu, seed)
        everything = search(made, DepthFirst(), Machine(), 40_000)
        assert everything is not None
        traces = by_undo(made)
        assert len(traces) == len(set(map(class_of, traces))), made.name
        assert set(map(class_of, traces)) == set(map(class_of, everything)), made.name
        assert set(map(end_of, traces)) == set(map(end_of, everything)), made.name
        saved += len(traces) < explore(made, Machine(), scheduler="dpor", checkers=[serializability]).executions
    assert saved > len(seeds) // 8
