"""The pytest plug-in, in real pytest runs."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import simaie
from pytest_simaie.kept import let_go
from pytest_simaie.testing import MOST_FAILING
from simaie import Machine
from simaie.replaying.file import read_replay_file
from simaie.replaying.shrink import Size

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial" / "pytest-and-hypothesis.md"
FILES = dict(re.findall(r'```python title="([^"]*)"\n(.*?)```', PAGE.read_text("utf-8"), flags=re.DOTALL))
ABA, DRAWN = FILES["test_aba.py"], FILES["test_drawn.py"]
#: Hypothesis leaves what it finds as it is.
FOUND = DRAWN.replace("import given", "import Phase, given").replace("=2000", "=2000, phases=[Phase.generate]")
PROGRAM = ABA.split("@pytest")[0] + """
ABA = Program("a-b-a", isa="arm", threads=[to(7), to(1) + to(0)], init={0x100: 0})
"""


def run(pytester, *arguments):
    fixed = ("-p", "no:cacheprovider", "-p", "no:randomly", "--hypothesis-seed=0")
    return pytester.runpytest_inprocess(*fixed, *arguments)


def outcomes(result):
    return {k: v for k, v in result.parseoutcomes().items() if k in ("passed", "failed", "error", "errors")}


def kept(pytester):
    return sorted((pytester.path / ".simaie").glob("*.json"))


def test_loading_it_imports_neither_trio_nor_hypothesis_nor_simaie():
    code = "import sys, pytest_simaie; print(sorted({'trio', 'hypothesis', 'simaie'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def replay_line(result):
    """Return the arguments of the command that the report names."""
    line = next(line for line in result.outlines if line.startswith("replay: "))
    command, *arguments = shlex.split(line.removeprefix("replay: "))
    assert command == "pytest"
    return arguments


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (ABA, "llsc-atomicity"),
        pytest.param(DRAWN, "llsc-atomicity-value", marks=pytest.mark.soak),
        (FOUND, "llsc-atomicity-value"),
    ],
    ids=["written", "drawn", "drawn, and cut only by the plug-in"],
)
def test_the_documented_tests_fail_replay_by_their_line_and_pass_under_another_scheme(pytester, code, kind):
    """The line that pytest prints is run as it stands; the counterexample is the least there is.

    In it the value changed and came back, whether the checker looks at values or not: LL; LL, SC, LL, SC; SC. Either
    vCPU may be the one that loses, and where it is the second it deviates once more.
    """
    least = (1, 2, 6, 6)
    path = pytester.makepyfile(test_aba=code)
    first = run(pytester)
    assert outcomes(first) == {"failed": 1}
    (file,) = kept(pytester)
    assert read_replay_file(file).findings[0].kind == kind
    size = Size.of(simaie.replay(file, machine=Machine("cas")).trace)
    assert size in (least, (2, *least[1:]))
    assert outcomes(run(pytester, *replay_line(first))) == {"failed": 1}
    few = code.replace("max_examples=2000", "max_examples=20, database=None")  # in which the drawn one finds nothing
    path.write_text(few)
    assert outcomes(run(pytester)) == {"failed": 1}, "what is kept is tried first"
    path.write_text(few.replace('"cas"', '"aie-rfc"'))
    assert outcomes(run(pytester, *replay_line(first))) == {"passed": 1}
    assert kept(pytester), "a replay lets nothing go"
    assert outcomes(run(pytester)) == {"passed": 1}
    assert not kept(pytester), "what passes is let go"


def test_a_kept_failure_is_tried_before_the_search(pytester):
    """The search of the second run is too short to find it again."""
    pytester.makepyfile(ABA)
    assert outcomes(run(pytester)) == {"failed": 1}
    short = ("--simaie-scheduler", "round-robin", "--simaie-executions", "1", "--simaie-seed", "3")
    assert outcomes(run(pytester, *short)) == {"failed": 1}
    kept(pytester)[0].unlink()
    assert outcomes(run(pytester, *short)) == {"passed": 1}


def test_a_damaged_kept_file_does_no_harm(pytester):
    """It is replaced by the next failure; until then it is reported and not deleted, since it may be repaired."""
    path = pytester.makepyfile(ABA)
    run(pytester)
    kept(pytester)[0].write_text("{")
    assert outcomes(run(pytester)) == {"failed": 1}
    assert read_replay_file(kept(pytester)[0]).findings
    path.write_text(ABA.replace('"cas"', '"aie-rfc"'))
    kept(pytester)[0].write_text("{")
    result = run(pytester, "-W", "default::pytest.PytestWarning")
    assert result.parseoutcomes() == {"passed": 1, "warnings": 1}
    assert [file.read_text() for file in kept(pytester)] == ["{"]


def test_what_is_broken_for_a_moment_deletes_no_kept_failure(pytester):
    """An unknown scheme, or a limit that cuts the execution short, says nothing about the failure."""
    path = pytester.makepyfile(ABA)
    run(pytester)
    (before,) = kept(pytester)
    content = before.read_bytes()
    for broken in ('"nonsense"', '"cas", limits=Limits(steps=3)'):
        path.write_text("from simaie import Limits\n" + ABA.replace('"cas"', broken))
        run(pytester)
        assert before.read_bytes() == content
    path.write_text(ABA.replace('"cas"', '"aie-rfc"'))
    assert run(pytester).parseoutcomes() == {"passed": 1}
    assert not kept(pytester)


def test_a_kept_file_that_another_run_has_written_in_the_meantime_stays(tmp_path):
    file = tmp_path / "kept.json"
    file.write_bytes(b"theirs")
    let_go(file, b"mine")
    assert file.read_bytes() == b"theirs"
    let_go(file, b"theirs")
    assert not file.exists()


def test_a_failure_that_cannot_be_kept_is_told_all_the_same(pytester):
    pytester.makepyfile(ABA)
    (pytester.path / ".simaie").write_text("a file is in the way")
    result = run(pytester)
    assert outcomes(result) == {"failed": 1}
    result.stdout.fnmatch_lines(["*it is not kept: *", "reproduce: *"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_failures_are_saved_to_a_folder_of_choice_too(pytester):
    pytester.makepyfile(ABA)
    run(pytester, "--simaie-save", "out")
    assert [file.name for file in (pytester.path / "out").iterdir()] == [kept(pytester)[0].name]


def test_a_fixture_replays_too_and_refuses_the_file_of_another_program(pytester):
    """The program that is explored before the failing one is not judged in a replay."""
    path = pytester.makepyfile(PROGRAM + """
