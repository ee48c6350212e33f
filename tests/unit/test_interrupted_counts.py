"""An interrupted exploration has the report of its executions, wherever in the counting Ctrl-C came."""

from __future__ import annotations

import signal
import sys
from typing import Any

import pytest

from simaie import Program, explore
from simaie.errors import Interrupted
from simaie.exploration.in_progress import Exploration
from simaie.exploration.interrupts import LateInterrupts

X = 0x40
TIMES = ("seconds", "executions_per_second")
AT = 3  # executions before the one that is interrupted


async def adder(cpu: Any) -> None:
    await cpu.store(X, await cpu.load(X) + 1)


#: Each execution fails, so that each is counted in all places.
REFUSED = Program("refused", isa="x86", threads=[adder, adder], watch={X: 4}, final=lambda state: False)
OPTIONS: dict[str, Any] = {"scheduler": "random-walk", "failures": None}


def facts(report: Any) -> dict[str, Any]:
    found = report.as_dict()
    found["statistics"] = {name: value for name, value in found["statistics"].items() if name not in TIMES}
    return found | {"interrupted": None, "reason": None}


def interrupted() -> Any:
    """The report of an interrupted exploration; None if nothing interrupted it."""
    try:
        explore(REFUSED, executions=AT + 1, **OPTIONS)
    except Interrupted as stop:
        return stop.report
    return None


@pytest.mark.untraced
@pytest.mark.usefixtures("python_handler")
def test_a_report_has_all_of_an_execution_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    take, lines = Exploration.take, 0

    def interrupted_at(number: int) -> Any:
        def watch(frame: Any, event: str, arg: Any) -> Any:
            nonlocal lines
            if "/simaie/exploration/" not in frame.f_code.co_filename:
                return None
            lines += event == "line"
            if event == "line" and lines == number:
                signal.raise_signal(signal.SIGINT)
            return watch

        def taken(self: Exploration, trace: Any) -> None:
            if self.index != AT:
                take(self, trace)
                return
            sys.settrace(watch)
            try:
                take(self, trace)
            finally:
                sys.settrace(None)

        return taken

    whole = {number: facts(explore(REFUSED, executions=number, **OPTIONS)) for number in (AT, AT + 1)}
    number, counts = 1, set()
    while True:
        lines = 0
        monkeypatch.setattr(Exploration, "take", interrupted_at(number))
        report = interrupted()
        if lines < number:
            break
        assert report is not None
        assert facts(report) == whole[report.executions], number
        counts.add(report.executions)
        number += 47
    assert counts == {AT, AT + 1}


@pytest.fixture
def python_handler(monkeypatch: pytest.MonkeyPatch) -> Any:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("python_handler")
def test_a_second_interrupt_does_not_wait() -> None:
    late = LateInterrupts()
    reached: list[int] = []

    def interrupt(times: int) -> None:
        with late.handled():
            with late:
                for time in range(times):
                    signal.raise_signal(signal.SIGINT)
                    reached.append(time)
            reached.append(-1)

    for times in (1, 2):  # the first one waits to the end
        with pytest.raises(KeyboardInterrupt):
            interrupt(times)
    assert reached == [0, 0]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
