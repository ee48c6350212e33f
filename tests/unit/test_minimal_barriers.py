"""The fewest barriers: which kinds which programs need on which host, with witnesses."""

from __future__ import annotations

import itertools
import json

import pytest

from simaie import Machine, Program, compare, ins, replay
from simaie.barrier import Barrier
from simaie.cli import main
from simaie.corpus.barriers import SHAPES
from simaie.errors import Interrupted, NotEmulatedError, UsageError
from simaie.exploration.barriers import minimal_barriers
from simaie.exploration.minimal_sets import ORDERS, MonotoneOracle, combined, minimal_sets
from simaie.finding import Verdict
from simaie.litmus import LitmusError
from simaie.litmus.lowering import UnsupportedError
from simaie.show.barriers_view import barriers_view

NONE, ST_LD, ST_ST = Barrier.NONE, Barrier.ST_LD, Barrier.ST_ST
STORES = ("mp", "s", "2+2w")
SETS = [Barrier(number) for number in range(16)]

LITMUS = {
    "SB": ("MOV [x],$1  | MOV [y],$1", "MFENCE | MFENCE", "MOV EAX,[y] | MOV EAX,[x]"),
    "MP": ("MOV [x],$1  | MOV EAX,[y]", "MOV [y],$1 | MOV EBX,[x]"),
}
QUESTION = {"SB": "(0:EAX=0 /\\ 1:EAX=0)", "MP": "(1:EAX=1 /\\ 1:EBX=0)"}


def litmus_file(folder, name):
    path = folder / f"{name}.litmus"
    rows = "".join(f" {row} ;\n" for row in LITMUS[name])
    path.write_text(f"X86 {name}\n{{ }}\n P0 | P1 ;\n{rows}exists {QUESTION[name]}\n")
    return path


def found(shape, isa, between, host, scheme="native"):
    program = litmus(shape, isa, between)
    return minimal_barriers([program], machine=Machine(scheme, host=host, address_bits=12))


def litmus(shape, isa, between, name=""):
    """The classic test `shape`, `between` two accesses of a vCPU: nothing, or a fence and its options."""
    store, load = ("store", "load") if isa == "x86" else ("str_", "ldr")
    name_of_fence, _, kind = between.partition(" ")
    fence = [] if between == "nothing" else [ins(name_of_fence, **({"kind": kind} if kind else {}))]
    threads = []
    for accesses in SHAPES[shape][0]:
        code = []
        for kind, place, what in accesses:
            code += fence if code else []
            code.append(ins(store, place, what) if kind == "W" else ins(load, place, into=what))
        threads.append(code)
    return Program(name or f"{shape} {isa} {between}", isa=isa, threads=threads, init={0x100: 0, 0x200: 0, 0x300: 0})


# -- the sets ---------------------------------------------------------------------------------------


@pytest.mark.one_in(3)
@pytest.mark.parametrize("generators", [c for n in range(3) for c in itertools.combinations(SETS, n)])
def test_all_minimal_sets_of_every_small_family_are_found(generators):
    """Of each family that is upward closed and has at most two minimal sets, by brute force.

    Where the useful kinds suffice, sets with others are not asked for.
    """

    def sufficient(barriers):
        return any(generator & barriers == generator for generator in generators)

    minimal = {s for s in SETS if sufficient(s) and not any(sufficient(s & ~k) for k in ORDERS if k & s)}
    for useful in (Barrier.FULL, ST_LD, NONE):
        top = useful if sufficient(useful) else Barrier.FULL
        assert set(minimal_sets(MonotoneOracle(sufficient), useful)) == {s for s in minimal if s & top == s}


def test_no_question_is_asked_twice_or_where_the_answer_is_implied():
    asked = []

    def sufficient(barriers):
        asked.append(barriers)
        return bool(barriers & ST_ST)

    assert minimal_sets(MonotoneOracle(sufficient), ST_LD | ST_ST) == (ST_ST,)
    assert asked == [NONE, Barrier.FULL, ST_LD | ST_ST, ST_ST, ST_LD]


def test_the_sets_for_all_programs_hold_one_of_each():
    assert combined([(ST_LD, ST_ST), (ST_ST,)]) == (ST_ST,)
    assert combined([(ST_LD,), (ST_ST,)]) == (ST_LD | ST_ST,)
    assert combined([(ST_LD, ST_ST), (NONE,)]) == (ST_LD, ST_ST)
    assert combined([]) == (NONE,)


