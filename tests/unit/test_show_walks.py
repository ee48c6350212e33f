"""What the table and the drawings make of a long walk down the radix tree, of conflicts and of long texts."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

import simaie
from simaie import Machine, Program, corpus, ins
from simaie.finding import Finding
from simaie.host.host import SharedCell
from simaie.op import Kind, Op, Role
from simaie.replaying.run import run
from simaie.replaying.shrink.turns import InTurns, Turn
from simaie.show.arrows import conflict_arrows
from simaie.show.fitting import MOST_LINES, fit, without_levels
from simaie.show.format import shorten
from simaie.show.picture import subject_of, to_svg
from simaie.show.picture.document import page_document
from simaie.show.trace_table import RowKind, trace_table
from simaie.show.trace_view import trace_view
from simaie.trace import Trace

SVG = "{http://www.w3.org/2000/svg}"
X, Y = 0x100, 0x20_0000_0100


@pytest.fixture(scope="module", name="failure")
def fixture_failure() -> simaie.Failure:
    """The first registration of a granule with an address of 47 bits, at steps 1 to 12."""
    program = corpus.program("first-registration-window")
    report = simaie.explore(program, Machine("aie-rfc", address_bits=47), scheduler="random-walk", executions=2000)
    return report.failures[0].shrink().failure


def traced(*threads: list) -> Trace:
    program = Program("walks", isa="x86", threads=list(threads), init={X: 0, Y: 0})
    return run(program, Machine("aie-rfc", address_bits=47), InTurns([], ()))


def walks(trace: Trace, findings: tuple[Finding, ...] = ()) -> list[tuple[int | None, int, str]]:
    rows = trace_table(trace, findings).rows
    return [(row.step, row.steps, row.text) for row in rows if row.kind is RowKind.WALK]


def test_a_walk_that_adds_levels_one_that_finds_its_entry_and_one_that_misses_are_a_row_each() -> None:
    trace = traced([ins("lock_inc", X), ins("lock_inc", X)])
    assert [text for _, _, text in walks(trace)] == [
        "walk radix: 6 levels, 6 added, to entry 0x100", "walk radix: 6 levels, to entry 0x100"
    ]  # fmt: skip
    assert walks(trace)[0][:2] == (0, 12)
    other = traced([ins("lock_inc", X), ins("store", 0x10_0000_0100, 1)])
    assert walks(other)[1:] == []  # two levels: shorter than what is folded
    deep = traced([ins("lock_inc", X), ins("store", 0x1000_0100, 1)])
    assert [text for _, _, text in walks(deep)][1:] == ["walk radix: 3 levels, missing at 00/00/01"]


def test_a_walk_of_two_steps_and_other_operations_are_not_folded() -> None:
    program = Program("short", isa="x86", threads=[[ins("lock_inc", X)]], init={X: 0})
    assert walks(run(program, Machine("aie-rfc", address_bits=12), InTurns([], ()))) == []


def test_a_step_that_a_finding_names_is_never_in_a_walk() -> None:
    trace = traced([ins("lock_inc", X)])
    (cut,) = walks(trace, (Finding("any", "", (9,)),))
    assert cut[:2] == (0, 9)
    assert [row.step for row in trace_table(trace, (Finding("any", "", (9,)),)).rows if row.marks] == [9]


@pytest.mark.untraced
def test_every_step_has_a_row_or_a_share_in_one_and_everything_folds_nothing(failure) -> None:
    trace = failure.trace
    folded, unfolded = (trace_table(trace, failure.findings, everything=everything) for everything in (False, True))
    assert sum(row.steps for row in folded.rows) == sum(row.steps for row in unfolded.rows) == len(trace)
    assert [row.number for row in folded.rows if row.kind is RowKind.WALK] == ["1-12"]
    assert not [row for row in unfolded.rows if row.kind is RowKind.WALK]
    assert len(trace_view(trace, everything=True)) > len(trace_view(trace)) + 10


def test_a_walk_that_another_vcpu_cuts_in_two_has_a_row_for_each_part() -> None:
    program = Program("cut", isa="x86", threads=[[ins("lock_inc", X)], [ins("lock_inc", Y)]], init={X: 0, Y: 0})
    turns = run(program, Machine("aie-rfc", address_bits=47), InTurns([Turn("0", 6), Turn("1", 3), Turn("0", 99)], ()))
    assert [steps for step, steps, _ in walks(turns) if step is not None][:2] == [6, 3]


def test_the_walk_keeps_the_mark_of_a_switch(failure) -> None:
    (walk,) = [row for row in trace_table(failure.trace, failure.findings).rows if row.kind is RowKind.WALK]
    assert walk.switched == any(1 <= switch.step <= 12 for switch in failure.trace.schedule.switches)


# -- the page and the drawing ------------------------------------------------------------------------------


def test_the_page_has_each_walk_as_a_range_of_rows_and_folds_cover_walks_whole_or_not_at_all(failure) -> None:
    data = page_document(subject_of(failure))
    ((first, last, text),) = data["walks"]
    assert [row[2] for row in data["rows"][first : last + 1]] == list(range(1, 13))
    assert data["texts"][text].startswith("walk radix: 6 levels")
    long = page_document(subject_of(traced([ins("lock_inc", X), *[ins("store", X + 64, 1)] * 30])))
    assert long["hidden"]
    for first, last, _ in long["walks"]:
        for begin, end in long["hidden"]:
            assert last < begin or end < first or (begin <= first and last <= end)


def test_the_drawing_folds_the_walk_and_everything_shows_its_steps(failure) -> None:
    texts = [e.text for e in ET.fromstring(to_svg(failure)).iter(f"{SVG}text")]
    assert "walk radix: 6 levels, 6 added, to entry 0x100" in texts
    assert "1-12" in texts
    every = [e.text for e in ET.fromstring(to_svg(failure, everything=True)).iter(f"{SVG}text")]
    assert {str(step) for step in range(len(failure.trace))} <= set(every)


def columns(drawing: ET.Element) -> list[float]:
    """Where the columns begin, by the lines below their names."""
    lines = [e for e in drawing.iter(f"{SVG}rect") if e.get("height") == "2.5"]
    return [float(e.get("x")) for e in lines]


@pytest.mark.parametrize("everything", [False, True])
def test_no_text_of_the_drawing_runs_over_the_next_column(failure, everything) -> None:
    drawing = ET.fromstring(to_svg(failure, everything=everything))
    left = columns(drawing)
    texts = list(drawing.iter(f"{SVG}text"))
    head = next(float(e.get("y")) for e in texts if e.text == "step")
    rows = [e for e in texts if float(e.get("x")) > left[0] + 5 and float(e.get("y")) > head]
    assert len(rows) >= 9
    for element in rows:
        x = float(element.get("x"))
        following = [other for other in left if other > x]
        assert x + 7.25 * len(element.text) <= min(following, default=float(drawing.get("width")))


def test_long_texts_are_shortened_in_the_middle() -> None:
    text = "cas radix/00/00/00/00/00/10 none -> entry 0x100 = swapped"
    short = shorten(text, 20)
    start, rest = short.split("\u2026")
    assert len(short) == 20
    assert text.startswith(start)
    assert text.endswith(rest)
    assert min(len(start), len(rest)) > 8
    assert shorten(text, len(text)) == text


SWAP = "cas radix/00/01/02/03/04/10 none -> entry 0x100 = swapped"


def test_a_text_that_fits_is_left_alone_and_a_path_loses_no_more_levels_than_it_must() -> None:
    assert fit(SWAP, len(SWAP)) == [SWAP]
    assert fit(SWAP, len(SWAP) - 1) == ["cas radix/\u2026/01/02/03/04/10 none -> entry 0x100 = swapped"]
    assert fit(SWAP, len(SWAP) - 9) == ["cas radix/\u2026/04/10 none -> entry 0x100 = swapped"]


def test_the_last_level_of_a_path_stays_and_only_paths_are_touched() -> None:
    assert without_levels(SWAP, 99) == "cas radix/\u2026/10 none -> entry 0x100 = swapped"
    for text in ("store [0x100]/4 := 1", "load radix/00 = none", "load radix/00/01 = none", "open /dev/null"):
        assert without_levels(text, 1) == text


def test_a_text_that_wraps_keeps_the_levels_for_which_there_is_room() -> None:
    lines = fit(SWAP, 40)
    assert len(lines) == 2
    assert "radix/00/01/02/03/04/10" in lines[0]


@pytest.mark.parametrize("width", range(12, 60))
def test_a_text_loses_nothing_but_levels_at_any_width(width) -> None:
    lines = fit(SWAP, width)
    assert max(map(len, lines)) <= width
    kept = " ".join(lines).split()
    assert [word for word in kept if not word.startswith("radix")] == [w for w in SWAP.split() if "radix" not in w]
    assert kept[1].endswith("/10")


def test_a_word_longer_than_a_line_loses_its_middle_and_lines_without_end_are_dropped() -> None:
    (first, second) = fit(f"observe {'x' * 50}y", 30)
    assert (first, len(second) <= 30, second.endswith("xy"), "\u2026" in second) == ("observe", True, True, True)
    lines = fit("word " * 500, 30)
    assert len(lines) == MOST_LINES
    assert lines[-1].strip() == "\u2026"


def test_the_drawing_shows_every_text_whole(failure) -> None:
    drawn = {e.text for e in ET.fromstring(to_svg(failure, everything=True)).iter(f"{SVG}text")}
    assert {row.text for row in trace_table(failure.trace, failure.findings, everything=True).rows} <= drawn


def test_a_long_text_of_the_drawing_wraps_and_the_rows_below_move_down() -> None:
    async def thread(cpu):
        await cpu.exception("word " * 40)

    trace = run(Program("long", isa="arm", threads=[thread] * 2), Machine(), InTurns([], ()))
    drawing = ET.fromstring(to_svg(trace))
    words = [e for e in drawing.iter(f"{SVG}text") if "word word" in (e.text or "")]
    assert len(words) >= 6
    heights = [float(e.get("y")) for e in words]
    assert heights == sorted(set(heights))
    assert max(float(e.get("x")) + 7.25 * len(e.text) for e in words) <= float(drawing.get("width"))


def test_number_switch_and_marks_of_the_drawing_are_apart_and_left_of_the_columns(failure) -> None:
    many = [Finding(f"kind {n}", "", failure.findings[0].steps) for n in range(5)]
    drawing = ET.fromstring(to_svg(failure.trace, many))
    left = min(columns(drawing))
    texts = list(drawing.iter(f"{SVG}text"))
    head = next(float(e.get("y")) for e in texts if e.text == "step")
    (switched,) = {float(e.get("x")) for e in texts if e.text == "~" and float(e.get("y")) > head}
    marks = [e for e in texts if e.text == ">1,2,3+"]
    (number,) = {float(e.get("x")) for e in texts if e.get("text-anchor") == "end"}
    assert len(marks) == len(failure.findings[0].steps)
    assert number + 4 < switched
    assert switched + 7.25 + 4 < float(marks[0].get("x"))
    assert float(marks[0].get("x")) + 7.25 * len(marks[0].text) < left - 4


def test_the_drawing_has_its_signs_above_the_table(failure) -> None:
    drawing = ET.fromstring(to_svg(failure))
    head = next(float(e.get("y")) for e in drawing.iter(f"{SVG}text") if e.text == "step")
    signs = [e for e in drawing.iter(f"{SVG}text") if 22 < float(e.get("y")) < head]
    assert {"~", ">1", "\u2192"} <= {e.text for e in signs}
    bars = [e for e in drawing.iter(f"{SVG}rect") if 22 < float(e.get("y") or 0) < head - 15]
    assert [e.get("class") for e in bars] == ["sim-idle", "sim-sign", "sim-sign"]  # each kind of bar in the table


# -- arrows ------------------------------------------------------------------------------------------------


def test_arrows_join_the_accesses_that_conflict_in_order_of_time(failure) -> None:
    first, second, third = failure.findings[0].steps
    arrows = conflict_arrows(failure.trace, failure.findings)
    assert [tuple(arrow) for arrow in arrows] == [(first, second, 1), (second, third, 1)]
    assert page_document(subject_of(failure))["arrows"] == [list(arrow) for arrow in arrows]


def test_accesses_of_one_vcpu_two_reads_and_other_places_are_not_joined() -> None:
    trace = traced([ins("store", X, 1), ins("store", X, 2)], [ins("load", X), ins("load", Y)], [ins("load", X)])
    ram = [step for step, event in enumerate(trace.events) if event.op.width]
    (store, again, load, elsewhere, other) = ram
    assert conflict_arrows(trace, [Finding("any", "", (store, again))]) == ()
    assert conflict_arrows(trace, [Finding("any", "", (load, other))]) == ()
    assert conflict_arrows(trace, [Finding("any", "", (again, elsewhere))]) == ()
    assert [tuple(a) for a in conflict_arrows(trace, [Finding("any", "", (again, load, 999))])] == [(again, load, 1)]


def test_cells_conflict_as_memory_does(failure) -> None:
    cell = SharedCell("radix/00", role=Role.SLOT)
    events = [simaie.trace.Event("0", Op(Kind.LOAD, cell), None),
              simaie.trace.Event("1", Op(Kind.STORE, cell, value=1), None)]  # fmt: skip
    trace = Trace(program="x", events=events, ending=failure.trace.ending, outcome=failure.trace.outcome,
                  schedule=failure.trace.schedule, waiting={})  # fmt: skip
    assert [tuple(a) for a in conflict_arrows(trace, [Finding("any", "", (0, 1))])] == [(0, 1, 1)]


def test_each_arrow_of_the_drawing_runs_from_row_to_row_and_stays_inside(failure) -> None:
    drawing = ET.fromstring(to_svg(failure))
    lines = [e.get("d") for e in drawing.iter(f"{SVG}path") if e.get("class") == "sim-arrow"]
    heights = {e.text: float(e.get("y")) for e in drawing.iter(f"{SVG}text") if (e.text or "").isdecimal()}
    first, second, third = (heights[str(step)] for step in failure.findings[0].steps)
    assert len(lines) == 2
    for line, (above, below) in zip(lines, ((first, second), (second, third)), strict=True):
        y0, y1 = (float(y) for y in re.search(r"M[\d.]+ ([\d.]+)H[\d.]+V([\d.]+)H", line).groups())
        assert abs(y0 - above) < 9.5
        assert abs(y1 - below) < 9.5
        assert all(0 <= float(x) <= float(drawing.get("width")) for x in re.findall(r"H([\d.]+)", line))


def test_arrows_among_many_vcpus_stay_inside_too() -> None:
    threads = [[ins("store", X, n)] for n in range(12)]
    trace = traced(*threads)
    steps = tuple(step for step, event in enumerate(trace.events) if event.op.width)
    drawing = ET.fromstring(to_svg(trace, [Finding("any", "", steps)]))
    lines = [e.get("d") for e in drawing.iter(f"{SVG}path") if e.get("class") == "sim-arrow"]
    assert len(lines) == 11
    assert all(float(x) <= float(drawing.get("width")) for line in lines for x in re.findall(r"H([\d.]+)", line))
