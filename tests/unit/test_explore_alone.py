"""One execution by its index: the same as within the exploration, for schedulers that learn and those that do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from simaie.errors import UsageError
from simaie.exploration.engines import MEMO_SWITCH
from simaie.exploration.explorer import explore
from simaie.exploration.scheduler_choice import make_scheduler
from simaie.exploration.single import explore_index, learns
from simaie.finding import Verdict
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.protocols import Candidate, Offer, Scheduler
from simaie.trace import Trace

X = 0x100


async def _adder(cpu: Any) -> None:
    await cpu.add(X, 1)
    await cpu.add(X, 1)


def a_program() -> Program:
    return Program("two-adders", isa="x86", threads=[_adder, _adder], init={X: 0})


class Counting(Scheduler):
    """Preempts after as many steps as it has seen executions: it learns, and says so by its profile."""

    def __init__(self) -> None:
        self.seen = 0

    def choose(self, offer: Offer) -> Candidate:
        """The default for as many steps, then the last candidate."""
        return offer.default if offer.step < self.seen else offer.candidates[-1]

    def finish(self, trace: Trace) -> None:
        """One more."""
        self.seen += 1

    def profile(self) -> Mapping[str, Any]:
        """How many it has seen."""
        return {"seen": self.seen}


@pytest.mark.parametrize(
    "name", ["random-walk", "pct", "pos", "urw", "surw", "portfolio", "coverage-guided", "dfs", "dpor"]
)
def test_every_execution_alone_is_the_one_of_the_exploration(name: str) -> None:
    digests: list[str] = []

    def note(trace: Trace) -> tuple[()]:
        digests.append(trace.digest)
        return ()

    explore(a_program(), scheduler=name, seed=3, executions=12, failures=None, checkers=[note])
    within = list(digests)
    for index in range(len(within)):
        digests.clear()
        report = explore_index(a_program(), Machine(), name, seed=3, index=index, checkers=[note])
        assert digests == [within[index]]
        assert (report.executions, report.verdict) == (1, Verdict.INCONCLUSIVE)


def test_a_scheduler_with_a_profile_runs_the_executions_before_it_again_and_they_are_not_judged() -> None:
    scheduler = Counting()
    judged: list[Trace] = []

    def note(trace: Trace) -> tuple[()]:
        judged.append(trace)
        return ()

    explore_index(a_program(), Machine(), scheduler, seed=0, index=4, checkers=[note])
    assert scheduler.seen == 5
    assert len(judged) == 1


@pytest.mark.parametrize(("name", "expected"), [("random-walk", False), ("pos", False), ("dfs", True), ("pct", True)])
def test_who_learns(name: str, expected: bool) -> None:
    assert learns(make_scheduler(name)[0]) is expected


def test_there_is_no_execution_beyond_the_end_and_none_before_the_beginning() -> None:
    count = explore(a_program(), scheduler="dfs", failures=None).executions
    for index in (-1, count, count + 7):
        with pytest.raises(UsageError):
            explore_index(a_program(), Machine(), "dfs", index=index)


def test_a_time_limit_ends_the_executions_before_it_too() -> None:
    report = explore_index(a_program(), Machine(), "pct", index=10**9, seconds=0.01)
    assert (report.executions, report.verdict) == (0, Verdict.INCONCLUSIVE)


def test_an_execution_of_another_order_says_so(monkeypatch: pytest.MonkeyPatch):
    """Without the memo, dpor runs its executions in another order than by undo; dfs does not."""

    def reason(name: str) -> str | None:
        return explore_index(a_program(), Machine(), name, index=1, checkers=[]).reason

    usual = reason("dpor")
    monkeypatch.setenv(MEMO_SWITCH, "0")
    assert reason("dfs") == reason("random-walk") == usual
    assert MEMO_SWITCH in str(reason("dpor"))