OTHER = Program("other", isa="arm", threads=[to(7), to(1) + to(2)], init={0x100: 0})

def test_fixture(explore):
    assert explore(OTHER, scheme="aie-rfc", scheduler="dpor") is not None
    explore(ABA, scheme="cas", scheduler="dpor")
""")
    first = run(pytester)
    assert outcomes(first) == {"failed": 1}
    again = run(pytester, *replay_line(first))
    assert outcomes(again) == {"failed": 1}
    again.stdout.fnmatch_lines(["llsc-atomicity: *"])
    path.write_text(path.read_text().replace("to(7), to(1) + to(0)", "to(7), to(2) + to(0)"))
    again = run(pytester, *replay_line(first))
    assert outcomes(again) == {"failed": 1}
    again.stdout.fnmatch_lines(["*another program*"])


def test_a_report_shows_the_program_the_trace_and_the_explanation(pytester):
    """As a test of the words: what a reader needs is there, in this order."""
    pytester.makepyfile(ABA)
    run(pytester).stdout.fnmatch_lines(
        ["llsc-atomicity: *", 'program "a-b-a"', "P0 * | P1*", "step * vCPU 0 * vCPU 1", "*may only store if*",
         "replay: pytest *"]
    )  # fmt: skip


def test_programs_come_as_arguments_and_from_the_fixture(pytester):
    pytester.makepyfile(PROGRAM + """
@pytest.mark.parametrize("program", [ABA])
@pytest.mark.simaie(scheduler="dpor")
def test_taken(program):
    pass

@pytest.mark.simaie(scheme="cas", scheduler="dpor")
def test_fixture_with_the_options_of_the_mark(explore):
    explore(ABA)

def test_fixture_alone(explore):
    assert explore(ABA, scheme="aie-rfc", scheduler="dpor").verdict == "holds"
