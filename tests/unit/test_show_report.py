"""The report and the JSON of a failure: made from any report, and saying what the API says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from simaie.exploration.explorer import explore
from simaie.exploration.report import Report
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.show.failure_view import failure_view
from simaie.show.lines import PROSE, prose
from simaie.show.report_view import MOST_FAILURES, MOST_OUTCOMES, report_view
from simaie.show.trace_json import failure_document, trace_document

X = 0x100


async def _add(cpu: Any) -> None:
    await cpu.add(X, 1)


async def _any(cpu: Any) -> None:
    cpu.observe("v", await cpu.choose(100))


def racy() -> Program:
    return Program("racy", isa="x86", threads=[_add, _add], init={X: 0}, final=lambda state: state[X] == 2)


def a_report(**options: Any) -> Report:
    return explore(racy(), Machine("native"), scheduler="dfs", failures=None, **options)


def test_a_report_is_shown_whatever_its_verdict() -> None:
    many = Program("many", isa="x86", threads=[_any] * (MOST_OUTCOMES // 10))
    for report in (a_report(), a_report(executions=1), explore(many, scheduler="dfs", executions=500)):
        assert report_view(report)


def test_each_failure_names_its_file_if_it_was_saved() -> None:
    report = a_report()
    failure = report.failures[0]
    with_file = [line.plain for line in report_view(report, {failure.index: Path("where/it/is.json")})]
    without = [line.plain for line in report_view(report)]
    assert [line for line in with_file if line not in without] == ["  saved: simaie replay where/it/is.json"]


def test_failures_beyond_the_first_few_are_counted_only() -> None:
    program = Program("many", isa="x86", threads=[_any], final=lambda _: False)
    report = explore(program, scheduler="dfs", failures=None)
    assert report.failing == 100
    shown = "\n".join(line.plain for line in report_view(report)).split()
    assert sum(word == "reproduce:" for word in shown) == MOST_FAILURES


def test_the_document_of_a_failure_is_json_and_has_every_step_with_the_findings_that_name_it() -> None:
    failure = a_report().failures[0]
    document = json.loads(json.dumps(failure_document(failure)))
    assert document["verdict"] == "violated"
    assert document["trace"]["digest"] == failure.trace.digest
    events = document["trace"]["events"]
    assert [event["op"] for event in events] == [str(event.op) for event in failure.trace.events]
    for number, finding in enumerate(failure.findings, 1):
        assert [e["step"] for e in events if number in e["findings"]] == sorted(finding.steps)


@pytest.mark.parametrize("scheme", ["aie-rfc", "aie-v2", "none", "global-lock", "cas"])
def test_values_of_every_kind_of_cell_are_json(scheme: str) -> None:
    """Slots hold entries, locks hold owners, sets hold identities: all become text or integers."""

    async def locked(cpu: Any) -> None:
        await cpu.lock_inc(X)

    program = Program("locked", isa="x86", threads=[locked, locked], init={X: 0})
    found: list[Any] = []

    def keep(trace: Any) -> Any:
        found.append(trace)
        return ()

    explore(program, Machine(scheme), executions=3, checkers=[keep])
    assert all(json.dumps(trace_document(trace)) for trace in found)


def test_prose_breaks_at_words_and_keeps_its_style() -> None:
    line = Text("  ").append("bold words", "bold").append(" and plain ones, again and again", "red")
    lines = prose(line, 24, indent=4)
    assert all(len(each) <= 24 for each in lines)
    assert " ".join(each.plain.strip() for each in lines) == line.plain.strip()
    assert [each.plain[:4] for each in lines[1:]] == ["    "] * (len(lines) - 1)
    assert lines[0].spans[0].style == "bold"
    assert prose(line, None) == [line]
    assert all(len(each) <= PROSE for each in prose(Text("word " * 60), 200))


def test_a_word_that_is_wider_than_the_terminal_stays_in_one_piece() -> None:
    assert [each.plain for each in prose(Text(f"see {'x' * 50} there"), 20)] == ["see", "x" * 50, "there"]


@pytest.mark.parametrize("width", [50, 80, 120])
def test_the_prose_of_reports_and_failures_fits_and_no_command_is_broken(width: int) -> None:
    report = a_report()
    failure = report.failures[0]
    shown = [line.plain for line in failure_view(failure, width=width)]
    below = shown[next(i for i, line in enumerate(shown) if line.startswith("ending")) :]
    lines = [line.plain for line in report_view(report, width=width)]
    prose = [line for line in (*lines, *below) if "reproduce: " not in line]
    assert max(map(len, prose)) <= min(width, PROSE)
    assert any(line.endswith(failure.how_to_reproduce) for line in lines)
