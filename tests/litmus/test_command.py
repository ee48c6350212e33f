"""``simaie litmus``: exit statuses, what goes to stdout and what to stderr, files, folders and lists."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from simaie.cli import main
from simaie.cli.status import Status

PROGRAMS = Path(__file__).parent / "programs"
SURE = PROGRAMS / "x86-sb.litmus"
PROMISE = PROGRAMS / "x86_64-lost-update.litmus"
SPIN = "X86 spin\n{}\n P0;\n L: MOV EAX,[x];\n CMP EAX,$1;\n JNE L;\nexists (0:EAX=1)\n"
WAITING = """X86 waiting
{}
 P0             | P1         ;
 L: MOV EAX,[x] | MOV [x],$1 ;
 ADD EBX,$1     |            ;
 CMP EAX,$1     |            ;
 JNE L          |            ;
exists (0:EAX=1)
"""


class Ran(NamedTuple):
    """What a run of the command gave."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def names(self) -> list[str]:
        """The tests in the log, in order."""
        return [line.split()[1] for line in self.out.splitlines() if line.startswith("Test ")]


Run = Callable[..., Ran]


@pytest.fixture(name="run")
def fixture_run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*argv: str | Path | int) -> Ran:
        status = main(["litmus", *map(str, argv)])
        return Ran(status, *capsys.readouterr())

    return run


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Path:
    """Two tests, one deeper, and a file that is none."""
    deep = tmp_path / "tests" / "a"
    deep.mkdir(parents=True)
    shutil.copy(SURE, deep)
    shutil.copy(PROGRAMS / "x86-sb-xchg.litmus", deep.parent)
    (deep / "notes.txt").write_text("no litmus test")
    return deep.parent


def test_what_is_sure_and_unbroken_is_status_0(run: Run) -> None:
    """That `exists` finds nothing breaks no promise; the summary is one line on stderr."""
    ran = run(SURE)
    assert (ran.status, ran.names, ran.err.count("\n")) == (Status.HOLDS, ["x86-sb"], 1)


def test_a_forall_that_does_not_hold_is_status_1(run: Run) -> None:
    """A test that requires what is not so has found something."""
    assert run(SURE, PROMISE).status == Status.VIOLATED


def test_a_file_that_cannot_be_run_is_one_line_and_status_2_and_the_others_go_on(run: Run, tmp_path: Path) -> None:
    """Unreadable, unsupported, missing: the file, the line and the column."""
    broken, beyond = tmp_path / "broken.litmus", tmp_path / "beyond.litmus"
    broken.write_text("X86 broken\n{ x=; }\n")
    beyond.write_text("X86 beyond\n{}\n P0;\n FLY;\n")
    ran = run(broken, beyond, tmp_path / "missing.litmus", PROMISE)
    assert (ran.status, ran.names) == (Status.ERROR, ["x86_64-lost-update"])
    lines = ran.err.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith(f"simaie: {broken}:2:5: ")
    assert lines[1].startswith(f"simaie: {beyond}:4:2: unsupported instruction 'fly'")
    assert lines[2].startswith(f"simaie: {tmp_path / 'missing.litmus'}:1:1: ")


def test_an_answer_that_is_not_sure_is_status_3(run: Run, tmp_path: Path) -> None:
    """Because a loop was cut, or a limit ended the search."""
    spin = tmp_path / "spin.litmus"
    spin.write_text(SPIN)
    assert run(spin).status == Status.INCONCLUSIVE
    assert run(SURE, "--executions", 2).status == Status.INCONCLUSIVE
    spin.write_text(SPIN.replace("{}", "{x=1;}"))
    assert run(spin).status == Status.HOLDS


def test_states_that_may_be_missing_are_said_even_if_the_answer_is_sure(run: Run, tmp_path: Path) -> None:
    """A witness is enough for `exists`, but not for the list of states."""
    spin = tmp_path / "spin.litmus"
    spin.write_text(WAITING)
    ran = run(spin)
    assert ran.status == Status.HOLDS
    assert ran.err.splitlines()[0].startswith(f"simaie: {spin}: the answer is sure, but states may be missing: ")


