"""Walks through joint states: an exploration counts and finds the same with them as without."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import pytest
from exhaustive import programs, varied

from simaie import Limits, Machine, Program, explore
from simaie.engine.memo import walks
from simaie.engine.memo.walked import Covered, PathCoverage, Walked
from simaie.engine.memo.walks import Walks
from simaie.errors import GuestError
from simaie.op import Kind, Op
from simaie.trace import Event

X, Y = 0x40, 0x80
#: What depends on the time.
TIMES = ("seconds", "executions_per_second", "engine_note")


@pytest.fixture(name="walked", autouse=True)
def fixture_walked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of executions of each series of walks."""
    counts: list[int] = []
    run = Walks.run

    def counted(self: Walks, seed: int, first: int, last: int) -> Walked:
        found = run(self, seed, first, last)
        counts.append(found.executions)
        return found

    monkeypatch.setattr(Walks, "run", counted)
    return counts


def facts(program: Program, machine: Machine, executions: int, **options: Any) -> Any:
    """Everything that a report says, but for the time."""
    report = explore(program, machine, scheduler="random-walk", executions=executions, failures=None, **options)
    found = report.as_dict()
    found["statistics"] = {name: value for name, value in found["statistics"].items() if name not in TIMES}
    kept = [(each.index, each.trace.digest) for each in report.kept]
    return found, report.statistics.coverage, list(report.outcomes.items()), kept


def same(program: Program, machine: Machine, executions: int, **options: Any) -> None:
    """Require the same report with and without walks."""
    with_walks = facts(program, machine, executions, **options)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Walks, "_begin", lambda self: None)
        assert facts(program, machine, executions, **options) == with_walks


async def adder(cpu: Any) -> None:
    await cpu.store(X, await cpu.load(X) + 1)


async def increment(cpu: Any) -> None:
    while await cpu.strex(X, await cpu.ldrex(X) + 1):
        pass


async def twice(cpu: Any) -> None:
    await adder(cpu)
    await adder(cpu)


async def once(cpu: Any) -> None:
    cpu.observe("ok", await cpu.strex(X, await cpu.ldrex(X) + 1))
    await cpu.load(X)


async def locked(cpu: Any) -> None:
    cpu.observe("old", await cpu.lock_xadd(X, 1))
    await cpu.store(Y, await cpu.load(X))


async def waiter(cpu: Any) -> None:
    while not await cpu.load(Y):
        await cpu.pause()


async def lucky(cpu: Any) -> None:
    old = await cpu.load(X)
    cpu.sometimes("late", old == 2)
    await cpu.store(X, old + 1)


async def asserting(cpu: Any) -> None:
    assert await cpu.load(X) + await cpu.load(X) != 1


#: Instruction set, guests, scheme, and whether most executions are walks: with the default checkers, and with none.
CASES: dict[str, tuple[str, list[Any], str, bool, bool]] = {
    "plain": ("x86", [adder] * 3, "native", True, True),
    "mutexes": ("x86", [locked, adder], "global-lock", False, True),
    "reservations": ("arm", [increment, adder], "native", False, True),
    "retries": ("arm", [increment, increment], "cas", False, True),
    "waits": ("x86", [waiter, locked], "native", False, False),
    "goals": ("x86", [lucky, adder, adder], "native", False, False),
    "a failing assertion": ("x86", [asserting, adder, adder], "native", True, True),
}


@pytest.mark.parametrize("name", CASES)
def test_the_report_is_that_of_the_engine(name: str, walked: list[int]) -> None:
    isa, guests, scheme, mostly, mostly_unjudged = CASES[name]
    program = Program(name, isa=isa, threads=guests, watch={X: 4, Y: 4})
    same(program, Machine(scheme), 90, seed=3)
    assert (sum(walked) > 40) == mostly
    walked.clear()
    same(program, Machine(scheme), 90, seed=3, checkers=(), coverage=True)
    assert (sum(walked) > 40) == mostly_unjudged


