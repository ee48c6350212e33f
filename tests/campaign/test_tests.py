"""pytest tests and campaigns: tests as targets, what a session records in a store, and mutants of drawn programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from simaie import Program
from simaie.campaign import CampaignFile, Explore, Store, status_of, witnesses
from simaie.campaign.merging import merge_stores
from simaie.campaign.revision import revision
from simaie.campaign.witnesses import Fate, retry
from simaie.errors import UnnamedCodeError
from simaie.finding import Verdict
from simaie.prng import Random
from simaie.strategies.evolution import Evolution, Kept, mutated

from .made import RACE, run_here

ABA = """
import pytest
from simaie import Program, ins

def to(value):
    return [ins("ldrex", 0x100), ins("strex", 0x100, value)]

@pytest.mark.simaie(scheme=["cas", "aie-rfc"], host="tso", scheduler="dpor")
def test_aba():
    return Program("a-b-a", isa="arm", threads=[to(7), to(1) + to(0)], init={0x100: 0})

@pytest.mark.simaie
def test_that_takes(simaie_scheme):
    return test_aba()

@pytest.mark.simaie(address_bits=12)
def test_with_bits():
    return test_aba()

def test_unmarked():
    return test_aba()
"""
OWN = """
import pytest
from simaie import Program

async def add(cpu):
    await cpu.store(0x100, await cpu.load(0x100) + 1)

def final(memory):
    return memory[0x100] == 2

@pytest.mark.simaie(scheme="cas", scheduler="dpor")
def test_own():
    return Program("own", isa="x86", threads=[add, add], init={0x100: 0}, final=final)
"""
DRAWN = """
import pytest
from hypothesis import given, settings
from simaie.strategies import programs

@pytest.mark.simaie(scheme="SCHEME", executions=2)
@settings(max_examples=1, derandomize=True, database=None, deadline=None)
@given(programs("arm", vcpus=2, instructions=2))
def test_drawn(program):
    pass
"""


def run(pytester: pytest.Pytester, *arguments: str) -> dict[str, int]:
    """Run pytest with a store, and return the numbers of outcomes."""
    fixed = ("-p", "no:cacheprovider", "-p", "no:randomly", "--simaie-store", "tests.simaie")
    outcomes: dict[str, int] = pytester.runpytest_inprocess(*fixed, *arguments).parseoutcomes()
    return {name: count for name, count in outcomes.items() if name in ("passed", "failed", "errors", "warnings")}


# -- tests as targets ----------------------------------------------------------------------------------


def test_the_tests_of_a_file_are_targets_with_the_machines_of_their_marks(tmp_path: Path) -> None:
    """The file has one test that a campaign can run; its mark names two schemes and a host."""
    file = tmp_path / "test_aba.py"
    file.write_text(ABA)
    whole = Explore(targets=(str(file),), seeds=1, executions=20)
    status = run_here(tmp_path / "a.simaie", CampaignFile(explore=(whole,)))
    assert [(unit.unit.target, unit.unit.scheme, unit.unit.host, unit.verdict) for unit in status.units] == [
        (f"{file}:test_aba", "cas", "tso", Verdict.VIOLATED),
        (f"{file}:test_aba", "aie-rfc", "tso", Verdict.INCONCLUSIVE),
    ]
    other = Explore(targets=(f"{file}::test_aba",), schemes=("none",), hosts=("sc",), seeds=1, executions=1)
    named = CampaignFile(explore=(other,))
    status = run_here(tmp_path / "a.simaie", named)
    assert [(unit.unit.scheme, unit.unit.host) for unit in status.units] == [("none", "sc")]


@pytest.mark.parametrize(
    ("name", "problem"),
    [("::test_that_takes", "takes arguments"), ("::test_with_bits", "address_bits"), ("::test_unmarked", "test_aba"),
     ("::nothing", "no such test")],
)  # fmt: skip
def test_what_only_pytest_can_run_is_a_problem_of_the_campaign(tmp_path: Path, name: str, problem: str) -> None:
    file = tmp_path / "test_aba.py"
    file.write_text(ABA)
    campaign = CampaignFile(explore=(Explore(targets=(f"{file}{name}", RACE), seeds=1, executions=1),))
    status = run_here(tmp_path / "a.simaie", campaign)
    assert list(status.problems) == [f"{file}{name}"]
    assert problem in status.problems[f"{file}{name}"]
    assert [unit.unit.target for unit in status.units] == [RACE]


# -- what a session records ----------------------------------------------------------------------------


def test_a_session_records_proofs_and_findings_once(pytester: pytest.Pytester) -> None:
    """The finding has the id that a campaign would give it; a second session adds nothing."""
    pytester.makepyfile(test_aba=ABA)
    for _ in range(2):
        assert run(pytester, "test_aba.py::test_aba") == {"failed": 1, "passed": 1}
    with Store(pytester.path / "tests.simaie", read_only=True) as store:
        status = status_of(store)
    assert [(unit.unit.scheme, unit.verdict, unit.shards) for unit in status.units] == [
        ("cas", Verdict.VIOLATED, 1), ("aie-rfc", Verdict.HOLDS, 1),
    ]  # fmt: skip
    assert [run.workers for run in status.runs] == ["pytest", "pytest"]
    (finding,) = status.findings
    assert finding.command == "pytest 'test_aba.py::test_aba[cas]'"
    campaign = CampaignFile(explore=(Explore(targets=(f"{pytester.path}/test_aba.py",), schedulers=("dpor",)),))
    joined = run_here(pytester.path / "tests.simaie", campaign)
    assert {each.finding for each in joined.findings} == {finding.finding}
    assert len(joined.units) == 4, "a campaign in the same store leaves the tests planned, and runs none of them"
    assert {unit.state for unit in joined.units} == {"explored"}


def test_the_witness_of_a_test_is_run_with_its_program(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program is code, which the witness only names. If nothing named it, the reason names the test."""
    pytester.makepyfile(test_own=OWN)
    assert run(pytester) == {"failed": 1}
    monkeypatch.chdir(pytester.path)
    given = []

    def refusing(*_: object, program: Program, **__: object) -> None:
        given.append(program.name)
        raise UnnamedCodeError("the program is code")

    with Store(pytester.path / "tests.simaie", read_only=True) as store:
        status = status_of(store)
        (finding,) = status.findings
        assert retry(store, finding).fate is Fate.STILL
        monkeypatch.setattr(witnesses, "replay", refusing)
        refused = retry(store, finding)
    assert (given, refused.fate) == (["own"], Fate.CHANGED)
    assert "run the test: pytest test_own.py::test_own" in refused.reason
    assert [run.revision for run in status.runs] == [revision()]


