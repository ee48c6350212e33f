"""A replay file knows who judged, and on which driver it ran: nobody has to say it again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import simaie
from simaie import Finding, Machine, Program, explore, ins, replay
from simaie.check import DEFAULT
from simaie.cli import main
from simaie.errors import InputError, ReplayError, UnnamedCodeError, UsageError
from simaie.replaying.target import find_target, recorded_path

X = 0x100
GUEST = '''
import trio
from simaie import Finding, Program
from simaie.check import linearizable

X = 0x100

class Pairs:
    """A counter that counts by two, which the guest's does not."""
    initial = 0

    @staticmethod
    def apply(state, name, args):
        return state + 2, state

def too_long(trace):
    return [Finding("too-long", "more than one step", (1,))] if len(trace) > 1 else []

async def add(cpu):
    async with cpu.call("add") as call:
        call.returns(await cpu.lock_xadd(X, 1))

async def sleeper(cpu):
    await trio.sleep(1)
    await cpu.lock_xadd(X, 1)

program = Program("adders", isa="x86", threads=[add, add, add], init={X: 0})
sleepers = Program("sleepers", isa="x86", threads=[sleeper, sleeper], init={X: 0}, final=lambda m: False)
lost = linearizable(Pairs)
number = 5
'''


@pytest.fixture(name="guest")
def fixture_guest(tmp_path: Path) -> Path:
    path = tmp_path / "guest.py"
    path.write_text(GUEST, "utf-8")
    return path


def failed(program: Program, *checkers, **options) -> simaie.Failure:
    return explore(program, Machine(), checkers=checkers, scheduler="random-walk", **options).failures[0]


def unheard_of(trace):
    """A checker that is the global of this file."""
    return [Finding("any", "all is wrong", (0,))]


INCREMENTS = Program("increments", isa="x86", threads=[[ins("lock_inc", X)]] * 2, init={X: 0})


@pytest.mark.parametrize(
    ("choice", "kind"),
    [("too_long", "too-long"), ("lost", "linearizability"), ("Pairs", "linearizability")],
)
def test_what_a_file_defines_judges_again(guest, tmp_path, choice, kind):
    """A checker as well as the specification of an object."""
    target = f"{guest}:program"
    assert main(["explore", target, "--checker", f"{guest}:{choice}", "--save", str(tmp_path / "found")]) == 1
    (file,) = (tmp_path / "found").glob("*.json")
    with pytest.raises(UnnamedCodeError, match=f"--checker .*guest.py:{choice}"):
        replay(file)
    again = replay(file, trust=True)
    assert [finding.kind for finding in again.findings] == [kind]
    assert again.shrink(executions=40).failure.findings[0].kind == kind
    assert again.checkers == (f"{tmp_path / 'guest.py'}:{choice}",)


def test_a_path_is_shown_without_the_way_up(guest, tmp_path, monkeypatch):
    """The hint names the file as a user would type it, from the folder in which the user is."""
    monkeypatch.chdir(tmp_path)
    file = failed(find_target(f"{guest}:program"), f"{guest}:too_long").save(Path("sub") / "a.json")
    with pytest.raises(UnnamedCodeError, match=r"--checker guest\.py:too_long"):
        replay(file)
    assert recorded_path(Path("sub"), "../guest.py") == Path("guest.py")
    assert recorded_path(tmp_path / "sub", "../guest.py") == tmp_path / "guest.py"
    assert recorded_path(Path("sub"), "guest.py") == Path("sub/guest.py")
    monkeypatch.chdir(tmp_path / "sub")
    assert recorded_path(Path("."), "../guest.py") == tmp_path / "guest.py"
    assert recorded_path(Path("."), "../\0") == Path("../\0")


@pytest.mark.parametrize("command", ["replay", "check", "shrink", "show"])
def test_the_commands_need_only_trust(guest, tmp_path, capsys, command):
    file = failed(find_target(f"{guest}:program"), f"{guest}:too_long").save(tmp_path / "sub" / "a.json")
    capsys.readouterr()
    status = main([command, str(file), "--trust", *(["--format", "json"] if command != "show" else [])])
    assert status == (command in ("replay", "check"))  # the others return no verdict
    out = capsys.readouterr().out
    if command == "show":
        assert "too-long" in out
    else:
        assert {finding["kind"] for finding in json.loads(out)["findings"]} == {"too-long"}


def test_a_named_checker_and_a_function_of_a_module_come_back(tmp_path):
    failure = failed(INCREMENTS, unheard_of, "data-races")
    assert failure.shrink().failure.checkers == (unheard_of, "data-races")
    again = replay(failure.save(tmp_path / "a.json"), trust=True)
    assert [finding.kind for finding in again.findings] == ["any"]
    assert again.checkers[1] == "data-races"
    assert f"--checker {Path(__file__)}:unheard_of --checker data-races" in failure.command


def test_the_usual_are_those_of_today(tmp_path):
    program = Program("bad", isa="x86", threads=[[ins("lock_inc", X)]], init={X: 0}, final=lambda m: False)
    failure = explore(program).failures[0]
    assert failure.checkers == DEFAULT
    file = failure.save(tmp_path / "a.json")
    assert json.loads(file.read_text())["checkers"] == []
    assert replay(file).checkers == DEFAULT
    assert "--checker" not in failure.command


def test_the_caller_has_the_last_word(tmp_path):
    file = failed(INCREMENTS, unheard_of).save(tmp_path / "a.json")
    assert replay(file, checkers=["rmw-atomicity"]).findings == ()
    with pytest.raises(UsageError, match="nothing to shrink"):
        replay(file, checkers=[]).shrink()


def test_a_function_that_stands_nowhere_has_to_be_given(tmp_path):
    file = failed(INCREMENTS, lambda trace: [Finding("any", "all is wrong")]).save(tmp_path / "a.json")
    with pytest.raises(ReplayError, match="cannot be found again"):
        replay(file)
    assert main(["check", str(file)]) == 2
    assert main(["check", str(file), "--checker", f"{__file__}:unheard_of"]) == 1


def test_a_checker_that_has_changed_is_not_run_unless_it_is_named(guest, tmp_path, monkeypatch):
    checker = tmp_path / "checker.py"
    checker.write_text("def checker(trace):\n    return []\n", "utf-8")
    failure = failed(INCREMENTS, unheard_of)
    file = simaie.Failure(**{**vars(failure), "checkers": (f"{checker}:checker",)}).save(tmp_path / "a.json")
    checker.write_text("raise SystemExit('it ran')\n", "utf-8")
    with pytest.raises(ReplayError, match="has changed"):
        replay(file, trust=True)
    checker.unlink()
    with pytest.raises(ReplayError, match="is gone"):
        replay(file, trust=True)


def test_who_names_a_changed_file_for_the_program_trusts_its_checkers(guest, tmp_path):
    file = failed(find_target(f"{guest}:program"), f"{guest}:too_long").save(tmp_path / "a.json")
    guest.write_text(guest.read_text("utf-8") + "\n# changed\n", "utf-8")
    again = replay(file, program=f"{guest}:program")
    assert [finding.kind for finding in again.findings] == ["too-long"]


@pytest.mark.parametrize("name", ["number", "nothing"])
def test_what_is_no_checker_is_one_line_and_status_2(guest, capsys, name):
    assert main(["explore", f"{guest}:program", "--checker", f"{guest}:{name}"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises((InputError, UsageError)):
        explore(INCREMENTS, checkers=[f"{guest}:{name}"])


def test_a_guest_that_awaits_trio_replays_on_trio(guest, tmp_path):
    failure = failed(find_target(f"{guest}:sleepers"), "final-check", driver="trio")
    file = failure.save(tmp_path / "a.json")
    assert replay(file).driver == "trio"
    assert main(["check", str(file)]) == 1


@pytest.mark.parametrize(
    "record", [{"name": "{evil}:checker"}, {"name": "checker", "custom": True, "source": "evil.py"}]
)
def test_a_file_cannot_make_anybody_run_what_it_names(tmp_path, record):
    evil = tmp_path / "evil.py"
    evil.write_text("raise SystemExit('it ran')\n", "utf-8")
    file = failed(INCREMENTS, unheard_of).save(tmp_path / "a.json")
    document = json.loads(file.read_text("utf-8"))
    document["checkers"] = [{**record, "name": record["name"].format(evil=evil)}]
    file.write_text(json.dumps(document), "utf-8")
    with pytest.raises(ReplayError):
        replay(file)
    assert main(["check", str(file)]) == 2


def test_an_unknown_name_in_a_file_is_one_clear_error(tmp_path):
    file = failed(INCREMENTS, unheard_of).save(tmp_path / "a.json")
    document = json.loads(file.read_text("utf-8"))
    document["checkers"] = [{"name": "no-such-checker"}]
    file.write_text(json.dumps(document), "utf-8")
    with pytest.raises(UsageError, match="no-such-checker"):
        replay(file)
    assert main(["check", str(file)]) == 2
