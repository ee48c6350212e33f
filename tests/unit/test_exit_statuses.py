"""Exit statuses of the command line: a crash is no verdict, and where stdout cannot be written the status says so."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import simaie
import simaie.corpus
from simaie.cli import main
from simaie.cli.status import TRACEBACK, Status
from simaie.errors import InternalError
from simaie.show.failure_view import failure_view

SAFE = "first-registration-window"
SIMAIE = [sys.executable, "-m", "simaie"]

EXITING = """
import sys, simaie

{at_import}

async def thread(cpu):
    await cpu.store(0x1000, 1)
    {in_guest}

def final(state):
    {in_final}
    return True

def judges(trace):
    {in_checker}
    return ()

def made():
    {in_factory}
    return program

program = simaie.Program("exits", isa="arm", threads=[thread], final=final)
"""
PLACES = ("at_import", "in_guest", "in_final", "in_checker", "in_factory")


def file_with(tmp_path: Path, place: str, statement: str) -> Path:
    """A file whose only odd statement stands at `place`."""
    path = tmp_path / f"exits_{place}.py"
    path.write_text(EXITING.format(**{name: statement if name == place else "pass" for name in PLACES}))
    return path


@pytest.mark.parametrize("statement", ["sys.exit(0)", "raise SystemExit", "raise GeneratorExit", "exit_ = 1 / 0"])
@pytest.mark.parametrize("place", PLACES)
def test_what_a_users_code_raises_is_no_verdict(place, statement, tmp_path, capsys):
    path = file_with(tmp_path, place, statement)
    name = "made" if place == "in_factory" else "program"
    status = main(["explore", f"{path}:{name}", "--scheduler", "dfs", "--checker", f"{path}:judges"])
    captured = capsys.readouterr()
    assert status == Status.ERROR
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert captured.err.count("\n") == 1


ODD = [TypeError("odd"), SystemExit(0), GeneratorExit(), InternalError("odd"), OSError("odd")]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_crash_has_a_status_of_its_own_and_one_line(odd, monkeypatch, capsys):
    monkeypatch.setattr("simaie.cli.listing.run_list", raising(odd))
    monkeypatch.delenv(TRACEBACK, raising=False)
    assert main(["list", "schemes"]) == Status.CRASHED == 70
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert type(odd).__name__ in captured.err
    assert TRACEBACK in captured.err


def test_the_traceback_of_a_crash_can_be_seen(monkeypatch, capsys):
    monkeypatch.setattr("simaie.cli.listing.run_list", raising(TypeError("odd")))
    monkeypatch.setenv(TRACEBACK, "1")
    assert main(["list", "schemes"]) == Status.CRASHED
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def raising(error):
    def function(*args):
        raise error

    return function


@pytest.mark.parametrize("option", ["self=1", "host=1", "pages=1", "machine=1", "colour=1"])
def test_an_option_that_is_none_is_one_line_and_status_2(option, capsys):
    assert main(["explore", SAFE, "--scheme", f"cas:{option}"]) == Status.ERROR
    assert repr(option.partition("=")[0]) in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")
@pytest.mark.parametrize("command", [["list", "schemes"], ["list", "schemes", "--format", "json"], ["--help"]])
def test_a_full_stdout_is_one_line_and_status_2(command):
    with open("/dev/full", "w") as full:
        done = subprocess.run([*SIMAIE, *command], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == Status.ERROR
    assert done.stderr.count("\n") == 1
    assert "cannot be written to stdout" in done.stderr


def test_a_closed_stdout_is_one_line_and_status_2():
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *SIMAIE, "list", "schemes"], stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == Status.ERROR
    assert done.stderr.count("\n") == 1
    assert "stdout is closed" in done.stderr


def test_a_closed_stderr_changes_no_result():
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *SIMAIE, "explore", SAFE, "--scheme", "nonsense"],
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == Status.ERROR
    assert done.stdout == ""


def test_a_terminal_of_one_column_works():
    primary, secondary = pty.openpty()
    environment = {**os.environ, "COLUMNS": "1", "LINES": "1"}
    command = [*SIMAIE, "explore", SAFE, "--scheme", "aie-v2", "--scheduler", "dfs"]
    process = subprocess.Popen(command, stdout=secondary, stderr=secondary, env=environment)
    os.close(secondary)
    written = b""
    while True:
        try:
            part = os.read(primary, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        written += part
    os.close(primary)
    assert process.wait() == Status.VIOLATED
    assert b"Traceback" not in written
    assert b"VIOLATED" in written


@pytest.mark.parametrize("width", [0, 1, 2, 5])
def test_a_failure_is_drawn_at_any_width(width):
    failure = simaie.explore(simaie.corpus.program(SAFE), simaie.Machine("aie-v2"), scheduler="dfs").failures[0]
    assert failure_view(failure, width=width)


def test_a_time_that_is_over_at_once_is_named():
    report = simaie.explore(simaie.corpus.program(SAFE), simaie.Machine("aie-rfc"), seconds=1e-9)
    assert report.verdict == "inconclusive"
    assert "the time limit of 1e-09 s was reached" in report.reason
    compared = simaie.compare(simaie.corpus.program(SAFE), "aie-rfc", seconds=1e-9)
    assert compared.verdict == "inconclusive"
    assert "the time limit of 1e-09 s was reached" in compared.reason