""")
    assert outcomes(run(pytester)) == {"passed": 2, "failed": 1}


def test_async_tests_of_pytest_trio_and_given_tests(pytester):
    """Each fails, replays by its file, and is refused the other's."""
    pytester.makepyfile(PROGRAM + """
import trio
from hypothesis import given, settings, strategies as st

@pytest.mark.trio
@pytest.mark.simaie(scheme="cas", scheduler="dpor")
async def test_async():
    await trio.sleep(0)
    return ABA

@pytest.mark.simaie(scheme="cas", scheduler="dpor")
@settings(max_examples=10, derandomize=True, deadline=None, database=None)
@given(st.sampled_from([ABA]))
def test_given(program):
    pass
""")
    assert outcomes(run(pytester)) == {"failed": 2}
    files = {read_replay_file(file).test: file for file in kept(pytester)}
    assert sorted(test.partition("::")[2] for test in files) == ["test_async", "test_given"]
    for test, file in files.items():
        result = run(pytester, test, "--simaie-replay", str(file))
        assert outcomes(result) == {"failed": 1}
        result.stdout.fnmatch_lines(["llsc-atomicity: *"])
        result = run(pytester, *({*files} - {test}), "--simaie-replay", str(file))
        assert outcomes(result) == {"failed": 1}
        result.stdout.fnmatch_lines([f"*holds a failure of {test}, not of *"])


def test_async_tests_that_take_what_is_drawn(pytester):
    pytester.makepyfile(PROGRAM + """
import trio
from hypothesis import given, settings, strategies as st

@pytest.mark.trio
@pytest.mark.simaie(scheme="cas", scheduler="dpor")
@settings(max_examples=10, derandomize=True, deadline=None, database=None)
@given(program=st.sampled_from([ABA]))
async def test_both(program):
    await trio.sleep(0)
""")
    first = run(pytester)
    assert outcomes(first) == {"failed": 1}
    assert outcomes(run(pytester, *replay_line(first))) == {"failed": 1}


def test_xdist_workers_keep_failures_too(pytester):
    pytester.makepyfile(ABA + ABA.split("import Program, ins")[1].replace("def test_a", "def test_another_a"))
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-n", "2")
    assert outcomes(result) == {"failed": 2}
    assert len(kept(pytester)) == 2
    assert outcomes(run(pytester, *replay_line(result))) == {"failed": 1}


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ('schema="cas"', "*no option 'schema'*did you mean 'scheme'*known: scheme*"),
        ('"cas"', "*by name*"),
        ('scheme="csa"', "*did you mean 'cas'*"),
        ("executions=0", "*executions*"),
    ],
)
def test_a_wrong_mark_is_one_clear_error(pytester, mark, said):
    pytester.makepyfile(ABA.replace('scheme="cas", scheduler="dpor"', mark))
    result = run(pytester)
    assert outcomes(result) == {"failed": 1}
    result.stdout.fnmatch_lines([said])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_marked_test_without_a_program_is_refused(pytester):
    pytester.makepyfile("import pytest\n@pytest.mark.simaie\ndef test_nothing():\n    pass\n")
    result = run(pytester)
    assert outcomes(result) == {"failed": 1}
    result.stdout.fnmatch_lines(["*must return a simaie.Program*"])


def test_a_replay_file_of_another_test_or_none_is_refused(pytester):
    pytester.makepyfile(ABA)
    run(pytester)
    (file,) = kept(pytester)
    pytester.makepyfile(ABA.replace("to(7)", "to(8)"))
    result = run(pytester, "--simaie-replay", str(file))
    assert outcomes(result) == {"failed": 1}
    result.stdout.fnmatch_lines(["*another program*"])
    result = run(pytester, "--simaie-replay", "gone.json")
    assert outcomes(result) == {"failed": 1}
    result.stdout.fnmatch_lines(["*cannot be read*"])


WEAK_AND_STRONG = """
import pytest
from simaie import Program, ins

X = 0x100
LOOP = [ins("ldrex", X), ins("strex", X, 7)]

def storing(*values):
    return Program("storing", isa="arm", threads=[LOOP, [ins("str_", X, value) for value in values]], init={X: 0})
"""


def other_ways(result):
    """The lines of the report on a failure; the summary below it repeats them where CI is set."""
    report = itertools.takewhile(lambda line: "short test summary" not in line, result.outlines)
    return [line for line in report if line.startswith("fails in another way too")]


