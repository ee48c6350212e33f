"""What was found is there after Ctrl-C, SIGTERM, kill -9 and a full disk; and an interrupt ends what it should."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from simaie.cli.interrupts import guarded_by_handlers, next_interrupt_ends_at_once
from simaie.cli.status import Status
from simaie.replaying.file import read_replay_file

from .processes import ENDLESS, PATIENCE, PROGRAMS, PYTEST, SIMAIE, Ran, begun, is_running, soon

STATUS = {signal.SIGINT: Status.INTERRUPTED, signal.SIGTERM: Status.TERMINATED}


@pytest.fixture(name="programs")
def fixture_programs(tmp_path: Path) -> Path:
    path = tmp_path / "programs.py"
    path.write_text(PROGRAMS)
    return path


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def assert_whole(folder: Path) -> None:
    """The folder has failures, each of them whole, and nothing else that anybody would look at."""
    assert files_in(folder)
    for file in files_in(folder):
        assert read_replay_file(file).findings
    assert {path for path in folder.iterdir() if not path.name.startswith(".")} == set(files_in(folder))


def assert_quiet(ran: Ran) -> None:
    """No traceback, and no line that is not simaie's."""
    assert all(line.startswith("simaie: ") for line in ran.err.splitlines()), ran


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_failure_is_saved_when_it_is_found(programs: Path, number: signal.Signals) -> None:
    folder = programs.parent / "failures"
    with begun(*SIMAIE, "explore", f"{programs}:racy", *ENDLESS, "--save", folder, "--format", "json") as process:
        soon(lambda: files_in(folder))
        ran = process.end(number)
    assert_whole(folder)
    assert_quiet(ran)
    if number is signal.SIGKILL:
        assert ran.status == -signal.SIGKILL
        return
    assert ran.status == Status.VIOLATED
    assert ran.document["interrupted"] is True
    assert sorted(ran.document["saved"]) == list(map(str, files_in(folder)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("scheduler", ["portfolio", "dpor"])
def test_workers_end_with_the_command(programs: Path, scheduler: str, number: signal.Signals) -> None:
    """The failures so far are saved and reported, whatever the workers are at."""
    folder = programs.parent / "failures"
    options = (*ENDLESS[2:], "--scheduler", scheduler, "--jobs", 2, "--no-coverage", "--save", folder)
    with begun(*SIMAIE, "explore", f"{programs}:large", *options, "--format", "json") as process:
        workers = soon(process.children)
        soon(lambda: files_in(folder))
        ran = process.end(number)
    assert_whole(folder)
    assert_quiet(ran)
    soon(lambda: not any(map(is_running, workers)))
    if number is signal.SIGINT:
        assert (ran.status, ran.document["interrupted"]) == (Status.VIOLATED, True)
        assert ran.document["statistics"]["processes"] == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_search_that_found_nothing_says_so_by_its_status(
    programs: Path, number: signal.Signals
) -> None:
    with begun(*SIMAIE, "explore", f"{programs}:sound", *ENDLESS, "--format", "json") as process:
        soon(programs.with_name("running").exists)
        ran = process.end(number)
    assert (ran.status, ran.document["verdict"]) == (STATUS[number], "inconclusive")
    assert_quiet(ran)


def test_the_second_ctrl_c_ends_at_once(programs: Path) -> None:
    """The report is longer than a pipe that is not read takes: the command would wait for ever."""
    folder = programs.parent / "failures"
    with begun(*SIMAIE, "explore", f"{programs}:racy", *ENDLESS, "--save", folder, "--format", "json") as process:
        soon(lambda: len(files_in(folder)) >= 100)
        process.press_ctrl_c()
        assert "interrupted" in process.line()
        ran = process.end(signal.SIGINT)
    assert ran.status == Status.INTERRUPTED
    assert_quiet(ran)
    assert_whole(folder)


def test_a_full_disk_costs_only_what_does_not_fit(programs: Path) -> None:
    """What is found is reported, what is wrong is said once, and no torn or empty file is left."""
    folder = programs.parent / "failures"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    search = ("--scheduler", "dfs", "--failures", "all", "--save", folder, "--format", "json")
    with begun(*SIMAIE, "explore", f"{programs}:racy", *search, preexec_fn=limit) as process:
        ran = process.ended()
    assert (ran.status, ran.document["verdict"], ran.document["saved"]) == (Status.ERROR, "violated", [])
    assert_quiet(ran)
    assert ran.err.count("\n") == 1
    assert not list(folder.iterdir())


def test_a_folder_that_goes_away_costs_only_what_comes_later(programs: Path) -> None:
    folder, elsewhere = programs.parent / "failures", programs.parent / "elsewhere"
    with begun(*SIMAIE, "explore", f"{programs}:racy", *ENDLESS, "--save", folder, "--format", "json") as process:
        soon(lambda: files_in(folder))
        folder.rename(elsewhere)
        folder.write_text("no folder")  # which stops root too
        assert "a failure is not saved" in process.line()
        ran = process.end(signal.SIGINT)
    assert (ran.status, ran.document["verdict"]) == (Status.ERROR, "violated")
    assert_quiet(ran)
    assert_whole(elsewhere)


def test_fuzzing_can_be_stopped(tmp_path: Path) -> None:
    with begun(*SIMAIE, "fuzz", "--isa", "arm", "--scheme", "cas", "--examples", 10**9, "--save", tmp_path / "f",
               "--format", "json") as process:  # fmt: skip
        soon(lambda: files_in(tmp_path / "f"))
        ran = process.end(signal.SIGINT)
    assert (ran.status, ran.document["interrupted"]) == (Status.VIOLATED, True)
    assert {Path(each["saved"]) for each in ran.document["failures"]} == set(files_in(tmp_path / "f"))
    assert_whole(tmp_path / "f")
    assert_quiet(ran)


def test_an_interrupted_test_ends_the_session_and_keeps_what_it_found(tmp_path: Path) -> None:
    """The failing execution is found first; the search then goes on until Ctrl-C."""
    tests = PROGRAMS + """
import pytest
counts = []

def sixth(state):
    counts.append(state)
    return len(counts) != 6

unlucky = simaie.Program("unlucky", isa="x86", threads=[adder, adder], init={X: 0}, final=sixth)

@pytest.mark.simaie(scheduler="random-walk", executions=10**9, checkers=["final-check"])
def test_endless():
    return unlucky

def test_after():
    pathlib.Path(__file__).with_name("after").touch()
"""
    (tmp_path / "test_it.py").write_text(tests)
    with begun(*PYTEST, cwd=tmp_path) as process:
        soon(lambda: files_in(tmp_path / ".simaie"))
        ran = process.end(signal.SIGINT)
    assert ran.status == pytest.ExitCode.INTERRUPTED, ran
    assert not (tmp_path / "after").exists()
    assert "passed" not in ran.out
    assert "a failure is kept in .simaie" in ran.out
    assert_whole(tmp_path / ".simaie")


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_guest_that_an_interrupt_kept_from_beginning_is_not_warned_of(interrupted: bool) -> None:
    async def guest() -> None:
        pass

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with guarded_by_handlers():
            guest()
            warnings.warn("something else", stacklevel=1)
            if interrupted:
                next_interrupt_ends_at_once()
    said = [str(one.message) for one in warned]
    assert said[0] == "something else"
    assert any("was never awaited" in text for text in said[1:]) is not interrupted


def test_an_interrupt_that_python_would_only_print_is_raised_again() -> None:
    """As in a destructor, where no exception can be raised."""

    class Unlucky:
        def __del__(self) -> None:
            raise KeyboardInterrupt

    def guarded() -> None:
        with guarded_by_handlers():
            Unlucky()
            time.sleep(PATIENCE)

    before = sys.unraisablehook
    with pytest.raises(KeyboardInterrupt):
        guarded()
    assert sys.unraisablehook is before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_during_the_import_is_one_line(tmp_path: Path, number: signal.Signals) -> None:
    """typer is imported last; here it waits for ever."""
    (tmp_path / "typer.py").write_text("import os; os.write(2, b'waiting\\n'); os.read(0, 1)")
    with begun(*SIMAIE, "list", "schemes", env={"PYTHONPATH": str(tmp_path)}) as process:
        assert process.line() == "waiting\n"
        ran = process.end(number)
    if number is signal.SIGINT:
        assert (ran.status, ran.out, ran.err) == (Status.INTERRUPTED, "", "simaie: interrupted\n")
    else:
        assert (ran.status, ran.out, ran.err) == (-number, "", "")


def test_sigterm_keeps_the_report_where_sigint_is_ignored(programs: Path) -> None:
    """As in a command that a shell script has put into the background."""
    command = [sys.executable, "-m", "simaie", "explore", f"{programs}:racy", "--scheduler", "random-walk"]
    command += ["--executions", "1000000000", "--failures", "all", "--save", str(programs.parent / "kept")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    )
    while not list((programs.parent / "kept").glob("*.json")):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    shown, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert shown.startswith("VIOLATED")
