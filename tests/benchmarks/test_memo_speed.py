"""How much faster explorations are with the memo than without, in one process. Run by hand: `make benchmark`.

Measured are whole calls of `explore` with the default checkers, of CPU time, in turns; the rate is that of the best
turn. A ratio of two rates of one process holds on a busy machine, too. The reference engine runs a part of the
executions only, because its rate does not depend on their number.

Random executions of inc(2) are walks (`simaie.engine.memo.walks`), those of the others are not: fib_bench(5) has too
many states, and under global-lock checkers may need a trace.

A program of many histories, as fib_bench(5), spends the first executions on steps that are new to the memo. Its ratio
therefore grows with their number. The second floor is a loop of Python's own that does nothing but look up and add, so
that a change that slows down both engines is noticed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from exhaustive import programs

from simaie import Limits, Machine, Program, corpus, explore
from simaie.engine.memo import execution as memo_execution
from simaie.engine.memo import finished as memo_finished
from simaie.exploration.engines import MEMO_SWITCH

pytestmark = pytest.mark.benchmark

TURNS = 3


def fib_bench() -> Program:
    return programs.fib_bench(5, checker=False)


#: Program, scheme, executions with and without the memo, and the least ratio of the rates.
SAMPLES: dict[str, tuple[Callable[[], Program], str, int, int, float]] = {
    "inc(2) native": (lambda: programs.inc(2), "native", 60_000, 2_500, 10.0),
    "inc(2) aie-rfc": (lambda: programs.inc(2), "aie-rfc", 60_000, 2_500, 10.0),
    "fib_bench(5) native": (fib_bench, "native", 40_000, 2_500, 2.5),
    "fib_bench(5) aie-rfc": (fib_bench, "aie-rfc", 40_000, 2_500, 2.5),
    "casrot(4) global-lock": (lambda: programs.casrot(4), "global-lock", 5_000, 1_500, 2.0),
}

#: Program, number of traces, executions without undo, the least ratio of the rates, and the most turns of the loop that
#: a trace may cost.
PROOFS: dict[str, tuple[Callable[[], Program], int, int, float, int]] = {
    "inc(5)": (lambda: programs.inc(5), 14_400, 800, 3.0, 1_100),
    "fib_bench(5)": (fib_bench, 8_953, 500, 1.2, 4_000),
    "readers(13)": (lambda: programs.readers(13), 8_192, 500, 2.5, 2_500),
    "lastzero(10)": (lambda: programs.lastzero(10), 3_328, 400, 2.5, 3_400),
    "indexer(15)": (lambda: programs.indexer(15), 4_096, 200, 4.0, 6_000),
}


def rate(program: Program, scheme: str, scheduler: str, executions: int) -> float:
    """Executions a second of one exploration."""
    began = time.process_time()
    report = explore(program, Machine(scheme), scheduler=scheduler, executions=executions, failures=None)
    seconds = time.process_time() - began
    assert report.executions == executions
    return executions / seconds


@pytest.mark.parametrize(("name", "scheme"), [("peterson-arm", "cas"), ("szymanski-x86", "aie-rfc")])
def test_states_for_lassos_are_read_once(name: str, scheme: str, monkeypatch: pytest.MonkeyPatch):
    machine = Machine(scheme, address_bits=12, limits=Limits(steps=500, tries=None))

    def seconds(executions: int) -> float:
        began = time.process_time()
        explore(corpus.guest(name).program, machine, scheduler="random-walk", executions=executions)
        return (time.process_time() - began) / executions

    with_memo = seconds(3_000)
    monkeypatch.setenv(MEMO_SWITCH, "0")
    ratio = seconds(60) / with_memo
    print(f"\n{name} {scheme}: {ratio:.1f} times as fast with the memo")
    assert ratio > 8


def loop_seconds() -> float:
    """CPU time of one turn of a loop that looks up and adds, in seconds."""
    table = dict.fromkeys(range(16), 1)
    began, total = time.process_time(), 0
    for number in range(200_000):
        total += table[number & 15]
    return (time.process_time() - began) / total


@pytest.mark.parametrize("name", SAMPLES)
def test_random_executions_are_faster_than_on_the_reference_engine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, scheme, executions, without, floor = SAMPLES[name]
    program, best = make(), {"0": 0.0, "1": 0.0}
    for _ in range(TURNS):
        for switch, count in (("0", without), ("1", executions)):
            monkeypatch.setenv(MEMO_SWITCH, switch)
            best[switch] = max(best[switch], rate(program, scheme, "random-walk", count))
    ratio = best["1"] / best["0"]
    print(f"\n{name}: {best['1']:,.0f} executions/s, {best['0']:,.0f} without: {ratio:.1f}x (floor {floor}x)")
    assert ratio >= floor


@pytest.mark.parametrize("name", PROOFS)
def test_proofs_by_undo_are_faster_than_on_the_reference_engine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, traces, without, floor, most = PROOFS[name]
    program, best, turn = make(), {"0": 0.0, "1": 0.0}, 1.0
    for _ in range(TURNS):
        for switch, count in (("0", without), ("1", traces)):
            monkeypatch.setenv(MEMO_SWITCH, switch)
            best[switch] = max(best[switch], rate(program, "native", "dpor", count))
        turn = min(turn, loop_seconds())
    ratio, cost = best["1"] / best["0"], 1 / (best["1"] * turn)
    print(f"\n{name}: {best['1']:,.0f} traces/s, {ratio:.1f}x (floor {floor}x), {cost:,.0f} turns (most {most:,})")
    assert ratio >= floor
    assert cost <= most


def test_depth_first_search_by_undo_is_faster_than_on_the_reference_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    program, best = fib_bench(), {"0": 0.0, "1": 0.0}
    for _ in range(TURNS):
        for switch, count in (("0", 1_000), ("1", 10_000)):
            monkeypatch.setenv(MEMO_SWITCH, switch)
            best[switch] = max(best[switch], rate(program, "native", "dfs", count))
    print(f"\ndfs: {best['1']:,.0f} interleavings/s, {best['1'] / best['0']:.1f}x (floor 4x)")
    assert best["1"] >= 4 * best["0"]


async def add_twice(cpu: Any) -> None:
    await cpu.lock_xadd(0x100, 1)
    await cpu.lock_xadd(0x140, 1)


async def increment(cpu: Any) -> None:
    while await cpu.strex(0x100, await cpu.ldrex(0x100) + 1):
        pass


#: Instruction set, guest, vCPUs, scheme, scheduler, executions, and the least gain by monitors.
WATCHED: dict[str, tuple[str, Any, int, str, str, int, float]] = {
    "LOCK under aie-rfc, dpor": ("x86", add_twice, 3, "aie-rfc", "dpor", 1_080, 1.0),
    "LOCK under aie-rfc, random": ("x86", add_twice, 2, "aie-rfc", "random-walk", 4_000, 1.05),
    "LL/SC under cas, random": ("arm", increment, 2, "cas", "random-walk", 8_000, 1.4),
    "LL/SC under aie-rfc, dpor": ("arm", increment, 3, "aie-rfc", "dpor", 2_000, 1.1),
}


@pytest.mark.parametrize("name", WATCHED)
def test_monitors_are_faster_than_checkers_that_judge_each_trace(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    isa, guest, vcpus, scheme, scheduler, executions, floor = WATCHED[name]
    program, best = Program(name, isa=isa, threads=[guest] * vcpus), {"monitors": 0.0, "checkers": 0.0}
    for _ in range(TURNS):
        for way in best:
            with monkeypatch.context() as patched:
                if way == "checkers":
                    for module in (memo_execution, memo_finished):
                        patched.setattr(module, "refute", lambda occurred, *_, **__: occurred)
                best[way] = max(best[way], rate(program, scheme, scheduler, executions))
    ratio = best["monitors"] / best["checkers"]
    print(f"\n{name}: {best['monitors']:,.0f} executions/s, {ratio:.2f}x with monitors (floor {floor}x)")
    assert ratio >= floor
