"""Messages of errors and verdicts: they say what is wrong, where, and what to do, in words of the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import simaie
from simaie import Machine, Program, corpus, ins
from simaie.cli import main
from simaie.errors import DivergenceError, ReplayError, UnknownNameError, UsageError
from simaie.show.text import as_text

PROGRAM = "first-registration-window"
OWN = """
from simaie import Program, ins

class NoScheme:
    pass

program = Program("own", isa="x86", threads=[[ins("inc", 0x100)]], init={0x100: 0})
"""


@pytest.fixture(name="saved")
def fixture_saved(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN)
    return simaie.explore(corpus.program(PROGRAM), Machine("aie-rfc"), scheduler="dpor").failures[0].save("f.json")


def line(capsys, *argv: str) -> str:
    """The line on stderr of a command line that is refused."""
    capsys.readouterr()
    assert main(list(argv)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


REFUSED = [
    ("scheduler random-walk has no option 'depth'", ["explore", PROGRAM, "--scheduler", "random-walk:depth=3"]),
    ("scheduler pct has no option 'foo' (known: depth", ["explore", PROGRAM, "--scheduler", "pct:foo=3"]),
    ("scheme aie-rfc has no option 'foo'", ["explore", PROGRAM, "--scheme", "aie-rfc:foo=1"]),
    ("host tso has no option 'foo'", ["explore", PROGRAM, "--host", "tso:foo=1"]),
    ("NoScheme does not derive from simaie.Scheme", ["explore", PROGRAM, "--scheme", "own.py:NoScheme"]),
    ("NoScheme does not derive from simaie.Scheduler", ["explore", PROGRAM, "--scheduler", "own.py:NoScheme"]),
    ("--address-bits must be", ["explore", PROGRAM, "--address-bits", "0"]),
    ("--executions must be", ["compare", PROGRAM, "--executions", "0"]),
    ("--steps must be", ["explore", PROGRAM, "--steps", "0"]),
    ("--jobs must be", ["litmus", "x.litmus", "--jobs", "0"]),
    ("expected FILE.py:NAME", ["explore", "own.py:program:"]),
    ("expected FILE.py:NAME", ["explore", "own.py:"]),
    ("simaie replay f.json", ["explore", "f.json"]),
    ("simaie show FILE --html", ["explore", PROGRAM, "--html", "x.html"]),
    ("simaie show FILE --svg", ["replay", "f.json", "--svg=x.svg"]),
    ("simaie list checkers", ["explore", PROGRAM, "--checker", "nope"]),
    ("it is a folder; name one of its .json files, such as f.json", ["replay", "."]),
    ("no folder missing", ["show", "f.json", "--html", "missing/x.html"]),
    ("no folder missing", ["shrink", "f.json", "--out", "missing/x.json"]),
    ("no folder missing", ["explore", PROGRAM, "--save", "missing/failures"]),
    ("'zzz'", ["list", "programs", "--name", "zzz"]),
]


@pytest.mark.parametrize(("words", "argv"), REFUSED, ids=[" ".join(argv) for _, argv in REFUSED])
def test_a_mistake_is_named_in_words_of_the_command_line(words, argv, saved, capsys):
    text = line(capsys, *argv)
    assert words in text
    assert "TypeError" not in text
    assert not Path("missing").exists()


def test_an_unknown_checker_is_one_of_few_names(saved, capsys):
    text = line(capsys, "explore", PROGRAM, "--checker", "serializabilty")
    assert "'serializability'" in text
    assert "linearizable-stack" not in text


def test_the_audit_suggests_no_other_scheme_than_the_one_that_is_named(capsys):
    assert "did you mean" not in line(capsys, "audit", "--scheme", "native")
    with pytest.raises(UnknownNameError):
        simaie.audit.audit(["nope"])


# -- replay files --------------------------------------------------------------------------------------


def test_a_replay_of_another_program_names_both(saved):
    other = Program("another", isa="x86", threads=[[ins("inc", 0x100)], [ins("inc", 0x100)]], init={0x100: 0})
    with pytest.raises(DivergenceError) as caught:
        simaie.replay(saved, program=other)
    (note,) = caught.value.__notes__
    assert f"{PROGRAM!r}" in note
    assert "'another'" in note


@pytest.mark.parametrize(
    ("part", "name", "option"), [("program", "corpus", "--program"), ("machine", "scheme", "--scheme")]
)
def test_an_unknown_name_in_a_file_is_said_with_the_file_and_the_option(part, name, option, saved, monkeypatch):
    document = json.loads(saved.read_text())
    document[part][name] = "no-such-thing"
    document["program"]["digest"] = document["program"]["digest"] if part == "machine" else "0" * 16
    saved.write_text(json.dumps(document))
    with pytest.raises(ReplayError) as caught:
        simaie.replay(saved)
    text = str(caught.value)
    assert text.startswith(f"{saved}: ")
    assert option in text
    assert "'no-such-thing'" in text
    assert "known:" not in text


def test_a_json_file_without_a_schema_is_not_of_simaie(saved):
    saved.write_text('{"a": 1}')
    with pytest.raises(ReplayError, match="simaie did not write it"):
        simaie.replay(saved)


# -- files and folders -----------------------------------------------------------------------------------


def test_a_command_makes_no_folder_but_the_last_one_of_save(saved, capsys):
    assert main(["explore", PROGRAM, "--scheduler", "dpor", "--save", "new"]) == 1
    assert list(Path("new").glob("*.json"))
    assert "no folder" in line(capsys, "explore", PROGRAM, "--save", "missing/new")
    assert not Path("missing").exists()


# -- counts and places -----------------------------------------------------------------------------------


def test_an_error_before_any_execution_names_none():
    with pytest.raises(UsageError) as caught:
        simaie.explore(corpus.program(PROGRAM), Machine("aie-rfc:foo=1"))
    assert not getattr(caught.value, "__notes__", [])


def test_an_error_of_a_later_execution_names_it():
    calls = []

    def judges(trace):
        calls.append(trace)
        return 1 // (len(calls) < 3) and ()

    with pytest.raises(UsageError) as caught:
        simaie.explore(corpus.program("swp-against-swp"), Machine("cas"), scheduler="random-walk", checkers=[judges])
    assert "execution 2 of seed 0" in caught.value.__notes__[0]


@pytest.mark.parametrize(("executions", "words"), [(1, "the one execution"), (2, "none of 2"), (1000, "none of 1,000")])
def test_a_verdict_counts_in_plain_english(executions, words):
    program = corpus.program("swp-against-swp")
    report = simaie.explore(program, Machine("cas"), scheduler="random-walk", executions=executions)
    assert report.reason.startswith(words)


@pytest.mark.parametrize(("values", "words"), [([1], "the only possible outcome is"), ([1, 2], "both")])
def test_a_comparison_counts_in_plain_english(values, words):
    threads = [[ins("store", 0x100, value)] for value in values]
    program = Program("stores", isa="x86", threads=threads, init={0x100: 0})
    assert simaie.compare(program, "cas").reason.startswith(words)


def test_a_shrunk_failure_is_named_by_its_schedule(saved):
    failure = simaie.replay(saved)
    assert "execution " in as_text(failure).splitlines()[0]
    short = failure.shrink().failure
    assert "execution " not in as_text(short).splitlines()[0]
    assert "its schedule" in as_text(simaie.replay(short.save("short.json"))).splitlines()[0]


def test_the_legend_explains_each_sign_of_a_lane(saved):
    text = as_text(simaie.replay(saved))
    for sign in (": between instructions", "| in an instruction", "# holds a lock", "~ the scheduler switched"):
        assert sign in text


def test_an_explained_audit_recommends_no_explanation(capsys):
    assert main(["audit", "--row", "6", "--scheme", "aie-v2"]) == 0
    assert "--explain" in capsys.readouterr().out
    assert main(["audit", "--row", "6", "--scheme", "aie-v2", "--explain"]) == 0
    assert "--explain" not in capsys.readouterr().out


def test_the_value_that_a_store_relied_on_is_said_to_be_stale_with_the_step_that_replaced_it(saved):
    failure = simaie.replay(saved)
    text = failure.explain()
    found = re.search(r"By step (\d+) that value was stale: vCPU 0 had replaced it at step (\d+) \(cas ", text)
    stored, replaced = map(int, found.groups())
    assert replaced < stored
    assert failure.trace.events[replaced].actor == "0"
