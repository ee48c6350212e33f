"""Widgets without a front end: what they show in its place, what they tell it, and what they do when it asks."""

from __future__ import annotations

import json
import sys

import pytest

import simaie
from simaie import Machine, corpus
from simaie.errors import UsageError
from simaie.show.picture import notebook_html
from simaie.show.widgets import player, session_view

VIEW = "application/vnd.jupyter.widget-view+json"
MACHINE = Machine("aie-rfc", address_bits=12)
BY_HAND = (1, 0, 0, 0, 0, 1, 0, 0)


@pytest.fixture(scope="module", name="failure")
def fixture_failure() -> simaie.Failure:
    program = corpus.program("first-registration-window")
    return simaie.explore(program, MACHINE, scheduler="random-walk").failures[0].shrink().failure


@pytest.fixture(name="session")
def fixture_session():
    return simaie.interactive(corpus.program("first-registration-window"), MACHINE)


@pytest.fixture(name="without_the_extra")
def fixture_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    for name in ("player", "session"):
        monkeypatch.delitem(sys.modules, f"simaie.show.widgets.{name}", raising=False)


@pytest.fixture(name="extra")
def fixture_extra():
    pytest.importorskip("anywidget", reason="not installed (extra: notebook)")


# -- without anywidget -----------------------------------------------------------------------------------


def test_without_the_extra_there_is_a_picture_and_what_to_install(without_the_extra, failure, session):
    for thing, drawn in ((failure.player(), True), (failure.trace.player(), True), (session, False)):
        shown = thing._repr_mimebundle_()
        assert VIEW not in shown
        assert ("<img" in shown["text/html"]) is drawn
        for text in shown.values():
            assert "install" in text
            assert "simaie[notebook]" in text


def test_without_the_extra_a_session_shows_how_it_stands_each_time(without_the_extra, session):
    for steps in range(1, 4):
        shown = session.step(1 if steps == 1 else 0)._repr_mimebundle_()
        assert f"{steps} step" in shown["text/html"]
        assert f"{steps} step" in shown["text/plain"]


def test_a_report_without_failures_has_nothing_to_play(failure):
    report = simaie.explore(failure.program, Machine("native"), scheduler="dpor")
    with pytest.raises(UsageError, match="no failure to step through: the verdict is holds"):
        report.player()
    with pytest.raises(UsageError, match="only a failure or a trace"):
        player("a trace")


# -- the player ------------------------------------------------------------------------------------------


def test_the_player_is_the_page_and_a_picture_where_no_front_end_runs(extra, failure):
    made = failure.player()
    data, _ = made._repr_mimebundle_()
    assert data["text/html"].startswith(notebook_html(failure))
    assert "run the cell in JupyterLab" in data["text/html"]
    assert "run the cell in JupyterLab" in data["text/plain"]
    assert data[VIEW]["model_id"] == made.model_id
    assert "8 steps" in data["text/plain"]
    page = failure.to_html()
    assert json.dumps(made.document["rows"], separators=(",", ":")) in page
    walk = made._esm[made._esm.index("function walk") : made._esm.index("// The element of a widget")]
    assert walk.strip() in page  # one mechanism, not two


def test_the_player_opens_where_it_goes_wrong_and_can_be_told_where_to_be(extra, failure):
    made = failure.player()
    assert made.step == failure.findings[0].steps[0]
    assert failure.trace.player().step == -1
    assert player(failure.trace, failure.findings).step == made.step
    made.step = 7
    for wrong in (8, -2):
        with pytest.raises(UsageError, match="step must be from -1"):
            made.step = wrong
    assert made.step == 7


def test_a_report_plays_its_first_failure(extra, failure):
    report = simaie.explore(failure.program, MACHINE, scheduler="random-walk")
    assert report.player().document["title"] == failure.player().document["title"]


# -- the session -----------------------------------------------------------------------------------------


def ask(view, **what) -> None:
    """As the front end does."""
    view._handle_custom_msg(what, [])


def moves(view) -> dict[str, tuple[str, bool]]:
    return {move["actor"]: (move["words"], move["enabled"]) for move in view.document["session"]["moves"]}


def test_a_session_shows_who_can_go_on_and_follows_what_is_done_from_python(extra, session):
    view = session_view(session)
    assert moves(view) == {"0": ("load radix/10", True), "1": ("load radix/10", True)}
    assert view.document["places"]
    session.step(*BY_HAND[:5])
    assert moves(view) == {"0": ("store [0x100]/4 := 1", True), "1": ("store [0x100]/4 := 5", True)}
    assert len(view.document["changes"]) == 5
    assert not view.document["over"]


def test_buttons_do_what_the_methods_do(extra, session, tmp_path):
    view = session_view(session)
    for actor in BY_HAND:
        ask(view, do="step", args=[str(actor)])
    assert view.document["session"]["violated"]
    assert view.document["session"]["moves"] == []
    assert len(view.document["findings"]) == 2
    ask(view, do="save", path=str(tmp_path / "by-hand.json"))
    assert f"simaie replay {tmp_path / 'by-hand.json'}" in view.said
    assert simaie.replay(tmp_path / "by-hand.json").trace.digest == session.trace.digest
    ask(view, do="undo")
    assert view.said == ""
    assert len(session.trace) == 7
    ask(view, do="restart")
    ask(view, do="run", scheduler="round-robin", seed=1)
    assert session.ended
    ask(view, do="save", path=str(tmp_path / "schedule.txt"))
    assert "scripted" in view.said


def test_what_cannot_be_done_is_said_and_changes_nothing(extra, session):
    view = session_view(session)
    before = view.document
    ask(view, do="undo")
    assert view.said == "nothing to undo yet"
    ask(view, do="step", args=["7"])
    assert "7 cannot step" in view.said
    assert view.document is before


def test_a_local_choice_has_buttons_of_its_own(extra):
    async def chooser(cpu):
        await cpu.ldrex(0x100)
        await cpu.strex(0x100, 1)

    program = simaie.Program("spurious", isa="arm", threads=[chooser], init={0x100: 0})
    session = simaie.interactive(program, Machine("native:spurious_failures=true")).step(0)
    view = session_view(session)
    (choice,) = view.document["session"]["choices"]
    assert (choice["value"], choice["arity"]) == (0, 2)
    ask(view, do="choose", args=[1], step=choice["step"])
    assert view.document["session"]["choices"][0]["value"] == 1


def test_store_buffers_are_among_those_to_choose(extra):
    program = simaie.Program("one", isa="x86", threads=[[simaie.ins("store", 0x100, 1)]], init={0x100: 0})
    session = simaie.interactive(program, Machine("native", host="tso")).step(0)
    (move,) = session_view(session).document["session"]["moves"]
    assert (move["actor"], move["title"]) == ("0~", "vCPU 0's store buffer")


def test_a_session_shows_itself_by_one_view_and_where_no_front_end_runs_by_a_picture(extra, session):
    first, _ = session.step(1)._repr_mimebundle_()
    second, _ = session.step(0)._repr_mimebundle_()
    assert first[VIEW]["model_id"] == second[VIEW]["model_id"]
    assert "<img" in second["text/html"]
    assert "2 steps taken" in second["text/html"]
    assert "2 steps taken" in second["text/plain"]
