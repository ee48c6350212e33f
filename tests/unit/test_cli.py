"""The command line: exit statuses, JSON, saved files; what goes to stdout and what to stderr."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from fresh import fresh

from simaie import corpus, plugins
from simaie.audit import AuditReport, AuditRow, RowResult
from simaie.cli import main
from simaie.cli.audit import audit_status
from simaie.cli.options import complete_programs, completing
from simaie.cli.status import Status
from simaie.corpus import Expect
from simaie.plugins import SCHEMES
from simaie.replaying.file import VERSION

SOURCE = '''
import simaie

X = 0x100

async def adder(cpu):
    await cpu.add(X, 1)

async def locked(cpu):
    await cpu.lock_add(X, 1)

def two(state):
    return state[X] == 2

def a_program(name, code, **options):
    return simaie.Program(name, isa="x86", threads=[code, code], init={X: 0}, **options)

racy = a_program("racy", adder, final=two)
sound = a_program("sound", locked, final=two)
other_name = a_program("a/b: c", adder, final=two)

async def printing(cpu):
    print("from the guest")
    await cpu.add(X, 1)

noisy = a_program("noisy", printing, final=two)

async def raising(cpu):
    await cpu.add(X, 1)
    raise ValueError("two\\nlines")

raises = a_program("raises", raising)
seen = []

async def raises_late(cpu):
    await cpu.add(X, 1)
    seen.append(cpu)
    if len(seen) > 300:
        raise ValueError("late")

late = a_program("late", raises_late, final=two)

turn = [0]

async def turning(cpu):
    turn[0] += 1
    await cpu.add(X, turn[0])

forgetful = a_program("forgetful", turning, final=lambda state: False)

class Foreign:
    def __await__(self):
        yield "something"

async def foreign(cpu):
    await Foreign()

foreign_await = a_program("foreign", foreign)

async def unknown(cpu):
    await cpu.no_such_instruction(X)

unknown_instruction = a_program("unknown", unknown)

async def sleeper(cpu):
    import trio
    await trio.sleep(0)
    await cpu.add(X, 1)

sleeps = a_program("sleeps", sleeper, final=two)

executions = []

def interrupt(state):
    executions.append(state)
    if len(executions) == 50:
        raise KeyboardInterrupt
    return state[X] == 2

interrupted = a_program("interrupted", adder, final=interrupt)

def makes_nothing():
    raise RuntimeError("cannot")

def makes_a_synchronous_guest():
    return simaie.Program("sync", isa="x86", threads=[lambda cpu: None])

def exits():
    raise SystemExit(0)

number = 3
'''


class Ran(NamedTuple):
    """What a run of the command gave."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture(name="run")
def fixture_run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*argv: str | Path) -> Ran:
        status = main([str(word) for word in argv])
        return Ran(status, *capsys.readouterr())

    return run


@pytest.fixture(name="source")
def fixture_source(tmp_path: Path) -> Path:
    path = tmp_path / "guest.py"
    path.write_text(SOURCE)
    return path


def assert_one_line(ran: Ran, status: int = Status.ERROR) -> None:
    assert ran.status == status
    assert ran.err.startswith("simaie: ")
    assert ran.err.count("\n") == 1
    assert ran.err.endswith("\n")


# -- explore: verdicts -------------------------------------------------------------------------------


def test_a_violation_is_status_1_with_the_failure_in_the_document(run: Run, source: Path) -> None:
    ran = run("explore", f"{source}:racy", "--scheduler", "dfs", "--failures", "all", "--format", "json")
    assert ran.status == Status.VIOLATED
    assert ran.err == ""
    assert ran.document["verdict"] == "violated"
    assert ran.document["failing"] == len(ran.document["failures"]) > 1


def test_what_holds_is_status_0(run: Run, source: Path) -> None:
    ran = run("explore", f"{source}:sound", "--scheduler", "dfs", "--format", "json")
    assert (ran.status, ran.document["verdict"], ran.document["complete"]) == (Status.HOLDS, "holds", True)


def test_a_sample_without_a_failure_is_status_3(run: Run, source: Path) -> None:
    ran = run("explore", f"{source}:sound", "--executions", 5, "--format", "json")
    assert (ran.status, ran.document["executions"]) == (Status.INCONCLUSIVE, 5)