def test_the_former_program_of_a_test_is_history(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_aba=ABA)
    assert run(pytester, "test_aba.py::test_aba[cas]") == {"failed": 1}
    pytester.makepyfile(test_aba=ABA.replace("to(1) + to(0)", "to(1)"))
    assert run(pytester, "test_aba.py::test_aba[cas]") == {"passed": 1}
    with Store(pytester.path / "tests.simaie", read_only=True) as store:
        status = status_of(store)
    assert (len(status.units), status.former, status.findings) == (1, 1, ())


def test_a_file_that_is_no_store_ends_the_session(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_aba=ABA)
    (pytester.path / "tests.simaie").write_text("nothing of the kind" * 100)
    result = pytester.runpytest_inprocess("--simaie-store", "tests.simaie")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_programs_that_cover_something_new_are_kept_and_mutated(pytester: pytest.Pytester) -> None:
    """Each session tries as many mutants as it is told; the second begins with what the first has kept."""
    pytester.makepyfile(test_drawn=DRAWN.replace("SCHEME", "native"))
    sessions: list[set[bytes]] = []
    for _ in range(2):
        assert run(pytester, "--simaie-mutants=16") == {"passed": 1}
        with Store(pytester.path / "tests.simaie", read_only=True) as store:
            sessions.append({choices for test, choices in store.rows("SELECT test, choices FROM drawn")})
            (unit,) = status_of(store).units
        assert unit.shards == len(sessions)
    assert sessions[0] < sessions[1]


def test_a_mutant_that_fails_fails_the_test(pytester: pytest.Pytester) -> None:
    """The only example that Hypothesis draws is the least one, which passes."""
    picky = DRAWN.replace("SCHEME", "native").replace("    pass", "    assert 'swp' not in repr(program)")
    pytester.makepyfile(test_drawn=picky)
    assert pytester.runpytest_inprocess("-p", "no:cacheprovider").parseoutcomes()["passed"] == 1
    assert run(pytester) == {"failed": 1}


def test_stores_of_tests_merge(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_aba=ABA)
    run(pytester, "test_aba.py::test_aba[cas]")
    path = pytester.path / "whole.simaie"
    run_here(path, CampaignFile(explore=(Explore(targets=(RACE,), seeds=1, executions=1),)))
    merge_stores(path, [pytester.path / "tests.simaie"])
    with Store(path, read_only=True) as store:
        assert store.rows("SELECT test FROM units ORDER BY number") == [("",), ("test_aba.py::test_aba[cas]",)]


# -- mutants -------------------------------------------------------------------------------------------


def test_an_evolution_reaches_what_random_choices_do_not() -> None:
    """Each byte of the secret that is right covers something new: both of them by chance are one in 65,536."""
    secret, reached = b"\x07\xfe", [frozenset[int]()]

    def example(choices: bytes) -> bytes:
        right = 0 if choices[:1] != secret[:1] else 1 + (choices[1:2] == secret[1:])
        reached.append(frozenset(range(right)))
        return choices[: right + 1]

    evolution = Evolution(example, lambda: reached[-1], (), seed=0)
    while len(reached) < 4_000 and len(evolution.kept) < 2:
        evolution.step()
    assert [len(each.covered) for each in evolution.kept] == [1, 2]
    again = Evolution(example, lambda: reached[-1], [Kept(secret, frozenset(range(2)))], seed=0)
    assert all(again.step() is None for _ in range(20)), "what is known is not new"


def test_mutants_are_the_same_for_the_same_seed() -> None:
    def some(seed: int) -> list[bytes]:
        draw = Random(seed)
        return [mutated(b"abcdef", [b"uvwxyz"], draw) for _ in range(30)]

    assert some(1) == some(1) != some(2)
    assert len(set(some(1))) > 25
