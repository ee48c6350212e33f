"""Generated examples are programs that run, print as code that gives them again, and come from the seed alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import simaie
from simaie import Machine, Program, Schedule, Switch, explore, guest, ins
from simaie.cli import main
from simaie.errors import Interrupted, UnknownNameError, UsageError
from simaie.exploration.scheduler_choice import make_scheduler
from simaie.guest.forms import forms_of, widths_of
from simaie.guest.text import parse_program, program_text
from simaie.replaying.run import run
from simaie.strategies import failures, kinds_of, machines, programs, schedules

FEW = settings(max_examples=40, deadline=None, database=None, derandomize=True,
               suppress_health_check=list(HealthCheck))  # fmt: skip
ISAS = sorted(guest.isa.ISAS)


def test_simaie_itself_does_not_import_hypothesis():
    script = "import sys, simaie, simaie.cli; sys.exit('hypothesis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


@pytest.mark.one_in(3)
@pytest.mark.parametrize("isa", ISAS)
def test_every_program_runs_and_its_repr_and_its_text_give_it_again(isa):
    @FEW
    @given(programs(isa))
    def check(program):
        assert 1 <= len(program.threads) <= 3
        assert all(size <= 4 for size in sizes(program))
        assert len(sizes(program)) <= 3
        assert eval(repr(program), {"Program": Program, "ins": ins}).digest == program.digest
        assert parse_program(program_text(program)).digest == program.digest
        assert explore(program, executions=1).statistics.executions == 1

    check()


@FEW
@given(machines(["native", "cas", "aie-rfc", "aie-v2:granule=32"], granules=[16, 64]))
def test_a_machine_as_code_gives_the_same(machine):
    again = eval(repr(machine), {"Machine": Machine})
    assert again.arguments == machine.arguments


def test_machines_are_drawn_over_schemes_hosts_granules_and_word_sizes():
    """All there are: 16 and 64 bytes for the schemes that have granules, and what an own option says."""
    seen = set()

    @settings(FEW, max_examples=300)
    @given(machines(["cas", "aie-rfc", "aie-v2:granule=32"]))
    def check(machine):
        seen.add((machine.scheme, machine.host, machine.host_word))

    check()
    schemes = {"cas", "aie-rfc:granule=16", "aie-rfc:granule=64", "aie-v2:granule=32"}
    assert seen == {(s, host, word) for s in schemes for host in ("sc", "tso", "pso") for word in (64, 32)}


@pytest.mark.one_in(3)
@pytest.mark.untraced
@pytest.mark.parametrize("isa", ISAS)
def test_any_program_runs_on_any_machine_for_its_instruction_set(isa):
    @FEW
    @given(programs(isa), machines(isa=isa))
    def check(program, machine):
        assert explore(program, machine, executions=2, failures=None).executions == 2

    check()


def sizes(program):
    """How many instructions each vCPU has that the program describes, those that are spawned too."""
    found = []
    for thread in program.threads:
        found.append(0)
        for item in thread:
            if item.name == "label":
                found.append(0)
            elif item.name not in ("spawn", "exit"):
                found[-1] += 1
    return found


@pytest.mark.one_in(7)
@pytest.mark.untraced
@pytest.mark.parametrize("isa", ["aarch64", "arm", "mips", "ppc", "riscv", "sparc", "x86"])
def test_programs_have_what_the_instruction_set_has(isa):
    """Pairs, lone halves, several widths, crossings of granules, fences and spawned threads, and mixes without them."""
    kinds, widths, alone, crossing = [], set(), 0, 0
    known = {form.mnemonic: form.kind for form in forms_of(isa)} | {"spawn": "spawn"}

    @settings(FEW, max_examples=400)
    @given(programs(isa))
    def check(program):
        nonlocal alone, crossing
        items = [item for thread in program.threads for item in thread if item.name in known]
        kinds.append({known[item.name] for item in items})
        for event in run(program, Machine("native"), make_scheduler("round-robin")[0]).events:
            instruction = event.instruction
            if instruction is not None and instruction.width:
                widths.add(instruction.width)
                crossing += instruction.address // 64 != (instruction.address + instruction.width - 1) // 64
        alone += "store-conditional" in kinds[-1] and "load-linked" not in kinds[-1]

    check()
    assert set().union(*kinds) == set(kinds_of(isa))
    assert widths >= set(widths_of(isa))
    assert bool(crossing) is any(max(form.widths, default=1) > 1 and not form.aligned for form in forms_of(isa))
    assert bool(alone) is ("store-conditional" in kinds_of(isa))
    for kind in kinds_of(isa):
        assert sum(kind not in drawn for drawn in kinds) > 100, "each kind is missing from many examples"


def test_spawned_threads_are_vcpus_of_a_schedule():
    names = set()
    program = Program("spawning", isa="arm", threads=[
        [ins("spawn", "a"), ins("exit"), ins("label", "a"), ins("spawn", "b"), ins("exit"), ins("label", "b")],
        [ins("dmb")],
    ])  # fmt: skip

    @settings(FEW, max_examples=200)
    @given(schedules(program))
    def check(schedule):
        names.update(switch.actor for switch in schedule.switches)

    check()
    assert names == {"0", "0.0", "0.0.0", "1"}


@pytest.mark.untraced
@settings(FEW, max_examples=5)
@given(failures(programs("arm", vcpus=2), machines(["cas", "none"], granules=[16], host_words=[64])))
def test_a_failure_as_code_is_found_again_when_pasted(failure):
    names = {"Program": Program, "ins": ins, "Machine": Machine, "explore": explore}
    assert eval(repr(failure), names).trace.digest == failure.trace.digest


X = 0x100
STORES = [ins("str_", X, value) for value in (0, 1, 0)]
WEAK_OR_STRONG = Program("stores", isa="arm", threads=[[ins("ldrex", X), ins("strex", X, 7)], STORES], init={X: 0})


@settings(max_examples=3, deadline=None, database=None)
@given(failures(st.just(WEAK_OR_STRONG), st.just(Machine("cas")), scheduler="dfs"))
def test_of_the_failures_of_a_program_the_strongest_is_the_example(failure):
    assert failure.signature.kinds == ("llsc-atomicity-value",)


@settings(max_examples=3, deadline=None, database=None)
@given(failures(st.just(WEAK_OR_STRONG), st.just(Machine("cas")), accept=lambda failure: failure.strength.level < 3))
def test_of_the_failures_of_a_program_one_that_is_accepted_is_the_example(failure):
    assert failure.signature.kinds == ("llsc-atomicity",)



@settings(FEW, max_examples=10)
@given(schedules())
def test_a_schedule_as_code_is_the_same(schedule):
    assert eval(repr(schedule), {"Schedule": Schedule, "Switch": Switch}) == schedule


DIGESTS = """
import sys
sys.path.insert(0, {folder!r})
import many_constants
from simaie import Machine
from simaie.cli.fuzz import fuzz
print(*(digest for isa in ("arm", "x86") for digest in fuzz(isa, Machine(), examples=25, seed=5, executions=1).digests))
"""


def test_the_same_seed_gives_the_same_examples_in_any_process(tmp_path):
    """Under any hash seed, and whatever else is loaded: Hypothesis draws constants from sources that it sees."""
    seen = []
    for number, constants in enumerate(([], range(100, 2000))):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "many_constants.py").write_text(f"ALL = {list(constants)}")
        environment = {**os.environ, "PYTHONHASHSEED": str(number)}
        script = DIGESTS.format(folder=str(folder))
        seen.append(subprocess.check_output([sys.executable, "-c", script], text=True, env=environment, cwd=folder))
    assert seen[0] == seen[1]
    assert len(set(seen[0].split())) > 25


@pytest.mark.parametrize(
    "asked",
    [
        lambda: programs("arm", vcpus=0),
        lambda: programs("arm", vcpus=True),
        lambda: programs("arm", addresses=[-4]),
        lambda: programs("arm", addresses=["x"]),
        lambda: programs("arm", addresses=[]),
        lambda: programs("arm", widths=[]),
        lambda: programs("arm", kinds=[]),
        lambda: programs("arm", kinds=["spawn"]),
        lambda: programs("mips", kinds=["load-linked"], widths=[2]),
        lambda: machines(granules=[12]),
        lambda: machines(host_words=[16]),
        lambda: machines(hosts=[]),
        lambda: programs("arm", instructions=0),
        lambda: programs("arm", widths=[16]),
        lambda: programs("arm", kinds=["lock"]),
        lambda: programs("arm", kinds=["load-linked"], addresses=[0x101], widths=[4]),
        lambda: machines([]),
        lambda: schedules(preemptions=0),
    ],
)
def test_the_impossible_is_refused_when_it_is_asked_for(asked):
    with pytest.raises(UsageError):
        asked()


def test_unknown_names_are_refused():
    for asked in (lambda: programs("z80"), lambda: machines(["nonsense"]), lambda: machines(hosts=["x"])):
        with pytest.raises(UnknownNameError):
            asked()


ARGUMENTS = ["fuzz", "--isa", "arm", "--scheme", "cas", "--examples", "60", "--seed", "1", "--format", "json"]


@pytest.mark.untraced
def test_fuzz_finds_saves_and_the_saved_failure_replays(tmp_path, capsys):
    assert main([*ARGUMENTS, "--save", str(tmp_path / "out")]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["examples"] == 60
    assert said["traces"] > 0
    for failure in said["failures"]:
        assert failure["kind"] in {finding.kind for finding in simaie.replay(failure["saved"]).findings}
    assert main(ARGUMENTS) == 1
    again = json.loads(capsys.readouterr().out)
    assert [f["program"] for f in again["failures"]] == [f["program"] for f in said["failures"]]


def test_bad_usage_of_fuzz_is_one_line(capsys):
    assert main(["fuzz", "--isa", "arm"]) == 2
    assert main(["fuzz", "--isa", "z80", "--scheme", "cas"]) == 2
    cas = ["fuzz", "--isa", "arm", "--scheme", "cas"]
    assert main([*cas, "--examples", "0"]) == 2
    assert main([*cas, "--vcpus", "0"]) == 2
    assert main([*cas, "--kind", "lock"]) == 2
    assert main([*cas, "--checker", "nonsense"]) == 2
    assert main([*cas, "--checker", "linearizable-stack", "--examples", "9"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 7
    assert all(line.startswith("simaie: ") for line in said)


def test_ctrl_c_ends_the_drawing_of_failures(monkeypatch):
    """It is no example that fails, and Hypothesis goes on to none."""
    from hypothesis import find

    from simaie.strategies import strategies as module

    calls = []

    def interrupted(*args, **kwargs):
        calls.append(args)
        raise Interrupted("a search", None)

    monkeypatch.setattr(module, "explore", interrupted)
    with pytest.raises(KeyboardInterrupt):
        find(failures(programs("arm"), st.just(Machine("cas"))), lambda failure: True)
    assert len(calls) == 1


def test_ctrl_c_keeps_what_was_found(monkeypatch):
    from simaie.cli import fuzz, fuzzing

    count = 0

    def interrupted(*args, **kwargs):
        nonlocal count
        count += 1
        if count == 60:
            raise KeyboardInterrupt
        return explore(*args, **kwargs)

    monkeypatch.setattr(fuzzing, "explore", interrupted)
    with pytest.raises(Interrupted) as caught:
        fuzz.fuzz("arm", Machine("cas"), examples=500, seed=1)
    result = caught.value.report
    assert result.interrupted
    assert len(result.programs) == 59