def test_text_is_for_reading_and_has_the_same_status(run: Run, source: Path) -> None:
    for name, status in (("racy", Status.VIOLATED), ("sound", Status.HOLDS)):
        ran = run("explore", f"{source}:{name}", "--scheduler", "dfs")
        assert (ran.status, ran.err) == (status, "")
        assert ran.out.isascii()


def test_the_same_seed_gives_the_same_failures(run: Run, source: Path) -> None:
    args = ("explore", f"{source}:racy", "--scheduler", "random-walk", "--seed", 5, "--executions", 40)
    first, second = (run(*args, "--failures", "all", "--format", "json").document for _ in range(2))
    assert first["failures"] == second["failures"]


def test_coverage_is_counted_unless_refused(run: Run, source: Path) -> None:
    args = ("explore", f"{source}:sound", "--scheduler", "dfs", "--format", "json")
    assert run(*args).document["statistics"]["coverage"]["traces"] == 2
    assert run(*args, "--no-coverage").document["statistics"]["coverage"] is None


def test_a_guest_that_keeps_state_fails_the_determinism_check(run: Run, tmp_path: Path) -> None:
    guest = tmp_path / "keeps.py"
    guest.write_text(
        "import itertools, simaie\n"
        "kept = itertools.count()\n"
        "async def store(cpu):\n    await cpu.store(0x100, next(kept))\n"
        "program = simaie.Program('keeps', isa='x86', threads=[store])\n"
    )
    args = ("explore", f"{guest}:program", "--executions", 3)
    assert_one_line(run(*args))  # executions of one exploration are compared in any case
    assert_one_line(run(*args, "--check-determinism"))
    assert_one_line(run("explore", f"{guest}:program", "--index", 1, "--check-determinism"))


def test_so_does_one_that_differs_in_another_process_only(run: Run, tmp_path: Path) -> None:
    guest = tmp_path / "unordered.py"
    guest.write_text(
        "import simaie\n"
        "async def store(cpu):\n"
        "    for name in {'a', 'b', 'c', 'd', 'e', 'f'}:\n        await cpu.store(0x10 * ord(name), 1)\n"
        "program = simaie.Program('unordered', isa='x86', threads=[store])\n"
    )
    args = ("explore", f"{guest}:program", "--executions", 3)
    assert run(*args).status == Status.INCONCLUSIVE
    assert_one_line(run(*args, "--check-determinism"))


@pytest.mark.untraced
@pytest.mark.parametrize("scheduler", ["random-walk", "pct", "dfs", "dpor", "pos", "surw", "portfolio"])
def test_index_runs_that_execution_alone_whether_or_not_the_scheduler_learns(
    run: Run, source: Path, scheduler: str
) -> None:
    args = ("explore", f"{source}:racy", "--scheduler", scheduler, "--seed", 5, "--format", "json")
    for failure in run(*args, "--executions", 8, "--failures", "all").document["failures"]:
        alone = run(*args, "--index", failure["index"], "--jobs", 1)
        assert alone.status == Status.VIOLATED
        assert alone.document["executions"] == 1
        assert [f["digest"] for f in alone.document["failures"]] == [failure["digest"]]


def test_an_execution_alone_never_holds(run: Run, source: Path) -> None:
    """Even the last of an exhaustive search: the others were not judged."""
    args = ("explore", f"{source}:sound", "--scheduler", "dfs", "--format", "json")
    last = run(*args).document["executions"] - 1
    assert run(*args, "--index", last).status == Status.INCONCLUSIVE
    assert_one_line(run(*args, "--index", last + 1))


def test_the_trio_driver_runs_what_the_inline_driver_refuses(run: Run, source: Path) -> None:
    args = ("explore", f"{source}:sleeps", "--scheduler", "dfs", "--format", "json")
    assert_one_line(run(*args))
    assert run(*args, "--driver", "trio").document["verdict"] == "violated"


