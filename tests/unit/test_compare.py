"""What an emulator can do against what its guest's architecture allows: three sets, their differences, a verdict."""

from __future__ import annotations

import inspect
import json

import pytest

from simaie import Limits, Machine, Program, compare, explore, ins, replay
from simaie.cli import main
from simaie.corpus.barriers import litmus
from simaie.errors import Interrupted, NotModelledError, UsageError
from simaie.exploration.barriers import minimal_barriers
from simaie.finding import FORBIDDEN_OUTCOME, Verdict
from simaie.litmus import LitmusError
from simaie.replaying.target import find_target
from simaie.show.comparison_view import comparison_view

X, Y, Z = 0x100, 0x200, 0x300

#: vCPU 1 brings X from A to B and back while vCPU 0 holds a reservation; Y says that it has begun, Z that it is over.
HOLDER = [
    ins("ldrex", X, into="seen"),
    ins("ldr", Y, into="begun"),
    ins("ldr", Z, into="over"),
    ins("strex", X, 9, into="failed"),
]
FLIPPER = [
    ins("str_", Y, 1),
    ins("ldrex", X),
    ins("strex", X, 1, into="first"),
    ins("ldrex", X),
    ins("strex", X, 0, into="second"),
    ins("str_", Z, 1),
]
aba = Program("a-b-a, told apart", isa="arm", threads=[HOLDER, FLIPPER], init={X: 0, Y: 0, Z: 0})

SB = """X86 SB
{ }
 P0          | P1          ;
 MOV [x],$1  | MOV [y],$1  ;
 MFENCE      | MFENCE      ;
 MOV EAX,[y] | MOV EAX,[x] ;
exists (0:EAX=0 /\\ 1:EAX=0)
"""


@pytest.fixture
def sb(tmp_path):
    path = tmp_path / "SB.litmus"
    path.write_text(SB)
    return path


def machine(scheme, host="sc"):
    return Machine(scheme, host=host, address_bits=12)


def test_a_compare_and_swap_shows_what_a_reservation_forbids_and_its_witness_replays():
    found = compare(aba, machine=machine("cas"))
    assert found.verdict is Verdict.VIOLATED
    assert found.allowed.complete
    assert found.possible.complete
    states = [dict(each.state) for each in found.forbidden]
    assert any(s["0:begun"] == 0 and s["0:over"] == 1 and s["0:failed"] == 0 for s in states)
    for each in found.forbidden:
        again = replay(each.failure)
        assert dict(again.trace.outcome.items) == dict(each.state)
        assert FORBIDDEN_OUTCOME in [finding.kind for finding in again.findings]


@pytest.mark.parametrize("scheme", ["native", "aie-rfc"])
def test_what_tracks_reservations_shows_nothing_forbidden(scheme):
    found = compare(aba, machine=machine(scheme))
    assert found.verdict is Verdict.HOLDS
    assert not found.forbidden


def test_the_sets_differ_by_what_is_forbidden_and_what_is_unreached():
    found = compare(aba, machine=machine("cas"))
    allowed, possible = set(found.allowed.states), set(found.possible.states)
    assert {each.state for each in found.forbidden} == possible - allowed
    assert set(found.unreached) == allowed - possible
    assert all(dict(state) for state in found.unreached)


def test_what_is_possible_is_what_an_exploration_sees():
    found = compare(aba, machine=machine("cas"))
    report = explore(aba, machine("cas"), scheduler="dpor", failures=None)
    assert {tuple(sorted(outcome.items)) for outcome in report.outcomes} == set(found.possible.states)


def test_x86_is_held_against_tso_and_needs_no_note():
    program = litmus("sb", "x86", "nothing", "sb for compare")
    found = compare(program, host="tso")
    assert found.allowed.machine.host == "tso"
    assert found.model_note == ""
    assert found.verdict is Verdict.HOLDS
    assert not found.unreached
    assert len(compare(program, host="sc").unreached) == 1


def test_a_weak_guest_is_held_against_pso_and_the_note_says_so():
    found = compare(litmus("mp", "arm", "nothing", "mp for compare"), host="pso")
    assert found.allowed.machine.host == "pso"
    assert "pso" in found.model_note
    assert found.verdict is Verdict.HOLDS


