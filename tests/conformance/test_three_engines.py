"""The memo, the reference engine and the trio driver run the same executions of generated programs.

A case is a program, a machine (each scheme on each host), and a scheduler. The executions of a case run on each engine,
and twice along the memo: it learns, and then follows known edges.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
from exhaustive import varied
from memo_runs import info

from simaie import Machine, Program
from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.engine.memo.execution import MemoExecution
from simaie.engine.memo.memo import Memo
from simaie.engine.memo.quick import make_memo_execution
from simaie.engine.memo.run import run_memo
from simaie.engine.memo.shared import SharedState
from simaie.engine.on_trio.driver import in_trio, run_trio
from simaie.exploration.scheduler_choice import make_scheduler
from simaie.replaying.run import make_execution

pytestmark = pytest.mark.untraced

SCHEDULERS = ("random-walk", "pct", "pos", "urw", "surw", "portfolio")
FAMILIES = (varied.instructions, varied.families, varied.wide, varied.calls)
EACH = 4  # executions of a case
CASES = 40
MANY = 2_500

Case = tuple[Program, Machine, str]


def case(number: int) -> Case:
    """Case number `number`, the same for ever."""
    program, machine = FAMILIES[number % len(FAMILIES)](number)
    scheduler = SCHEDULERS[number // len(FAMILIES) % len(SCHEDULERS)]
    return program, machine, scheduler


def reference(number: int) -> Iterator[Execution]:
    """The executions of a case on the reference engine, each ready to run when the one before has ended."""
    program, machine, name = case(number)
    scheduler = make_scheduler(name)[0]
    for index in range(EACH):
        yield make_execution(program, machine, scheduler, seed=number, index=index, verify=False)


def on_memo(number: int) -> list[str]:
    """The digests of the executions of a case along one memo: first while it learns, then along known edges."""
    program, machine, name = case(number)
    memo, found = Memo(program, machine, SharedState(program)), []
    for _ in range(2):
        scheduler = make_scheduler(name)[0]
        last: MemoExecution | None = None
        for index in range(EACH):
            if not memo.given_up:
                last = make_memo_execution(memo, scheduler, info(program, index, number), last)
                found.append(run_memo(last).digest)
    memo.close()
    return found


@pytest.mark.parametrize("cases", [CASES, pytest.param(MANY, marks=pytest.mark.soak)], ids=["some", "many"])
def test_the_digests_of_the_three_engines_are_equal(cases: int) -> None:
    async def all_on_trio() -> list[list[str]]:
        return [[(await run_trio(each)).digest for each in reference(number)] for number in range(cases)]

    by_trio, remembered = in_trio(all_on_trio), 0
    for number in range(cases):
        inline = [run_inline(each).digest for each in reference(number)]
        memo = on_memo(number)
        assert by_trio[number] == inline, case(number)
        assert memo == [*inline, *inline][: len(memo)], case(number)
        remembered += len(memo)
    assert remembered > 0.9 * 2 * EACH * cases


def test_the_cases_have_each_scheme_host_and_scheduler() -> None:
    cases = [case(number) for number in range(MANY // 10)]
    assert {machine.scheme for _, machine, _ in cases} >= set(varied.SCHEMES)
    assert {(str(machine.host), name) for _, machine, name in cases} >= set(product(varied.HOSTS, SCHEDULERS))
