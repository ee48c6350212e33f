"""The command line on saved failures: shrinking them, and naming what was left out."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from simaie import Machine, corpus, explore, replay
from simaie.cli import main


class Ran(NamedTuple):
    """What a run of the command gave."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture(name="run")
def fixture_run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*argv: str | Path) -> Ran:
        status = main([str(word) for word in argv])
        return Ran(status, *capsys.readouterr())

    return run


@pytest.fixture(name="saved")
def fixture_saved(tmp_path: Path) -> Path:
    """A failure of three vCPUs, of which two are enough."""
    program = corpus.program("swp-against-swp")
    machine = Machine("none", address_bits=12)
    return explore(program, machine, scheduler="random-walk").failures[0].save(tmp_path / "failure.json")


def test_shrink_writes_a_failure_that_replays_and_names_the_command_for_it(
    run: Run, saved: Path, tmp_path: Path
) -> None:
    out = tmp_path / "small.json"
    ran = run("shrink", saved, "--kind", "rmw-atomicity", "--out", out, "--format", "json")
    assert ran.status == 0
    assert ran.document["shrunk"]["after"]["instructions"] == 2 < ran.document["shrunk"]["before"]["instructions"]
    assert run("replay", out, "--format", "json").document["trace"] == ran.document["trace"]
    assert run(*shlex.split(ran.document["command"])[1:]).status == 1


def test_shrink_shows_the_result_as_text(run: Run, saved: Path) -> None:
    assert run("shrink", saved, "--whole")[::2] == (0, "")


def test_a_failure_that_is_the_shortest_is_not_said_to_be_shrunk(run: Run, saved: Path, tmp_path: Path) -> None:
    once, twice = tmp_path / "once.json", tmp_path / "twice.json"
    first = run("shrink", saved, "--out", once).out
    second = run("shrink", once, "--out", twice).out
    assert first.startswith("SHRUNK")
    assert second.startswith("ALREADY THE SHORTEST")
    assert " from " not in second.splitlines()[0]
    assert replay(twice).trace.digest == replay(once).trace.digest


def test_a_search_that_is_too_short_does_not_say_that_nothing_is_shorter(run: Run, saved: Path) -> None:
    assert run("shrink", saved, "--executions", "1", "--whole").out.startswith("NOT SHORTER YET")


@pytest.mark.parametrize("option", [("--kind", "deadlock"), ("--executions", "0"), ("--out", "{folder}")])
def test_what_shrink_cannot_do_is_one_line_and_status_2(run: Run, saved: Path, option: tuple[str, str]) -> None:
    ran = run("shrink", saved, option[0], option[1].format(folder=saved.parent))
    assert (ran.status, ran.err.count("\n")) == (2, 1)


def test_a_file_that_does_not_fail_is_one_line_and_status_2(run: Run, saved: Path) -> None:
    fine = replay(saved, machine=Machine("native", address_bits=12), mode="best-effort")
    ran = run("shrink", fine.save(saved.with_name("fine.json")))
    assert (ran.status, ran.err.count("\n")) == (2, 1)


def test_a_cut_program_is_named_on_the_command_line(run: Run) -> None:
    target = ("explore", "two-sc-one-generation", "--scheme", "none", "--scheduler", "scripted:schedule=1@1")
    assert run(*target, "--cut=final", "--cut=0:0+1+2+3+4", "--cut=1:5+6+7+8+9").status == 1
    assert run(*target, "--cut=7").status == 2
    assert run(*target, "--cut=all").status == 2


@pytest.mark.untraced
def test_the_audit_shows_the_shortest_counterexample_of_every_hole_if_asked(run: Run) -> None:
    ran = run("audit", "--row", "6", "--scheme", "aie-v2", "--explain", "--format", "json")
    (shown,) = ran.document["counterexamples"]
    assert (ran.status, shown["row"], shown["verdict"]) == (0, 6, "violated")
    assert shown["explanation"]
    assert run("audit", "--row", "6", "--scheme", "aie-v2", "--explain")[::2] == (0, "")


def test_show_writes_the_pictures_that_are_asked_for(run: Run, saved: Path, tmp_path: Path) -> None:
    html, svg, timeline = tmp_path / "a.html", tmp_path / "a.svg", tmp_path / "a.json"
    ran = run("show", saved, "--html", html, "--svg", svg, "--perfetto", timeline)
    assert (ran.status, ran.err) == (0, "")
    failure = replay(saved)
    assert html.read_text("utf-8") == failure.to_html()
    assert svg.read_text("utf-8") == failure.to_svg()
    assert timeline.read_text("utf-8") == failure.to_perfetto()


def test_both_drivers_can_be_asked_for(run: Run, saved: Path) -> None:
    assert run("show", saved, "--driver", "trio").status == 0
    ran = run("shrink", saved, "--driver", "trio", "--executions", "20", "--format", "json")
    assert ran.status == 0
    assert "--driver trio" in ran.document["command"]


def test_show_without_a_picture_is_text(run: Run, saved: Path) -> None:
    assert run("show", saved)[::2] == (0, "")


def test_a_picture_that_cannot_be_written_is_one_line_and_status_2(run: Run, saved: Path) -> None:
    ran = run("show", saved, "--svg", saved.parent)
    assert (ran.status, ran.err.count("\n")) == (2, 1)
