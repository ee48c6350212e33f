"""Generated examples are programs that run, print as code that gives them again, and come from the seed alone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import simaie
from simaie import Machine, Program, explore, ins
from simaie.cli import main
from simaie.errors import UnknownNameError, UsageError
from simaie.explore.explorer import make_scheduler
from simaie.guest.text import parse_program, program_text
from simaie.replay.run import run
from simaie.strategies import failures, machines, programs, schedules

FEW = settings(max_examples=40, deadline=None, database=None, derandomize=True,
               suppress_health_check=list(HealthCheck))  # fmt: skip
ISAS = ["arm", "aarch64", "x86"]


def test_simaie_itself_does_not_import_hypothesis():
    script = "import sys, simaie, simaie.cli; sys.exit('hypothesis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


@pytest.mark.parametrize("isa", ISAS)
def test_every_program_runs_and_its_repr_and_its_text_give_it_again(isa):
    @FEW
    @given(programs(isa))
    def check(program):
        assert 1 <= len(program.threads) <= 3
        assert all(len(thread) <= 4 for thread in program.threads)
        assert eval(repr(program), {"Program": Program, "ins": ins}).digest == program.digest
        assert parse_program(program_text(program)).digest == program.digest
        assert explore(program, executions=1).statistics.executions == 1

    check()


@FEW
@given(machines())
def test_a_machine_as_code_gives_the_same(machine):
    again = eval(repr(machine), {"Machine": Machine})
    assert again.arguments == machine.arguments


def followed(program, machine, schedule, driver="inline"):
    return run(program, machine, make_scheduler(("scripted", {"schedule": schedule.text, "strict": False}))[0],
               driver=driver)  # fmt: skip


@FEW
@given(st.data())
def test_both_drivers_agree_on_any_program_and_schedule(data):
    program = data.draw(programs("x86", vcpus=2, instructions=3))
    schedule = data.draw(schedules(program))
    assert len({followed(program, Machine("aie-rfc"), schedule, driver).digest for driver in ("inline", "trio")}) == 1


@pytest.mark.parametrize("scheme", ["global-lock"])
@pytest.mark.parametrize("isa", ["x86"])
def test_no_scheduler_reaches_an_outcome_that_dpor_does_not(isa, scheme):
    @settings(FEW, max_examples=15)
    @given(programs(isa, vcpus=2, instructions=2))
    def check(program):
        every = explore(program, Machine(scheme), scheduler="dpor", failures=None)
        assert every.complete
        for name in ("random-walk", "pct", "pos"):
            some = explore(program, Machine(scheme), scheduler=name, executions=20, failures=None)
            assert {*some.outcomes} <= {*every.outcomes}

    check()


@settings(FEW, max_examples=5)
@given(failures(programs("arm", vcpus=2), machines(["cas", "none"], hosts=["sc"], host_words=[64])))
def test_a_failure_replays_with_its_digest_and_shrinking_keeps_its_finding(tmp_path_factory, failure):
    path = failure.save(tmp_path_factory.mktemp("failures") / "failure.json")
    assert simaie.replay(path).trace.digest == failure.trace.digest
    kind = failure.findings[0].kind
    small = failure.shrink(executions=100).failure
    assert kind in {finding.kind for finding in small.findings}


@pytest.mark.parametrize(
    "asked",
    [
        lambda: programs("arm", vcpus=0),
        lambda: programs("arm", instructions=0),
        lambda: programs("arm", widths=[16]),
        lambda: programs("arm", kinds=["lock"]),
        lambda: programs("arm", kinds=["load-linked"], addresses=[0x101], widths=[4]),
        lambda: programs("mips"),
        lambda: machines([]),
        lambda: schedules(preemptions=0),
    ],
)
def test_the_impossible_is_refused_when_it_is_asked_for(asked):
    with pytest.raises(UsageError):
        asked()


def test_unknown_names_are_refused():
    for asked in (lambda: programs("z80"), lambda: machines(["nonsense"])):
        with pytest.raises(UnknownNameError):
            asked()


ARGUMENTS = ["fuzz", "--isa", "arm", "--scheme", "cas", "--examples", "300", "--seed", "1", "--format", "json"]


def test_fuzz_finds_saves_and_the_saved_failure_replays(tmp_path, capsys):
    assert main([*ARGUMENTS, "--save", str(tmp_path / "out")]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["examples"] == 300
    assert said["traces"] > 0
    for failure in said["failures"]:
        assert failure["kind"] in {finding.kind for finding in simaie.replay(failure["saved"]).findings}
    assert main(ARGUMENTS) == 1
    again = json.loads(capsys.readouterr().out)
    assert [f["program"] for f in again["failures"]] == [f["program"] for f in said["failures"]]


def test_bad_usage_of_fuzz_is_one_line(capsys):
    assert main(["fuzz", "--isa", "arm"]) == 2
    assert main(["fuzz", "--isa", "z80", "--scheme", "cas"]) == 2
    assert main(["fuzz", "--isa", "arm", "--scheme", "cas", "--examples", "0"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_ctrl_c_keeps_what_was_found(monkeypatch):
    from simaie.cli import fuzz as module

    count = 0

    def interrupted(*args, **kwargs):
        nonlocal count
        count += 1
        if count == 60:
            raise KeyboardInterrupt
        return explore(*args, **kwargs)

    monkeypatch.setattr(module, "explore", interrupted)
    result = module.fuzz("arm", Machine("cas"), examples=500, seed=1)
    assert result.interrupted
    assert len(result.programs) == 59

