"""The commands of campaigns: statuses, files, JSON, and no traceback for wrong input."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from simaie.campaign import CampaignFile, Explore
from simaie.campaign import Status as CampaignStatus
from simaie.cli.campaign_view import report_lines
from simaie.cli.status import Status, run

from .made import RACE, run_here


def command(*arguments: object) -> int:
    return run(["campaign", *map(str, arguments)])


@pytest.fixture
def store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return the store of a campaign with one finding and one proof."""
    path = tmp_path / "a.simaie"
    status = command(
        "run", RACE, "--scheme", "aie-rfc", "--scheme", "cas", "--scheduler", "dpor", "--store", path,
        "--junit", tmp_path / "out.xml", "--sarif", tmp_path / "out.sarif",
    )  # fmt: skip
    assert status == Status.VIOLATED
    capsys.readouterr()
    return path


def test_a_campaign_from_its_run_to_its_end(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (tmp_path / "out.xml").exists()
    assert (tmp_path / "out.sarif").exists()
    assert command("status", store, "--format", "json") == Status.VIOLATED
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["verdict"], document["running"]) == (
        "simaie-campaign-status-1", "violated", False,
    )  # fmt: skip
    assert [unit["verdict"] for unit in document["units"]] == ["violated", "holds"]
    assert json.loads(json.dumps(msgspec.convert(document, CampaignStatus).as_dict())) == document
    (finding,) = document["findings"]
    assert command("resume", store, "--format", "json") == Status.VIOLATED
    assert json.loads(capsys.readouterr().out)["executions"] == document["executions"]
    assert command("replay", store, finding["finding"][:4], "--format", "json") == Status.VIOLATED
    assert json.loads(capsys.readouterr().out)["findings"]
    assert (tmp_path / f"a-{finding['finding']}.json").exists()
    assert command("fixed", store, "--format", "json") == Status.VIOLATED
    (fate,) = json.loads(capsys.readouterr().out)["findings"]
    assert (fate["finding"], fate["fate"]) == (finding["finding"], "still there")
    assert command("report", store, "--html", tmp_path / "a.html") == Status.VIOLATED
    assert finding["finding"] in (tmp_path / "a.html").read_text()
    assert finding["finding"] in capsys.readouterr().out


def test_a_campaign_file_has_its_store_next_to_it(tmp_path: Path) -> None:
    file = tmp_path / "nightly.toml"
    file.write_text(f"[[explore]]\ntargets = ['{RACE}']\nschemes = ['cas']\nschedulers = ['dpor']\n")
    assert command("run", file) == Status.HOLDS
    assert command("status", tmp_path / "nightly.simaie") == Status.HOLDS
    assert command("run", file, "--scheme", "cas") == Status.ERROR


def test_a_witness_is_run_against_the_code_as_it_is_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "guest.py"
    source = (
        "from simaie import Program\n\n\nasync def add(cpu):\n    {}\n\n\n"
        "program = Program('own', isa='x86', threads=[add, add], watch={{0x100: 4}},"
        " final=lambda state: state[0x100] == 2)\n"
    )
    lost, atomic = "await cpu.store(0x100, await cpu.load(0x100) + 1)", "await cpu.lock_add(0x100, 1)"
    file.write_text(source.format(lost))
    path = tmp_path / "a.simaie"
    assert command("run", f"{file}:program", "--scheme", "cas", "--scheduler", "dpor", "--store", path) == 1
    for body, status in ((lost, Status.VIOLATED), (atomic, Status.HOLDS), ("raise KeyError", Status.INCONCLUSIVE)):
        file.write_text(source.format(body))
        capsys.readouterr()
        assert command("fixed", path, "--format", "json") == status
        (fate,) = json.loads(capsys.readouterr().out)["findings"]
        assert fate["fate"] == {1: "still there", 0: "gone", 3: "changed"}[status]
        assert ("runs unlike the recorded execution" in fate["reason"]) == (status == Status.HOLDS)


def test_commands_without_a_store_use_that_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("run", RACE, "--scheme", "aie-rfc", "--scheduler", "dpor", "--format", "json") == Status.VIOLATED
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    for name in ("status", "report", "resume", "fixed"):
        assert command(name) == Status.VIOLATED
    assert command("replay", finding["finding"]) == Status.VIOLATED
    assert command("replay", "a.simaie", "b.simaie", finding["finding"]) == Status.ERROR


def test_units_that_were_not_begun_take_no_line_each(tmp_path: Path) -> None:
    def lines(name: str, *schemes: str) -> int:
        explore = Explore(targets=(RACE,), schemes=schemes, seeds=1, executions=1)
        return len(report_lines(run_here(tmp_path / name, CampaignFile(explore=(explore,)), executions=1)))

    few = ("cas", "native", "none")
    assert lines("more.simaie", *few, "hst", "pst") == lines("few.simaie", *few)


@pytest.mark.parametrize("arguments", [
    ("run",), ("run", "no-such.toml"), ("run", RACE, "--scheme", "no-such"), ("run", RACE, "--seeds", "0"),
    ("run", RACE, "--seconds", "0"), ("run", RACE, "--executions", "0"), ("run", RACE, "--jobs", "0"),
    ("run", RACE, "--store", "no/such/folder/a.simaie"), ("run", RACE, "--dask", "local:2", "--jobs", "2"),
    ("status", "missing.simaie"), ("resume", "missing.simaie"), ("report", "missing.simaie"),
    ("replay", "missing.simaie", "ab"), ("fixed", "missing.simaie"), ("merge", "missing.simaie", "other.simaie"),
])  # fmt: skip
def test_wrong_input_is_one_line_on_stderr(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(*arguments) == Status.ERROR
    captured = capsys.readouterr()
    assert not captured.out
    assert len(captured.err.splitlines()) == 1
    assert not list(tmp_path.glob("*.simaie*"))


def test_a_campaign_that_is_not_finished_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a b.simaie"
    options = ("run", RACE, "--scheme", "cas", "--seeds", "3", "--store", path)
    assert command(*options, "--executions", "1") == Status.INCONCLUSIVE
    assert f"simaie campaign resume '{path}'" in capsys.readouterr().err
    assert command(*options) == Status.INCONCLUSIVE
    assert not capsys.readouterr().err


def test_a_finding_that_does_not_exist_is_named(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("replay", store, "zz") == Status.ERROR
    assert "no finding 'zz'" in capsys.readouterr().err


def test_a_target_that_cannot_be_loaded_is_an_error_and_the_rest_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.simaie"
    assert command("run", RACE, "no-such", "--scheme", "cas", "--scheduler", "dpor", "--store", path) == Status.ERROR
    assert "no-such" in capsys.readouterr().err
    assert command("status", path, "--format", "json") == Status.ERROR
    assert json.loads(capsys.readouterr().out)["units"][0]["verdict"] == "holds"


def test_stores_are_merged(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "b.simaie"
    assert command("run", RACE, "--scheme", "cas", "--seeds", "1", "--store", other) == Status.INCONCLUSIVE
    capsys.readouterr()
    assert command("merge", store, other, "--format", "json") == Status.VIOLATED
    assert len(json.loads(capsys.readouterr().out)["units"]) == 3