# -- programs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["native", "aie-rfc", "cas"])
def test_store_buffering_with_a_fence_needs_it_on_tso(scheme):
    report = found("sb", "x86", "mfence", "tso", scheme)
    assert report.verdict is Verdict.HOLDS
    assert report.minimal == (ST_LD,)
    assert report.scheme == scheme
    (need,) = report.needs
    assert need.kind == ST_LD
    assert need.without == NONE
    assert need.always
    assert dict(need.forbidden.state)["0:r"] == dict(need.forbidden.state)["1:r"] == 0


@pytest.mark.parametrize("scheme", ["native", "aie-rfc", "cas"])
@pytest.mark.parametrize("shape", STORES)
def test_plain_stores_of_x86_need_to_be_kept_in_order_on_pso_and_not_on_tso(shape, scheme):
    assert found(shape, "x86", "nothing", "pso", scheme).minimal == (ST_ST,)
    assert found(shape, "x86", "nothing", "tso", scheme).minimal == (NONE,)


@pytest.mark.parametrize("scheme", ["native", "aie-rfc", "cas"])
@pytest.mark.parametrize("shape", STORES)
def test_fences_between_stores_of_arm_need_to_be_emitted_on_pso(shape, scheme):
    report = found(shape, "arm", "dmb st-st", "pso", scheme)
    assert report.minimal == (ST_ST,)
    assert report.model_notes


def test_where_a_full_fence_stands_either_kind_keeps_stores_in_order():
    """A fence that keeps loads behind stores waits until the buffers are empty, and nothing is left to be reordered."""
    report = found("2+2w", "arm", "dmb", "pso")
    assert report.minimal == (ST_LD, ST_ST)
    assert {need.kind for need in report.needs} == {ST_LD, ST_ST}
    assert not any(need.always for need in report.needs)
    assert report.needed_by(ST_ST) == ()


@pytest.mark.parametrize("host", ["tso", "pso"])
@pytest.mark.parametrize("shape", ["sb", "mp", "r", "2+2w"])
def test_the_answer_is_that_of_comparing_every_set(shape, host):
    program = litmus(shape, "x86", "mfence", f"{shape} every set")
    enough = [s for s in SETS if not compare(program, ("native", {"barriers": s.text}), host=host).forbidden]
    smallest = {s for s in enough if not any(o != s and o & s == o for o in enough)}
    assert set(minimal_barriers([program], "native", host).minimal) == smallest


def test_several_programs_need_the_kinds_of_all_and_each_kind_has_a_witness():
    fences = {"sb": "mfence", "mp": "nothing", "lb": "mfence"}
    programs = [litmus(shape, "x86", between, f"{shape} together") for shape, between in fences.items()]
    report = minimal_barriers(programs, "native", "pso")
    assert report.minimal == (ST_LD | ST_ST,)
    assert report.needed_by(ST_LD) == ("sb together",)
    assert report.needed_by(ST_ST) == ("mp together",)
    for need in report.needs:
        again = replay(need.forbidden.failure)
        assert tuple(sorted(again.trace.outcome.items)) == need.forbidden.state


def test_litmus_files_need_what_the_same_programs_need(tmp_path):
    files = [litmus_file(tmp_path, name) for name in LITMUS]
    assert minimal_barriers(files, "native", "tso").minimal == (ST_LD,)
    report = minimal_barriers(files, "native", "pso")
    assert report.needed_by(ST_LD) == ("SB",)
    assert report.needed_by(ST_ST) == ("MP",)


# -- what barriers do not mend, and what is not known -----------------------------------------------


def test_what_all_barriers_leave_is_reported_and_leaves_the_answer_for_the_others():
    torn = Program(
        "lost increment", isa="x86", threads=[[ins("lock_xadd", 0x100, 1)], [ins("store", 0x100, 8)]], init={0x100: 0}
    )
    fenced = litmus("sb", "x86", "mfence", "sb beside it")
    report = minimal_barriers([torn, fenced], machine=Machine("none", host="tso", address_bits=12))
    assert report.verdict is Verdict.VIOLATED
    (program,) = report.remaining
    assert program.name == "lost increment"
    assert program.remaining is not None
    assert program.remaining.failure.machine.scheme == "none:barriers=full"
    assert report.minimal == (ST_LD,)


def test_a_program_whose_search_is_cut_is_undecided():
    report = minimal_barriers([litmus("sb", "x86", "mfence", "sb cut")], "native", "tso", executions=1)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert [program.name for program in report.undecided] == ["sb cut"]


