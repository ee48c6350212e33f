"""FILE.py:CLASS names a scheme, a host, a scheduler or a checker on every command, and in replay files."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

import simaie
from simaie import Machine
from simaie.audit import RowResult, audit
from simaie.audit.plan import plan
from simaie.cli import main
from simaie.corpus import Expect
from simaie.definitions import definition, import_file, value_of
from simaie.errors import InputError, NotEmulatedError, UnnamedCodeError, UsageError
from simaie.exploration.barriers import minimal_barriers
from simaie.replaying.file import read_replay_file
from simaie.replaying.player import replay
from simaie.replaying.target import find_target
from simaie.show.audit_view import audit_summary

ROOT = Path(__file__).resolve().parents[2]


def blocks(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)


#: The README's program, and the scheme of the tutorial, without what they are used for there.
PROGRAM = blocks("README.md")[0].partition("report =")[0]
OWN = next(block for block in blocks("docs/tutorial/own-scheme.md") if "class BigLock" in block)
SCHEME = OWN.partition("report =")[0]
OTHERS = '''
from simaie import Scheduler
from simaie.finding import Finding
from simaie.host.tso import TsoMemory
from simaie.schemes.cas import CompareAndSwap


class Memory(TsoMemory):
    def __init__(self, endian, *, depth=3):
        super().__init__(endian)
        self.depth = depth


class LastFirst(Scheduler):
    def choose(self, offer):
        return offer.candidates[-1]


class Bigger(BigLock):
    """Another class of the same file."""


class Mine(CompareAndSwap):
    """What is expected of cas is expected of it."""


def never(trace):
    return []


def longer(than=3):
    return lambda trace: [Finding("too-long", "it is long")] if len(trace) > than else []
'''


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(PROGRAM + SCHEME + OTHERS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


COMMANDS = [
    ["explore", "mine.py:program", "--scheduler", "dpor"],
    ["compare", "mine.py:program"],
    ["barriers", "mine.py:program"],
    ["fuzz", "--isa", "x86", "--examples", "5"],
    ["litmus", "sb.litmus"],
]
LITMUS = """X86 SB
{}
 P0          | P1          ;
 MOV [x],$1  | MOV [y],$1  ;
 MOV EAX,[y] | MOV EAX,[x] ;
