"""Campaigns: the same shards have the same results, whatever runs them and in whatever order."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

import msgspec
import pytest

from simaie import Machine, Verdict, corpus, explore
from simaie.campaign import CampaignFile, Explore, Processes, Store, run_campaign, status_of
from simaie.campaign.coordinator import Budget
from simaie.campaign.planning import plan
from simaie.campaign.unit import Ending, Piece, Result
from simaie.campaign.witnesses import witness_of
from simaie.campaign.work import run_piece
from simaie.errors import InputError, Interrupted, UsageError
from simaie.replaying.file import ReplayFile
from simaie.replaying.player import replay

from .made import DRAWN, RACE, SMALL, facts, here, run_here


def test_a_campaign_finds_and_proves(tmp_path: Path) -> None:
    status = run_here(tmp_path / "a.simaie")
    verdicts = {unit.name: (unit.verdict, unit.state, unit.shards) for unit in status.units}
    assert verdicts == {
        f"{RACE} under aie-rfc on sc, portfolio": (Verdict.VIOLATED, "done", 4),
        f"{RACE} under aie-rfc on sc, dpor": (Verdict.VIOLATED, "explored", 2),
        f"{RACE} under cas on sc, portfolio": (Verdict.INCONCLUSIVE, "done", 4),
        f"{RACE} under cas on sc, dpor": (Verdict.HOLDS, "explored", 1),
    }
    assert status.verdict is Verdict.VIOLATED
    assert (status.may_stop, len(status.findings)) == (True, 1)


def test_a_search_in_shards_is_the_search_of_explore(tmp_path: Path) -> None:
    status = run_here(tmp_path / "a.simaie")
    unit = status.units[2]
    machine = Machine("aie-rfc", address_bits=corpus.case(RACE).needs.address_bits)
    whole = explore(corpus.program(RACE), machine, scheduler="dpor", failures=None)
    assert unit.shards > 1
    assert (unit.executions, unit.failing, unit.steps) == (whole.executions, whole.failing, whole.statistics.steps)
    assert unit.traces == whole.executions


def test_processes_have_the_results_of_this_process(tmp_path: Path) -> None:
    run_here(tmp_path / "here.simaie")
    run_campaign(tmp_path / "there.simaie", SMALL, lambda: Processes(2))
    assert facts(tmp_path / "there.simaie") == facts(tmp_path / "here.simaie")


def test_the_order_of_results_makes_no_difference(tmp_path: Path) -> None:
    run_here(tmp_path / "a.simaie")
    with Store(tmp_path / "a.simaie") as store:
        units = store.units()
    backwards = []
    for number, unit in units.items():
        if not unit.exhaustive:
            backwards += [Piece(number=number, unit=unit, shard=shard, folder=str(tmp_path)) for shard in range(4)]
    with Store(tmp_path / "b.simaie", create=True) as store:
        store.plan(msgspec.json.encode(SMALL), units.values(), b"{}")
        for piece in backwards[::-1]:
            assert store.add(run_piece(piece), piece.unit)
    run_here(tmp_path / "b.simaie", None)
    assert facts(tmp_path / "b.simaie") == facts(tmp_path / "a.simaie")


def test_a_campaign_goes_on_where_the_budget_ended_it(tmp_path: Path) -> None:
    run_here(tmp_path / "whole.simaie")
    status = run_here(tmp_path / "parts.simaie", executions=1)
    assert status.shards == 2  # the first, and the one that was handed out with it
    runs = 1
    while any(unit.state == "open" for unit in status.units):
        status, runs = run_here(tmp_path / "parts.simaie", None, executions=1), runs + 1
    assert runs > 3
    assert len(status.runs) == runs
    assert facts(tmp_path / "parts.simaie") == facts(tmp_path / "whole.simaie")


def test_new_programs_come_first(tmp_path: Path) -> None:
    order: list[tuple[int, int]] = []

    def noting(piece: Piece) -> Result:
        order.append((piece.number, piece.shard))
        return run_piece(piece)

    run_campaign(tmp_path / "a.simaie", SMALL, lambda: here(noting))
    assert order[:4] == [(1, 0), (2, 0), (3, 0), (4, 0)]
    assert [shard for _, shard in order] == sorted(shard for _, shard in order)


def test_generated_programs_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    pytest.importorskip("hypothesis")
    first, second = run_here(tmp_path / "a.simaie", DRAWN), run_here(tmp_path / "b.simaie", DRAWN)
    assert facts(tmp_path / "a.simaie") == facts(tmp_path / "b.simaie")
    assert first.executions == second.executions > 8
    assert first.units[0].shards == 2


STRATEGY = """
from hypothesis import strategies
from simaie import Program, ins


