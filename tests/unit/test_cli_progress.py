"""The command ``simaie prove-progress``, what reports and JSON say of lassos, and examples of a pass."""

from __future__ import annotations

import json

import pytest

import simaie
from simaie import Limits, Machine
from simaie.cli import main
from simaie.exploration.statistics import StatisticsCollector
from simaie.replaying.machines import load_program

SOURCE = '''
from simaie import Program

async def adds(cpu):
    again = True
    while again:
        again = await cpu.strex(0x100, await cpu.ldrex(0x100) + 1)

program = Program("adds", isa="arm", threads=[adds, adds], init={0x100: 0})

async def spins(cpu):
    while await cpu.swp(0x100, 1):
        pass

async def frees(cpu):
    await cpu.swp(0x100, 0)

freed = Program("freed", isa="arm", threads=[spins, frees], init={0x100: 1})
'''


@pytest.fixture(name="target")
def fixture_target(tmp_path):
    (tmp_path / "adds.py").write_text(SOURCE)
    return f"{tmp_path / 'adds.py'}:program"


def document(argv, capsys, status):
    """The JSON document of a command line that ends with `status`."""
    assert main([*argv, "--format", "json"]) == status
    return json.loads(capsys.readouterr().out)


def test_a_proof_is_status_0(target, capsys):
    found = document(["prove-progress", target, "--scheme", "cas"], capsys, 0)
    assert (found["verdict"], found["states"], found["failure"]) == ("holds", 15, None)


def test_too_few_states_are_status_3(target, capsys):
    assert document(["prove-progress", target, "--scheme", "cas", "--states", "5"], capsys, 3)["states"] == 5


def test_a_lasso_is_status_1_and_its_file_replays(target, capsys, tmp_path):
    argv = ["prove-progress", target, "--scheme", "hst", "--address-bits", "12", "--save", str(tmp_path / "found")]
    found = document(argv, capsys, 1)
    trace = found["failure"]["trace"]
    assert [finding["kind"] for finding in found["failure"]["findings"]] == ["livelock"]
    assert 0 < trace["cycle"] < len(trace["events"])
    replayed = document(["replay", *found["saved"], "--trust"], capsys, 1)
    assert replayed["trace"]["cycle"] == trace["cycle"]


def test_what_is_fair_can_be_chosen_and_is_saved(target, capsys, tmp_path):
    """Under weak fairness, a vCPU need not get a mutex that it does not wait for all the time."""
    argv = [target.replace(":program", ":freed"), "--scheme", "global-lock"]
    assert document(["prove-progress", *argv], capsys, 0)["verdict"] == "holds"
    weakly = [*argv, "--fairness", "weak", "--save", str(tmp_path / "found")]
    proved = document(["prove-progress", *weakly], capsys, 1)
    options = ["--lassos", "--scheduler", "random-walk", "--checker", "progress", "--steps", "100"]
    explored = document(["explore", *weakly, *options], capsys, 1)
    for saved in (*proved["saved"], *explored["saved"]):
        failure = document(["replay", saved, "--trust"], capsys, 1)
        assert [(each["kind"], each["vcpus"]) for each in failure["findings"]] == [("livelock", ["0", "1"])]


def test_a_host_that_cannot_be_chosen_is_refused(target, capsys):
    assert main(["prove-progress", target, "--host", "tso"]) == 2
    assert "--host" in capsys.readouterr().err


def test_lassos_are_counted_apart(target):
    """An execution that ends in a lasso is not blocked: its vCPUs can step."""
    machine = Machine("hst", address_bits=12, limits=Limits(steps=200, tries=None))
    report = simaie.explore(
        load_program(target), machine, scheduler="dfs", executions=20, failures=None, checkers=["progress"]
    )
    assert report.failing > 0
    assert (report.statistics.lassos, report.statistics.blocked) == (report.failing, 0)
    both = StatisticsCollector()
    for _ in range(2):
        part = StatisticsCollector()
        part.add(report.failures[0].trace)
        both.merge(part)
    assert (both.lassos, both.blocked) == (2, 0)


def test_an_example_is_written_if_nothing_fails(target, tmp_path, capsys):
    """The file of a pass replays, and a search that fails writes none."""
    file = tmp_path / "example.json"
    argv = ["explore", target, "--scheduler", "dpor", "--example", str(file)]
    document([*argv, "--scheme", "cas"], capsys, 0)
    assert document(["replay", str(file), "--trust"], capsys, 3)["findings"] == []
    file.unlink()
    document([*argv, "--scheme", "none"], capsys, 1)
    assert not file.exists()