def test_json_says_the_same(run: Run, tmp_path: Path) -> None:
    """One document, with the errors beside the tests."""
    ran = run(SURE, tmp_path / "missing", PROMISE, "--format", "json")
    first, second = ran.document["tests"]
    assert (ran.status, first["name"], first["arch"], first["file"]) == (Status.ERROR, "x86-sb", "X86", str(SURE))
    assert first["states"] == [{"0:EAX": 0, "1:EAX": 1}, {"0:EAX": 1, "1:EAX": 0}, {"0:EAX": 1, "1:EAX": 1}]
    assert (first["verdict"], first["observation"], first["executions"]) == ("No", "Never", 3)
    assert (first["complete"], first["bounded"], first["conclusive"]) == (True, False, True)
    assert second["observation"] == "Sometimes"
    (error,) = ran.document["errors"]
    assert (error["file"], error["line"], error["unsupported"]) == (str(tmp_path / "missing"), 1, False)


def test_folders_are_walked_and_lists_read(run: Run, folder: Path) -> None:
    """In the order of names; a list's paths are relative to it, and it may name lists and folders."""
    both = ["x86-sb", "x86-sb-xchg"]
    assert run(folder).names == both
    (folder / "more").write_text("# comment\n\na/x86-sb.litmus # why\n@again\n")
    (folder / "again").write_text("x86-sb-xchg.litmus\na\n")
    assert run(f"@{folder / 'more'}").names == ["x86-sb", "x86-sb-xchg", "x86-sb"]


@pytest.mark.parametrize("text", ["@self\n", "@missing\n", "\udcff"])
def test_lists_that_lead_nowhere(run: Run, tmp_path: Path, text: str) -> None:
    """A list of itself, of a missing one, and one that is no text are one line each."""
    (tmp_path / "self").write_bytes(text.encode("utf-8", "surrogateescape"))
    ran = run(f"@{tmp_path / 'self'}", SURE)
    assert (ran.status, ran.names, ran.err.count("\n")) == (Status.ERROR, ["x86-sb"], 2)


def test_an_empty_folder_is_a_mistake(run: Run, tmp_path: Path) -> None:
    """Rather than a silent success."""
    assert run(tmp_path).status == Status.ERROR


def test_workers_change_nothing(run: Run) -> None:
    """The same tests in the same order."""
    files = sorted(PROGRAMS.glob("x86*.litmus"))
    one, two = (run(*files, "--jobs", jobs, "--format", "json").document["tests"] for jobs in (1, 2))
    for test in (*one, *two):
        del test["seconds"]
    assert one == two


def test_ctrl_c_keeps_what_was_done(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is printed, and the status is 130."""
    from simaie.exploration import litmus_files

    def interrupted(*arguments: Any, **options: Any) -> Iterator[Any]:
        yield from litmus_files.explore_litmus_files([str(SURE)])
        raise KeyboardInterrupt

    monkeypatch.setattr("simaie.cli.litmus.explore_litmus_files", interrupted)
    ran = run(SURE, SURE)
    assert (ran.status, ran.names) == (Status.INTERRUPTED, ["x86-sb"])
    assert len(run(SURE, SURE, "--format", "json").document["tests"]) == 1


@pytest.mark.parametrize(
    "arguments", [["--host", "nowhere"], ["--scheme", "nothing"], ["--jobs", 0], ["--unroll", -1], ["--executions", 0]]
)
def test_options_that_cannot_be_are_one_line(run: Run, arguments: list[str | int]) -> None:
    """And nothing runs."""
    ran = run(SURE, *arguments)
    assert (ran.status, ran.out, ran.err.count("\n")) == (Status.ERROR, "", 1)
    assert ran.err.startswith("simaie: ")


def test_another_host_has_other_states(run: Run) -> None:
    """Store buffering shows on a host with store buffers."""
    ran = run(SURE, "--host", "tso", "--format", "json")
    assert ran.document["tests"][0]["observation"] == "Sometimes"
