"""Progress while an exploration runs: what a cell shows, in what order, and that an interrupt keeps what was found."""

from __future__ import annotations

import io
import re
import sys
import types

import pytest

import simaie
from simaie import Machine, Program, corpus
from simaie.errors import SimaieError
from simaie.exploration import in_progress, kept
from simaie.show.progress import format_progress

MACHINE = Machine("aie-rfc", address_bits=12)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    """Every execution is told of, and not ten times a second."""
    monkeypatch.setattr(in_progress, "PROGRESS_SECONDS", -1.0)


@pytest.fixture(name="cell")
def fixture_cell(monkeypatch):
    """What a kernel's display was told, in order: ("made" or "updated", bundle)."""
    told = []

    class Handle:
        def update(self, bundle, raw):
            told.append(("updated", bundle))

    def display(bundle, raw, display_id):
        told.append(("made", bundle))
        return Handle()

    ipython, shown = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    shown.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    return told


def race():
    return corpus.program("first-registration-window")


def test_a_cell_has_one_display_that_counts_executions_and_shows_findings(cell):
    report = simaie.explore(race(), MACHINE, scheduler="random-walk", executions=60, failures=None, progress=True)
    assert [how for how, _ in cell] == ["made", *["updated"] * 60]
    assert "<progress" in cell[0][1]["text/html"]
    assert "1 executions" in cell[0][1]["text/plain"]
    last = cell[-1][1]
    assert "<progress" not in last["text/html"]
    assert f"60 executions, {report.failing} failed" in last["text/plain"]
    assert f"{report.failing} \u00d7 rmw-atomicity" in last["text/plain"]
    assert "/s" not in last["text/plain"]  # another run of the same shows the same


def test_an_interrupt_keeps_what_was_found_and_the_cell_says_so(cell):
    walk = simaie.plugins.resolve(simaie.plugins.SCHEDULERS, "random-walk")

    class Impatient(walk):
        def finish(self, trace):
            if len(cell) == 50:
                raise KeyboardInterrupt

    with pytest.raises(simaie.Interrupted) as caught:
        simaie.explore(race(), MACHINE, scheduler=Impatient(), failures=None, progress=True)
    report = caught.value.report
    assert report.interrupted
    assert report.failing
    assert report.executions == 50
    assert "interrupted after 50 executions" in cell[-1][1]["text/plain"]


def test_failures_beyond_those_that_are_kept_are_counted_by_kind_too(cell, monkeypatch):
    monkeypatch.setattr(kept, "MAX_KEPT", 2)
    report = simaie.explore(race(), MACHINE, scheduler="random-walk", executions=200, failures=None, progress=True)
    assert report.failing > len(report.failures) == 2
    assert f"{report.failing} \u00d7 rmw-atomicity" in cell[-1][1]["text/plain"]


def test_what_names_a_guest_is_text(cell):
    program = Program("<script>alert(1)</script>", isa="x86", threads=[[]])
    simaie.explore(program, scheduler="random-walk", executions=1, progress=True)
    assert "<script" not in cell[-1][1]["text/html"]


def test_an_error_ends_the_display_too(cell):
    async def bad(cpu):
        await cpu.load(0x100)
        raise RuntimeError

    with pytest.raises(SimaieError):
        simaie.explore(Program("bad", isa="x86", threads=[bad]), progress=True)
    assert "ended after 0 executions" in cell[-1][1]["text/plain"]


def test_many_kinds_of_findings_are_counted(cell):
    checkers = [lambda trace, n=n: (simaie.Finding(f"kind-{n}", "x"),) for n in range(7)]
    simaie.explore(race(), MACHINE, checkers=checkers, executions=1, progress=True)
    assert cell[-1][1]["text/plain"].endswith("... and 2 more kinds")


@pytest.mark.parametrize("terminal", [True, False])
def test_outside_a_notebook_a_terminal_has_a_line_and_nobody_else_anything(monkeypatch, terminal):
    monkeypatch.setitem(sys.modules, "IPython", None)

    class Stream(io.StringIO):
        def isatty(self):
            return terminal

    monkeypatch.setattr(sys, "stderr", Stream())
    simaie.explore(race(), MACHINE, scheduler="random-walk", executions=3, failures=None, progress=True)
    assert bool(sys.stderr.getvalue()) is terminal


def progress_of(program, scheduler, executions):
    words = []
    simaie.explore(
        program,
        Machine("aie-rfc", address_bits=13),
        scheduler=scheduler,
        executions=executions,
        failures=None,
        coverage=True,
        progress=lambda exploration: words.append(format_progress(exploration)),
    )
    return words


def test_while_it_runs_it_says_what_was_found_and_how_much_is_probably_left():
    words = progress_of(race(), "random-walk", 200)
    assert any(re.search(r"\d+ traces, the next is new with probability", said) for said in words)
    assert "rmw-atomicity" in words[-1]


@pytest.mark.untraced
def test_an_exhaustive_search_says_how_large_it_probably_is():
    long = simaie.Program("long", isa="x86", threads=[[simaie.ins("store", 0x100 + 64 * n, 1) for n in range(3)]] * 3)
    assert any(re.search("about .* interleavings in all", said) for said in progress_of(long, "dfs", 1_500))


def test_no_progress_is_shown_unless_asked_for(cell):
    simaie.explore(race(), MACHINE, executions=3, progress=False)
    simaie.explore(race(), MACHINE, executions=3)
    assert not cell
