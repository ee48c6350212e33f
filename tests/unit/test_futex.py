"""Futexes: sleeps and wake-ups of small programs against a brute-force search, mutexes that use them, and misuse."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

import pytest

from simaie import Machine, Page, Program, Verdict, explore, prove_progress
from simaie.errors import NotModelledError, UsageError
from simaie.trace import Ending

LOCK, COUNT = 0x1000, 0x1004
EVERY_FAILURE: dict[str, Any] = {"executions": 5_000, "failures": 5_000}


# -- small programs on one word -------------------------------------------------------------------

#: Each thread is a list of steps: ("store", value), ("wait", expected) or ("wake", count).
SMALL = [
    [[("wait", 0)], [("store", 1), ("wake", 1)]],
    [[("wait", 0)], [("wake", 1), ("store", 1)]],
    [[("wait", 0), ("wait", 0)], [("wake", 1), ("wake", 2)]],
    [[("wait", 0), ("wake", 1)], [("wait", 0)], [("wake", 1)]],
    [[("wait", 0)], [("wait", 0)], [("store", 1), ("wake", 1)]],
    [[("store", 1), ("wait", 1)], [("store", 0), ("wake", 1)]],
    [[("wait", 0)], [("wait", 0)], [("wait", 0)], [("store", 1), ("wake", 2)]],
]
Steps = list[list[tuple[str, int]]]


class State(NamedTuple):
    """Where each thread is, what its calls returned, the word, and the threads that sleep."""

    at: tuple[int, ...]
    results: tuple[tuple[int, ...], ...]
    word: int
    asleep: frozenset[int]


def brute_force(threads: Steps) -> set[str]:
    """Return the outcomes where each call is one step, as the manual describes it."""
    first = State((0,) * len(threads), ((),) * len(threads), 0, frozenset())
    seen, left, found = {first}, [first], set()
    while left:
        state = left.pop()
        following = [after for number in range(len(threads)) for after in stepped(state, number, threads[number])]
        if not following:
            found.add(outcome(state.results, state.word))
        left += [after for after in dict.fromkeys(following) if after not in seen]
        seen.update(following)
    return found


def stepped(state: State, number: int, steps: list[tuple[str, int]]) -> Iterator[State]:
    if number in state.asleep or state.at[number] == len(steps):
        return
    kind, operand = steps[state.at[number]]
    moved = state._replace(at=replaced(state.at, number, state.at[number] + 1))
    if kind == "store":
        yield moved._replace(word=operand)
    elif kind == "wait":
        slept = state.word == operand
        asleep = state.asleep | {number} if slept else state.asleep
        # A vCPU that sleeps has its result when it wakes up.
        yield (moved if slept else answered(moved, number, 0))._replace(asleep=asleep)
    else:
        for woken in combinations(sorted(state.asleep), min(operand, len(state.asleep))):
            after = answered(moved, number, len(woken))._replace(asleep=state.asleep - {*woken})
            for each in woken:
                after = answered(after, each, 1)
            yield after


def answered(state: State, number: int, result: int) -> State:
    return state._replace(results=replaced(state.results, number, (*state.results[number], result)))


def replaced(whole: tuple[Any, ...], number: int, part: Any) -> tuple[Any, ...]:
    return (*whole[:number], part, *whole[number + 1 :])


def outcome(results: tuple[tuple[int, ...], ...], word: int) -> str:
    return f"{results} {word}"


def as_program(threads: Steps) -> Program:
    def thread(steps: list[tuple[str, int]]) -> Any:
        async def run(cpu: Any) -> None:
            number = 0
            for kind, operand in steps:
                if kind == "store":
                    await cpu.xchg(LOCK, operand)
                    continue
                call = cpu.futex_wait if kind == "wait" else cpu.futex_wake
                cpu.observe(f"r{number}", int(await call(LOCK, operand)))
                number += 1

        return run

    return Program("small", isa="x86", threads=[thread(steps) for steps in threads], init={LOCK: 0})


def searched(threads: Steps, scheduler: str = "dpor", host: str = "sc") -> set[str]:
    """Return the outcomes that an exhaustive search finds, with those of deadlocks."""
    stuck: list[Any] = []
    machine = Machine("native", host=host)
    report = explore(as_program(threads), machine, scheduler=scheduler, found=stuck.append, **EVERY_FAILURE)
    assert report.complete
    assert {failure.trace.ending for failure in stuck} <= {Ending.DEADLOCK}
    return shown([*report.outcomes, *(failure.trace.outcome for failure in stuck)], len(threads))


def shown(outcomes: list[Any], threads: int) -> set[str]:
    found = set()
    for each in outcomes:
        items = dict(each.items)
        results = tuple(
            tuple(items[name] for name in sorted(items) if name.startswith(f"{number}:")) for number in range(threads)
        )
        found.add(outcome(results, items["[0x1000]"]))
    return found


@pytest.mark.parametrize("threads", SMALL)
def test_searches_find_what_a_brute_force_search_finds(threads, monkeypatch):
    expected = brute_force(threads)
    for host in ("sc", "tso", "pso"):
        assert searched(threads, host=host) == expected
    monkeypatch.setenv("SIMAIE_MEMO", "0")
    assert searched(threads) == expected


@pytest.mark.parametrize("host", ["sc", "tso"])
def test_a_depth_first_search_agrees(host):
    assert searched(SMALL[0], "dfs", host) == brute_force(SMALL[0])


# -- mutexes --------------------------------------------------------------------------------------


def mutex(threads: int, *, taken: int = 2, wakes: bool = True, spurious: bool = False) -> Program:
    """`mutex2` of "Futexes Are Tricky". The word is 0 if it is free, 1 if it is held, 2 if others may sleep.

    Args:
        threads: The number of vCPUs.
        taken: What a vCPU that was asleep stores when it takes the mutex; 2 is right, since others may sleep.
        wakes: Whether a release wakes a sleeper.
        spurious: Whether the first sleep of each vCPU may end without a wake-up.
    """

    async def thread(cpu: Any) -> None:
        seen = await cpu.lock_cmpxchg(LOCK, 0, 1)
        if seen != 0:
            may_end = spurious
            seen = await cpu.xchg(LOCK, 2)
            while seen != 0:
                await cpu.futex_wait(LOCK, 2, spurious=may_end)
                may_end = False
                seen = await cpu.xchg(LOCK, taken)
        await cpu.store(COUNT, await cpu.load(COUNT) + 1)
        if await cpu.xchg(LOCK, 0) == 2 and wakes:
            await cpu.futex_wake(LOCK)

    def counted(memory: Any) -> bool:
        return memory[COUNT] == threads

    return Program("mutex", isa="x86", threads=[thread] * threads, init={LOCK: 0, COUNT: 0}, final=counted)


@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
@pytest.mark.parametrize("spurious", [False, True])
def test_a_mutex_that_sleeps_is_proved(host, spurious):
    found = explore(mutex(2, spurious=spurious), Machine("native", host=host), scheduler="dpor", **EVERY_FAILURE)
    assert found.verdict is Verdict.HOLDS


def test_a_lost_wake_up_is_a_deadlock_that_names_the_sleeper():
    found = explore(mutex(2, wakes=False), Machine("native"), scheduler="dpor", **EVERY_FAILURE)
    assert {failure.trace.ending for failure in found.failures} == {Ending.DEADLOCK}
    [finding] = found.failures[0].findings
    assert finding.kind == "deadlock"
    assert len(finding.vcpus) == 1
    assert f"asleep on the futex at {LOCK:#x}" in finding.message


def test_a_mutex_forgets_the_second_sleeper():
    """The mark that others may sleep is lost when a sleeper takes the mutex; two vCPUs never see that."""
    found = explore(mutex(3, taken=1), Machine("native"), scheduler="random-walk", executions=400, failures=1, seed=1)
    assert found.failures[0].trace.ending is Ending.DEADLOCK
    assert explore(mutex(2, taken=1), Machine("native"), scheduler="dpor", **EVERY_FAILURE).verdict is Verdict.HOLDS


@pytest.mark.soak
def test_soak_a_mutex_of_three_vcpus_is_proved():
    found = explore(mutex(3), Machine("native"), scheduler="dpor", executions=20_000)
    assert (found.verdict, found.executions) == (Verdict.HOLDS, 5_622)


def test_a_search_of_three_vcpus_finds_the_sleeper_that_is_forgotten():
    found = explore(mutex(3, taken=1), Machine("native"), scheduler="dpor", executions=20_000)
    assert [failure.trace.ending for failure in found.failures] == [Ending.DEADLOCK]


@pytest.mark.parametrize("taken", [1, 2])
def test_the_trio_driver_and_other_processes_change_nothing(taken):
    one, trio, split = (
        explore(mutex(2, taken=taken), Machine("native"), scheduler="dpor", **options, **EVERY_FAILURE)
        for options in ({}, {"driver": "trio"}, {"jobs": 2})
    )
    assert one.outcomes == trio.outcomes == split.outcomes
    assert one.executions == trio.executions == split.executions


def test_every_vcpu_gets_the_mutex():
    assert prove_progress(mutex(2), Machine("native")).verdict is Verdict.HOLDS


# -- what else a sleep meets ----------------------------------------------------------------------


async def sleeper(cpu: Any) -> None:
    await cpu.futex_wait(LOCK, 0)
    cpu.observe("word", await cpu.load(LOCK))


async def waker(cpu: Any) -> None:
    await cpu.xchg(LOCK, 1)
    await cpu.futex_wake(LOCK)


@pytest.mark.parametrize("scheme", ["stop-world-value", "aie-rfc", "mixed:paths=0=native;*=cas"])
def test_a_sleep_hinders_no_scheme(scheme):
    """A vCPU that sleeps is in no instruction, so that another one can stop the world; a futex belongs to all paths."""
    program = Program("sleep", isa="x86", threads=[sleeper, waker], init={LOCK: 0})
    found = explore(program, Machine(scheme), scheduler="dpor", **EVERY_FAILURE)
    assert found.verdict is Verdict.HOLDS
    assert {str(each) for each in found.outcomes} == {"0:word=1 [0x1000]=1"}


def test_a_sleep_may_end_without_a_wake_up():
    async def careless(cpu: Any) -> None:
        await cpu.futex_wait(LOCK, 0, spurious=True)
        cpu.observe("word", await cpu.load(LOCK))

    program = Program("careless", isa="x86", threads=[careless, waker], init={LOCK: 0})
    found = explore(program, Machine("native"), scheduler="dpor", **EVERY_FAILURE)
    assert {dict(each.items)["0:word"] for each in found.outcomes} == {0, 1}


def test_a_sleep_that_ended_is_not_woken():
    async def alone(cpu: Any) -> None:
        await cpu.futex_wait(LOCK, 0, spurious=True)
        cpu.observe("woken", await cpu.futex_wake(LOCK))

    program = Program("alone", isa="x86", threads=[alone], init={LOCK: 0})
    found = explore(program, Machine("native"), scheduler="dpor", **EVERY_FAILURE)
    assert {dict(each.items)["0:woken"] for each in found.outcomes} == {0}
    assert {failure.trace.ending for failure in found.failures} == {Ending.DEADLOCK}


def test_a_futex_is_a_place_in_ram():
    """Two addresses of one frame are one futex, in both modes."""

    async def other(cpu: Any) -> None:
        await cpu.xchg(0x5000, 1)
        await cpu.futex_wake(0x5000)

    pages = {0x1000: Page(0x8000), 0x5000: Page(0x8000)}
    program = Program("shared", isa="x86", threads=[sleeper, other], init={LOCK: 0}, pages=pages)
    for full_system in (False, True):
        found = explore(program, Machine("native", full_system=full_system), scheduler="dpor", **EVERY_FAILURE)
        assert found.verdict is Verdict.HOLDS


@pytest.mark.parametrize("address", [LOCK + 2, 0x9000])
def test_a_place_that_is_no_word_is_a_fault(address):
    async def wrong(cpu: Any) -> None:
        await cpu.futex_wait(address, 0)

    pages = {LOCK: Page(0x8000), 0x9000: Page(0x8000, present=False)}
    program = Program("wrong", isa="x86", threads=[wrong], init={LOCK: 0}, pages=pages)
    found = explore(program, Machine("native", full_system=True), executions=1)
    assert [each.kind for each in found.failures[0].findings] == ["guest-fault"]


def test_what_is_not_modelled_or_makes_no_sense_is_an_error():
    program = Program("sleep", isa="aarch64", threads=[sleeper], init={LOCK: 0})
    with pytest.raises(NotModelledError, match="futex-wait"):
        explore(program, Machine("native", host="armv8"), scheduler="dpor")

    async def none(cpu: Any) -> None:
        await cpu.futex_wake(LOCK, 0)

    with pytest.raises(UsageError, match="number of vCPUs to wake"):
        explore(Program("none", isa="x86", threads=[none], init={LOCK: 0}), Machine("native"), executions=1)