WEAK = {
    "aarch64": ("armv8", ([ins("str_", X, 1), ins("str_", Y, 1)], [ins("ldr", Y, into="r"), ins("ldr", X, into="s")])),
    "riscv": ("rvwmo", ([ins("sw", X, 1), ins("sw", Y, 1)], [ins("lw", Y, into="r"), ins("lw", X, into="s")])),
}


@pytest.mark.parametrize("isa", WEAK)
def test_a_guest_whose_memory_is_a_host_is_held_against_it(isa):
    memory, threads = WEAK[isa]
    program = Program(f"mp of {isa}", isa=isa, threads=threads, init={X: 0, Y: 0})
    found = compare(program, machine=machine("native", memory))
    assert found.allowed.machine.host == memory
    assert len(found.allowed.states) == 4  # loads are reordered, too
    assert not found.unreached
    assert found.model_note.startswith("a store-conditional may fail spuriously")
    assert compare(program, machine=machine("native"), allowed_host="pso").model_note.startswith("the memory of")
    assert len(compare(program, machine=machine("native"), allowed_host="tso").allowed.states) == 3


TWO_WIDTHS = Program(
    "two widths",
    isa="aarch64",
    threads=[[ins("ldadd", X, 1, width=8)], [ins("ldadd", X, 1, width=4)]],
    init={X: (0, 8)},
)


def test_atomics_of_several_widths_are_held_against_the_memory_of_the_guest():
    found = compare(TWO_WIDTHS, machine=machine("cas"))
    assert found.allowed.machine.host == "armv8"
    assert found.verdict is Verdict.HOLDS
    assert not found.unreached


def test_what_the_memory_of_the_guest_does_not_model_is_held_against_pso(monkeypatch):
    def refuse(*args):
        raise NotModelledError("no atomics")

    monkeypatch.setattr("simaie.engine.graph.label.stored_value", refuse)
    monkeypatch.setattr("simaie.engine.graph.label.piece_of_value", refuse)
    found = compare(TWO_WIDTHS, machine=machine("cas"))
    assert found.allowed.machine.host == "pso"
    assert "the memory of aarch64 is armv8, not pso" in found.model_note
    assert found.verdict is Verdict.HOLDS
    with pytest.raises(NotModelledError, match="no atomics"):
        compare(TWO_WIDTHS, machine=machine("cas"), allowed_host="armv8")


def test_a_store_conditional_to_another_word_of_the_granule_is_held_against_the_memory_of_the_guest():
    code = [ins("lr", X, into="old"), ins("sc", X + 4, 1, into="failed")]
    program = Program("next word", isa="riscv", threads=[code], init={X: (0, 8)})
    found = compare(program, machine=machine("none"))
    assert found.allowed.machine.host == "rvwmo"
    assert {dict(state)["0:failed"] for state in found.allowed.states} == {0, 1}


def test_the_memory_that_models_the_guest_can_be_chosen():
    found = compare(litmus("sb", "x86", "nothing", "sb on sc"), host="tso", allowed_host="sc")
    assert found.verdict is Verdict.VIOLATED
    assert found.model_note


async def adds(cpu):
    while await cpu.strex(X, await cpu.ldrex(X) + 1):
        pass


ADDS = Program("adds", isa="arm", threads=[adds] * 2, init={X: 0})


def test_a_guest_that_tries_again_for_ever_is_held_against_store_conditionals_that_fail_with_cause_only():
    found = compare(ADDS, machine=machine("cas"))
    assert (found.verdict, found.allowed.complete) == (Verdict.HOLDS, True)
    assert "no store-conditional fails spuriously" in found.model_note
    assert compare(ADDS, machine=machine("none")).verdict is Verdict.VIOLATED


@pytest.mark.untraced
def test_who_insists_on_failures_without_cause_gets_them_as_far_as_the_limit_goes():
    found = compare(ADDS, machine=machine("cas"), spurious_failures=True, executions=100)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.allowed.executions == 100
    assert "may fail spuriously" in found.model_note


def test_an_incomplete_set_of_what_is_allowed_decides_nothing():
    found = compare(aba, machine=machine("cas"), executions=2)
    assert not found.allowed.complete
    assert found.forbidden
    assert found.verdict is Verdict.INCONCLUSIVE


@pytest.mark.untraced
def test_an_incomplete_set_of_what_is_possible_is_no_proof():
    endless = Program("endless", isa="x86", threads=[_endless], init={X: 0})
    found = compare(endless, machine=Machine("native", limits=Limits(steps=40)), executions=100)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.possible.reason
    assert found.allowed.reason