exists (0:EAX=0 /\\ 1:EAX=0)
"""


@pytest.mark.parametrize("words", COMMANDS, ids=[words[0] for words in COMMANDS])
def test_every_command_that_takes_a_machine(words, capsys):
    Path("sb.litmus").write_text(LITMUS)
    machine = ["--scheme", "mine.py:BigLock:barriers=none", "--host", "mine.py:Memory:depth=2"]
    main([*words, *machine, "--format", "json"])
    said = capsys.readouterr()
    assert "simaie:" not in said.err, said.err
    assert json.loads(said.out)
    for place in (1, 3):
        changed = ["mine.py:Missing" if number == place else word for number, word in enumerate(machine)]
        assert main([*words, *changed]) == 2
        assert "mine.py: it defines no 'Missing'" in capsys.readouterr().err


def test_the_scheme_of_the_readme_takes_barriers():
    program = find_target("mine.py:program")
    found = minimal_barriers([program], "mine.py:BigLock", "tso")
    assert found.scheme == "mine.py:BigLock"
    assert [program.undecided for program in found.programs] == [""]


def test_schedulers_and_checkers_have_options_too(capsys):
    words = ["explore", "mine.py:program", "--scheduler", "mine.py:LastFirst", "--executions", "1"]
    assert main([*words, "--checker", "mine.py:longer:than=1"]) == 1
    assert main([*words, "--checker", "mine.py:longer:than=100"]) == 3
    assert main([*words, "--checker", "mine.py:longer:then=1"]) == 2
    assert "then" in capsys.readouterr().err


def test_a_replay_file_records_where_each_class_is_and_a_digest(folder):
    machine = Machine("mine.py:BigLock:barriers=none", host="mine.py:Memory:depth=2")
    report = simaie.explore(find_target("mine.py:program"), machine, scheduler="mine.py:LastFirst", executions=1,
                            checkers=["mine.py:longer:than=1"])  # fmt: skip
    path = report.failures[0].save(folder / "found" / "saved.json")
    record = read_replay_file(path)
    assert (record.machine.scheme, record.machine.scheme_source) == ("BigLock", "../mine.py")
    assert (record.machine.host, record.machine.host_source) == ("Memory", "../mine.py")
    assert (record.scheduler.name, record.scheduler.source) == ("LastFirst", "../mine.py")
    assert record.machine.options == {"barriers": None}
    assert record.machine.host_options == {"depth": 2}
    digests = {record.machine.scheme_digest, record.machine.host_digest, record.scheduler.source_digest}
    assert len(digests) == 1
    assert None not in digests


@pytest.fixture(name="saved")
def fixture_saved(folder):
    machine = Machine("mine.py:BigLock:barriers=none", host="mine.py:Memory")
    report = simaie.explore(find_target("mine.py:program"), machine, scheduler="dpor")
    return report.failures[0].save(folder / "saved.json")


NAMED = ["--program", "mine.py:program", "--scheme", "mine.py:BigLock", "--host", "mine.py:Memory"]


@pytest.mark.parametrize("command", ["replay", "check", "show", "shrink"])
def test_commands_on_saved_executions_take_the_scheme_and_say_when_it_has_changed(command, saved, capsys):
    status = 1 if command in ("replay", "check") else 0  # the others return no verdict
    assert main([command, str(saved), *NAMED]) == status
    assert "simaie:" not in capsys.readouterr().err
    Path("mine.py").write_text(Path("mine.py").read_text() + "\n# changed\n")
    assert main([command, str(saved), *NAMED]) == status
    said = capsys.readouterr().err
    assert "mine.py has changed since the recording: the scheme 'BigLock'" in said
    assert "the host memory 'Memory'" in said


def test_nothing_is_imported_that_is_not_named_or_trusted(saved):
    program = find_target("mine.py:program")
    for given in ({}, {"scheme": "mine.py:BigLock"}, {"host": "mine.py:Memory"}):
        with pytest.raises(UnnamedCodeError):
            replay(saved, program=program, **given)
    named = replay(saved, program=program, scheme="mine.py:BigLock", host="mine.py:Memory")
    assert named.machine.scheme == "mine.py:BigLock:barriers=none"  # the options are the recorded ones
    assert replay(saved, program=program, trust=True).trace.digest == named.trace.digest
    Path("mine.py").write_text(Path("mine.py").read_text() + "\n# changed\n")
    with pytest.raises(UnnamedCodeError, match="has changed since the recording"):
        replay(saved, program=program, trust=True)
    with pytest.raises(UsageError):
        replay(saved, program=program, machine=Machine(), scheme="cas")


def test_a_replay_file_names_no_code_as_a_plug_in(saved):
    """Nor in the place of a plug-in's name, with options or without."""
    program = find_target("mine.py:program")
    Path("evil.py").write_text("raise SystemExit('it ran')\n")
    for changes in (
        {"machine": {"scheme": "evil.py:X", "custom_scheme": False}},
        {"machine": {"host": "evil.py:X", "custom_host": False}},
        {"checkers": [{"name": "evil.py:X", "custom": False}]},
        {"checkers": [{"name": "evil.py:X:a=1", "custom": False}]},
        {"machine": {"scheme": "evil.py:X", "scheme_source": "mine.py"}},
    ):
        document = json.loads(saved.read_text())
        for key, value in changes.items():
            document[key] = {**document[key], **value} if isinstance(value, dict) else value
        stranger = saved.with_name("stranger.json")
        stranger.write_text(json.dumps(document))
        named = {name: given for name, given in (("scheme", "mine.py:BigLock"), ("host", "mine.py:Memory"))
                 if name not in changes.get("machine", {})}  # fmt: skip
        with pytest.raises(InputError):
            replay(stranger, program=program, **named)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mine.py", "say which scheme of the file: mine.py:NAME"),
        ("mine.py:program", "must be a scheme class"),
        ("mine.py:never", "scheme mine.py:never cannot be made: TypeError: never() takes 1"),
        ("mine.py:longer", "longer() takes"),
        ("gone.py:Mine", "gone.py"),
        ("mine.py:BigLock:wrong=1", "wrong"),
    ],
)
def test_what_is_no_scheme_is_a_clear_error(name, words, capsys):
    assert main(["explore", "mine.py:program", "--scheme", name]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_a_file_is_imported_once_while_it_stays_the_same(folder):
    path = folder / "mine.py"
    assert value_of(path, "BigLock") is value_of(path, "BigLock")
    assert Machine("mine.py:BigLock").scheme_class is value_of(path, "BigLock")
    before = import_file(path)
    path.write_text(path.read_text() + "\nmore = 1\n")
    assert import_file(path) is not before
    assert value_of(path, "more") == 1


@pytest.mark.parametrize("text", ["mine.py:Mine", "a b/mine.py:Mine", "x:y/mine.py:Mine", "mine.py.py:Mine"])
def test_a_definition_is_a_path_and_a_name(text):
    assert str(definition(text)) == text


@pytest.mark.parametrize("text", ["mine.py", "mine.py:", "mine.py:1", "mine.py:a-b", "cas", "dfs:a=b.py", 5, None])
def test_anything_else_is_no_definition(text):
    assert definition(text) is None


# -- the audit -----------------------------------------------------------------------------------------------


@pytest.mark.untraced
def test_the_audit_holds_a_class_of_ones_own_to_what_the_ideal_scheme_keeps():
    report = audit(["mine.py:BigLock"], rows=[4, 6, 13, 16])
    found = {row.program: row.found for row in report.rows}
    assert found["mixed-size-locked-rmws"] is RowResult.CLEAN
    assert found["first-registration-window"] is RowResult.VIOLATED  # a plain store ignores the lock
    assert "two-sc-one-generation" not in found  # it does not emulate LL/SC
    assert all(row.expected is Expect.MUST_NOT for row in report.rows)
    assert "--scheme mine.py:BigLock" in next(row.command for row in report.unexpected)


@pytest.mark.untraced
def test_the_summary_of_the_audit_has_a_column_for_each_class_of_a_file():
    report = audit(["mine.py:BigLock:barriers=full", "mine.py:Bigger"], rows=[4])
    out = io.StringIO()
    Console(file=out, width=100).print(audit_summary(report))
    assert {"mine.py:BigLock", "mine.py:Bigger"} <= set(out.getvalue().splitlines()[0].split())


def test_the_audit_holds_a_class_that_derives_from_ours_to_what_is_expected_of_that():
    assert {item.expected for item in plan(["mine.py:Mine"], [14])} == {Expect.FINDABLE}
    assert audit(["mine.py:Mine"], rows=[14]).ok


@pytest.mark.untraced
def test_the_ideal_scheme_keeps_what_is_asked_of_all():
    """As a class of its own, which derives from none of which the corpus knows anything."""
    from simaie.schemes.native import Native

    assert audit([Native], rows=[1, 6, 8, 13, 23, 24]).ok


def test_a_missing_module_next_to_a_file_is_named_with_the_remedy(tmp_path):
    (tmp_path / "own.py").write_text("import simaie_test_helper.part")
    with pytest.raises(InputError) as alone:
        import_file(tmp_path / "own.py")
    assert "PYTHONPATH" not in str(alone.value)
    (tmp_path / "simaie_test_helper").mkdir()
    with pytest.raises(InputError, match=re.escape(f"PYTHONPATH={tmp_path}")):
        import_file(tmp_path / "own.py")


def test_what_a_scheme_does_not_emulate_is_an_error_of_its_own():
    with pytest.raises(NotEmulatedError):
        simaie.explore(simaie.corpus.program("two-sc-one-generation"), Machine("global-lock"), executions=1)
