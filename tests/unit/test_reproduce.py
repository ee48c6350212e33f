"""Every line that says how to run into a failure again does so: in a fresh process, as it was printed."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from fresh import fresh

import simaie
from simaie import Machine, Program, corpus, explore, ins
from simaie.cli import main
from simaie.definitions import value_of
from simaie.guest.text import program_text, read_program
from simaie.replaying.player import replay
from simaie.replaying.reproduce import target_of
from simaie.replaying.target import find_target

MINE = '''
from simaie import Program, Scheduler, Scheme
from simaie.finding import Finding
from simaie.host.tso import TsoMemory


class BigLock(Scheme):
    name = "big-lock"

    def __init__(self, host, pages, machine, *, spare=1, **options):
        super().__init__(host, pages, machine, **options)
        self.lock = host.mutex("big lock")

    async def atomic_rmw(self, cpu, address, width, function):
        await self.lock.lock()
        old = await self.host.load(address, width)
        await self.host.store(address, width, function.apply(old))
        await self.lock.unlock()
        return old


class Memory(TsoMemory):
    def __init__(self, endian, *, depth=3):
        super().__init__(endian)


class LastFirst(Scheduler):
    def __init__(self, *, place=-1):
        self.place = place

    def choose(self, offer):
        return offer.candidates[self.place]


def longer(than=3):
    return lambda trace: [Finding("too-long", "it is long")] if len(trace) > than else []


async def adder(cpu):
    await cpu.lock_xadd(0x1000, 1)


async def storer(cpu):
    await cpu.store(0x1000, 5)


program = Program("store-vs-xadd", isa="x86", threads=[adder, storer], init={0x1000: 0},
                  final=lambda memory: memory[0x1000] in (5, 6))
'''
GUEST = """program "taken back"
isa arm
init 0x100 = 5