async def _endless(cpu):
    while (value := await cpu.load(X)) < 2:
        await cpu.store(X, 1 - value)


def test_a_deadlock_of_the_emulator_is_an_outcome_like_any_other():
    class Stuck(Machine("native").scheme_class):
        """Takes its lock twice."""

        async def atomic_rmw(self, cpu, address, width, function):
            lock = self.host.mutex("lock")
            await lock.lock()
            await lock.lock()

    program = Program("xadd", isa="x86", threads=[[ins("lock_xadd", X, 1)]], init={X: 0})
    found = compare(program, Stuck)
    assert [each.state for each in found.forbidden] == [(("ending", "deadlock"),)]


def test_the_outcomes_of_a_litmus_test_are_states_of_its_question(sb):
    assert compare(sb, host="tso").verdict is Verdict.HOLDS
    found = compare(sb, "native:barriers=none", host="tso")
    assert [dict(each.state) for each in found.forbidden] == [{"0:EAX": 0, "1:EAX": 0}]
    assert not found.unreached


def test_the_witness_of_a_litmus_test_replays_from_its_file(sb, tmp_path):
    found = compare(str(sb), "native:barriers=none", host="tso")
    saved = found.forbidden[0].failure.save(tmp_path / "witness.json")
    again = replay(saved, program=find_target(str(sb)))
    assert again.findings == found.forbidden[0].failure.findings
    assert replay(saved).trace.digest == again.trace.digest
    assert again.target == str(sb)


def test_a_litmus_file_that_has_changed_is_not_replayed_as_if_it_had_not(sb, tmp_path):
    failure = compare(str(sb), "native:barriers=none", host="tso").forbidden[0].failure
    record = failure.record(tmp_path)
    assert (record.program.source, record.program.variable) == ("SB.litmus", "")


def test_interruption_keeps_what_was_found():
    def interrupt(which, count):
        raise KeyboardInterrupt

    code = [ins("store", X, 1), ins("load", X, into="r"), ins("store", X, 2), ins("load", X, into="s")]
    with pytest.raises(Interrupted) as caught:
        compare(Program("many", isa="x86", threads=[code] * 2, init={X: 0}), progress=interrupt)
    found = caught.value.report
    assert found.interrupted
    assert found.allowed.executions >= 64
    assert found.allowed.states
    assert found.verdict is Verdict.INCONCLUSIVE
    assert not found.unreached


def test_what_is_no_program_is_refused(tmp_path):
    with pytest.raises(UsageError):
        compare(17)
    with pytest.raises(UsageError):
        compare(aba, "cas", machine=Machine("cas"))
    with pytest.raises(LitmusError):
        compare(tmp_path / "absent.litmus")


