"""The page in a real browser: stepping, hovering, folding; light and dark. Skipped where there is no Chromium."""

from __future__ import annotations

import re
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

import simaie
from simaie import Machine, Program, corpus, ins
from simaie.replaying.run import run
from simaie.replaying.shrink.turns import InTurns
from simaie.show.picture import to_html
from simaie.show.trace_table import RowKind, trace_table

X = 0x100
EVIL = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(name="show")
def fixture_show(chromium, tmp_path):
    """Opens a page; at the end nothing must have been complained of, and nothing asked for but the file."""
    troubles, asked, contexts = [], [], []

    def show(html: str, **options):
        context = chromium.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text))
        page.on("dialog", lambda dialog: troubles.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        path = tmp_path / "page.html"
        path.write_text(html, "utf-8")
        page.goto(path.as_uri())
        page.wait_for_selector("body[data-ready]")
        return page

    yield show
    for context in contexts:
        context.close()
    assert not troubles
    assert len(asked) == len(contexts)


@pytest.fixture(scope="module", name="failure")
def fixture_failure():
    program = corpus.program("first-registration-window")
    machine = Machine("aie-rfc", address_bits=12)
    return simaie.explore(program, machine, scheduler="random-walk").failures[0].shrink().failure


def places(page) -> dict[str, str]:
    cells = page.locator("aside .places:not(.tree) tr").all()
    return {line.locator("td").nth(0).inner_text(): line.locator("td").nth(1).inner_text() for line in cells}


def step(page) -> int:
    return int(page.evaluate("document.body.dataset.step"))


def test_the_keyboard_steps_forward_and_back_and_the_state_follows(show, failure):
    page = show(failure.to_html())
    assert step(page) == failure.findings[0].steps[0]  # it opens where it goes wrong
    page.keyboard.press("Home")
    assert (step(page), places(page)["[0x100]/4"]) == (-1, "0")
    seen = []
    for _ in failure.trace.events:
        page.keyboard.press("ArrowRight")
        seen.append((places(page)["[0x100]/4"], places(page)["lock 0x100"]))
    assert seen[5:] == [("5", "vCPU 0"), ("1", "vCPU 0"), ("1", "free")]
    back = []
    for _ in failure.trace.events:
        back.append((places(page)["[0x100]/4"], places(page)["lock 0x100"]))
        page.keyboard.press("ArrowLeft")
    assert back == seen[::-1]


def test_n_and_p_go_from_one_guilty_step_to_the_next(show, failure):
    page = show(failure.to_html())
    page.keyboard.press("Home")
    seen = []
    for key in "nnnnpp":
        page.keyboard.press(key)
        seen.append(step(page))
    assert seen == [4, 5, 6, 6, 5, 4]


def test_hovering_shows_memory_entry_and_holder_and_moves_nothing(show, failure):
    page = show(failure.to_html())
    page.locator('[data-step="5"] .cell.guilty').hover(position={"x": 40, "y": 10})
    words = page.locator("#tip").inner_text()
    assert "0 \u2192 5" in words
    assert "held by vCPU 0" in words
    assert "entry 0x100" in words
    assert step(page) == 4
    page.mouse.move(5, 5)
    assert page.locator("#tip").is_hidden()


@pytest.mark.parametrize("height", [250, 1200])
def test_what_hovering_shows_stands_near_the_pointer_and_hides_neither_its_row_nor_the_next(show, failure, height):
    page = show(failure.to_html(), viewport={"width": 1000, "height": height})
    row = page.locator('[data-step="5"]')
    row.locator(".cell.guilty").hover(position={"x": 40, "y": 10})
    line, tip = row.bounding_box(), page.locator("#tip").bounding_box()
    gap = max(tip["y"] - line["y"] - line["height"], line["y"] - tip["y"] - tip["height"])
    assert gap >= 0
    assert gap < 3 * line["height"]
    assert tip["x"] >= 0
    assert tip["x"] + tip["width"] <= 1000


def test_a_guests_names_are_text(show):
    async def thread(cpu):
        cpu.observe(EVIL, await cpu.load(X))
        await cpu.exception(EVIL)

    program = Program(EVIL, isa="arm", threads=[thread] * 2, final=lambda m: False)
    page = show(simaie.explore(program, scheduler="random-walk").failures[0].to_html())
    assert page.locator("img").count() == 0
    assert EVIL in page.locator("h1").inner_text()


@pytest.fixture(scope="module", name="long_page")
def fixture_long_page():
    threads = [[ins("lock_inc", X), ins("store", X + 64, 1)] * 480] * 3
    program = Program("busy", isa="x86", threads=threads, init={X: 0})
    walk = simaie.plugins.resolve(simaie.plugins.SCHEDULERS, "random-walk")()
    trace = run(program, Machine("aie-rfc", address_bits=12), walk)
    assert len(trace) >= 10_000
    return to_html(trace)


def test_of_ten_thousand_steps_only_those_in_sight_are_drawn(show, long_page):
    page = show(long_page)
    page.keyboard.press("f")
    assert 20 < page.locator(".row").count() < 120
    page.keyboard.press("End")
    assert page.locator(".row.here").is_visible()
    assert page.locator(".row").count() < 120


def test_a_step_into_a_fold_opens_it(show, long_page):
    page = show(long_page)
    page.keyboard.press("Home")
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    assert page.locator(".row.here").is_visible()


def test_folding_the_step_that_is_shown_is_no_trouble(show, long_page):
    page = show(long_page, viewport={"width": 300, "height": 500})
    page.keyboard.press("f")
    for _ in range(40):
        page.keyboard.press("PageDown")
    page.keyboard.press("f")
    assert step(page) > 700
    page.keyboard.press("ArrowRight")
    assert page.locator(".row.here").is_visible()


def test_light_and_dark_follow_the_reader(show, failure):
    colours = {
        scheme: show(failure.to_html(), color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    }
    assert colours["light"] != colours["dark"]


def test_columns_stand_under_their_names(show, long_page):
    page = show(long_page)
    for column in range(3):
        name = page.locator(".names > div").nth(column + 1).bounding_box()
        cell = page.locator(".row:not(.fold)").first.locator(".cell").nth(column).bounding_box()
        assert name["x"] == pytest.approx(cell["x"], abs=1)


def test_the_step_is_in_sight_among_many_vcpus_too(show):
    program = Program("many", isa="x86", threads=[[ins("lock_inc", X)]] * 64, init={X: 0})
    walk = simaie.plugins.resolve(simaie.plugins.SCHEDULERS, "random-walk")()
    trace = run(program, Machine("aie-rfc", address_bits=12), walk)
    page = show(to_html(trace), viewport={"width": 900, "height": 500})
    room = page.locator("#trace").bounding_box()
    for key in ("End", "PageUp", "ArrowLeft", "Home", "ArrowRight"):
        page.keyboard.press(key)
        if step(page) >= 0:
            text = page.locator(".row.here .cell > span").bounding_box()
            assert room["x"] <= text["x"]
            assert text["x"] + text["width"] <= room["x"] + room["width"]


def test_the_steps_that_an_explanation_names_lead_there(show, failure):
    page = show(failure.to_html())
    page.keyboard.press("Home")
    page.locator(".finding a").nth(1).click()
    assert step(page) == failure.findings[0].steps[2]
    assert failure.findings[0].message in page.locator(".finding").first.inner_text()
    assert "in lock inc [0x100]" in page.locator(".event").inner_text()


def test_nothing_is_cut_off_at_the_right(show, failure):
    page = show(failure.to_html(), viewport={"width": 700, "height": 500})
    page.evaluate("document.getElementById('trace').scrollLeft = 1e6")
    room = page.locator("#trace").bounding_box()
    for text in page.locator(".row .cell:last-child > span").all():
        box = text.bounding_box()
        assert box["x"] + box["width"] <= room["x"] + room["width"] + 1


def test_calls_of_the_guest_stand_in_the_table(show):
    async def thread(cpu):
        async with cpu.call("read") as call:
            call.returns(await cpu.load(X))

    page = show(to_html(run(Program("calls", isa="x86", threads=[thread], init={X: 0}), Machine(), InTurns([], ()))))
    assert page.locator(".cell.block").all_inner_texts() == ["call read()", "return read() = 0"]


# -- the looks -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="deep")
def fixture_deep():
    """A failure with an address of 47 bits: the walk down the radix tree has twelve steps."""
    program = corpus.program("first-registration-window")
    machine = Machine("aie-rfc", address_bits=47)
    found = simaie.explore(program, machine, scheduler="random-walk", executions=2000)
    return found.failures[0].shrink().failure


@pytest.mark.parametrize("opened", ["click", "keyboard"])
def test_a_walk_is_one_line_that_opens(show, deep, opened):
    page = show(deep.to_html())
    walk = page.locator(".cell.steps .opener")
    assert walk.count() == 1
    assert page.locator('.row[data-step="5"]').count() == 0
    if opened == "click":
        walk.click()
    else:
        page.evaluate("document.querySelector('.steps .opener').focus()")
        page.keyboard.press("Enter")
    assert walk.count() == 0
    assert page.locator('.row[data-step="5"]').is_visible()
    page.keyboard.press("f")
    assert walk.count() == 1


def test_stepping_goes_through_a_walk_without_opening_it_and_enter_opens_it_there(show, deep):
    page = show(deep.to_html())
    page.keyboard.press("Home")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert step(page) == 3
    assert page.locator(".row.here .steps").count() == 1
    page.keyboard.press("Enter")
    assert page.locator('.row.here[data-step="3"]').is_visible()


def test_a_link_to_a_step_of_a_walk_opens_it(show, deep):
    page = show(deep.to_html())
    page.locator(".finding a").get_by_text("2", exact=True).click()
    assert step(page) == 2
    assert page.locator(f'.row.here[data-step="{step(page)}"]').is_visible()


@pytest.mark.one_in(2)
@pytest.mark.parametrize("width", [400, 700, 1280])
def test_no_text_runs_over_the_next_column(show, deep, width):
    page = show(deep.to_html(), viewport={"width": width, "height": 700})
    page.keyboard.press("f")
    for cell in page.locator(".cell:has(> span)").all():
        box, text = cell.bounding_box(), cell.locator("span").first.bounding_box()
        assert text["x"] + text["width"] <= box["x"] + box["width"]


PATH = re.compile(r"(?:\u2026|[0-9a-f]{2})(?:/[0-9a-f]{2})+")


def without_paths(text: str) -> list[str]:
    return PATH.sub("PATH", text).split()


@pytest.mark.one_in(2)
@pytest.mark.parametrize("width", [400, 700, 1280])
def test_a_text_that_is_too_long_loses_levels_of_paths_and_nothing_else(show, deep, width):
    page = show(deep.to_html(), viewport={"width": width, "height": 2000})
    page.keyboard.press("f")
    rows = {row.step: row.text for row in trace_table(deep.trace, everything=True).rows if row.step is not None}
    shortened = 0
    for element in page.locator(".row[data-step]").all():
        shown, full = element.locator(".cell > span").inner_text(), rows[int(element.get_attribute("data-step"))]
        assert without_paths(shown) == without_paths(full)
        for short, whole in zip(PATH.findall(shown), PATH.findall(full), strict=True):
            assert whole.endswith(short.removeprefix("\u2026"))
        shortened += "\u2026" in shown
    assert (shortened > 0) == (width < 1280)


@pytest.mark.parametrize("width", [400, 1280])
def test_a_folded_walk_says_how_many_levels_it_added_and_where_it_came_to(show, deep, width):
    page = show(deep.to_html(), viewport={"width": width, "height": 900})
    (walk,) = [row.text for row in trace_table(deep.trace, deep.findings).rows if row.kind is RowKind.WALK]
    shown = page.locator(".steps .opener").inner_text()
    assert without_paths(shown)[1:] == without_paths(walk)


def test_lines_of_a_long_text_do_not_run_over_the_next_row_and_it_is_whole_in_the_panel(show, deep):
    page = show(deep.to_html(), viewport={"width": 400, "height": 2000})
    page.keyboard.press("f")
    boxes = [row.bounding_box() for row in page.locator(".row").all()]
    assert max(box["height"] for box in boxes) > 2 * min(box["height"] for box in boxes)
    for row, box in zip(page.locator(".row").all(), boxes, strict=True):
        for text in row.locator(".cell > span").all():
            inner = text.bounding_box()
            assert inner["y"] >= box["y"] - 1
            assert inner["y"] + inner["height"] <= box["y"] + box["height"] + 1
    ends = [box["y"] + box["height"] for box in boxes]
    assert [box["y"] for box in boxes[1:]] == pytest.approx(ends[:-1], abs=0.5)
    page.locator(".row[data-step] .lines").last.click()
    assert rows_text(deep, step(page)) in page.locator(".event").inner_text()


def rows_text(failure, number: int) -> str:
    (text,) = [row.text for row in trace_table(failure.trace, everything=True).rows if row.step == number]
    return text


@pytest.mark.parametrize("width", [400, 1280])
def test_conflicting_accesses_are_joined_by_an_arrow(show, deep, width):
    page = show(deep.to_html(), viewport={"width": width, "height": 900})
    first, second, third = deep.findings[0].steps
    joined = page.locator(".arrows g")
    ends = [(int(g.get_attribute("data-source")), int(g.get_attribute("data-target"))) for g in joined.all()]
    assert ends == [(first, second), (second, third)]
    for arrow, (source, target) in zip(joined.all(), ends, strict=True):
        box = arrow.bounding_box()
        for number, edge in ((source, box["y"]), (target, box["y"] + box["height"])):
            row = page.locator(f'.row[data-step="{number}"]').bounding_box()
            assert row["y"] <= edge <= row["y"] + row["height"]


def test_an_arrow_leads_from_the_end_of_a_lasso_to_where_its_cycle_begins(show):
    async def spins(cpu):
        while await cpu.load(X):
            pass

    program = Program("spins", isa="x86", threads=[spins], init={X: 1})
    page = show(simaie.prove_progress(program).failure.to_html())
    arrow = page.locator(".arrows .cycle").bounding_box()
    for text, edge in (("the cycle begins", arrow["y"]), ("back to step", arrow["y"] + arrow["height"])):
        row = page.locator(".row", has_text=text).bounding_box()
        assert row["y"] <= edge <= row["y"] + row["height"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_shows_all_columns_buttons_and_signs(show, deep, scheme):
    page = show(deep.to_html(), viewport={"width": 400, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.evaluate("document.getElementById('trace').scrollWidth") <= 400
    for element in [*page.locator("button").all(), *page.locator(".sign").all()]:
        if element.is_visible() and element.locator("xpath=ancestor::aside").count() == 0:
            box = element.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 400
            assert box["y"] + box["height"] <= 800


def test_signs_and_keys_are_in_sight_without_scrolling(show, deep):
    page = show(deep.to_html(), viewport={"width": 1280, "height": 600})
    for element in (page.locator(".sign"), page.locator(".keys kbd")):
        assert element.count() >= 4
        assert all(each.bounding_box()["y"] < 600 for each in element.all())


def test_the_button_leads_to_the_next_step_of_the_violation(show, deep):
    page = show(deep.to_html())
    page.keyboard.press("Home")
    page.get_by_role("button", name="to the next step of a violation (n)").click()
    assert step(page) == deep.findings[0].steps[0]


@pytest.mark.parametrize("width", [400, 1280])
def test_the_panel_begins_with_the_findings_and_the_state_follows(show, deep, width):
    page = show(deep.to_html(), viewport={"width": width, "height": 800})
    aside = page.locator("aside").bounding_box()
    message = page.locator(".finding .message").first.bounding_box()
    assert 0 < message["y"] - aside["y"] < 80
    assert message["y"] + message["height"] <= 800
    wrong, state = page.locator(".wrong").bounding_box(), page.locator(".state").bounding_box()
    assert wrong["y"] + wrong["height"] <= state["y"] + 1
    if width == 1280:  # next to the table, both are in sight at once
        assert page.locator(".event").bounding_box()["y"] < 800
        assert page.locator(".places").first.bounding_box()["y"] < 800


def test_the_title_has_the_verdict_and_a_trace_without_findings_has_none(show, deep):
    page = show(deep.to_html())
    assert page.locator("h1 .verdict").inner_text().lower() == deep.findings[0].verdict
    assert page.title().lower().startswith(deep.findings[0].verdict)
    assert show(to_html(deep.trace)).locator(".verdict").count() == 0


@pytest.mark.parametrize("width", [400, 1280])
def test_number_switch_and_mark_of_a_row_are_apart_and_the_heading_is_over_the_numbers(show, deep, width):
    page = show(deep.to_html(), viewport={"width": width, "height": 900})
    extents = """(row) => [...row.querySelectorAll('.gutter > *')].filter((part) => part.textContent).map((part) => {
        const range = document.createRange();
        range.selectNodeContents(part);
        const box = range.getBoundingClientRect();
        return [box.left, box.right];
    })"""
    rows = [row.evaluate(extents) for row in page.locator(".row:has(.gutter > span:not(:empty))").all()]
    assert {len(parts) for parts in rows} == {1, 2, 3}
    lanes = page.locator(".row .cell").first.bounding_box()["x"]
    for parts in rows:
        assert parts[0][0] >= 0
        assert all(right + 2 < left for (_, right), (left, _) in pairwise(parts))
        assert parts[-1][1] < lanes
    ((_, right),) = page.locator(".names").evaluate(extents)
    assert {round(parts[0][1]) for parts in rows} == {round(right)}


def test_marks_of_many_findings_stay_left_of_the_columns(show, deep):
    steps = deep.findings[0].steps
    page = show(to_html(deep.trace, [simaie.Finding(f"kind {n}", "message", steps) for n in range(5)]))
    marks = page.locator(".gutter b:not(:empty)")
    assert marks.all_inner_texts() == [">1,2,3+"] * len(steps)
    assert marks.first.evaluate("(mark) => mark.scrollWidth <= mark.clientWidth")


@pytest.mark.parametrize("width", [400, 1280])
def test_the_command_is_on_one_line(show, deep, width):
    page = show(deep.to_html(), viewport={"width": width, "height": 800})
    command = page.locator(".command")
    assert command.inner_text() == deep.how_to_reproduce
    assert command.evaluate("(it) => it.clientHeight < 2 * parseFloat(getComputedStyle(it).lineHeight) + 16")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_labels_of_the_ending_look_unlike_its_values(show, deep):
    page = show(deep.to_html())
    label, value = page.locator(".ending tr").first.locator("td").all()
    colour = "(cell) => getComputedStyle(cell).color"
    assert label.inner_text() == "ending"
    assert label.evaluate(colour) != value.evaluate(colour)


def test_every_kind_of_bar_in_the_table_is_in_the_legend(show, deep):
    page = show(deep.to_html())
    seen = {name for name in "oil" if page.locator(f".cell.{name}").count()}
    kinds = {"dashed": "o", "thin": "i", "thick": "l"}
    assert {kinds[each.get_attribute("class")] for each in page.locator(".sign i").all()} == seen == set("oil")


def test_the_count_names_the_step_and_the_range(show, deep):
    page = show(deep.to_html())
    words = page.locator(".count").inner_text()
    assert [int(number) for number in re.findall(r"\d+", words)] == [step(page), 0, len(deep.trace) - 1]
    assert " of " not in words  # steps count from 0


def test_the_source_of_a_compiled_guest_is_beside_its_trace(show, tmp_path):
    binaries = Path(__file__).parents[1] / "binaries"
    shutil.copy(binaries / "elf" / "locks.aarch64.elf", tmp_path / "locks.elf")
    shutil.copytree(binaries / "src", tmp_path, dirs_exist_ok=True)
    program = simaie.binary_program(tmp_path / "locks.elf", ["bare", "bare"], final="check")
    found = simaie.explore(program, Machine("native"), scheduler="dpor", checkers=["final-check"]).failures[0]
    page = show(to_html(found))
    page.keyboard.press("Home")
    assert page.locator(".source").inner_text() == ""
    page.keyboard.press("ArrowRight")
    place = found.trace.events[0].instruction.place
    assert page.locator(".source code").inner_text() == place.disassembly
    file, _, line = str(place).partition(":")
    assert page.locator(".source .of").inner_text() == f"{file}:{line}"
    text = (binaries / "src" / file).read_text().splitlines()[int(line) - 1]
    assert page.locator(".source .here").inner_text().split() == [line, *text.split()]