def test_what_a_guest_prints_does_not_reach_stdout(run: Run, source: Path) -> None:
    ran = run("explore", f"{source}:noisy", "--executions", 1, "--format", "json")
    assert ran.document["executions"] == 1
    assert "from the guest" in ran.err


def test_a_limit_on_steps_is_inconclusive(run: Run, source: Path) -> None:
    ran = run("explore", f"{source}:sound", "--scheduler", "dfs", "--steps", 1, "--format", "json")
    assert ran.status == Status.INCONCLUSIVE
    assert ran.document["statistics"]["truncated"] > 0


# -- explore: the corpus -----------------------------------------------------------------------------


def test_a_corpus_program_runs_on_the_machine_that_it_needs(run: Run) -> None:
    """Its expectations come true with nothing but its name and the scheme."""
    case = corpus.case("aliases-full-system")
    assert case.needs.full_system
    args = ("explore", case.name, "--scheme", "aie-rfc", "--executions", 200, "--format", "json")
    assert run(*args).document["failing"] == 0
    assert run(*args, "--user-mode").document["failing"] > 0


def test_options_of_a_scheme_are_given_with_its_name(run: Run) -> None:
    ran = run("explore", "granule-neighbours", "--scheme", "aie-rfc:granule=64", "--executions", 1, "--format", "json")
    assert ran.document["scheme"] == "aie-rfc:granule=64"


# -- saving and replaying ----------------------------------------------------------------------------


def saved_failure(run: Run, source: Path, name: str = "racy") -> Path:
    folder = source.parent / "failures"
    ran = run("explore", f"{source}:{name}", "--scheduler", "dfs", "--save", folder, "--format", "json")
    (path,) = ran.document["saved"]
    return Path(path)


