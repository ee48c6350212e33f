"""How much faster a judged exploration is with the memo than without, in one process. Run by hand: `make benchmark`.

Measured are whole calls of `explore` under random-walk with the default checkers, of CPU time, in turns; the rate is
that of the best turn. A program of many histories, as fib_bench(5), spends the first executions on misses, so that its
ratio grows with their number.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from exhaustive import programs

from simaie import Machine, Program, explore
from simaie.exploration.engines import MEMO_SWITCH

pytestmark = pytest.mark.benchmark

TURNS = 3
FLOOR = 2.5
WITHOUT = 2_500  # executions on the reference engine


def fib_bench() -> Program:
    return programs.fib_bench(5, checker=False)


CASES: dict[str, tuple[Callable[[], Program], str, int]] = {
    "inc(2) native": (lambda: programs.inc(2), "native", 20_000),
    "inc(2) aie-rfc": (lambda: programs.inc(2), "aie-rfc", 20_000),
    "fib_bench(5) native": (fib_bench, "native", 40_000),
    "fib_bench(5) aie-rfc": (fib_bench, "aie-rfc", 40_000),
}


def rate(program: Program, scheme: str, executions: int) -> float:
    """Executions a second of one exploration."""
    began = time.process_time()
    report = explore(program, Machine(scheme), scheduler="random-walk", executions=executions, failures=None)
    seconds = time.process_time() - began
    assert report.executions == executions
    return executions / seconds


@pytest.mark.parametrize("name", CASES)
def test_the_memo_is_faster_than_the_reference_engine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, scheme, executions = CASES[name]
    program, best = make(), {"0": 0.0, "1": 0.0}
    for _ in range(TURNS):
        for switch, count in (("0", WITHOUT), ("1", executions)):
            monkeypatch.setenv(MEMO_SWITCH, switch)
            best[switch] = max(best[switch], rate(program, scheme, count))
    ratio = best["1"] / best["0"]
    print(f"\n{name}: {best['1']:,.0f} executions/s, {best['0']:,.0f} without: {ratio:.1f}x (floor {FLOOR}x)")
    assert ratio >= FLOOR
