"""What cannot be judged is one clear error, on the command line one line and status 2: no silence, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from simaie import Limits, Machine, Program, explore, ins, replay
from simaie.cli import main
from simaie.errors import OWN_CODE, UnknownNameError, UsageError

X = 0x100
GUEST = '''
from simaie import Program

class Raises:
    initial = 0

    @staticmethod
    def apply(state, name, args):
        raise KeyError(name)

class Half:
    initial = 0

def raises(trace):
    raise KeyError("boom")

def gives_nothing(trace):
    return None

def gives_text(trace):
    return ["bad"]

def of_two(trace, more):
    return ()

async def called(cpu):
    async with cpu.call("push", 1) as call:
        await cpu.lock_xadd(0x100, 1)
        call.returns()

async def no_result(cpu):
    async with cpu.call("pop"):
        await cpu.load(0x100)

async def never_left(cpu):
    await cpu.atomic("open").__aenter__()
    await cpu.load(0x100)

def program(thread):
    return Program("guest", isa="x86", threads=[thread, thread], init={0x100: 0})

good, without_result, unbalanced = map(program, (called, no_result, never_left))
refused = Program("refused", isa="x86", threads=[called], init={0x100: 0}, final=lambda memory: 1 // memory[0x200])
'''


@pytest.fixture(name="guest")
def fixture_guest(tmp_path: Path) -> Path:
    path = tmp_path / "guest.py"
    path.write_text(GUEST, "utf-8")
    return path


@pytest.mark.parametrize(
    ("program", "options", "words"),
    [
        ("good", ["--checker", "{guest}:Raises"], "KeyError"),
        ("good", ["--checker", "{guest}:Half"], "apply"),
        ("good", ["--checker", "{guest}:raises"], "boom' at"),
        ("good", ["--checker", "{guest}:gives_nothing"], "gives-nothing"),
        ("good", ["--checker", "{guest}:gives_text"], "returned 'bad'"),
        ("good", ["--checker", "{guest}:of_two"], "takes a trace"),
        ("refused", [], "guest.py:43"),
        ("good", ["--checker", "linearizable-queue"], "push"),
        ("good", ["--checker", "linearizable-queue:limits=1"], "did you mean 'limit'"),
        ("good", ["--checker", "atomic-blocks"], "cpu.atomic"),
        ("good", ["--checker", "final-check"], "final"),
        ("without_result", [], "returns"),
        ("unbalanced", [], "inside"),
    ],
)
def test_it_is_one_line_and_status_2(guest, capsys, program, options, words):
    argv = ["explore", f"{guest}:{program}", "--executions", "5", *(word.format(guest=guest) for word in options)]
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert "Traceback" not in captured.err


def test_what_a_checker_of_our_own_raises_stays_what_it_is():
    module = {"__name__": "simaie.check.buggy"}
    exec(compile("def buggy(trace):\n    raise KeyError", f"{OWN_CODE}/check/buggy.py", "exec"), module)
    with pytest.raises(KeyError):
        explore(PLAIN, checkers=[module["buggy"]])


def test_a_checker_by_name_takes_a_limit():
    async def called(cpu):
        async with cpu.call("push", 1) as call:
            await cpu.lock_xadd(X, 1)
            call.returns()

    program = Program("two calls", isa="x86", threads=[called] * 2, init={X: 0})
    report = explore(program, checkers=["linearizable-stack:limit=1"], scheduler="dfs")
    assert report.verdict == "inconclusive"
    assert explore(program, checkers=["linearizable-stack:limit=9"], scheduler="dfs").verdict == "holds"


PLAIN = Program("plain", isa="x86", threads=[[ins("inc", X)]] * 2, init={X: 0}, final=lambda m: m[X] == 2)


@pytest.fixture(name="saved")
def fixture_saved(tmp_path: Path) -> Path:
    return explore(PLAIN, scheduler="random-walk").failures[0].save(tmp_path / "plain.json")


@pytest.mark.parametrize("checker", ["linearizable-stack", "atomic-blocks"])
def test_a_trace_without_what_a_checker_needs_is_one_line_and_status_2(saved, capsys, checker):
    assert main(["check", str(saved), "--checker", checker]) == 2
    assert main(["shrink", str(saved), "--checker", checker]) == 2
    assert capsys.readouterr().err.count("\n") == 2
    with pytest.raises(UsageError, match=checker.split("-")[0]):
        replay(saved, checkers=[checker])


@pytest.mark.parametrize("checker", ["linearizable-stack", "atomic-blocks"])
def test_an_exploration_says_at_its_end_that_a_question_had_no_answer(checker):
    with pytest.raises(UsageError, match="nothing to judge") as error:
        explore(PLAIN, checkers=[checker], scheduler="dfs")
    assert error.value.report.executions > 1


def test_the_usual_checkers_may_have_nothing_to_judge():
    program = Program("quiet", isa="x86", threads=[[ins("load", X)]])
    assert explore(program, scheduler="dfs").verdict == "holds"


def test_calls_that_only_some_executions_make_are_enough():
    async def sometimes(cpu):
        if await cpu.load(X):
            async with cpu.call("read") as call:
                call.returns(await cpu.load(X))

    async def once(cpu):
        await cpu.store(X, 1)

    program = Program("sometimes", isa="x86", threads=[sometimes, once], init={X: 0})
    assert explore(program, checkers=["linearizable-counter"], scheduler="dfs").failures


def test_an_execution_that_a_limit_cut_short_may_not_have_come_to_it():
    machine = Machine(limits=Limits(steps=1))
    assert explore(PLAIN, machine, checkers=["linearizable-stack"], executions=3).verdict == "inconclusive"


def test_an_unknown_name_is_answered_by_those_that_have_it_in_them_or_else_by_the_nearest():
    assert "did you mean 'aie-v2' or 'aie-rfc'?" in str(UnknownNameError("scheme", "aie", ["aie-rfc", "aie-v2", "cas"]))
    assert "did you mean 'cas'?" in str(UnknownNameError("scheme", "cass", ["aie-rfc", "aie-v2", "cas"]))
    assert "did you mean" not in str(UnknownNameError("scheme", "qemu", ["aie-rfc", "aie-v2", "cas"]))


def test_where_many_names_are_known_advice_stands_in_for_the_list():
    names = [f"program-{letter}" for letter in "abcdefghijklmnopq"]
    assert str(UnknownNameError("program", "zz", names, "list them")) == "unknown program 'zz' (list them)"
    assert "and 5 more" in str(UnknownNameError("program", "zz", names))
