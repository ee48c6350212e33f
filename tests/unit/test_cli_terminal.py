"""Output in a terminal: lists that fit a screen, lines wrapped at words, help, and the same facts as the JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import typer.main
from rich.text import Text

import simaie
from simaie import Machine, corpus, plugins
from simaie.audit import AuditReport, AuditRow, RowResult
from simaie.cli import main
from simaie.cli.app import app
from simaie.cli.listing_view import WIDEST
from simaie.cli.output import print_lines
from simaie.cli.status import Status
from simaie.corpus import Expect
from simaie.errors import UnknownNameError, UsageError
from simaie.exploration import statistics
from simaie.exploration.barriers import minimal_barriers
from simaie.exploration.statistics import StatisticsCollector
from simaie.show.audit_view import audit_details, audit_summary
from simaie.show.lines import command_line, wrapped
from simaie.show.report_view import report_view

SCREEN = 60
WINDOW = corpus.program("first-registration-window")


@pytest.fixture
def listed(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Return a function that runs ``simaie list`` and returns its lines."""

    def run(*arguments: str) -> list[str]:
        assert main(["list", *arguments]) == Status.HOLDS
        return capsys.readouterr().out.splitlines()

    return run


def entries_of(listed: Callable[..., list[str]], *arguments: str) -> list[dict[str, Any]]:
    """Return the JSON document of a list."""
    document: list[dict[str, Any]] = json.loads("\n".join(listed(*arguments, "--format", "json")))
    return document


# -- lists -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["schemes", "schedulers", "hosts", "checkers", "programs", "guests"])
def test_a_list_without_filters_fits_a_screen_of_80_columns(listed: Callable[..., list[str]], what: str) -> None:
    lines = listed(what)
    assert max(map(len, lines)) <= WIDEST == 80
    assert len(lines) <= SCREEN


@pytest.mark.parametrize("what", ["programs", "guests"])
def test_a_list_of_everything_names_each_entry_in_short_lines(listed: Callable[..., list[str]], what: str) -> None:
    lines = listed(what, "--all")
    assert max(map(len, lines)) <= WIDEST
    words = set(" ".join(lines).split())
    assert all(entry["name"] in words for entry in entries_of(listed, what))


def test_the_overview_of_programs_names_one_program_of_each_row(listed: Callable[..., list[str]]) -> None:
    words = set(" ".join(listed("programs")).split())
    rows: dict[int, set[str]] = {}
    for entry in entries_of(listed, "programs"):
        if "row" in entry:
            rows.setdefault(entry["row"], set()).add(entry["name"])
    assert len(rows) > 20
    assert not [row for row, names in rows.items() if not names & words]


def test_an_unknown_program_is_referred_to_the_list_that_names_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "nonsense"]) == Status.ERROR
    assert "list programs --all" in capsys.readouterr().err


def test_dpor_lists_no_option_that_it_refuses(listed: Callable[..., list[str]]) -> None:
    (entry,) = entries_of(listed, "schedulers", "--name", "dpor")
    assert set(entry["options"]) == {"memory_limit"}
    for bound in ("preemptions", "delays"):
        with pytest.raises(UsageError, match=f"use dfs:{bound}=2"):
            simaie.explore(corpus.program("swp-against-swp"), scheduler=f"dpor:{bound}=2")
    with pytest.raises(UnknownNameError):
        simaie.explore(corpus.program("swp-against-swp"), scheduler="dpor:bound=2")


def test_every_scheduler_says_when_to_use_it(listed: Callable[..., list[str]]) -> None:
    shown = " ".join(" ".join(listed("schedulers")).split())
    entries = entries_of(listed, "schedulers")
    assert {entry["name"] for entry in entries} == set(plugins.names(plugins.SCHEDULERS))
    for entry in entries:
        assert entry["use"].startswith("Use it ")
        assert entry["use"] in shown


def test_programs_are_filtered_by_instruction_set_row_and_name(listed: Callable[..., list[str]]) -> None:
    everything = entries_of(listed, "programs")
    for arguments, holds in (
        (("--isa", "arm"), lambda e: e["isa"] == "arm"),
        (("--row", "11"), lambda e: e.get("row") == 11),
        (("--row", "11", "--row", "23", "--isa", "x86"), lambda e: e.get("row") in (11, 23) and e["isa"] == "x86"),
        (("--name", "dekker"), lambda e: "dekker" in e["name"]),
    ):
        found = entries_of(listed, "programs", *arguments)
        assert found == [entry for entry in everything if holds(entry)]
        assert 0 < len(found) < len(everything)
        shown = " ".join(listed("programs", *arguments))
        assert all(entry["name"] in shown for entry in found)


def test_guests_are_filtered_by_instruction_set(listed: Callable[..., list[str]]) -> None:
    found = entries_of(listed, "guests", "--isa", "arm")
    assert {entry["isa"] for entry in found} == {"arm"}


