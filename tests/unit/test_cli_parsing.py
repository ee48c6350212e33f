"""The parser of the commands: options and arguments that are given too often, or not at all, and ``help``."""

from __future__ import annotations

import inspect

import pytest
import typer.main

import simaie
from simaie.cli import main
from simaie.cli.app import app
from simaie.cli.options import known
from simaie.cli.parsing import for_arguments
from simaie.plugins import HOSTS
from simaie.show.progress import numbers_first

PROGRAM = "first-registration-window"
TWICE = [
    ["explore", PROGRAM, "--scheme", "aie-rfc", "--scheme", "cas"],
    ["explore", PROGRAM, "--seed", "1", "--seed=1"],
    ["explore", PROGRAM, "--full-system", "--user-mode"],
    ["explore", PROGRAM, "--coverage", "--no-coverage"],
    ["compare", PROGRAM, "--host", "tso", "--host", "pso"],
    ["barriers", PROGRAM, "--host", "tso", "--host", "pso"],
    ["litmus", "a.litmus", "-j", "1", "--jobs", "2"],
    ["shrink", "failure.json", "--out", "a", "--out", "b"],
    ["show", "failure.json", "--html", "a", "--html", "b"],
    ["fuzz", "--isa", "arm", "--isa", "x86"],
    ["list", "programs", "--name", "a", "--name", "b"],
    ["audit", "--seed", "1", "--seed", "2"],
]


def line(argv, capsys):
    """The line on stderr of a command line that is refused."""
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize("argv", TWICE, ids=" ".join)
def test_an_option_with_one_value_is_taken_once(argv, capsys):
    text = line(argv, capsys)
    assert "is given twice" in text
    assert f"simaie {argv[0]} --help" in text


def test_all_the_values_of_a_repeated_option_are_named(capsys):
    argv = ["explore", PROGRAM]
    for scheme in ("aie-rfc", "cas", "none"):
        argv += ["--scheme", scheme]
    assert "--scheme is given 3 times (aie-rfc, cas, none)" in line(argv, capsys)


@pytest.mark.parametrize("repeated", [["--checker", "deadlock"], ["--all"], ["--check-determinism"]])
def test_an_option_that_may_be_repeated_is(repeated, capsys):
    argv = ["explore", PROGRAM, "--scheme", "cas", "--executions", "1", *repeated, *repeated]
    assert "is given" not in ("" if main(argv) != 2 else capsys.readouterr().err)


@pytest.mark.parametrize("command", ["replay", "check", "show", "shrink"])
def test_a_second_file_is_refused_and_both_are_named(command, capsys):
    assert f"{command} takes one file, got 2: a.json, b.json" in line([command, "a.json", "b.json"], capsys)


def test_a_second_program_is_refused(capsys):
    assert "explore takes one target, got 2: A, B" in line(["explore", "A", "B"], capsys)


def test_arguments_of_a_command_without_any_are_named(capsys):
    assert "got 2: 6, 7" in line(["audit", "6", "7"], capsys)


@pytest.mark.parametrize("command", ["explore", "compare", "replay", "check", "show", "shrink", "litmus"])
def test_a_missing_argument_comes_with_an_example(command, capsys):
    assert f"{command} needs a " in line([command], capsys)


def test_a_missing_host_memory_comes_with_the_choices(capsys):
    assert known(HOSTS) in line(["barriers", PROGRAM], capsys)


@pytest.mark.untraced
def test_help_is_a_command_too(capsys):
    for argv in (["--help"], ["explore", "--help"], ["explore", "--help", "--help"]):
        assert main(argv) == 0
    expected = capsys.readouterr().out
    for argv in (["help"], ["help", "explore"], ["help", "explore"]):
        assert main(argv) == 0
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize("argv", [["-v"], ["-V"]])
def test_a_short_option_for_the_version_is_referred_to_the_long_one(argv, capsys):
    assert "--version" in line(argv, capsys)


def test_errors_of_the_command_line_name_the_help(capsys):
    assert "simaie explore --help" in line(["explore", PROGRAM, "--bogus"], capsys)
    assert "simaie --help" in line(["bogus"], capsys)


# -- progress --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["short", "a-very-long-name-of-a-program-that-fills-a-line-of-a-terminal-alone"])
def test_a_progress_line_begins_with_its_numbers_and_keeps_both_ends_of_a_name(name):
    line = numbers_first("12,345 executions", name)
    assert line.startswith("12,345 executions")
    assert len(line) <= 50
    assert line.endswith(name[-5:])
    assert name[:5] in line


# -- help ------------------------------------------------------------------------------------------------

#: The option, in each command that explores, and the argument of the API whose default the help states.
STATED = {
    ("explore", "--scheduler"): inspect.signature(simaie.explore).parameters["scheduler"].default,
    ("explore", "--executions"): inspect.signature(simaie.explore).parameters["executions"].default,
    ("explore", "--seed"): inspect.signature(simaie.explore).parameters["seed"].default,
    ("explore", "--failures"): inspect.signature(simaie.explore).parameters["failures"].default,
    ("explore", "--host"): inspect.signature(simaie.Machine).parameters["host"].default,
    ("explore", "--host-word"): inspect.signature(simaie.Machine).parameters["host_word"].default,
    ("explore", "--steps"): simaie.Limits().steps,
    ("compare", "--executions"): inspect.signature(simaie.compare).parameters["executions"].default,
    ("prove-progress", "--states"): inspect.signature(simaie.prove_progress).parameters["states"].default,
    ("barriers", "--executions"): inspect.signature(simaie.compare).parameters["executions"].default,
}


def options_of(command):
    return [each for each in typer.main.get_command(app).commands[command].params if each.param_type_name == "option"]


@pytest.mark.parametrize(("command", "option"), STATED, ids=" ".join)
def test_the_help_states_the_default_of_the_api(command, option):
    default = STATED[command, option]
    (found,) = [each for each in options_of(command) if option in each.opts]
    stated = f"{default:,}" if isinstance(default, int) else default
    assert f"Default: {stated}." in found.help


@pytest.mark.parametrize("command", sorted(typer.main.get_command(app).commands))
def test_the_words_for_values_in_the_help_are_short_and_explained(command):
    words = {each.metavar for each in options_of(command) if each.metavar}
    assert max(map(len, words), default=0) <= len("SCHEDULER")
    if words & {"SCHEME", "HOST", "SCHEDULER", "CHECKER"}:
        assert "FILE.py:CLASS" in typer.main.get_command(app).commands[command].epilog


def test_what_is_rarely_needed_comes_last():
    panels = [each.rich_help_panel for each in options_of("explore")]
    last = list(dict.fromkeys(panels))[-1]
    assert {each.opts[-1] for each in options_of("explore") if each.rich_help_panel == last} == {"--cut", "--trust"}


@pytest.mark.parametrize(
    ("arguments", "names"),
    [(["explore", PROGRAM], ["explore"]), (["list", "schemes"], ["list"]), (["--version"], [])],
)
def test_no_parser_is_made_for_other_commands(arguments, names):
    command = typer.main.get_command(for_arguments(app, arguments))
    assert sorted(command.commands) == names


@pytest.mark.parametrize("arguments", [[], ["--help"], ["exlore"], ["--version", "explore"]])
def test_all_commands_are_there_where_no_command_comes_first(arguments):
    assert for_arguments(app, arguments) is app