def test_what_a_limit_left_unexplored_is_named():
    program = litmus("sb", "x86", "mfence")
    report = minimal_barriers([program], "native", "tso", executions=1)
    assert report.programs[0].unexplored == "what is allowed"
    assert report.programs[0].undecided.startswith("what is allowed: the limit of 1 executions")
    assert report.as_dict()["programs"][0]["unexplored"] == "what is allowed"
    assert any("--executions" in line.plain for line in barriers_view(report))
    twice = Program("two increments", isa="x86", threads=[[ins("lock_inc", 0x100)]] * 2, init={0x100: 0})
    enough = compare(twice, "aie-rfc").allowed.executions  # what is possible has more
    few = minimal_barriers([twice], "aie-rfc", "sc", executions=enough + 1)
    assert few.programs[0].unexplored == "what is possible with the barriers none"


def test_nothing_is_unexplored_without_a_limit_that_ends_a_search():
    report = minimal_barriers([litmus("sb", "x86", "mfence")], "native", "tso")
    assert report.programs[0].unexplored == ""
    assert not any("--executions" in line.plain for line in barriers_view(report))


def test_a_litmus_test_that_cannot_be_run_is_told_of_or_raised(tmp_path):
    bad = tmp_path / "bad.litmus"
    bad.write_text("X86 bad\n{ }\n P0 ;\n HLT ;\nexists (x=1)\n")
    told = []
    report = minimal_barriers(
        [bad, litmus_file(tmp_path, "SB")], "native", "tso", errors=lambda name, error: told.append((name, error))
    )
    ((name, error),) = told
    assert (name, type(error)) == (str(bad), UnsupportedError)
    assert report.minimal == (ST_LD,)
    with pytest.raises(LitmusError):
        minimal_barriers([bad], "native", "tso")


def test_a_program_that_the_scheme_does_not_run_leaves_the_others():
    """aie-v2 has no LL/SC."""
    exclusive = Program("exclusive", isa="arm", threads=[[ins("ldrex", 0x100)]], init={0x100: 0})
    told = []
    report = minimal_barriers(
        [exclusive, litmus("sb", "x86", "mfence")],
        "global-lock",
        "tso",
        errors=lambda name, error: told.append((name, type(error))),
    )
    assert told == [("exclusive", NotEmulatedError)]
    assert report.minimal == (ST_LD,)


def test_interruption_keeps_the_programs_that_are_done():
    """And says of the one at hand that nothing is known."""
    code = [ins("store", 0x100, 1), ins("load", 0x100, into="r"), ins("store", 0x100, 2), ins("load", 0x100, into="s")]
    many = Program("many", isa="x86", threads=[code] * 2, init={0x100: 0})
    seen = []

    def interrupt(number, planned, name, executions):
        seen.append((number, planned, name))
        if executions:
            raise KeyboardInterrupt

    programs = [litmus("sb", "x86", "mfence"), many, litmus("mp", "x86", "mfence")]
    with pytest.raises(Interrupted) as caught:
        minimal_barriers(programs, "native", "tso", progress=interrupt)
    report = caught.value.report
    assert report.interrupted
    assert report.verdict is Verdict.INCONCLUSIVE
    assert [program.name for program in report.programs] == [programs[0].name, "many"]
    assert [program.name for program in report.undecided] == ["many"]
    assert report.minimal == (ST_LD,)
    assert set(seen) == {(0, 3, programs[0].name), (1, 3, "many")}


def test_about_no_programs_nothing_is_claimed():
    assert minimal_barriers([], "native", "tso").verdict is Verdict.INCONCLUSIVE


def test_options_that_cannot_be_are_refused_before_anything_runs():
    for options in ({"executions": 0}, {"seconds": -1.0}):
        with pytest.raises(UsageError):
            minimal_barriers([], "native", "tso", **options)
    with pytest.raises(UsageError, match="foo"):
        minimal_barriers([], "native:foo=1", "tso", errors=lambda name, error: None)


def test_a_scheme_without_a_name_is_refused():
    with pytest.raises(UsageError, match="name"):
        minimal_barriers([], Machine("native").scheme_class, "tso")


def test_the_command_answers_for_a_folder_and_saves_witnesses(tmp_path, capsys):
    for name in LITMUS:
        litmus_file(tmp_path, name)
    arguments = ["barriers", str(tmp_path), "--host", "pso", "--format", "json", "--save", str(tmp_path / "failures")]
    assert main(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["minimal"] == ["st-ld+st-st"]
    assert document["kept"] == "ld-ld+ld-st"
    assert len(document["saved"]) == 2
    assert main(["replay", document["saved"][0], "--format", "json"]) == 1
    capsys.readouterr()
    assert main(["barriers", str(tmp_path), "--host", "pso"]) == 0
    assert main(["barriers", str(tmp_path / "absent.litmus"), "--host", "tso"]) == 2
