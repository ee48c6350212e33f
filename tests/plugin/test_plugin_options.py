"""The marks, fixtures and options of the pytest plug-in, in real pytest runs."""

from __future__ import annotations

import inspect
import json

import pytest

import simaie
from pytest_simaie.options import MachineOptions, SearchOptions
from simaie import Machine

PROGRAMS = """
import pytest
import simaie
from simaie import Machine, Program, ins

def to(value):
    return [ins("ldrex", 0x100), ins("strex", 0x100, value)]

ABA = Program("a-b-a", isa="arm", threads=[to(7), to(1) + to(0)], init={0x100: 0})
ONE = Program("one", isa="arm", threads=[to(7)], init={0x100: 0})
"""


def run(pytester, *arguments):
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:randomly", *arguments)


def verbose_lines(result):
    """Return what ``-v`` says of each test, by the test's name."""
    lines = [line.partition("::")[2].partition("[100%]")[0].strip() for line in result.outlines if ".py::" in line]
    outcomes = [line.partition(" ") for line in lines if " PASSED" in line or " FAILED" in line]
    return {name: rest.rsplit("[", 1)[0].strip() for name, _, rest in outcomes}


# -- options -----------------------------------------------------------------------------------------


def test_a_call_and_a_mark_take_what_explore_and_machine_take():
    explore = set(inspect.signature(simaie.explore).parameters) - {"program", "machine"}
    assert set(SearchOptions.__annotations__) == explore
    assert set(MachineOptions.__annotations__) == set(inspect.signature(Machine).parameters)


@pytest.mark.parametrize("fixture", ["explore", "simaie_explore"])
def test_the_fixture_takes_a_machine_and_every_option_of_explore(pytester, fixture):
    pytester.makepyfile(
        PROGRAMS
        + f"""
def test_fixture({fixture}):
    seen = []
    report = {fixture}(
        ABA, Machine("aie-rfc:granule=64"), scheduler="random-walk", executions=3, failures=None, coverage=True,
        check_determinism=True, progress=seen.append, found=seen.append,
    )
    assert report.machine.scheme == "aie-rfc:granule=64"
    assert report.executions == 3 and report.statistics.coverage is not None and seen[-1].ended
"""
    )
    assert run(pytester).parseoutcomes() == {"passed": 1}


def test_found_is_called_and_the_failure_is_kept_all_the_same(pytester):
    pytester.makepyfile(
        PROGRAMS
        + """
def test_fixture(explore):
    found = []
    try:
        explore(ABA, scheme="cas", scheduler="dpor", failures=1, found=found.append)
    finally:
        assert len(found) == 1
"""
    )
    result = run(pytester)
    assert result.parseoutcomes() == {"failed": 1}
    result.stdout.fnmatch_lines(["llsc-atomicity: *"])
    assert list((pytester.path / ".simaie").glob("*.json"))


def test_a_machine_replaces_the_machine_of_the_mark_and_goes_with_no_part_of_one(pytester):
    pytester.makepyfile(
        PROGRAMS
        + """
@pytest.mark.simaie(scheme="cas", host="tso", scheduler="dpor")
def test_replaced(explore):
    assert explore(ABA, Machine("aie-rfc", address_bits=12)).machine.host == "sc"

@pytest.mark.simaie(machine=Machine("aie-rfc", address_bits=12), scheduler="dpor")
def test_of_the_mark(explore):
    assert explore(ABA).machine.scheme == "aie-rfc"
    assert explore(ABA, scheme="native").machine.scheme == "native"

def test_both(explore):
    explore(ABA, Machine("cas"), host="tso")
"""
    )
    result = run(pytester)
    assert result.parseoutcomes() == {"passed": 2, "failed": 1}
    result.stdout.fnmatch_lines(["machine=*goes without host"])


# -- proofs and samples ------------------------------------------------------------------------------


