"""Mappings judged by programs: exact, too weak or stronger than needed, and which of their orders are missed."""

from __future__ import annotations

import json

import pytest
from test_minimal_barriers import litmus, litmus_file

from simaie import compare, replay
from simaie.cli import main
from simaie.errors import Interrupted, UsageError
from simaie.exploration.judge_mapping import judge_mapping
from simaie.exploration.mapping_report import Judgement
from simaie.finding import Verdict
from simaie.schemes.mapping import MAPPINGS, mapping_of
from simaie.schemes.weaker_mapping import weakenings
from simaie.show.mapping_view import mapping_view

SHAPES = ("mp", "s", "2+2w", "sb")


def programs(*shapes):
    return [litmus(shape, "x86", "nothing", f"{shape} judged") for shape in shapes or SHAPES]


def changes(mapping):
    return [each.change for each in weakenings(mapping_of(mapping))]


def test_a_mapping_is_made_weaker_by_one_order_at_a_time():
    assert changes("none") == ["atomic.order=acquire", "atomic.order=release"]
    assert changes("relaxed") == []
    assert changes("risotto/atomic.order=relaxed") == ["load.after=ld-st", "load.after=ld-ld", "store.before=none"]
    assert changes("acquire-release/atomic.order=acquire") == [
        "load.order=acquire", "store.order=relaxed", "atomic.order=relaxed"
    ]  # fmt: skip
    assert "atomic.failed=ld-ld+ld-st+st-ld" in changes("risotto-llsc")


@pytest.mark.parametrize("name", sorted(MAPPINGS))
def test_leaving_out_one_after_another_ends_at_the_mapping_without_any(name):
    text = name
    for _ in range(40):
        left = changes(text)
        if not left:
            break
        text += f"/{left[-1]}"
    assert mapping_of(text).load == mapping_of("relaxed").load
    assert mapping_of(text).store == mapping_of("relaxed").store
    assert mapping_of(text).atomic.order == mapping_of("relaxed").atomic.order


def test_a_mapping_that_loses_the_order_of_stores_is_too_weak_on_pso():
    report = judge_mapping(programs(), "cas:mapping=none", "pso")
    assert report.judgement is Judgement.TOO_WEAK
    assert report.verdict is Verdict.VIOLATED
    assert [program.name for program in report.too_weak] == ["mp judged", "s judged", "2+2w judged"]
    assert report.parts == ()
    assert report.weaker == ""
    for program in report.too_weak:
        for each in program.forbidden:
            assert tuple(sorted(replay(each.failure).trace.outcome.items)) == each.state


def test_an_exact_mapping_has_all_outcomes_that_are_allowed():
    report = judge_mapping(programs(), "cas:mapping=risotto", "pso")
    assert report.judgement is Judgement.EXACT
    assert report.verdict is Verdict.HOLDS
    missed = [part for part in report.parts if part.missed_by]
    assert [part.change for part in missed] == ["store.before=none"]
    assert missed[0].missed_by == "mp judged"
    assert missed[0].forbidden.failure.machine.scheme == "cas:mapping=risotto/store.before=none"
    assert {part.what for part in report.never_missed} >= {"ld-ld behind loads", "ld-st behind loads"}


@pytest.mark.untraced
def test_a_mapping_that_excludes_what_is_allowed_is_stronger_than_needed():
    report = judge_mapping(programs(), "cas:mapping=box64:strongmem=1", "pso")
    assert report.judgement is Judgement.STRONGER
    assert report.verdict is Verdict.HOLDS
    (program,) = report.stronger
    assert program.name == "sb judged"
    assert [dict(state)["0:r"] for state in program.unreached] == [0]
    assert not any(part.missed_by for part in report.parts)  # a fence before or one behind a store is enough
    again = judge_mapping(programs(), f"cas:mapping={report.weaker}", "pso")
    assert again.judgement is Judgement.EXACT
    assert again.weaker == ""
    assert [part.what for part in again.parts if part.missed_by] == ["st-st behind stores"]
    assert again.never_missed == ()


def test_the_judgement_agrees_with_comparisons():
    for mapping in ("none", "fex", "qemu"):
        report = judge_mapping(programs("mp", "sb"), f"aie-v2:mapping={mapping}", "pso")
        for program, result in zip(programs("mp", "sb"), report.programs, strict=True):
            same = compare(program, f"aie-v2:mapping={mapping}", host="pso")
            assert bool(same.forbidden) == (result.judgement is Judgement.TOO_WEAK)
            assert len(same.unreached) == len(result.unreached)


def test_a_search_that_is_cut_leaves_the_mapping_undecided():
    report = judge_mapping(programs("sb"), "cas:mapping=qemu", "pso", executions=1)
    assert report.judgement is Judgement.UNDECIDED
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.programs[0].undecided
    assert any(line.plain.startswith("undecided") for line in mapping_view(report))
    assert judge_mapping([], "cas:mapping=qemu", "pso").verdict is Verdict.INCONCLUSIVE


def test_interruption_keeps_what_is_known():
    def interrupt(number, planned, name, executions):
        if number:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        judge_mapping(programs("mp", "sb"), "cas:mapping=qemu", "pso", progress=interrupt)
    report = caught.value.report
    assert [program.name for program in report.programs] == ["mp judged"]
    assert report.judgement is Judgement.UNDECIDED


def test_without_a_mapping_there_is_nothing_to_judge():
    for scheme in ("cas", "cas:barriers=full", "cas:mapping=usual"):
        with pytest.raises(UsageError, match="mapping"):
            judge_mapping([], scheme, "pso")
    with pytest.raises(UsageError, match="qmeu"):
        judge_mapping([], "cas:mapping=qmeu", "pso")


def test_the_command_judges_a_mapping_and_finds_places(tmp_path, capsys):
    for name in ("SB", "MP"):
        litmus_file(tmp_path, name)
    command = ["barriers", str(tmp_path), "--host", "pso", "--format", "json", "--scheme"]
    assert main([*command, "cas:mapping=none", "--save", str(tmp_path / "failures")]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["judgement"] == "too weak"
    assert len(document["saved"]) == 1
    assert main(["replay", document["saved"][0], "--format", "json"]) == 1
    capsys.readouterr()
    assert main([*command, "cas:mapping=fex"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["judgement"] == "exact"
    assert "the acquire of loads" in document["never_missed"]
    assert main([*command, "cas:mapping=relaxed", "--places"]) == 0
    assert json.loads(capsys.readouterr().out)["minimal"] == ["store.before=st-st", "store.after=st-st"]
    for scheme in ("cas:mapping=qemu", "cas:mapping=none"):
        main(["barriers", str(tmp_path), "--host", "pso", "--scheme", scheme])


def test_several_processes_judge_alike():
    one, two = (judge_mapping(programs("mp", "sb"), "cas:mapping=risotto", "pso", jobs=jobs) for jobs in (1, 2))
    assert [part.as_dict() for part in one.parts] == [part.as_dict() for part in two.parts]
    assert one.weaker == two.weaker