def test_a_list_says_what_holds_and_what_is_violated(listed: Callable[..., list[str]]) -> None:
    shown = " ".join(listed("programs", "--name", "xchg-locks-by-itself"))
    assert "holds under aie-rfc, aie-v2; violated under none" in shown


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("checkers", "--row", "3"), "--row"),
        (("schemes", "--isa", "arm"), "--isa"),
        (("guests", "--row", "3"), "--row"),
        (("programs", "--row", "99"), "99"),
        (("programs", "--isa", "z80"), "z80"),
    ],
)
def test_a_filter_that_cannot_select_is_one_clear_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], named: str
) -> None:
    assert main(["list", *arguments]) == Status.ERROR
    ran = capsys.readouterr()
    assert not ran.out
    assert len(ran.err.splitlines()) == 1
    assert named in ran.err


# -- help --------------------------------------------------------------------------------------------


def test_the_help_of_each_command_names_the_exit_statuses() -> None:
    group: Any = typer.main.get_command(app)
    for command in (group, *group.commands.values()):
        for status in (Status.ERROR, Status.CRASHED, Status.INTERRUPTED, Status.BROKEN_PIPE, Status.TERMINATED):
            assert f" {status.value} " in (command.epilog or ""), command.name


def test_the_help_lists_each_command_under_what_it_is_for() -> None:
    group: Any = typer.main.get_command(app)
    assert all(command.rich_help_panel not in (None, "Commands") for command in group.commands.values())


# -- lines -------------------------------------------------------------------------------------------


def test_a_long_line_is_broken_between_words_and_loses_none() -> None:
    text = "  >1 rmw-atomicity: " + " ".join(f"word{number}" for number in range(60))
    lines = wrapped(Text(text, "red"), 50)
    assert all(line.cell_len <= 50 for line in lines)
    assert " ".join(line.plain.strip() for line in lines) == text.strip()
    assert all(line.plain.startswith("    ") for line in lines[1:])
    assert all(line.style == "red" for line in lines[:1])


@pytest.mark.parametrize("text", ["short", "x" * 200, "  " + "x" * 200, "a " + "x" * 200 + " b", "", " " * 100])
@pytest.mark.parametrize("width", [20, 80])
def test_wrapping_keeps_every_word(text: str, width: int) -> None:
    lines = wrapped(Text(text), width)
    assert " ".join(" ".join(line.plain for line in lines).split()) == " ".join(text.split())


def test_wide_characters_count_as_two_cells() -> None:
    assert all(line.cell_len <= 20 for line in wrapped(Text("漢字 " * 30), 20))