def test_verbose_output_tells_a_proof_from_a_sample_and_names_the_default_scheme(pytester):
    pytester.makepyfile(
        PROGRAMS
        + """
@pytest.mark.simaie(scheme="aie-rfc", address_bits=12, scheduler="dpor")
def test_proof():
    return ABA

@pytest.mark.simaie(scheme="aie-rfc", address_bits=12, scheduler="random-walk", executions=1000)
def test_sample():
    return ONE

@pytest.mark.simaie(scheme="aie-rfc", address_bits=12, scheduler="dpor", executions=2)
def test_begun():
    return ABA

@pytest.mark.simaie(scheduler="dpor")
def test_default():
    return ONE

@pytest.mark.simaie(scheme="native")
def test_two(explore):
    explore(ONE, scheduler="dpor")
    explore(ONE, scheduler="random-walk", executions=5)

def test_other():
    pass
"""
    )
    result = run(pytester, "-v")
    assert result.parseoutcomes() == {"passed": 6}
    shown = verbose_lines(result)
    assert "proved" in shown["test_proof"]
    assert "no violation" not in shown["test_proof"]
    assert "1,000 sampled executions" in shown["test_sample"]
    assert "proved" not in shown["test_sample"]
    assert "not all" in shown["test_begun"]
    assert "proved" not in shown["test_begun"]
    assert "native" in shown["test_default"]
    assert not any("native" in shown[name] for name in shown if name != "test_default")
    assert "5 sampled executions" in shown["test_two"]
    assert "1 of 2 programs proved" in shown["test_two"]
    assert shown["test_other"] == "PASSED"


def test_what_was_shown_is_in_the_xml_report(pytester):
    pytester.makepyfile(PROGRAMS + '\n@pytest.mark.simaie(scheduler="dpor")\ndef test_one():\n    return ONE\n')
    run(pytester, "--junitxml=report.xml")
    assert 'name="simaie" value="proved' in (pytester.path / "report.xml").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "passes"),
    [
        ('scheduler="dpor"', True),
        ('scheduler="random-walk", executions=20', False),
        ('scheduler="dpor", executions=2', False),
    ],
)
def test_a_mark_can_demand_a_proof(pytester, options, passes):
    mark = f'\n@pytest.mark.simaie(scheme="aie-rfc", address_bits=12, complete=True, {options})'
    pytester.makepyfile(f"{PROGRAMS}{mark}\ndef test_aba():\n    return ABA\n")
    result = run(pytester)
    assert result.parseoutcomes() == ({"passed": 1} if passes else {"failed": 1})
    if not passes:
        result.stdout.fnmatch_lines(["complete=True demands a proof*dpor*"])


def test_a_proof_is_demanded_of_each_drawn_program(pytester):
    pytester.makepyfile(
        PROGRAMS
        + """
from hypothesis import given, settings, strategies as st

@pytest.mark.simaie(scheme="aie-rfc", address_bits=12, complete=True, executions=2, scheduler="dpor")
@settings(max_examples=5, derandomize=True, deadline=None, database=None)
@given(st.sampled_from([ONE, ABA]))
def test_drawn(program):
    pass
"""
    )
    result = run(pytester)
    assert result.parseoutcomes() == {"failed": 1}
    result.stdout.fnmatch_lines(["complete=True demands a proof of program 'a-b-a'*"])


# -- several schemes ---------------------------------------------------------------------------------

SEVERAL = (
    PROGRAMS
    + """
@pytest.mark.simaie(scheme=["native", "cas", ("aie-rfc", {"granule": 64})], address_bits=12, scheduler="dpor")
def test_aba():
    return ABA
"""
)


def test_a_list_of_schemes_makes_a_test_of_each(pytester):
    pytester.makepyfile(SEVERAL)
    result = run(pytester, "-v")
    assert result.parseoutcomes() == {"passed": 2, "failed": 1}
    shown = verbose_lines(result)
    assert set(shown) >= {"test_aba[native]", "test_aba[cas]", "test_aba[aie-rfc:granule=64]"}
    assert "FAILED" in shown["test_aba[cas]"]
    assert run(pytester, "-k", "native").parseoutcomes() == {"passed": 1, "deselected": 2}


def test_each_listed_scheme_has_its_own_kept_failure_which_replays(pytester):
    pytester.makepyfile(SEVERAL.replace('"native"', '"none"'))
    assert run(pytester).parseoutcomes() == {"passed": 1, "failed": 2}
    files = list((pytester.path / ".simaie").glob("*.json"))
    tests = {json.loads(file.read_text("utf-8"))["test"].partition("::")[2] for file in files}
    assert tests == {"test_aba[none]", "test_aba[cas]"}
    for file in files:
        assert run(pytester, "--simaie-replay", str(file)).parseoutcomes() == {"failed": 1, "deselected": 2}