def adders(values):
    threads = [[ins("lock_xadd", 0x100, 1)], *([ins("store", 0x100, value)] for value in values)]
    return Program("drawn", isa="x86", threads=threads, init={0x100: 0})


programs = strategies.lists(strategies.integers(5, 9), min_size=1, max_size=1).map(adders)
numbers = strategies.integers(0, 3)
"""


def test_programs_are_drawn_from_a_strategy_of_the_user(tmp_path: Path) -> None:
    """The seed draws the five programs that there are; each gets a fiftieth of the executions."""
    pytest.importorskip("hypothesis")
    file = tmp_path / "own.py"
    file.write_text(STRATEGY)
    named = Explore(
        targets=(f"{file}:programs", f"{file}:numbers"), schemes=("aie-rfc",), seeds=1, executions=2500,
        schedulers=("random-walk", "dpor"),
    )  # fmt: skip
    status = run_here(tmp_path / "a.simaie", CampaignFile(explore=(named,)))
    assert "random scheduler" in status.problems[f"{file}:programs"]
    drawn, wrong = status.units
    assert (drawn.state, drawn.executions, drawn.verdict) == ("done", 5 * (2500 // 50), Verdict.VIOLATED)
    assert (wrong.marked, wrong.executions) == (1, 0)
    assert "made int" in wrong.reason
    (finding, *_) = status.findings
    assert finding.command.split()[:3] == ["simaie", "campaign", "replay"]
    again = run_here(tmp_path / "b.simaie", CampaignFile(explore=(named,)))
    assert again.findings[0].finding == finding.finding
    with Store(tmp_path / "a.simaie") as store:
        witness = witness_of(store, finding)
    (tmp_path / "witness.json").write_bytes(witness)
    assert replay(tmp_path / "witness.json").signature.digest == finding.signature


def test_a_strategy_that_has_changed_is_a_new_unit(tmp_path: Path) -> None:
    pytest.importorskip("hypothesis")
    file = tmp_path / "own.py"
    file.write_text(STRATEGY)
    campaign = CampaignFile(explore=(Explore(targets=(f"{file}:programs",), seeds=2, executions=50),))
    (before,) = plan(campaign).units
    file.write_text(STRATEGY.replace("9", "7"))
    assert run_piece(Piece(number=1, unit=before, shard=0)).ending is Ending.UNFIT
    (after,) = plan(campaign).units
    assert run_piece(Piece(number=1, unit=after, shard=0)).ending is Ending.DONE
    assert (before.file, before.key != after.key) == (str(file), True)


def test_a_witness_replays_and_is_the_shortest(tmp_path: Path) -> None:
    status = run_here(tmp_path / "a.simaie")
    (finding,) = status.findings
    with Store(tmp_path / "a.simaie") as store:
        ((data,),) = store.rows(
            "SELECT witness FROM findings WHERE finding = ? AND unit = ?", finding.finding, finding.shortest[0]
        )
        lengths = [
            seen.length for number in store.units() for shard in store.shards(number) for seen in shard.sightings
        ]
        counts = [seen.count for number in store.units() for shard in store.shards(number) for seen in shard.sightings]
    file = tmp_path / "witness.json"
    file.write_bytes(data)
    again = replay(file)
    assert again.signature.digest == finding.signature
    assert len(again.trace) == finding.length == min(lengths)
    assert finding.count == sum(counts)
    assert len(msgspec.json.decode(data, type=ReplayFile).steps) == finding.length


def test_an_accepted_finding_does_not_count_until_its_day(tmp_path: Path) -> None:
    (finding,) = run_here(tmp_path / "a.simaie").findings
    text = f'[[accepted]]\nfinding = "{finding.finding}"\nreason = "known"\nuntil = 2030-01-01\n'
    accepted = msgspec.structs.replace(SMALL, accepted=msgspec.toml.decode(text, type=CampaignFile).accepted)
    run_here(tmp_path / "a.simaie", accepted)
    with Store(tmp_path / "a.simaie") as store:
        before = status_of(store, datetime.date(2030, 1, 1))
        after = status_of(store, datetime.date(2030, 1, 2))
    assert (before.verdict, before.findings[0].accepted) == (Verdict.INCONCLUSIVE, "known")
    assert (after.verdict, after.findings[0].expired) == (Verdict.VIOLATED, "2030-01-01")


def test_a_changed_campaign_keeps_what_is_done(tmp_path: Path) -> None:
    first = run_here(tmp_path / "a.simaie")
    changed = CampaignFile(explore=(Explore(targets=(RACE,), schemes=("cas",), schedulers=("dpor",), steps=30),))
    second = run_here(tmp_path / "a.simaie", changed)
    assert (len(second.units), second.former, second.findings) == (1, 3, ())
    assert second.verdict is Verdict.HOLDS
    third = run_here(tmp_path / "a.simaie", SMALL)
    assert third.executions == first.executions
    assert len(third.runs) == 3


def test_what_the_scheme_cannot_run_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    explore = Explore(targets=("aba-through-sc-ppc", RACE), schemes=("split-cas",), seeds=2, executions=5)
    campaign = CampaignFile(explore=(explore,))
    refused, done = run_here(tmp_path / "a.simaie", campaign).units
    assert (refused.state, refused.executions, refused.shards, done.state) == ("refused", 0, 0, "done")
    assert "does not emulate" in refused.reason
    with Store(tmp_path / "b.simaie", create=True) as store:  # shard 0 decides, whichever comes first
        store.plan(msgspec.json.encode(campaign), plan(campaign).units, b"{}")
        unit = store.units()[1]
        assert store.add(Result(number=1, shard=1, ending=Ending.DONE, executions=3), unit)
        assert store.add(run_piece(Piece(number=1, unit=unit, shard=0)), unit)
        assert not store.add(Result(number=1, shard=1, ending=Ending.DONE, executions=3), unit)
        assert msgspec.structs.replace(status_of(store).units[0], seconds=refused.seconds) == refused


def test_targets_that_cannot_be_loaded_are_problems_and_the_rest_goes_on(tmp_path: Path) -> None:
    named = Explore(targets=("no-such-program", str(tmp_path), RACE), schedulers=("dpor",))
    campaign = CampaignFile(explore=(named,))
    status = run_here(tmp_path / "a.simaie", campaign)
    assert sorted(status.problems) == sorted(["no-such-program", str(tmp_path)])
    assert (len(status.units), status.units[0].state) == (1, "explored")


@pytest.mark.parametrize("wrong", [Explore(targets=(RACE,), schemes=("no-such",)),
                                   Explore(targets=(RACE,), hosts=("no-such",)),
                                   Explore(targets=(RACE,), schedulers=("no-such",)),
                                   Explore(targets=(RACE,), checkers=("no-such",))])  # fmt: skip
def test_a_wrong_name_is_an_error_before_anything_runs(tmp_path: Path, wrong: Explore) -> None:
    with pytest.raises(UsageError):
        run_here(tmp_path / "a.simaie", CampaignFile(explore=(wrong,)))
    assert not (tmp_path / "a.simaie").exists()


def test_an_interrupt_keeps_what_is_done(tmp_path: Path) -> None:
    calls = []

    def interrupting(piece: Piece) -> Result:
        calls.append(piece)
        return run_piece(piece)

    def progress(*_: object) -> None:
        if len(calls) > 4:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as stop:
        run_campaign(tmp_path / "a.simaie", SMALL, lambda: here(interrupting), progress=progress)
    assert stop.value.report.shards >= 4
    assert stop.value.report.runs[-1].ending == "interrupted"
    run_here(tmp_path / "a.simaie", None)
    run_here(tmp_path / "b.simaie")
    assert facts(tmp_path / "a.simaie") == facts(tmp_path / "b.simaie")


def test_a_program_that_has_changed_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "guest.py"
    source = (
        "from simaie import Program\n\n\nasync def run(cpu):\n    await cpu.store(0x100, {})\n\n\n"
        "program = Program('own', isa='x86', threads=[run, run], watch={{0x100: 4}})\n"
    )
    file.write_text(source.format(1))
    campaign = CampaignFile(explore=(Explore(targets=(f"{file}:program",), seeds=2, executions=3),))
    assert run_here(tmp_path / "a.simaie", campaign, executions=1).shards == 2
    with Store(tmp_path / "a.simaie") as store:
        ((number, spec),) = store.rows("SELECT number, spec FROM units")
        unit = msgspec.structs.replace(store.units()[number], digest="0" * 16, seeds=9)
        store.connection.execute("UPDATE units SET spec = ?, state = 'open'", (msgspec.json.encode(unit),))
    with pytest.raises(InputError, match="another program"):
        run_here(tmp_path / "a.simaie", None)
    assert str(file) in spec.decode()


def test_another_version_of_simaie_is_an_error(tmp_path: Path) -> None:
    result = run_piece(Piece(number=1, unit=plan(SMALL).units[0], shard=0, version="0.0.1"))
    assert result.ending is Ending.UNFIT
    assert "0.0.1" in result.problem


def test_an_empty_budget_begins_nothing(tmp_path: Path) -> None:
    status = run_campaign(tmp_path / "a.simaie", SMALL, here, budget=Budget(seconds=1e-9))
    assert (status.shards, status.runs[0].ending) == (0, "budget")
    assert status.verdict is Verdict.INCONCLUSIVE


def test_python_is_recorded(tmp_path: Path) -> None:
    (run,) = run_here(tmp_path / "a.simaie").runs
    assert run.python == sys.version.split()[0]
    assert (run.workers, run.ending) == ("here", "finished")