def test_the_command_saves_witnesses_and_its_status_is_the_verdict(sb, tmp_path, capsys):
    folder = tmp_path / "failures"
    arguments = ["compare", str(sb), "--host", "tso", "--format", "json"]
    assert main([*arguments, "--scheme", "native:barriers=none", "--save", str(folder)]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["forbidden"][0]["outcome"] == {"0:EAX": 0, "1:EAX": 0}
    assert main(["replay", document["saved"][0], "--format", "json"]) == 1
    assert main(arguments) == 0
    assert main([*arguments, "--executions", "1"]) == 3
    assert main(["compare", str(tmp_path / "absent.litmus")]) == 2


def test_the_command_shows_a_comparison_as_text(sb, capsys):
    assert main(["compare", str(sb), "--host", "tso", "--scheme", "native:barriers=none"]) == 1
    assert main(["compare", str(sb), "--host", "sc"]) == 0
    assert "unreached" not in capsys.readouterr().err


def test_the_command_compares_many_and_its_status_is_the_worst(sb, tmp_path, capsys):
    """A folder, a list and programs of the corpus, each on the machine that is meant for it."""
    plain = tmp_path / "plain.litmus"
    plain.write_text(SB.replace("MFENCE", "").replace("X86 SB", "X86 plain"))
    options = ["--host", "tso", "--scheme", "native:barriers=none", "--format", "json"]
    assert main(["compare", str(tmp_path), *options, "--save", str(tmp_path / "failures")]) == 1
    document = json.loads(capsys.readouterr().out)
    assert [(each["program"], each["verdict"]) for each in document["comparisons"]] == [
        ("SB", "violated"),
        ("plain", "holds"),
    ]
    assert len(document["saved"]) == 1
    assert main(["replay", document["saved"][0], "--format", "json"]) == 1
    assert main(["compare", str(plain), str(plain), *options]) == 0
    assert main(["compare", str(tmp_path), *options, "--executions", "1"]) == 3
    assert main(["compare", str(plain), "torn-store", *options]) == 2
    (tmp_path / "bad.litmus").write_text("VAX bad")
    capsys.readouterr()
    assert main(["compare", str(tmp_path), *options]) == 2
    document = json.loads(capsys.readouterr().out)
    assert len(document["comparisons"]) == 2
    assert [(error["file"], error["line"]) for error in document["errors"]] == [(str(tmp_path / "bad.litmus"), 1)]


def test_a_program_of_the_corpus_is_compared_on_the_machine_that_it_is_meant_for(capsys):
    names = ["sb-x86-fenced-tso-none", "sb-x86-fenced-tso-guest"]
    assert main(["compare", *names, "--host", "tso", "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert [each["verdict"] for each in document["comparisons"]] == ["violated", "holds"]


def test_many_are_shown_as_a_line_each(sb, tmp_path, capsys):
    assert main(["compare", str(tmp_path), "--host", "tso", "--scheme", "native:barriers=none"]) == 1
    shown = capsys.readouterr()
    assert "SB" in shown.out
    assert "1 violated" in shown.err


# -- as a picture -----------------------------------------------------------------------------------


def test_the_plot_has_every_outcome_once_in_each_of_its_sets_forbidden_ones_first():
    found = compare(aba, machine=machine("cas"))
    rows = found.plot().rows
    sets = found.allowed.states, found.possible.states, found.forbidden
    assert len(rows) == sum(map(len, sets))
    first = [(row["part"], row["set"]) for row in rows[: 2 * len(found.forbidden)]]
    assert first == [("forbidden", "possible"), ("forbidden", "forbidden")] * len(found.forbidden)
    assert {row["part"] for row in rows} == {"forbidden", "unreached", "both"}


def test_a_comparison_without_outcomes_has_no_plot():
    def interrupt(which, count):
        raise KeyboardInterrupt

    async def endless(cpu):
        while (value := await cpu.load(X)) < 2:
            await cpu.store(X, 1 - value)

    program = Program("endless, interrupted", isa="x86", threads=[endless], init={X: 0})
    limited = Machine("native", limits=Limits(steps=50))
    found = compare(program, machine=limited, progress=interrupt)
    assert not found.possible.states
    with pytest.raises(UsageError, match="no outcomes"):
        found.plot()


def test_witnesses_are_told_when_they_are_found():
    """Here the search for what is possible is interrupted right behind the first."""
    told = []
    whole = compare(aba, machine=machine("cas"), found=told.append)
    assert {failure.trace.digest for failure in told} == {each.failure.trace.digest for each in whole.forbidden}
    told.clear()

    def found(failure):
        told.append(failure)
        raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        compare(aba, machine=machine("cas"), found=found)
    assert [each.failure.trace.digest for each in caught.value.report.forbidden] == [told[0].trace.digest]
    assert caught.value.report.interrupted


def test_a_notebook_shows_the_verdict_and_what_differs():
    found = compare(aba, machine=machine("cas"))
    shown = found._repr_html_()
    assert shown.count("possible, not allowed") == min(len(found.forbidden), 20)
    assert "<script" not in shown


# -- limits ---------------------------------------------------------------------------------------


def test_a_comparison_says_which_sets_a_limit_left_unexplored(sb):
    cut = compare(sb, machine=machine("none"), executions=1)
    assert cut.unexplored == ("allowed", "possible")
    assert cut.as_dict()["unexplored"] == ["allowed", "possible"]
    assert cut.as_dict()["allowed"]["limited"] is True
    assert any("--executions" in line.plain for line in comparison_view(cut))
    through = compare(sb, machine=machine("none"), seconds=None)
    assert through.unexplored == ()
    assert through.as_dict()["possible"]["limited"] is False
    assert not any("--executions" in line.plain for line in comparison_view(through))


@pytest.mark.parametrize("function", [compare, minimal_barriers])
def test_searches_end_within_minutes_by_default(function):
    limits = inspect.signature(function).parameters
    assert limits["executions"].default <= 100_000
    assert limits["seconds"].default <= 60