P0                  | P1
r0 = ldrex 0x100    | str_ 0x100, 7
r1 = strex 0x100, 6 | str_ 0x100, 5
r2 = ldr 0x100      | str_ 0x100, 5
"""
AGAIN = re.compile(r"^\s*(?:reproduce|saved|signature.*|fuzz.*): (simaie .*)$|^(simaie replay .*)$", re.MULTILINE)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "mine.py").write_text(MINE)
    (folder / "taken.guest").write_text(GUEST)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "1000")  # no line is broken
    return folder


def in_fresh_process(line: str) -> dict:
    """What a printed command says, as JSON; it must run into a violation."""
    words = [*shlex.split(line), "--format", "json"]
    assert words[0] == "simaie"
    said = fresh(*words[1:])
    assert said.status == (0 if line.startswith("simaie shrink") else 1), (line, said.err)
    return json.loads(said.out)


def digest_of(document: dict) -> str:
    return document["failures"][0]["digest"] if "failures" in document else document["trace"]["digest"]


def printed(capsys, *words: str, status: int = 1) -> list[str]:
    """The commands that a command prints, once each."""
    assert main(list(words)) == status
    lines = [first or second for first, second in AGAIN.findall(capsys.readouterr().out)]
    assert lines
    return list(dict.fromkeys(lines))


MACHINES = [
    ["--scheme", "mine.py:BigLock"],
    ["--scheme", "mine.py:BigLock:spare=2,barriers=none", "--host", "mine.py:Memory:depth=1"],
]


@pytest.mark.parametrize("machine", MACHINES)
def test_of_explore_and_of_what_it_saved(capsys, machine):
    again, saved = printed(capsys, "explore", "mine.py:program", *machine, "--scheduler", "dpor", "--save", "found")
    assert digest_of(in_fresh_process(again)) == digest_of(in_fresh_process(saved))


def test_of_a_scheduler_and_a_checker_of_ones_own(capsys):
    words = ["--scheme", "mine.py:BigLock", "--scheduler", "mine.py:LastFirst:place=0", "--executions", "1"]
    again, saved = printed(capsys, "explore", "mine.py:program", *words, "--checker", "mine.py:longer:than=2",
                           "--save", "found")  # fmt: skip
    assert digest_of(in_fresh_process(again)) == digest_of(in_fresh_process(saved))


def test_of_a_text_and_of_what_is_left_when_it_is_shrunk(capsys):
    again, saved = printed(capsys, "explore", "taken.guest", "--scheme", "cas", "--save", "found")
    assert digest_of(in_fresh_process(again)) == digest_of(in_fresh_process(saved))
    file = shlex.split(saved)[2]
    short = printed(capsys, "shrink", file, "--out", "short one.json", status=0)
    assert len({digest_of(in_fresh_process(line)) for line in short}) == 1
    assert len(short) == 2
    Path("taken.guest").unlink()
    (again,) = printed(capsys, "shrink", file, status=0)
    assert digest_of(in_fresh_process(again)) == digest_of(in_fresh_process(short[1]))


def test_a_program_whose_file_is_gone_has_no_name_on_the_command_line():
    kept = read_program(Path("taken.guest"))
    assert target_of(kept) == "taken.guest"
    Path("taken.guest").unlink()
    assert target_of(kept) is None


def test_of_what_is_shrunk_under_a_scheme_of_ones_own(capsys):
    saved = printed(capsys, "explore", "mine.py:program", *MACHINES[1], "--save", "found")[1]
    words = shlex.split(saved)[2:]
    short = printed(capsys, "shrink", *words, "--out", "short.json", status=0)
    assert len({digest_of(in_fresh_process(line)) for line in short}) == 1


@pytest.mark.untraced
def test_of_fuzzing(capsys):
    words = ["--examples", "40", "--seed", "1", "--save", "fuzz ed"]
    lines = printed(capsys, "fuzz", "--isa", "x86", "--scheme", "mine.py:BigLock", *words)
    assert in_fresh_process(lines[0])["verdict"] == "violated"
    file = shlex.split(lines[0])[2]
    assert replay(file, scheme="mine.py:BigLock").how_to_reproduce == lines[0]  # no other command knows the program


@pytest.mark.parametrize("command", ["compare", "barriers"])
def test_of_outcomes_that_are_forbidden(capsys, command):
    """To explore is to judge by checkers; what was saved says that the outcome is forbidden."""
    lines = printed(capsys, command, "mine.py:program", *MACHINES[1][:2], "--host", "mine.py:Memory", "--save", "found")
    for line in lines:
        assert in_fresh_process(line)["verdict"] == "violated"


@pytest.mark.untraced
def test_of_the_audit(capsys):
    lines = printed(capsys, "audit", "--scheme", "mine.py:BigLock", "--row", "6", "--row", "24")
    assert len(lines) == 5
    for line in (lines[0], lines[-1]):
        in_fresh_process(line)


# -- classes that were given in Python ---------------------------------------------------------------------


def of(program: Program, machine: Machine, **options: object) -> simaie.Failure:
    report = explore(program, machine, **{"scheduler": "dpor", **options})
    return report.failures[0]


def test_of_a_class_that_is_the_global_of_a_file():
    program, scheme = find_target("mine.py:program"), value_of(Path("mine.py"), "BigLock")
    failure = of(program, Machine(scheme, host=value_of(Path("mine.py"), "Memory")))
    assert digest_of(in_fresh_process(failure.how_to_reproduce)) == failure.trace.digest
    saved = failure.replay_command(failure.save("saved.json"))
    assert digest_of(in_fresh_process(saved)) == failure.trace.digest


def test_of_a_class_that_has_a_registered_name():
    from simaie.schemes.cas import CompareAndSwap

    failure = of(find_target("taken.guest"), Machine(CompareAndSwap))
    assert "--scheme cas " in failure.how_to_reproduce
    assert digest_of(in_fresh_process(failure.how_to_reproduce)) == failure.trace.digest


def test_of_a_scheduler_object_and_of_options_without_a_text():
    """Neither has a name on a command line: the schedule has."""
    program, made = find_target("mine.py:program"), value_of(Path("mine.py"), "LastFirst")(place=0)
    found = value_of(Path("mine.py"), "longer")(2)
    for scheduler in (made, ("scripted", {"schedule": ["0"]})):
        report = explore(program, Machine("none"), scheduler=scheduler, executions=1, checkers=[found])
        (failure,) = report.failures
        command = [*shlex.split(failure.how_to_reproduce), "--checker", "mine.py:longer:than=2"]
        assert digest_of(in_fresh_process(shlex.join(command))) == failure.trace.digest


def test_of_a_program_of_the_corpus_on_another_machine_than_it_needs():
    """The command line would take the machine that the program is meant for."""
    for name, scheme in (("first-registration-window", "none"), ("aliases-full-system", "none")):
        failure = of(corpus.program(name), Machine(scheme))
        assert digest_of(in_fresh_process(failure.how_to_reproduce)) == failure.trace.digest


def test_of_another_execution_than_the_recorded_one():
    """The scheduler would choose the old one: what is left is the schedule."""
    saved = of(find_target("taken.guest"), Machine("cas"), scheduler="random-walk").save("saved.json")
    Path("other.guest").write_text(GUEST.replace("taken back", "another").replace("r2 = ldr 0x100 ", "r2 = ldr 0x104 "))
    failure = replay(saved, program=find_target("other.guest"), mode="best-effort")
    assert failure.findings
    assert digest_of(in_fresh_process(failure.how_to_reproduce)) == failure.trace.digest


def test_of_a_class_and_a_program_that_no_file_defines():
    """No command can name them; the Python that stands there instead takes what it names."""

    class Local(value_of(Path("mine.py"), "BigLock")):  # type: ignore[misc]  # a class all the same
        pass

    async def adder(cpu):
        await cpu.lock_xadd(0x1000, 1)

    local = Program("local", isa="x86", threads=[adder, [ins("store", 0x1000, 5)]], init={0x1000: 0})
    failure = of(local, Machine(Local))
    assert "program=..., machine=..." in failure.how_to_reproduce
    again = replay(failure.save("failure.json"), program=local, machine=Machine(Local))
    assert again.trace.digest == failure.trace.digest


# -- sessions and widgets ------------------------------------------------------------------------------------


DRAWN = """
from simaie import Program, ins
program = Program("drawn", isa="x86", threads=[[ins("store", 0x100, 1)], [ins("store", 0x100, 2)]], init={0x100: 0},
                  final=lambda memory: memory[0x100] == 1)