def test_save_writes_every_failure_and_replay_gives_it_back(run: Run, source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    args = ("explore", f"{source}:racy", "--scheduler", "dfs", "--failures", "all", "--format", "json")
    found = run(*args, "--save", folder).document
    assert {Path(path) for path in found["saved"]} == set(folder.iterdir())
    assert len(found["saved"]) == len(found["failures"])
    for path, failure in zip(found["saved"], found["failures"], strict=True):
        assert Path(path).name.startswith(f"racy-native-sc-x86-dfs-s0-i{failure['index']}-")
        ran = run("replay", path, "--format", "json")
        assert ran.status == Status.VIOLATED
        assert ran.document["trace"]["digest"] == failure["digest"]
        assert ran.document["findings"] == failure["findings"]


def test_a_name_that_is_no_file_name_is_made_one(run: Run, source: Path) -> None:
    path = saved_failure(run, source, "other_name")
    assert path.parent == source.parent / "failures"
    assert run("replay", path).status == Status.VIOLATED


@pytest.mark.untraced
def test_ctrl_c_reports_and_saves_what_was_found(run: Run, source: Path, tmp_path: Path) -> None:
    args = ("explore", f"{source}:interrupted", "--failures", "all", "--save", tmp_path / "f", "--format", "json")
    ran = run(*args)
    assert ran.status == Status.VIOLATED
    assert ran.document["interrupted"] is True
    assert ran.document["failures"]
    assert len(ran.document["saved"]) == len(ran.document["failures"]) == len(list((tmp_path / "f").iterdir()))


@pytest.mark.untraced
def test_a_guest_that_raises_late_is_an_error_that_loses_nothing_found_before(
    run: Run, source: Path, tmp_path: Path
) -> None:
    args = ("explore", f"{source}:late", "--failures", "all", "--format", "json", "--save", tmp_path / "f")
    ran = run(*args)
    assert ran.status == Status.ERROR
    assert ran.document["failures"]
    assert "ValueError" in ran.err


def test_replay_with_another_program_is_strict_unless_told_otherwise(run: Run, source: Path) -> None:
    path = saved_failure(run, source)
    assert_one_line(run("replay", path, "--program", f"{source}:sound"))
    ran = run("replay", path, "--program", f"{source}:sound", "--best-effort", "--format", "json")
    assert (ran.status, ran.document["findings"]) == (Status.INCONCLUSIVE, [])


@pytest.mark.parametrize("options", [(), ("--all",), ("--driver", "trio")])
def test_replay_shows_the_failure_as_text(run: Run, source: Path, options: Sequence[str]) -> None:
    ran = run("replay", saved_failure(run, source), *options)
    assert (ran.status, ran.err) == (Status.VIOLATED, "")


def test_a_failure_that_cannot_be_saved_is_reported_all_the_same(run: Run, source: Path) -> None:
    """The guest keeps state between executions, so its failure does not come again; the report is there, status 2."""
    ran = run("explore", f"{source}:forgetful", "--save", source.parent / "f", "--format", "json")
    assert_one_line(ran)
    assert ran.document["failures"]
    assert ran.document["saved"] == []


# -- progress ----------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_on_a_terminal_only_and_on_stderr(
    run: Run, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for argv in (("explore", f"{source}:sound", "--executions", 3), ("audit", "--row", 6, "--scheme", "aie-v2")):
        assert run(*argv, "--format", "json").err == ""
        terminal = Terminal()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", terminal)
            ran = run(*argv, "--format", "json")
        assert ran.document
        assert terminal.getvalue()


def test_progress_shows_a_guests_name_as_it_is_written(
    run: Run, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.write_text(SOURCE + '\nsound.name = "[red]x[/nothing] \\x1b[5m"\n')
    terminal = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        run("explore", f"{source}:sound", "--executions", 3, "--seconds", 60, "--format", "json")
    assert "[red]x[/nothing]" in terminal.getvalue()
    assert "\x1b[5m" not in terminal.getvalue()


# -- completion --------------------------------------------------------------------------------------


def test_names_are_completed(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert completing(SCHEMES)("aie") == ["aie-rfc", "aie-v2"]
    assert complete_programs("swp-against") == [n for n in corpus.names() if n.startswith("swp-against")]
    monkeypatch.chdir(source.parent)
    assert complete_programs("gue") == ["guest.py"]


# -- lists -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["schemes", "schedulers", "hosts", "checkers", "programs", "guests"])
def test_lists_are_json_and_text(run: Run, what: str) -> None:
    ran = run("list", what, "--format", "json")
    assert ran.status == Status.HOLDS
    assert all({"name", "description"} <= set(entry) for entry in ran.document)
    assert len(run("list", what, "--all").out.splitlines()) >= len(ran.document) > 0


def test_the_listed_programs_are_those_of_the_corpus(run: Run) -> None:
    assert [entry["name"] for entry in run("list", "programs", "--format", "json").document] == corpus.names()


def test_a_plugin_that_cannot_be_loaded_is_listed_with_the_reason_and_spoils_nothing_else(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(group: str, name: str) -> Any:
        if name == "cas":
            raise ImportError("no_such_module")
        return found(group, name)

    found = plugins.resolve
    before = run("list", "schemes", "--format", "json").document
    monkeypatch.setattr(plugins, "resolve", broken)
    after = run("list", "schemes", "--format", "json").document
    assert [e for e in after if e["name"] != "cas"] == [e for e in before if e["name"] != "cas"]
    assert "no_such_module" in next(e["description"] for e in after if e["name"] == "cas")


def test_a_scheme_is_listed_with_its_options(run: Run) -> None:
    (entry,) = [e for e in run("list", "schemes", "--format", "json").document if e["name"] == "aie-rfc"]
    assert entry["options"]["granule"] == 16


# -- the audit ---------------------------------------------------------------------------------------


def test_the_audit_of_one_row_is_as_expected(run: Run) -> None:
    ran = run("audit", "--row", 6, "--scheme", "aie-v2", "--format", "json")
    assert (ran.status, ran.document["ok"]) == (Status.HOLDS, True)
    assert {row["row"] for row in ran.document["rows"]} == {6}
    assert run("audit", "--row", 6, "--scheme", "aie-v2").status == Status.HOLDS


def test_the_status_of_an_audit_says_whether_a_row_is_unexpected_or_not_reached() -> None:
    row = AuditRow(
        row=1,
        title="",
        program="p",
        scheme="s",
        expected=Expect.FINDABLE,
        found=RowResult.VIOLATED,
        executions=1,
        complete=False,
        scheduler="random-walk",
        seed=0,
        explanation="",
        why="",
    )
    wrong = msgspec.structs.replace(row, found=RowResult.NOT_FOUND)

    def status(*rows: AuditRow, interrupted: bool = False) -> Status:
        return audit_status(AuditReport(rows=rows, planned=2, seed=0, seconds=0.0, interrupted=interrupted))

    assert status(row, row) == Status.HOLDS
    assert status(row, wrong) == Status.VIOLATED
    assert status(row, interrupted=True) == Status.INCONCLUSIVE
    assert status(wrong, interrupted=True) == Status.VIOLATED


@pytest.mark.parametrize("options", [("--row", "99"), ("--scheme", "nonsense"), ("--row", "x")])
def test_an_audit_of_what_the_corpus_does_not_have_is_an_error(run: Run, options: Sequence[str]) -> None:
    assert_one_line(run("audit", *options))


# -- what is wrong with the command line ---------------------------------------------------------------


BAD_OPTIONS = [
    ("--scheme", "nonsense"),
    ("--scheme", "aie-rfc:nonsense=1"),
    ("--scheme", "aie-rfc:granule"),
    ("--scheme", "aie-rfc:granule=17"),
    ("--scheme", ""),
    ("--scheduler", "nonsense"),
    ("--scheduler", "dfs:nonsense=1"),
    ("--scheduler", "dfs:preemptions=-1"),
    ("--host", "nonsense"),
    ("--host-word", "16"),
    ("--address-bits", "0"),
    ("--endian", "middle"),
    ("--driver", "nonsense"),
    ("--format", "nonsense"),
    ("--executions", "0"),
    ("--executions", "-1"),
    ("--executions", "many"),
    ("--seconds", "0"),
    ("--seconds", "-1"),
    ("--seconds", "nan"),
    ("--failures", "0"),
    ("--failures", "-1"),
    ("--failures", "some"),
    ("--steps", "0"),
    ("--index", "-1"),
    ("--index", "1", "--executions", "3"),
    ("--index", "1", "--failures", "all"),
    ("--index", "1", "--jobs", "2"),
    ("--no-such-option",),
    ("--seed",),
    ("one-argument-too-many",),
]


@pytest.mark.parametrize("options", BAD_OPTIONS, ids=" ".join)
def test_a_bad_option_is_one_line_and_status_2(run: Run, source: Path, options: Sequence[str]) -> None:
    ran = run("explore", f"{source}:sound", *options)
    assert_one_line(ran)
    assert ran.out == ""


BAD_NAMES = [
    "raises",
    "foreign_await",
    "unknown_instruction",
    "makes_nothing",
    "makes_a_synchronous_guest",
    "exits",
    "number",
    "no_such_name",
    "",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_bad_program_is_one_line_and_status_2(run: Run, source: Path, name: str) -> None:
    ran = run("explore", f"{source}:{name}")
    assert_one_line(ran)
    assert ran.out == ""


@pytest.mark.parametrize("target", ["no-such-program", "gone.py:program", "gone.py", ":", "", "/:x"])
def test_a_target_that_is_not_there_is_one_line_and_status_2(run: Run, target: str) -> None:
    assert_one_line(run("explore", target))


@pytest.mark.parametrize("text", ["this is not Python", "raise SystemExit(3)", "import no_such_module"])
def test_a_file_that_cannot_be_imported_is_one_line_and_status_2(run: Run, tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text)
    assert_one_line(run("explore", f"{path}:program"))


@pytest.mark.parametrize("argv", [("nonsense",), ("replay",), ("explore",), ("list",), ("list", "nonsense"), ("-x",)])
def test_a_bad_command_line_is_one_line_and_status_2(run: Run, argv: Sequence[str]) -> None:
    assert_one_line(run(*argv))


def test_a_folder_that_cannot_be_one_is_said_before_anything_is_run(run: Run, source: Path) -> None:
    ran = run("explore", f"{source}:racy", "--save", source / "below-a-file")
    assert_one_line(ran)
    assert ran.out == ""


# -- what is wrong with a replay file -------------------------------------------------------------------


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def _other_schema(path: Path) -> None:
    path.write_text(path.read_text().replace("simaie-replay", "other"))


def _next_version(path: Path) -> None:
    path.write_text(path.read_text().replace(f'"version": {VERSION}', f'"version": {VERSION + 1}'))


def _unknown_scheme(path: Path) -> None:
    path.write_text(path.read_text().replace('"native"', '"nonsense"'))


BAD_FILES: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut": _cut,
    "not JSON": lambda path: path.write_text("hello"),
    "not text": lambda path: path.write_bytes(b"\xff\x00\xfe"),
    "another document": lambda path: path.write_text('{"schema": "simaie-replay", "version": 1}'),
    "a list": lambda path: path.write_text("[]"),
    "other schema": _other_schema,
    "next version": _next_version,
    "unknown scheme": _unknown_scheme,
}


@pytest.mark.parametrize("damage", BAD_FILES)
def test_a_bad_replay_file_is_one_line_and_status_2(run: Run, source: Path, damage: str) -> None:
    path = saved_failure(run, source)
    BAD_FILES[damage](path)
    assert_one_line(run("replay", path))


def test_a_folder_is_no_replay_file(run: Run, tmp_path: Path) -> None:
    assert_one_line(run("replay", tmp_path))


def _changed(path: Path) -> None:
    path.write_text(SOURCE + "# changed\n")


@pytest.mark.parametrize("change", [_changed, Path.unlink])
def test_a_program_changed_or_gone_is_shown_and_not_run(source: Path, change: Callable[[Path], object]) -> None:
    """In processes of their own: one that has the program in memory needs no file."""
    folder = source.parent / "f"
    args = ("--scheduler", "dfs", "--save", str(folder), "--format", "json")
    (path,) = json.loads(fresh("explore", f"{source}:racy", *args).out)["saved"]
    assert fresh("replay", path, "--trust").status == Status.VIOLATED
    change(source)
    shown = fresh("replay", path, "--trust")
    assert_one_line(Ran(*shown), Status.VIOLATED)
    assert "recorded, not run again" in shown.out
    assert_one_line(Ran(*fresh("check", path, "--trust")))


# -- processes --------------------------------------------------------------------------------------------


def in_process(*argv: str, **options: Any) -> Ran:
    given: dict[str, Any] = {"capture_output": True} | options
    done = subprocess.run([sys.executable, "-m", "simaie", *argv], text=True, check=False, **given)
    return Ran(done.returncode, done.stdout, done.stderr)


def test_version_and_help_go_to_stdout(run: Run) -> None:
    for argv in (("--version",), ("--help",), ("-h",), ("explore", "--help"), ("audit", "--help")):
        ran = run(*argv)
        assert (ran.status, ran.err) == (Status.HOLDS, "")
        assert ran.out


def test_a_reader_that_leaves_is_no_reason_to_complain() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = in_process("list", "programs", stdout=writing, stderr=subprocess.PIPE, capture_output=False)
    finally:
        os.close(writing)
    assert (ran.status, ran.err) == (Status.BROKEN_PIPE, "")


def test_ctrl_c_outside_an_exploration_is_one_line_and_status_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("simaie.cli.listing.run_list", interrupt)
    assert_one_line(run("list", "schemes"), Status.INTERRUPTED)


def test_ctrl_c_outside_a_command_is_one_line_and_status_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the command line is parsed, where typer takes the interrupt for itself."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("importlib.metadata.version", interrupt)
    ran = run("--version")
    assert (ran.status, ran.err.splitlines()[-1]) == (Status.INTERRUPTED, "simaie: interrupted")


def test_names_that_ascii_cannot_say_do_not_break_an_ascii_terminal(source: Path) -> None:
    source.write_text(SOURCE + '\nracy.name = "\\u00e9\\udc80[bold]"\n')
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    ran = in_process("explore", f"{source}:racy", env=environment)
    assert (ran.status, ran.err) == (Status.VIOLATED, "")


def test_starting_up_imports_neither_trio_nor_what_the_command_does_not_need() -> None:
    code = (
        "import sys; from simaie.cli import main; main(['--version']);"
        "print(sorted({'trio', 'rich.progress', 'simaie.audit'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, check=True, capture_output=True)
    assert done.stderr.strip() == "[]"