def test_each_signature_is_reported_once_and_the_strongest_is_the_tests_own(pytester):
    """A store of the value that is there is found first; each failure is written where failures are collected."""
    pytester.makepyfile(WEAK_AND_STRONG + """
@pytest.mark.simaie(scheme="cas", scheduler="dfs", executions=300)
def test_stores():
    return storing(0, 1, 0)
""")
    result = run(pytester, "--simaie-save", "out")
    assert outcomes(result) == {"failed": 1}
    files = sorted((pytester.path / "out").glob("*.json"))
    failures = [simaie.replay(file, machine=Machine("cas")) for file in files]
    assert len({failure.signature for failure in failures}) == len(failures) == 2
    assert len(other_ways(result)) == 1
    (own,) = kept(pytester)
    assert simaie.replay(own).strength == max(failure.strength for failure in failures)
    assert len({failure.strength for failure in failures}) == 2


def test_one_signature_is_reported_once(pytester):
    pytester.makepyfile(WEAK_AND_STRONG + """
@pytest.mark.simaie(scheme="cas", scheduler="dfs", executions=300)
def test_stores():
    return storing(0, 0, 0)
""")
    assert not other_ways(run(pytester))


def test_the_search_ends_behind_enough_failing_executions(pytester, monkeypatch):
    reports = []

    def recorded(*given, **options):
        reports.append(simaie.explore(*given, **options))
        return reports[-1]

    monkeypatch.setattr("pytest_simaie.testing.explore_program", recorded)
    pytester.makepyfile(WEAK_AND_STRONG + """
@pytest.mark.simaie(scheme="none", scheduler="random-walk")
def test_stores():
    return storing(0, 0, 0)
""")
    assert outcomes(run(pytester)) == {"failed": 1}
    (report,) = reports
    assert report.failing == MOST_FAILING
    assert report.executions < 10_000


def test_of_drawn_programs_the_strongest_failure_is_kept_though_a_weaker_one_is_smaller(pytester):
    pytester.makepyfile(WEAK_AND_STRONG + """
from hypothesis import given, settings, strategies as st

@pytest.mark.simaie(scheme="cas", scheduler="dpor", executions=100)
@settings(max_examples=20, derandomize=True, deadline=None, database=None)
@given(st.sampled_from([storing(0), storing(1, 0), storing(1, 0, 2), storing(3)]))
def test_drawn(program):
    pass
""")
    assert outcomes(run(pytester)) == {"failed": 1}
    (file,) = kept(pytester)
    kinds = {finding.kind for finding in simaie.replay(file).strongest}
    assert kinds == {"llsc-atomicity-value"}


def test_control_characters_of_guests_are_escaped_in_reports(pytester):
    pytester.makepyfile(
        """
        import pytest
        from simaie import Program
        from simaie.finding import Finding

        ODD = "\\x1b[31m\\x07\\r"

        def judges(trace):
            return (Finding("kind" + ODD, "message" + ODD, (0,), (0x100,), ("0",)),)

        async def thread(cpu):
            async with cpu.atomic("block" + ODD):
                await cpu.store(0x100, 1)

        async def raises(cpu):
            await cpu.store(0x100, 1)
            raise ValueError("raised" + ODD)

        @pytest.mark.simaie
        def test_found():
            return Program("program" + ODD, isa="arm", threads=[thread], checkers=[judges])

        @pytest.mark.simaie
        def test_raised():
            return Program("program" + ODD, isa="arm", threads=[raises])
        """
    )
    result = run(pytester, "--color=no", "--tb=short")
    assert outcomes(result) == {"failed": 2}
    shown = result.stdout.str()
    assert not set(shown) & {"\x1b", "\x07"}
    for words in ("kind", "message", "block", "raised"):
        assert words + "\\x1b[31m\\x07\\r" in shown


def test_unmet_goals_are_a_warning(pytester):
    """A test passes although a goal never happened, and pytest's summary has one warning for it."""
    pytester.makepyfile(
        """
import pytest
from simaie import Program

async def adds(cpu):
    cpu.reachable("here")
    if await cpu.ldrex(0x100):
        cpu.reachable("there")

@pytest.mark.simaie(executions=5)
def test_goals():
    return Program("goals", isa="arm", threads=[adds], init={0x100: 0})
"""
    )
    result = run(pytester, "-W", "default")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*'there'*"])
    result.stdout.no_fnmatch_line("*'here'*")
