"""The audit of the AIE schemes: every row comes out as the design says, and says how it was found out."""

from __future__ import annotations

import io
import json
import shlex

import msgspec
import pytest
from rich.console import Console

from simaie import corpus
from simaie.audit import RowResult, audit, examine, row_counterexamples
from simaie.audit.plan import plan
from simaie.cli import main
from simaie.corpus import Expect
from simaie.errors import Interrupted, UnknownNameError, UsageError
from simaie.exploration.explorer import explore
from simaie.replaying.player import replay
from simaie.schemes.aie_rfc import AieRfc
from simaie.schemes.aie_v2 import AieV2
from simaie.show.audit_view import audit_details, audit_summary
from simaie.show.explain import around, explain

#: Names for the plan's items, in pytest's own listing.
ITEMS = plan(None, None)
IDS = [f"{item.case.name}-{item.scheme}" for item in ITEMS]
#: Rows whose explanations begin with the message of the finding.
MESSAGE_IS_BEST = {30}


@pytest.fixture(scope="module", params=[10, pytest.param(1, marks=pytest.mark.soak)])
def samples_one_in(request):
    """Of the executions that sample a larger scope, one in how many there is: they take most of the time."""
    return request.param


@pytest.fixture(scope="module")
def report(samples_one_in):
    run = examine._run

    def run_fewer(item, program, scheduler, seed, executions, *checkers):
        most = -(-executions // samples_one_in) if program is item.case.larger else executions
        return run(item, program, scheduler, seed, most, *checkers)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(examine, "_run", run_fewer)
        return audit()


def without_seconds(row):
    return {key: value for key, value in row.as_dict().items() if key != "seconds"}


# -- what must come of it --------------------------------------------------------------------------


def test_every_row_is_as_expected(report):
    assert report.ok, [(row.program, row.scheme, row.found, row.explanation) for row in report.unexpected]
    assert len(report.rows) == sum(len(case.expected) for case in corpus.cases())


def test_what_must_not_happen_was_exhausted_at_the_small_scope_and_sampled_at_the_larger(report, samples_one_in):
    for row in report.rows:
        if row.expected is Expect.MUST_NOT:
            assert row.complete
            assert row.found is RowResult.CLEAN
            case = corpus.case(row.program)
            samples = -(-case.samples // samples_one_in)
            assert (row.larger_program, row.larger_executions) == (case.larger.name, samples)


def test_a_model_behaviour_was_looked_for_in_all_executions_without_a_finding(report):
    models = [row for row in report.rows if row.expected is Expect.MODEL]
    assert models
    assert all(row.complete and row.found is RowResult.OBSERVED and row.index is not None for row in models)


@pytest.mark.parametrize("one_in", [4, pytest.param(1, marks=pytest.mark.soak)])
def test_every_hole_has_a_short_counterexample_that_replays_and_is_explained(report, one_in):
    """In 500 executions at most: four deviations and forty steps are enough for each.

    On a host that reorders loads, what a load reads and where a store goes are deviations, too.
    """
    holes = [row for row in report.rows if row.expected is Expect.FINDABLE][::one_in]
    shown = list(row_counterexamples(msgspec.structs.replace(report, rows=tuple(holes))))
    assert len(shown) == len(holes)
    for row, (failure, how) in shown:
        case = corpus.case(row.program)
        assert how.kind in case.kinds
        assert not how.exhausted
        assert how.after.deviations <= (8 if case.needs.host == "armv8" else 4)
        assert how.after.steps <= 40
        assert replay(failure).trace.digest == failure.trace.digest
        finding = next(finding for finding in failure.findings if finding.kind == how.kind)
        text = explain(failure.trace, finding, around(failure))
        assert "(step" in text
        assert finding.message not in text or row.row in MESSAGE_IS_BEST


def test_the_command_of_a_hole_runs_into_it_again(report, capsys):
    for row in report.rows:
        if row.expected is Expect.FINDABLE:
            assert main([*shlex.split(row.command)[1:], "--format", "json"]) == 1
            shown = json.loads(capsys.readouterr().out)
            assert shown["failures"][0]["index"] == row.index
            assert any(f["message"] == row.explanation for f in shown["failures"][0]["findings"])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_holes_are_found_from_other_seeds_too(seed):
    """All rows that are about holes only; those of contrast stand beside rows that take longer."""
    found = audit(rows=[6, 8, 15, 17, 24, 26, 30], seed=seed)
    assert found.ok
    assert all(row.seed == seed for row in found.rows)


@pytest.mark.one_in(8)
@pytest.mark.parametrize("item", ITEMS, ids=IDS)
def test_plain_depth_first_search_agrees(item):
    """Without any reasoning about independence, as far as a thousand executions go: every hole is among them.

    Guests of other instruction sets take the paths of Arm's and x86's, so that fewer are enough where nothing is found.
    The same number is enough on a host that reorders loads, where an execution takes much longer.
    """
    known = item.case.program.isa in ("x86", "arm") and item.machine.host != "armv8"
    executions = 1_000 if known or item.expected is Expect.FINDABLE else 100
    found = explore(item.case.program, item.machine, scheduler="dfs", executions=executions)
    assert bool(found.failing) is (item.expected is Expect.FINDABLE)


def test_the_same_audit_gives_the_same_rows():
    first, second = audit(rows=[5, 6, 9]), audit(rows=[5, 6, 9])
    assert [without_seconds(row) for row in first.rows] == [without_seconds(row) for row in second.rows]


# -- when it is not as expected ----------------------------------------------------------------------


def test_a_scheme_that_closes_a_hole_is_not_as_expected(monkeypatch):
    """Row 30 with reservations that end with their thread; nothing is found however long the search."""
    monkeypatch.setattr("simaie.audit.examine.SEARCH_LIMIT", 200)
    rows = audit(["aie-rfc:on_exit=clear"], rows=[30]).rows
    assert {(row.found, row.ok, row.scheme) for row in rows} == {(RowResult.NOT_FOUND, False, "aie-rfc:on_exit=clear")}


def test_a_scheme_that_unlocks_what_it_does_not_hold_has_violated_the_row():
    class Careless(AieV2):
        async def get_lock(self, cpu, key):
            await super().get_lock(cpu, key)
            await cpu.local.held.lock.unlock()

    (row, _) = audit([Careless], rows=[4]).rows
    assert (row.found, row.ok) == (RowResult.VIOLATED, False)
    assert "unlock" in row.explanation


def test_a_finding_of_another_kind_does_not_count_as_the_hole():
    """Two locks at once, in a program that is searched for a lost store."""

    class Hoarder(AieRfc):
        async def get_lock(self, cpu, key):
            await super().get_lock(cpu, key)
            await self.host.mutex("another").lock()

    rows = audit([Hoarder], rows=[6]).rows
    assert {row.found for row in rows} == {RowResult.FLAGGED}


def test_a_row_that_hits_a_limit_is_incomplete(monkeypatch):
    monkeypatch.setattr("simaie.audit.examine.EXHAUSTIVE_LIMIT", 3)
    rows = audit(["aie-rfc"], rows=[2, 13]).rows
    assert {row.row: row.found for row in rows} == dict.fromkeys((2, 13), RowResult.INCOMPLETE)


# -- interrupted -------------------------------------------------------------------------------------


def test_ctrl_c_between_rows_keeps_those_done_and_is_never_ok():
    def progress(done, total, row):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        audit(["aie-v2"], rows=[1, 2, 3], progress=progress)
    report = caught.value.report
    assert [row.ok for row in report.rows] == [True, True]
    assert (report.interrupted, report.ok, report.planned) == (True, False, 3)


def test_ctrl_c_in_the_middle_of_a_row_drops_that_row():
    class Interrupting(AieRfc):
        async def atomic_rmw(self, cpu, address, width, function):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        audit([Interrupting], rows=[1])
    report = caught.value.report
    assert (report.rows, report.interrupted, report.ok) == ((), True, False)


# -- what may be asked -------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [[99], [6, 99], [], "6", 6, ["6"]])
def test_rows_that_are_not_there_are_refused(rows):
    with pytest.raises(UsageError):
        audit(rows=rows)


@pytest.mark.parametrize(("schemes", "error"), [(["aie-rtc"], UnknownNameError), (["native"], UsageError)])
def test_a_scheme_without_expectations_is_refused(schemes, error):
    """A name that no scheme has is another mistake than a scheme of which the corpus says nothing."""
    with pytest.raises(error) as caught:
        audit(schemes)
    assert type(caught.value) is error


@pytest.mark.parametrize("schemes", [[], "aie-v2", [object]])
def test_what_is_no_list_of_schemes_is_refused(schemes):
    with pytest.raises(UsageError):
        audit(schemes)


def test_a_scheme_that_the_rows_say_nothing_of_is_refused():
    with pytest.raises(UsageError):
        audit(["aie-v2"], rows=[13])


def test_progress_counts_the_rows():
    seen = []
    report = audit(["aie-v2"], rows=[6, 9], progress=lambda done, total, row: seen.append((done, total, row)))
    assert seen == [(i + 1, 2, row) for i, row in enumerate(report.rows)]


# -- as data and as text -------------------------------------------------------------------------------


def test_the_report_is_json(report):
    document = json.loads(json.dumps(report.as_dict()))
    assert document["ok"] is True
    wanted = {"row", "program", "scheme", "expected", "found", "executions", "complete", "seed", "ok", "command"}
    assert all(wanted <= row.keys() for row in document["rows"])


def test_any_report_can_be_shown(monkeypatch):
    monkeypatch.setattr("simaie.audit.examine.SEARCH_LIMIT", 200)

    def stop(done, total, row):
        raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        audit(rows=[1], progress=stop)
    reports = [audit(rows=[6]), audit(["aie-rfc:on_exit=clear"], rows=[30]), caught.value.report]
    for shown in reports:
        for view in (audit_summary, audit_details):
            assert printed(view(shown), width=100)


def printed(shown, **console):
    out = io.StringIO()
    Console(file=out, **console).print(shown)
    return out.getvalue()


def test_the_summary_keeps_every_row_number_and_scheme_at_eighty_columns(report):
    lines = printed(audit_summary(report), width=80).splitlines()
    table = lines[: lines.index("")]
    numbers = {int(line.split()[0]) for line in table if line[:3].strip().isdigit()}
    assert numbers == {row.row for row in report.rows}
    assert {"aie-rfc", "aie-v2"} <= set(lines[0].split())
    assert max(map(len, lines)) <= 80


def test_the_summary_marks_what_is_not_as_expected(monkeypatch):
    monkeypatch.setattr("simaie.audit.examine.SEARCH_LIMIT", 200)
    assert "! 1,000" in printed(audit_summary(audit(["aie-rfc:on_exit=clear"], rows=[30])), width=80)