"""


def python(line: str, before: str = "") -> str:
    code = f"import simaie\nfrom simaie import Machine\n{before}\n{line}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def session_of(*steps: int) -> simaie.exploration.interactive.Session:
    scheme = value_of(Path("mine.py"), "BigLock")
    return simaie.interactive(find_target("mine.py:program"), Machine(scheme)).step(*steps)


def test_of_a_session_that_found_something():
    session = session_of(0, 0, 1).run("round-robin")
    assert session.findings
    path = session.save("session.json")
    assert digest_of(in_fresh_process(session.how_to_reproduce(path))) == session.trace.digest


def test_of_a_session_that_has_only_a_schedule():
    session = session_of(1, 0).run("round-robin")
    assert not session.findings
    path = session.save("schedule.txt")
    words = [sys.executable, "-m", *shlex.split(session.how_to_reproduce(path)), "--format", "json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["executions"] == 1


def test_of_a_session_of_a_program_that_no_file_defines():
    exec(DRAWN, namespace := {})  # as a cell of a notebook is
    program, before = namespace["program"], f"{DRAWN}\nsession = simaie.interactive(program, Machine('cas')).step(0, 1)"
    session = simaie.interactive(program, Machine("cas")).step(1, 0)
    assert not session.findings
    assert python(f"print({session.how_to_reproduce('schedule.txt')}.trace.digest)", before) == session.trace.digest
    session.restart().step(0, 1)
    line = session.how_to_reproduce(session.save("session.json"))
    named = line.replace("program=..., machine=...", "program=program, machine=Machine('cas')")
    assert python(f"print({named}.trace.digest)", before) == session.trace.digest


def test_of_the_button_that_saves():
    pytest.importorskip("anywidget")
    from simaie.show.widgets.session import SessionView

    view = SessionView(session_of(0, 0, 1).run("round-robin"))
    said = view._do("save", path="by button.json")
    line = said.partition("to be run again by ")[2]
    assert in_fresh_process(line)["verdict"] == "violated"


def test_of_a_test_in_pytest(files):
    Path("test_mine.py").write_text(
        "import pytest\nfrom simaie.replaying.target import find_target\n\n"
        "@pytest.mark.simaie(scheme='mine.py:BigLock')\n"
        "def test_holds():\n    return find_target('mine.py:program')\n"
    )
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 1, done.stdout
    line = re.search(r"^.*replay: (pytest .*)$", done.stdout, re.MULTILINE)[1]
    again = subprocess.run([sys.executable, "-m", *shlex.split(line)], capture_output=True, text=True, check=False)
    assert again.returncode == 1, again.stdout
    assert "1 failed" in again.stdout


def test_the_texts_of_drawn_programs_can_be_saved_and_explored(files):
    program = find_target("taken.guest")
    Path("copy.guest").write_text(program_text(program))
    assert find_target("copy.guest").digest == program.digest