@pytest.mark.untraced
@pytest.mark.one_in(5)
@pytest.mark.parametrize("number", range(24))
def test_generated_programs_have_the_report_of_the_engine(number: int) -> None:
    family = (varied.instructions, varied.families, varied.wide, varied.calls)[number // 4 % 4]
    same(*family(number), 80, seed=number, coverage=True)


@pytest.mark.parametrize("most_known", [1_000, 3])
def test_coverage_counts_walks(most_known: int, monkeypatch: pytest.MonkeyPatch, walked: list[int]) -> None:
    """Few digests are kept, and none if paths seldom repeat."""
    monkeypatch.setattr("simaie.engine.memo.walked._MOST_KNOWN", most_known)
    for guests in ([adder] * 2, [twice] * 2):
        program = Program("adders", isa="x86", threads=guests, watch={X: 4})
        same(program, Machine(), 150, coverage=True)
        assert sum(walked) > 60
        walked.clear()
    assert explore(program, scheduler="random-walk", executions=150, coverage=True).statistics.coverage.traced == 150


def test_the_coverage_of_walks_has_their_digests_in_order() -> None:
    first, second = (Event("0", Op(Kind.LOAD, address=X, width=4), value) for value in (0, 1))
    asked: list[Sequence[Event]] = []
    coverage = PathCoverage(lambda path: asked.append(list(path)) or path[0].value)  # type: ignore[func-returns-value]
    for path, preemptions in (([first], 1), ([second], 4), ([first], 2)):
        coverage.add(path, preemptions)
    assert coverage.covered() == Covered(array("Q", [0, 1, 0]), 7, 4)
    assert asked == [[first], [second]]


def test_a_vcpu_that_yields_is_not_preempted(walked: list[int]) -> None:
    """It yields where its conditional store has failed."""
    program = Program("once", isa="arm", threads=[once, once, adder], watch={X: 4})
    same(program, Machine(), 90, checkers=(), coverage=True)
    assert sum(walked) > 30


def test_the_last_execution_has_a_trace_for_the_consistency_check(walked: list[int]) -> None:
    program = programs.inc(2)
    assert explore(program, scheduler="random-walk", executions=202, failures=None).executions == 202
    assert sum(walked[-1:]) < 202 - 16
    walked.clear()
    explore(program, scheduler="random-walk", executions=18, failures=None)
    assert sum(walked) == 0


def test_a_graph_that_does_not_pay_is_given_up(monkeypatch: pytest.MonkeyPatch, walked: list[int]) -> None:
    monkeypatch.setattr(walks, "_EDGES_FIRST", 10)
    facts(programs.fib_bench(2, checker=False), Machine(), 200)
    assert sum(walked) < 40


def test_a_graph_may_grow_as_long_as_walks_come_to_their_end(walked: list[int]) -> None:
    explore(programs.inc(4), scheduler="random-walk", executions=450, failures=None)
    assert sum(walked) > 330


def test_walks_that_seldom_come_to_an_end_are_given_up(monkeypatch: pytest.MonkeyPatch, walked: list[int]) -> None:
    """Another vCPU may write in the interval of a conditional store: only a trace shows whether it did."""
    monkeypatch.setattr(walks, "_ENDED_FIRST", 20)
    program = Program("retries", isa="arm", threads=[increment, increment], watch={X: 4})
    facts(program, Machine("cas"), 200)
    assert len(walked) < 100


def test_a_graph_that_is_full_leaves_the_rest_to_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walks, "_MOST_STATES", 6)
    same(programs.inc(3), Machine(), 300)


def test_a_program_of_too_many_places_has_no_graph(monkeypatch: pytest.MonkeyPatch, walked: list[int]) -> None:
    monkeypatch.setattr(walks, "_MOST_PLACES", 0)
    same(programs.inc(2), Machine(), 100)
    assert sum(walked) == 0


def test_a_final_check_is_asked_after_each_execution(walked: list[int]) -> None:
    asked: list[int] = []
    program = Program("asked", isa="x86", threads=[adder, adder], watch={X: 4}, final=lambda s: asked.append(1) or True)
    explore(program, scheduler="random-walk", executions=100)
    assert len(asked) >= 100
    assert sum(walked) > 40


@pytest.mark.untraced
def test_what_a_final_check_refuses_fails(walked: list[int]) -> None:
    program = Program("lost", isa="x86", threads=[adder] * 3, watch={X: 4}, final=lambda state: state[X] > 1)
    same(program, Machine(), 200)
    assert sum(walked) > 80


def test_an_error_in_a_final_check_is_that_of_the_engine() -> None:
    """The engine asks again, and raises it."""
    ends = []
    for begin in (Walks._begin, lambda self: None):
        calls: list[int] = []

        def broken(state: Any, calls: list[int] = calls) -> bool:
            calls.append(1)
            if len(calls) > 60:
                raise ValueError("late")
            return True

        program = Program("broken", isa="x86", threads=[adder, adder], watch={X: 4}, final=broken)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Walks, "_begin", begin)
            with pytest.raises(GuestError, match="late") as caught:
                explore(program, scheduler="random-walk", executions=200)
        ends.append(str(caught.value))
    assert ends[0] == ends[1]


def test_an_execution_at_the_limit_of_steps_is_whole_and_a_longer_one_is_cut(walked: list[int]) -> None:
    for steps in (3, 4, 5):
        same(programs.inc(2), Machine(limits=Limits(steps=steps)), 100)
    assert sum(walked) > 0
