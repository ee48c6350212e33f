"""The widgets in a real JupyterLab: stepping through a counterexample, choosing a schedule by hand to the violation."""

from __future__ import annotations

from pathlib import Path

import pytest

import simaie

PROGRAM = """
import simaie
from simaie import Machine, Program, ins
X = 0x1000
program = Program(
    "first-race", isa="x86", threads=[[ins("lock_inc", X)], [ins("store", X, 5)]], init={X: 0},
    final=lambda memory: memory[X] in (5, 6),
)
machine = Machine("aie-rfc", address_bits=16)
"""
FAILURE = PROGRAM + """
failure = simaie.explore(program, machine, scheduler="random-walk", seed=7).failures[0].shrink().failure
"""

# Of the libraries between the browser and the kernel, which this project does not call.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module", name="failure")
def fixture_failure():
    known: dict = {}
    exec(FAILURE, known)
    return known["failure"]


def places(page) -> dict[str, str]:
    lines = page.locator("aside .places:not(.tree) tr").all()
    return {line.locator("td").nth(0).inner_text(): line.locator("td").nth(1).inner_text() for line in lines}


def test_the_player_goes_through_a_counterexample_by_keys_and_slider(notebook, failure):
    page = notebook("player", FAILURE, "player = failure.player()\nplayer")
    walk = page.locator(".walk")
    walk.wait_for()
    guilty = min(failure.findings[0].steps)
    assert walk.get_attribute("data-step") == str(guilty)
    page.locator("#trace").click(position={"x": 5, "y": 5})
    page.keyboard.press("Home")
    assert (walk.get_attribute("data-step"), places(page)["[0x1000]/4"]) == ("-1", "0")
    memory, locks = [], []
    for step in range(len(failure.trace)):
        page.keyboard.press("ArrowRight")
        assert walk.get_attribute("data-step") == str(step)
        memory.append(places(page)["[0x1000]/4"])
        locks.append(places(page)["lock 0x1000"])
    assert memory[-4:] == ["0", "5", "1", "1"]
    assert locks[-4:] == ["vCPU 0", "vCPU 0", "vCPU 0", "free"]
    assert "entry 0x1000" in page.locator("aside .tree").inner_text()
    assert "lock: free" in page.locator("aside .tree").inner_text()
    page.locator(".tools input").fill("2")
    assert walk.get_attribute("data-step") == "2"
    page.keyboard.press("ArrowLeft")
    assert page.locator(".jp-CodeCell").count() == 2  # the notebook has not taken the keys for itself


def test_a_schedule_is_chosen_by_hand_to_the_violation_undone_and_saved(notebook, lab, failure):
    page = notebook("interactive", PROGRAM, "session = simaie.interactive(program, machine)\nsession")
    frame, status = page.locator(".frame"), page.locator(".status")
    frame.wait_for()

    def steps(number: int) -> None:
        page.wait_for_selector(f'.frame[data-steps="{number}"]')

    def press(actor: str) -> None:
        before = int(frame.get_attribute("data-steps"))
        page.locator(f'.moves [data-actor="{actor}"]').click()
        steps(before + 1)

    press("1")  # the store looks for the granule, and finds nothing
    while "store [0x1000]" not in page.locator('.moves [data-actor="0"]').inner_text():
        press("0")  # registers, locks, loads
    assert places(page)["lock 0x1000"] == "vCPU 0"
    while "store [0x1000]" not in page.locator('.moves [data-actor="1"]').inner_text():
        press("1")
    press("0")
    page.keyboard.press("u")  # not yet: the store has to come first
    page.wait_for_selector('.moves [data-actor="0"]:has-text("store [0x1000]")')
    press("1")
    page.keyboard.press("0")
    page.locator(".bar button", has_text="undo").wait_for()
    page.wait_for_selector('.moves [data-actor="0"]:has-text("release")')
    assert status.get_attribute("class") == "status"
    page.locator(".bar select").select_option("round-robin")
    page.locator(".bar button", has_text="run").click()
    page.wait_for_selector(".status.violated")
    assert page.locator(".finding").count() == 2
    page.locator(".bar input[type=text]").fill("by-hand.json")
    page.locator(".bar button", has_text="save").click()
    page.wait_for_selector(".said:not(:empty)")
    again = simaie.replay(lab[1] / "by-hand.json", program=failure.program)
    assert [f.kind for f in again.findings] == [f.kind for f in failure.findings]


def test_an_exploration_shows_how_it_gets_on_and_an_interrupt_keeps_what_it_found(notebook):
    search = """report = simaie.explore(program, machine, scheduler="random-walk", executions=10**9, failures=None,
                        progress=True)"""
    kept = "import sys; report = sys.last_value.report; print(report.interrupted, report.failing > 0)"
    page = notebook("live", PROGRAM, search, kept)
    page.wait_for_selector("progress")
    page.wait_for_selector('.jp-OutputArea-output:has-text("rmw-atomicity")')
    page.evaluate("void jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt()")
    page.wait_for_selector('.jp-OutputArea-output:has-text("interrupted after")')
    assert page.locator("progress").count() == 0
    page.evaluate("void jupyterapp.commands.execute('notebook:run-all-below')")
    page.locator(".jp-OutputArea-output pre", has_text="True True").wait_for()


@pytest.mark.one_in(2)
@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_of_a_notebook_that_nobody_has_run_or_trusted_the_pictures_are_there(notebook, theme):
    """Markup of SVG would be dropped, and its words be left; stored widgets would be looked for in vain."""
    path = Path(__file__).parents[2] / "notebooks" / "01_first_race.ipynb"
    page = notebook(f"stored{theme}", stored=path, theme=f"JupyterLab {theme}")
    drawn = page.locator(".jp-RenderedHTMLCommon img").first
    drawn.wait_for()
    assert drawn.evaluate("image => image.decode().then(() => image.naturalWidth)") > 500
    assert "rmw-atomicity" not in page.locator(".jp-Notebook").inner_text()
    assert "the instruction was not atomic" in drawn.get_attribute("alt")