def test_a_command_is_never_wrapped() -> None:
    line = command_line("  reproduce: ", "simaie explore " + "word " * 60)
    assert wrapped(line, 40) == [line]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_gets_wrapped_lines_and_a_pipe_gets_them_whole(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    written = _Terminal() if terminal else io.StringIO()
    monkeypatch.setattr("sys.stdout", written)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    print_lines([Text("word " * 40), command_line("run: ", "word " * 40)])
    widths = [len(line.rstrip()) for line in written.getvalue().splitlines()]
    assert widths[-1] > 80
    assert (max(widths[:-1]) <= 80) is terminal


# -- figures -----------------------------------------------------------------------------------------


def test_the_rate_leaves_out_what_comes_before_the_first_execution(monkeypatch: pytest.MonkeyPatch) -> None:
    report = simaie.explore(WINDOW, Machine("aie-rfc", address_bits=12), scheduler="dpor", failures=1)
    trace = report.failures[0].trace
    collector = StatisticsCollector()
    times = iter([100.0, 101.0, 102.0, 104.0])
    monkeypatch.setattr("simaie.exploration.statistics.time.perf_counter", lambda: next(times))
    collector.add(trace)
    assert collector.summary(100.0).executions_per_second == 0.0
    for _ in range(3):
        collector.add(trace)
    assert collector.summary(104.0).executions_per_second == pytest.approx(3 / 4)


def test_the_rate_leaves_out_what_came_before_the_end_of_the_first_execution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten seconds of start-up, then 0.5 s for each execution: 2 per second."""
    clock = iter([10.0, 10.5, 11.0])
    trace = simaie.explore(WINDOW, Machine("aie-rfc", address_bits=12)).failures[0].trace
    monkeypatch.setattr(statistics, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    collector = StatisticsCollector()
    for _ in range(3):
        collector.add(trace)
    assert collector.executions_per_second == 2.0


def test_json_has_the_facts_of_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["explore", "first-registration-window", "--full-system", "--host-word", "32", "--scheduler", "dpor"]
    main(arguments)
    shown = capsys.readouterr().out
    main([*arguments, "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    assert "full system" in shown
    assert document["full_system"] is True
    assert "32-bit host" in shown
    assert document["host_word"] == 32
    assert document["statistics"]["executions_per_second"] >= 0


def test_json_of_a_replayed_failure_has_the_explanation(
    capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    report = simaie.explore(WINDOW, Machine("aie-rfc", address_bits=12), scheduler="dpor")
    path = report.failures[0].save(tmp_path / "failure.json")
    assert main(["replay", str(path), "--format", "json"]) == Status.VIOLATED
    assert json.loads(capsys.readouterr().out)["explanation"].strip()
    out = tmp_path / "short.json"
    assert main(["shrink", str(path), "--out", str(out), "--format", "json"]) == Status.HOLDS
    document = json.loads(capsys.readouterr().out)
    assert document["saved"] == str(out)
    assert isinstance(document["shrunk"]["left_out"], list)


# -- reports -----------------------------------------------------------------------------------------


def _row(expected: Expect, found: RowResult) -> AuditRow:
    return AuditRow(
        row=6, title="a case", program="a-program", scheme="cas", expected=expected, found=found, executions=1,
        complete=True, scheduler="dpor", seed=0, explanation="explained", why="a reason",
    )  # fmt: skip


def _text(capsys: pytest.CaptureFixture[str], renderable: Any) -> str:
    print_lines([renderable])
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("expected", "found", "said"),
    [
        (Expect.MUST_NOT, RowResult.VIOLATED, "violated, expected to hold"),
        (Expect.FINDABLE, RowResult.CLEAN, "holds, expected to be violated"),
        (Expect.MODEL, RowResult.FLAGGED, "violated in another way, expected to be seen and allowed"),
    ],
)
def test_the_audit_says_holds_and_violated(
    capsys: pytest.CaptureFixture[str], expected: Expect, found: RowResult, said: str
) -> None:
    report = AuditReport(rows=(_row(expected, found),), planned=1, seed=0, seconds=1.0)
    for view in (audit_summary, audit_details):
        shown = _text(capsys, view(report))
        assert f"a-program under cas: {said}" in shown
        assert not {"must-not", "findable", "clean"} & set(shown.split())
    assert said in report._repr_html_()


def test_the_summary_of_the_audit_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    met = {Expect.MUST_NOT: RowResult.CLEAN, Expect.FINDABLE: RowResult.VIOLATED, Expect.MODEL: RowResult.OBSERVED}
    report = AuditReport(rows=tuple(_row(*pair) for pair in met.items()), planned=3, seed=0, seconds=1.0)
    print_lines([audit_summary(report)])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "proved" in line]
    assert all(len(line.rstrip()) <= 80 for line in lines)


def test_every_expectation_and_outcome_has_words() -> None:
    report = AuditReport(
        rows=tuple(_row(expected, found) for expected in Expect for found in RowResult), planned=18, seed=0, seconds=1.0
    )
    print_lines([audit_details(report)])


def test_printed_reports_are_short() -> None:
    report = simaie.explore(WINDOW, Machine("aie-rfc", address_bits=12), scheduler="dpor")
    audited = AuditReport(rows=(_row(Expect.MUST_NOT, RowResult.CLEAN),) * 300, planned=300, seed=0, seconds=1.0)
    compared = simaie.compare(WINDOW, machine=Machine("aie-rfc", address_bits=12))
    barriers = minimal_barriers([WINDOW], machine=Machine("aie-rfc", address_bits=12))
    shrunk = report.failures[0].shrink()
    for shown in (report, audited, compared, compared.possible, barriers, shrunk):
        assert len(str(shown).splitlines()) == 1
        assert len(str(shown)) <= 200


def test_the_lines_of_a_report_can_be_wrapped_to_80_columns() -> None:
    report = simaie.explore(WINDOW, Machine("aie-rfc", address_bits=12), scheduler="dpor", coverage=True)
    for line in report_view(report):
        assert line.no_wrap or all(part.cell_len <= 80 for part in wrapped(line, 80))


def test_a_program_that_needs_another_host_says_which(capsys):
    assert main(["list", "programs", "--all", "--format", "json"]) == 0
    hosts = {entry["name"]: entry.get("host", "sc") for entry in json.loads(capsys.readouterr().out)}
    entries = {name: corpus.entry(name) for name in hosts if hasattr(corpus.entry(name), "needs")}
    assert hosts["idiom-ring-indices-broken"] == "armv8"
    assert {name: hosts[name] for name in entries} == {name: entry.needs.host for name, entry in entries.items()}


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("bug-release-without-barrier", [], "--host armv8"),
        ("idiom-dekker-broken", ["--format", "json"], "--host armv8"),
        ("bug-release-without-barrier", ["--host", "sc"], ""),
        ("first-registration-window", [], ""),
    ],
)
def test_a_program_that_runs_on_another_host_than_it_needs_says_so_unless_one_was_chosen(name, options, said, capsys):
    main(["explore", name, "--executions", "1", *options])
    told = capsys.readouterr().err
    assert said in told
    assert bool(said) is bool(told)
