"""The matrix of schemes and classes of violations: cells, rows, status, views and the command."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace

import msgspec
import pytest

import simaie
from simaie import plugins
from simaie.cli import main
from simaie.cli.matrix import matrix_status
from simaie.cli.output import print_lines
from simaie.cli.status import Status
from simaie.corpus.violations import violations
from simaie.errors import InternalError, Interrupted, NotModelledError, UnknownNameError, UsageError
from simaie.schemes.cas import CompareAndSwap
from simaie.schemes.holes import BY_VALUE, Hole, Variant
from simaie.schemes.hst import Hst
from simaie.show.matrix_view import matrix_details, matrix_summary
from simaie.survey import CellResult

ABA, TWO = str(Hole.ABA_ONE_STORER), str(Hole.ABA_TWO_STORERS)


@pytest.fixture(scope="module")
def found():
    """Three results on two hosts: cas breaks the class, hst on one of the hosts only, and aie-v2 has no LL/SC."""
    return simaie.matrix(["cas", "hst", "aie-v2"], [ABA], ["sc", "tso"])


# -- cells -------------------------------------------------------------------------------------------------


def test_a_cell_is_proved_found_or_not_emulated(found):
    assert found.cell("cas", ABA).result is CellResult.FOUND
    assert found.cell("hst", ABA).result is CellResult.PROVED
    assert found.cell("hst", ABA, "tso").result is CellResult.FOUND
    assert found.cell("aie-v2", ABA).result is CellResult.ABSENT
    assert (found.cell("hst", ABA).executions, found.cell("hst", ABA, "tso").executions) == (13, 14)
    assert found.ok
    assert found.cost >= found.cell("cas", ABA).seconds > 0


def test_a_violation_has_its_level(found):
    assert found.cell("cas", ABA).level == "value"
    assert found.cell("hst", ABA).level == ""
    (same,) = simaie.matrix(["cas:on_exception=clear"], [Hole.SAME_VALUE]).cells
    assert same.level == "architectural"


def test_a_command_shows_the_violation_again(found, capsys):
    for cell in (found.cell("cas", ABA), found.cell("hst", ABA, "tso"), found.cell("hst:sc=mutex", ABA)):
        assert main([*shlex.split(cell.command)[1:], "--format", "json"]) == Status.VIOLATED
        (failure,) = json.loads(capsys.readouterr().out)["failures"]
        assert failure["index"] == cell.index
        assert "llsc-atomicity" in [each["kind"] for each in failure["findings"]]


def test_the_execution_of_a_cell_is_its_shortest_and_shrinks(found):
    cell = found.cell("hst", ABA, "tso")
    shrunk = found.counterexample(cell)
    assert shrunk.report.kind == "llsc-atomicity"
    assert len(shrunk.failure.trace) <= cell.steps
    for other in (found.cell("hst", ABA), msgspec.structs.replace(cell, scheme="another")):
        with pytest.raises(UsageError, match="counterexample"):
            found.counterexample(other)


def test_a_limit_leaves_a_cell_open_with_the_reason():
    matrix = simaie.matrix(["hst:order=store-first"], [TWO], executions=5)
    (cell,) = matrix.open
    assert (cell.result, cell.executions, cell.differs, matrix.ok) == (CellResult.OPEN, 5, False, False)
    assert cell.reason
    assert matrix_status(matrix) is Status.INCONCLUSIVE


def test_a_class_of_both_kinds_of_guest_is_proved_for_both():
    (cell,) = simaie.matrix(["native"], [Hole.RMW]).cells
    alone = [simaie.explore(each.program, scheduler="dpor").executions for each in violations(Hole.RMW)]
    assert len(alone) == 2
    assert cell.executions == sum(alone)


def test_a_scheme_that_breaks_its_contract_leaves_the_cell_open():
    class Careless(CompareAndSwap):
        async def load_linked(self, cpu, address, width):
            await self.host.mutex("never taken").unlock()
            return await super().load_linked(cpu, address, width)

    (cell,) = simaie.matrix([Careless], [ABA]).cells
    assert (cell.result, cell.program) == (CellResult.OPEN, "")
    assert "unlock" in cell.reason


def test_what_a_host_does_not_model_leaves_the_cell_open():
    class Refused(CompareAndSwap):
        async def load_linked(self, cpu, address, width):
            raise NotModelledError("not modelled here")

    (cell,) = simaie.matrix([Refused], [ABA]).cells
    assert (cell.result, cell.reason) == (CellResult.OPEN, "not modelled here")


def test_a_bug_of_simaie_leaves_the_cell_open_and_spoils_no_other(monkeypatch):
    def crashes(program, *arguments, **options):
        if program.name == "hole-aba-two-storers":
            raise InternalError("lost count")
        return simaie.explore(program, *arguments, **options)

    monkeypatch.setattr("simaie.survey.cell.explore", crashes)
    one, two = simaie.matrix(["hst-weak"], [ABA, TWO]).cells
    assert (one.result, two.result) == (CellResult.FOUND, CellResult.OPEN)
    assert two.reason.endswith("lost count")


@pytest.mark.parametrize("host", ["sc", "armv8"])
def test_a_store_that_overlaps_accesses_of_two_sizes_is_ordered_with_both(host):
    (cell,) = simaie.matrix(["hst-htm:granule=4"], [Hole.WIDTH], [host]).cells
    assert (cell.result, cell.level) == (CellResult.FOUND, "value")


def test_a_scheme_without_the_instructions_of_a_class_does_not_emulate_it():
    (cell,) = simaie.matrix(["aie-v2"], [Hole.WIDTH], ["armv8"]).cells
    assert (cell.result, cell.reason) == (CellResult.ABSENT, "")


def test_a_cell_says_that_executions_got_stuck_which_its_class_does_not_count():
    """A kill inside the emulation of a split access leaves the other vCPU waiting for the mutex."""
    killed = "interrupted:scheme=split-mutex,times=0,kills=1"
    (cell,) = simaie.matrix([killed], [str(Hole.SPLIT)]).cells
    assert (cell.result, cell.stuck) == (CellResult.PROVED, ("deadlock", "lock-leak"))
    (cell,) = simaie.matrix(["split-mutex"], [str(Hole.SPLIT)]).cells
    assert cell.stuck == ()


def test_cells_without_an_expectation_are_told_apart(found):
    assert len(found.compared) == len(found.cells)
    assert simaie.matrix(["interrupted:scheme=cas"], [ABA]).compared == ()


# -- rows --------------------------------------------------------------------------------------------------


def test_the_family_is_every_scheme_with_data_once():
    rows = list(dict.fromkeys(cell.scheme for cell in simaie.matrix(classes=[Hole.EXCEPTION]).cells))
    variants = {
        (name, variant.options)
        for name in plugins.names(plugins.SCHEMES)
        for variant in plugins.resolve(plugins.SCHEMES, name).variants
        if name != "pico-cas"  # the second name of cas
    }
    assert len(rows) == len(variants)
    assert {row.partition(":")[0] for row in rows} == {name for name, _ in variants}


def test_a_scheme_with_options_is_one_row_with_its_data_whatever_their_order():
    (cell,) = simaie.matrix(["hst:order=store-first,sc=mutex"], [TWO]).cells
    assert cell.expected is True
    (cell,) = simaie.matrix(["hst:granule=8"], [TWO]).cells
    assert cell.expected is None
    assert not cell.differs


class Mine(Hst):
    """A scheme that says nothing of its own violations."""


class Listed(Hst):
    """A scheme that says of itself what is wrong."""

    variants = (Variant("", frozenset({Hole.ABA_ONE_STORER}), reordered=frozenset({Hole.LLSC})),)


def test_a_class_of_ones_own_adds_a_row_and_is_held_to_its_own_data_only():
    matrix = simaie.matrix(["cas:on_exception=clear", Mine, Listed], [Hole.LLSC, ABA], ["sc", "tso"])
    assert [cell.expected for cell in matrix.cells] == [*[None] * 4, False, True, *[None] * 4, True, True]
    assert [(cell.host, cell.hole) for cell in matrix.unexpected] == [("sc", ABA), ("tso", Hole.LLSC)]
    assert {cell.text for cell in matrix.unexpected} == {"proved, expected a violation"}
    assert matrix_status(matrix) is Status.VIOLATED


class Mislisted(Mine):
    """Its data are no variants."""

    variants = ("aba-by-sc",)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"schemes": [Mislisted]}, UsageError, "Mislisted.variants"),
        ({"schemes": ["nonsense"]}, UnknownNameError, "nonsense"),
        ({"schemes": "cas"}, UsageError, "list of schemes"),
        ({"schemes": [{"*": "cas"}]}, UsageError, "mixed:paths"),
        ({"schemes": ["hst:sc=nonsense"]}, UsageError, "sc"),
        ({"classes": ["aba"]}, UnknownNameError, "aba-by-sc"),
        ({"classes": []}, UsageError, "classes"),
        ({"classes": "llsc-llsc,leak"}, UsageError, "--class llsc-llsc --class leak"),
        ({"hosts": ["nonsense"]}, UnknownNameError, "nonsense"),
        ({"hosts": "sc"}, UsageError, "list of hosts"),
        ({"executions": 0}, UsageError, "executions"),
        ({"jobs": 0}, UsageError, "jobs"),
        ({"progress": 1}, UsageError, "progress"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, said):
    with pytest.raises(error, match=said):
        simaie.matrix(**arguments)


def test_ctrl_c_keeps_what_was_found():
    def progress(done, planned, cell):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as stopped:
        simaie.matrix(["hst-weak", "cas:on_exception=leave"], [ABA, TWO, Hole.LLSC], progress=progress)
    matrix = stopped.value.report
    assert ([cell.hole for cell in matrix.cells], matrix.ok) == ([Hole.LLSC, Hole.ABA_ONE_STORER], False)
    assert len(matrix.items) == 6
    assert matrix_status(matrix) is Status.INCONCLUSIVE


#: Some that `cas` has and some that it has not.
FEW = ("aba-one-storer", "aba-two-storers", "llsc-rmw", "rmw-rmw")


@pytest.mark.untraced
def test_processes_change_no_cell():
    def cells(jobs):
        found = simaie.matrix(["cas", Mine], FEW, jobs=jobs).cells
        return [msgspec.structs.replace(each, seconds=0.0) for each in found]

    assert cells(2) == cells(1)


# -- views -------------------------------------------------------------------------------------------------


def with_every_result(found):
    """Return `found` with an open cell and one that differs."""
    first, second, *rest = found.cells
    open_cell = msgspec.structs.replace(first, result=CellResult.OPEN, reason="the limit of 5 executions", command="")
    return replace(found, cells=(open_cell, msgspec.structs.replace(second, expected=not second.expected), *rest))


def test_the_summary_fits_80_columns(found, capsys):
    print_lines([matrix_summary(with_every_result(found))])
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line.rstrip()) <= 80 for line in lines if not line.lstrip().startswith("reproduce:"))


def test_each_view_has_each_cell_that_was_found_or_differs(found, capsys):
    shown = with_every_result(found)
    print_lines([matrix_details(shown)])
    text = capsys.readouterr().out
    for cell in shown.cells:
        assert cell.command in text
        assert cell.command.replace("&", "&amp;") in shown.to_html()
    assert shown.to_svg() == shown._repr_html_()
    assert ".mx-found{" in shown.to_svg()
    assert shown.to_svg().count("mx-differs") == 1 + shown.to_svg().count(".mx-differs")
    assert shown.to_svg().count("<rect") == len(shown.cells) + 1


def test_a_cell_of_the_drawing_leads_to_its_line_on_the_page_and_nowhere_else(found):
    page = found.to_html()
    lines = re.findall('<tr id="(.*?)">', page)
    assert re.findall('href="#(.*?)"', page) == lines
    assert len(set(lines)) == len(found.cells)
    assert "href" not in found.to_svg()


def test_the_style_of_the_drawing_changes_nothing_around_it(found):
    style = re.search("<style>(.*?)</style>", found.to_svg(), re.DOTALL)[1]
    rules = re.sub(r"@media \([^)]*\)\{", "", style)
    selectors = re.findall(r"([^{}]+)\{", rules)
    assert len(selectors) > 5
    assert all(selector.strip().startswith(".mx") for selector in selectors)


def test_a_notebook_shows_the_same_each_time(found):
    slower = tuple(msgspec.structs.replace(cell, seconds=99.0) for cell in found.cells)
    assert replace(found, cells=slower).to_svg() == found.to_svg()
    assert repr(found) == f"<{found}>"


def test_names_from_files_never_become_markup(found):
    named = msgspec.structs.replace(found.cells[0], scheme="<script>\x1b", reason="<b>", command="")
    for drawn in (replace(found, cells=(named,)).to_svg(), replace(found, cells=(named,)).to_html()):
        assert "<script>" not in drawn
        assert "<b>" not in drawn
        assert "\x1b" not in drawn


def test_a_matrix_is_a_line_and_json_values(found):
    assert len(str(found).splitlines()) == 1
    document = json.loads(json.dumps(found.as_dict()))
    assert document["ok"] is True
    assert [cell["differs"] for cell in document["cells"]] == [False] * len(found.cells)
    with pytest.raises(UsageError, match="no cell"):
        found.cell("cas", TWO)


# -- the command -------------------------------------------------------------------------------------------


def test_the_command_prints_and_draws(capsys, tmp_path):
    page, drawing = tmp_path / "page.html", tmp_path / "drawing.svg"
    arguments = ["matrix", "--scheme", "cas:on_exception=clear", "--class", ABA, "--host", "sc", "--host", "tso"]
    files = ["--html", str(page), "--svg", str(drawing)]
    assert main([*arguments, *files, "--explain", "--format", "json"]) == Status.HOLDS
    document = json.loads(capsys.readouterr().out)
    assert [cell["result"] for cell in document["cells"]] == ["found", "found"]
    assert [each["host"] for each in document["counterexamples"]] == ["sc", "tso"]
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert drawing.read_text("utf-8").startswith("<svg")
    for more in ([], ["--verbose"], ["--explain"]):
        assert main([*arguments, *more]) == Status.HOLDS


@pytest.mark.untraced
def test_a_scheme_in_a_file_is_held_to_the_data_of_its_class(capsys, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from simaie.schemes.cas import CompareAndSwap\nfrom simaie.schemes.holes import Variant\n\n"
        "class Mine(CompareAndSwap):\n    '''Says that it holds.'''\n\n    variants = (Variant(),)\n"
    )
    assert main(["matrix", "--scheme", f"{file}:Mine", "--format", "json"]) == Status.VIOLATED
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert {cell["hole"] for cell in cells if cell["differs"]} == {*BY_VALUE, Hole.ABA_BY_SC}


@pytest.mark.parametrize("options", [("--class", "x"), ("--scheme", "x"), ("--host", "x"), ("--executions", "0")])
def test_a_wrong_option_is_one_line(options, capsys):
    assert main(["matrix", *options]) == Status.ERROR
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_programs_of_the_classes_are_listed(capsys):
    assert main(["list", "programs", "--name", "hole-", "--format", "json"]) == Status.HOLDS
    entries = json.loads(capsys.readouterr().out)
    assert {entry["class"] for entry in entries} == set(Hole)
    assert main(["list", "programs", "--name", "hole-"]) == Status.HOLDS
    assert main(["list", "programs"]) == Status.HOLDS
