"""A depth-first search by undo visits what it visits from the start, in the same order and with the same counts."""

from __future__ import annotations

import pytest
from simaie_schedulers.dfs import DepthFirst

from exhaustive import programs as p
from exhaustive.generated import BASE, FAMILIES, program
from exhaustive.programs import Hypercalls
from simaie import explore
from simaie.exploration.coverage import PreemptionCounter
from simaie.exploration.engines import Engines, StartAgain
from simaie.guest.program import Program
from simaie.machine import Limits, Machine

SIZES = [(2, 2), (2, 1, 1), (3, 2)]
BOUNDS = [None, 1, 2]
#: The families whose programs may make a local choice (an exclusive may fail by choice), or have devices.
MAY_FALL_BACK = {
    family
    for family, (isa, kinds) in FAMILIES.items()
    if isa != "x86" or {"choose", "if odd choose", "spawn any"} & set(kinds) or family == "devices"
}


def searched(made, machine, scheduler, *, memo, limit=150):
    """Return what a search visits, what its scheduler says at the end, and the number of executions by undo."""
    engines, counter = Engines(made, machine, memo=memo, commuting=True), PreemptionCounter(scheduler)
    seen = []
    while not scheduler.exhausted and len(seen) < limit:
        profile = scheduler.profile()
        try:
            trace = engines.run(engines.make(counter, len(seen)), len(seen))
        except StartAgain:
            seen.clear()
            assert engines.by_index
            continue
        if engines.undoing is not None:
            profile = engines.undoing.profile(trace)
        seen.append((trace.digest, trace.outcome, trace.ending, len(trace.events), counter.count, profile))
    counts = list(scheduler.per_bound), scheduler.exhausted, scheduler.complete, scheduler.bound_note
    engines.close()
    return seen, counts, engines.undone


def by_undo_is_alike(made, machine, bound):
    """Hold both searches against each other; return whether one of them went by undo."""
    wanted = searched(made, machine, DepthFirst(bound), memo=False)
    found = searched(made, machine, DepthFirst(bound), memo=True)
    assert found[0] == wanted[0], made.name
    assert found[1] == wanted[1], made.name
    assert wanted[2] == 0
    return found[2] == len(found[0])


@pytest.mark.parametrize("seeds", [(0, 3), pytest.param(range(4), marks=pytest.mark.soak)], ids=len)
@pytest.mark.parametrize("family", FAMILIES)
def test_generated_programs(family, seeds):
    """Without a bound, and with at most two preemptions."""
    for seed in seeds[:1] if family in ("devices", "many choices") else seeds:
        made = program(family, seed, SIZES[seed % 3])
        undone = by_undo_is_alike(made, Machine(Hypercalls), BOUNDS[seed // 2 * (1 + seed % 2)])
        assert undone or family in MAY_FALL_BACK, made.name


@pytest.mark.parametrize("scheme", ["aie-rfc", "cas", "global-lock"])
def test_generated_programs_under_schemes(scheme):
    for seed, family in enumerate(["atomics", "exchanges", "plain", "widths", "threads"]):
        by_undo_is_alike(program(family, seed, (1, 1)), Machine(scheme, address_bits=12), BOUNDS[seed % 3])


def test_an_execution_that_reaches_the_limit_on_steps_sends_the_search_back_to_the_start():
    made = program("plain", 1, (2, 2))
    for bound in (None, 1):
        assert not by_undo_is_alike(made, Machine("native", limits=Limits(steps=3)), bound)


def late(action):
    """Return a program that performs `action` if its second vCPU comes first, as it does in no early execution."""

    async def first(cpu):
        await cpu.lock_cmpxchg(BASE, 0, 1)
        await cpu.lock_add(BASE + 4, 1)

    async def second(cpu):
        if await cpu.load(BASE) == 0:
            await action(cpu)

    return Program(action.__name__, isa="x86", threads=[first, second])


async def overlaps(cpu):
    await cpu.store(BASE + 1, 1, width=1)


async def block(cpu):
    async with cpu.atomic("block"):
        await cpu.lock_add(BASE + 4, 1)


async def choice(cpu):
    await cpu.choose(2)


@pytest.mark.parametrize("action", [overlaps, block])
def test_what_is_found_late_does_not_end_the_search_by_undo(action):
    """Searches that depend on commutation begin anew there: an overlap in part, and a block that is judged."""
    assert by_undo_is_alike(late(action), Machine("native"), None)


def test_a_late_choice_sends_the_search_back_to_the_start_and_indices_keep_their_meaning():
    for bound in (None, 2):
        assert not by_undo_is_alike(late(choice), Machine("native"), bound)


def storing(first):
    """Return a guest that stores to four places of its own."""

    async def thread(cpu):
        for place in range(4):
            await cpu.store(BASE + 16 * first + 4 * place, 1)

    return thread


def test_exact_counts():
    made = Program("3x4", isa="x86", threads=[storing(0), storing(1), storing(2)])
    report = explore(made, scheduler="dfs", executions=40_000)
    assert (report.statistics.executions, report.complete) == (34_650, True)  # 12! / 4!4!4!
    scheduler = DepthFirst(preemptions=20)
    engines, count = Engines(Program("2x4", isa="x86", threads=[storing(0), storing(1)]), Machine("native")), 0
    while not scheduler.exhausted:
        engines.run(engines.make(scheduler, count), count)
        count += 1
    engines.close()
    assert engines.undone == count == 70  # 8! / 4!4!
    assert scheduler.per_bound == [2, 8, 26, 44, 62, 68, 70]


@pytest.mark.parametrize("scheduler", ["dfs", "dfs:preemptions=1", "dfs:preemptions=2,memory_limit=9"])
@pytest.mark.parametrize("made", [p.inc(3), p.peterson()], ids=lambda made: made.name)
def test_reports_have_the_same_failures_statistics_and_coverage(made, scheduler, monkeypatch):
    reports = []
    for memo in ("0", "1"):
        monkeypatch.setenv("SIMAIE_MEMO", memo)
        reports.append(explore(made, scheduler=scheduler, executions=200, failures=None, coverage=True))
    wanted, found = [_comparable(report) for report in reports]
    assert found == wanted


def _comparable(report):
    data = report.as_dict()
    for name in [name for name in data["statistics"] if "second" in name or "rate" in name or "elapsed" in name]:
        del data["statistics"][name]
    failures = [(f.index, f.scheduler, f.profile, f.trace.digest, f.findings) for f in report.failures]
    return data, failures, report.outcomes
