"""The pytest plug-in, in real pytest runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from simaie.replay.file import load

README = Path(__file__).resolve().parents[2] / "README.md"
(ABA,) = (
    block
    for block in re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    if "pytest.mark.simaie" in block
)
NAME = "test_a_store_conditional_notices_a_b_a"
PROGRAM = ABA.split("@pytest")[0] + """
ABA = Program("a-b-a", isa="arm", threads=[to(7), to(1) + to(0)], init={0x100: 0})
"""


def run(pytester, *arguments):
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:randomly", *arguments)


def outcomes(result):
    return {k: v for k, v in result.parseoutcomes().items() if k in ("passed", "failed", "error", "errors")}


def kept(pytester):
    return sorted((pytester.path / ".simaie").glob("*.json"))


def test_loading_it_imports_neither_trio_nor_hypothesis_nor_simaie():
    code = "import sys, pytest_simaie; print(sorted({'trio', 'hypothesis', 'simaie'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_the_readme_test_fails_replays_by_its_line_and_passes_under_another_scheme(pytester):
    """The line that pytest prints is run as it stands."""
    path = pytester.makepyfile(test_aba=ABA)
    first = run(pytester)
    assert outcomes(first) == {"failed": 1}
    (file,) = kept(pytester)
    assert load(file).findings[0].kind == "llsc-atomicity"
    line = next(line for line in first.outlines if line.startswith("replay: "))
    command, *arguments = shlex.split(line.removeprefix("replay: "))
    assert command == "pytest"
    assert outcomes(run(pytester, *arguments)) == {"failed": 1}
    path.write_text(ABA.replace('"cas"', '"aie-rfc"'))
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
    pytester.makepyfile(ABA)
    run(pytester)
    kept(pytester)[0].write_text("{")
    assert outcomes(run(pytester)) == {"failed": 1}
    assert load(kept(pytester)[0]).findings


def test_failures_are_saved_to_a_folder_of_choice_too(pytester):
    pytester.makepyfile(ABA)
    run(pytester, "--simaie-save", "out")
    assert [file.name for file in (pytester.path / "out").iterdir()] == [kept(pytester)[0].name]


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
    pytest.importorskip("pytest_trio")
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
    assert len(kept(pytester)) == 2


def test_xdist_workers_keep_failures_too(pytester):
    pytest.importorskip("xdist")
    pytester.makepyfile(ABA)
    assert outcomes(pytester.runpytest_subprocess("-p", "no:cacheprovider", "-n", "1")) == {"failed": 1}
    assert len(kept(pytester)) == 1


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ('schema="cas"', "*no option schema*known: scheme*"),
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
    result.stdout.fnmatch_lines(["*another test or program*"])
    result = run(pytester, "--simaie-replay", "gone.json")
    assert outcomes(result) == {"failed": 1}
    result.stdout.fnmatch_lines(["*cannot be read*"])