def test_a_list_of_schemes_goes_with_given_trio_and_a_parametrized_program(pytester):
    pytester.makepyfile(
        PROGRAMS
        + """
import trio
from hypothesis import given, settings, strategies as st

several = pytest.mark.simaie(scheme=["native", "cas"], scheduler="dpor")

@several
@settings(max_examples=3, derandomize=True, deadline=None, database=None)
@given(st.sampled_from([ABA]))
def test_drawn(program):
    pass

@several
@pytest.mark.trio
async def test_async():
    await trio.sleep(0)
    return ABA

@several
@pytest.mark.parametrize("program", [ABA])
def test_taken(program, simaie_scheme):
    assert simaie_scheme in ("native", "cas")
"""
    )
    assert run(pytester).parseoutcomes() == {"passed": 3, "failed": 3}


def test_the_scheme_of_a_test_with_one_is_a_fixture_too(pytester):
    pytester.makepyfile(
        PROGRAMS
        + """
@pytest.mark.simaie(scheme="aie-rfc", address_bits=12, scheduler="dpor")
def test_one(simaie_scheme):
    assert simaie_scheme == "aie-rfc"
    return ONE
"""
    )
    assert run(pytester).parseoutcomes() == {"passed": 1}


@pytest.mark.parametrize(
    ("scheme", "said"), [("[]", "scheme=[[]] names no scheme*"), ('["nonsense"]', "*'nonsense'*"), ("[3]", "*not 3*")]
)
def test_a_wrong_list_of_schemes_is_one_clear_error(pytester, scheme, said):
    pytester.makepyfile(PROGRAMS + f"\n@pytest.mark.simaie(scheme={scheme})\ndef test_one():\n    return ONE\n")
    result = run(pytester)
    assert result.parseoutcomes() == {"failed": 1}
    result.stdout.fnmatch_lines([said])


def test_a_call_lists_no_schemes(pytester):
    pytester.makepyfile(PROGRAMS + '\ndef test_one(explore):\n    explore(ONE, scheme=["native", "cas"])\n')
    result = run(pytester)
    assert result.parseoutcomes() == {"failed": 1}
    result.stdout.fnmatch_lines(["only a mark can list schemes*"])


# -- replays and the folder --------------------------------------------------------------------------


def test_a_replay_deselects_all_other_tests(pytester):
    pytester.makepyfile(
        test_it=PROGRAMS
        + """
@pytest.mark.simaie(scheme="cas", scheduler="dpor")
def test_aba():
    return ABA

@pytest.mark.simaie(scheme="cas", scheduler="dpor")
def test_one():
    return ONE

def test_other():
    pass
"""
    )
    assert run(pytester).parseoutcomes() == {"failed": 1, "passed": 2}
    (file,) = (pytester.path / ".simaie").glob("*.json")
    assert run(pytester, "--simaie-replay", str(file)).parseoutcomes() == {"failed": 1, "deselected": 2}


def test_a_file_that_names_no_test_is_replayed_by_the_tests_that_explore(pytester):
    namespace = {}
    exec(PROGRAMS, namespace)  # the programs of the test module
    report = simaie.explore(namespace["ABA"], Machine("cas"), scheduler="dpor")
    report.failures[0].save(pytester.path / "failure.json")
    pytester.makepyfile(
        PROGRAMS
        + """
@pytest.mark.simaie(scheme="cas", scheduler="dpor")
def test_aba():
    return ABA

def test_other():
    pass
"""
    )
    assert run(pytester, "--simaie-replay", "failure.json").parseoutcomes() == {"failed": 1, "deselected": 1}


def test_the_folder_of_kept_failures_ignores_itself_in_git(pytester):
    path = pytester.path / ".simaie" / ".gitignore"
    mark = '@pytest.mark.simaie(scheme="cas", scheduler="dpor")'
    pytester.makepyfile(f"{PROGRAMS}\n{mark}\ndef test_it():\n    return ABA\n")
    run(pytester)
    assert "*" in path.read_text("utf-8").splitlines()
    path.write_text("!*.json\n")
    run(pytester)
    assert path.read_text("utf-8") == "!*.json\n", "a file of the user's stays"
