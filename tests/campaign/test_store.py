"""Stores: what is in one is there completely and once, and what cannot be used is refused with the reason."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

import msgspec
import pytest

from simaie.campaign import CampaignFile, Explore, Store, adding, run_campaign, status_of
from simaie.campaign.coordinator import Budget
from simaie.campaign.merging import merge_stores
from simaie.campaign.planning import plan
from simaie.campaign.schema import VERSION, is_locked, lock
from simaie.campaign.unit import Ending, Piece, Result, Unit
from simaie.campaign.work import run_piece
from simaie.errors import InputError, UsageError

from .made import RACE, SMALL, facts, here, run_here


def pieces(store: Store) -> list[Piece]:
    """Return all shards of the random units of a store."""
    random = [(number, unit) for number, unit in store.units().items() if not unit.exhaustive]
    return [Piece(number=number, unit=unit, shard=shard) for number, unit in random for shard in range(unit.seeds)]


def test_a_shard_counts_once(tmp_path: Path) -> None:
    run_here(tmp_path / "a.simaie")
    before = facts(tmp_path / "a.simaie")
    with Store(tmp_path / "a.simaie") as store:
        for piece in pieces(store):
            assert not store.add(run_piece(piece), piece.unit)
    assert facts(tmp_path / "a.simaie") == before


def test_a_result_that_cannot_be_added_completely_is_not_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_here(tmp_path / "a.simaie", executions=1)
    before = facts(tmp_path / "a.simaie")

    def broken(db: sqlite3.Connection, result: Result, sighting: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(adding, "_see", broken)
    with pytest.raises(InputError, match=r"disk is full; make room; .* campaign resume"):
        run_here(tmp_path / "a.simaie", None)
    monkeypatch.undo()
    after = facts(tmp_path / "a.simaie")
    assert all(after["shards"][place] == before["shards"][place] for place in before["shards"])
    run_here(tmp_path / "a.simaie", None)
    run_here(tmp_path / "b.simaie")
    assert facts(tmp_path / "a.simaie") == facts(tmp_path / "b.simaie")


def test_a_full_disk_leaves_the_store_intact_and_the_campaign_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.simaie"
    with Store(path, create=True) as store:
        store.plan(msgspec.json.encode(SMALL), plan(SMALL).units, b"{}")
        (pages,) = store.rows("PRAGMA page_count")[0]
        store.connection.execute(f"PRAGMA max_page_count = {pages}")  # as if no room were left
        results = [(run_piece(piece), piece.unit) for piece in pieces(store)]
        with pytest.raises(InputError, match="full"):
            _add_all(store, results)
        assert store.rows("PRAGMA integrity_check") == [("ok",)]
    run_here(path, None)
    run_here(tmp_path / "b.simaie")
    assert facts(path) == facts(tmp_path / "b.simaie")


def _add_all(store: Store, results: list[tuple[Result, Unit]]) -> None:
    for result, unit in results:
        store.add(result, unit)


def test_a_second_coordinator_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.simaie"
    run_here(path)
    assert not is_locked(path)
    with lock(path):
        assert is_locked(path)
        with pytest.raises(UsageError, match="another process runs a campaign"):
            run_here(path, None)
    assert run_here(path, None).shards == run_here(path, None).shards


def test_a_store_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.simaie"
    run_here(path, executions=1)
    with Store(path) as store:
        store.connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(InputError, match=f"version {VERSION + 1}.*newer"):
        run_here(path, None)


def test_a_store_of_an_older_version_is_brought_to_this_one(tmp_path: Path) -> None:
    """The store of version 1 had no hand-offs; opening it adds the columns, also to read."""
    path = tmp_path / "a.simaie"
    run_here(path, executions=1)
    with Store(path) as store:
        store.connection.executescript(
            "ALTER TABLE units DROP COLUMN covered; ALTER TABLE growth DROP COLUMN handoffs;"
            "ALTER TABLE findings DROP COLUMN run; ALTER TABLE units DROP COLUMN handoffs;"
            "ALTER TABLE units DROP COLUMN test; DROP TABLE drawn; PRAGMA user_version = 1"
        )
    with Store(path, read_only=True) as store:
        assert store.rows("PRAGMA user_version") == [(VERSION,)]
        assert set(status_of(store).schemes.values()) == {0}
    run_here(path, None)
    run_here(tmp_path / "b.simaie")
    migrated, whole = facts(path), facts(tmp_path / "b.simaie")
    del migrated["units"], whole["units"]  # whose hand-offs were not recorded
    assert migrated == whole


def test_a_store_of_version_2_gets_the_totals_of_its_handoffs(tmp_path: Path) -> None:
    path = tmp_path / "a.simaie"
    run_here(path)
    with Store(path) as store:
        totals = store.totals()
        store.connection.executescript(
            "ALTER TABLE units DROP COLUMN covered; ALTER TABLE growth DROP COLUMN handoffs;"
            "ALTER TABLE findings DROP COLUMN run; PRAGMA user_version = 2"
        )
    with Store(path) as store:
        assert store.totals() == totals
        assert totals[3] == 20
        assert status_of(store).findings[0].version == ""


def test_the_curve_ends_with_all_that_was_done(tmp_path: Path) -> None:
    """All results arrive within a second, in which the curve gets one point; reading it adds the rest."""
    status = run_here(tmp_path / "a.simaie")
    last = status.growth[-1]
    assert (last.executions, last.traces, last.findings, last.handoffs) == (
        status.executions, sum(unit.traces for unit in status.units), 1, sum(unit.handoffs for unit in status.units),
    )  # fmt: skip
    with Store(tmp_path / "a.simaie") as store:
        store.connection.execute("UPDATE growth SET active = active - 5, executions = 0, findings = 0")
        store.connection.execute("UPDATE runs SET active = 100")
        *_, before, after = status_of(store).growth
    assert (after.active - before.active, after.findings) == (1.0, 1)


def test_a_finding_says_which_schedulers_have_it_and_which_commit_had_it_first(tmp_path: Path) -> None:
    """The sample and the search find the same; one in a hundred executions, say, and one of all."""
    status = run_here(tmp_path / "a.simaie")
    (finding,) = status.findings
    failing = {unit.unit.scheduler: unit.failing for unit in status.units if unit.failing}
    assert finding.schedulers == failing
    assert [(each.scheduler, each.units, each.findings, each.alone) for each in status.schedulers] == [
        ("portfolio", 2, 1, 0), ("dpor", 2, 1, 0),
    ]  # fmt: skip
    assert sum(each.executions for each in status.schedulers) == status.executions
    assert finding.version == status.runs[0].version
    with Store(tmp_path / "a.simaie") as store:
        store.connection.execute("UPDATE runs SET revision = 'abc', version = '0.0.9'")
    later = run_here(tmp_path / "a.simaie")
    assert (later.findings[0].version, later.findings[0].revision) == ("0.0.9", "abc")


def test_what_is_covered_of_a_scheme_is_the_union_of_its_units(tmp_path: Path) -> None:
    """Under aie-rfc the threads meet at the tree, the sets and the location; under cas only at the location."""
    path = tmp_path / "a.simaie"
    status = run_here(path)
    assert status.schemes == {"aie-rfc": 8, "cas": 2}
    assert [unit.handoffs for unit in status.units] == [8, 2, 8, 2]


@pytest.mark.parametrize("content", [b"", b"nothing of the kind" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_store_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.simaie"
    path.write_bytes(content)
    with pytest.raises((InputError, UsageError)):
        run_here(path, None)
    with pytest.raises(InputError, match="no such store"):
        Store(tmp_path / "missing.simaie")
    with pytest.raises(InputError, match="no regular file"):
        Store(tmp_path)


@pytest.mark.parametrize("change", ["UPDATE units SET spec = '{}'", "UPDATE units SET sketch = x'c1'",
                                    "UPDATE meta SET value = '[]' WHERE key = 'campaign'"])  # fmt: skip
def test_a_damaged_store_is_an_error_and_no_crash(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a.simaie"
    run_here(path, executions=1)
    with Store(path) as store:
        store.connection.execute(change)
        with pytest.raises(InputError, match="damaged"):
            status_of(store)
    with pytest.raises(InputError, match="damaged"):
        run_here(path, None)


def test_another_database_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE mine (x)")
    with pytest.raises(InputError, match="no store of campaigns"):
        run_here(path)
    with contextlib.closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]


def test_a_clock_that_is_set_back_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(range(2_000_000_000, 0, -1_000_000))
    monkeypatch.setattr(time, "time", lambda: float(next(moments)))
    status = run_here(tmp_path / "a.simaie")
    assert status.active >= 0
    assert status.since_new is not None
    assert status.since_new >= 0
    monkeypatch.undo()
    run_here(tmp_path / "b.simaie")
    assert facts(tmp_path / "a.simaie") == facts(tmp_path / "b.simaie")


# -- marked shards -------------------------------------------------------------------------------------


def test_a_shard_whose_worker_dies_is_marked_and_the_rest_goes_on(tmp_path: Path) -> None:
    def deadly(piece: Piece) -> Result:
        if (piece.number, piece.shard) == (1, 2):
            raise RuntimeError("killed")
        return run_piece(piece)

    status = run_campaign(tmp_path / "a.simaie", SMALL, lambda: here(deadly))
    assert [(unit.state, unit.marked) for unit in status.units] == [
        ("done", 1), ("done", 0), ("explored", 0), ("explored", 0),
    ]  # fmt: skip
    with Store(tmp_path / "a.simaie") as store:
        endings = [result.ending for result in store.shards(1)]
    assert endings == [Ending.DONE, Ending.DONE, Ending.LOST, Ending.DONE]


def test_lost_shards_are_run_again_on_request(tmp_path: Path) -> None:
    def deadly(piece: Piece) -> Result:
        if (piece.number, piece.shard) in ((1, 2), (1, 3), (3, 1)):
            raise RuntimeError("killed")
        return run_piece(piece)

    path = tmp_path / "a.simaie"
    status = run_campaign(path, SMALL, lambda: here(deadly))
    assert [(unit.state, unit.marked) for unit in status.units] == [
        ("done", 2), ("done", 0), ("failed", 1), ("explored", 0),
    ]  # fmt: skip
    assert run_here(path, None).shards == status.shards  # not without a request
    run_campaign(path, None, here, again=True)
    run_here(tmp_path / "b.simaie")
    assert facts(path) == facts(tmp_path / "b.simaie")


def test_a_guest_that_raises_is_marked_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "guest.py"
    file.write_text(
        "from simaie import Program\n\n\nasync def run(cpu):\n"
        "    if await cpu.load(0x100):\n        raise KeyError('x')\n"
        "    await cpu.store(0x100, 1)\n\n\nprogram = Program('raising', isa='x86', threads=[run, run])\n"
    )
    campaign = CampaignFile(
        explore=(
            Explore(targets=(f"{file}:program", RACE), schemes=("cas",), schedulers=("dpor", "portfolio"), seeds=2,
                    executions=40),
        )
    )
    status = run_here(tmp_path / "a.simaie", campaign)
    assert [unit.state for unit in status.units] == ["failed", "done", "explored", "done"]
    assert "KeyError" in status.units[0].reason
    assert status.units[1].marked == 2


# -- merging -------------------------------------------------------------------------------------------


def _part(path: Path, wanted: set[int]) -> None:
    """Make a store with some of the shards of the random units."""
    with Store(path, create=True) as store:
        store.plan(msgspec.json.encode(SMALL), plan(SMALL).units, b"{}")
        for piece in pieces(store):
            if piece.shard in wanted:
                store.add(run_piece(msgspec.structs.replace(piece, folder=str(path.parent))), piece.unit)


def test_shards_that_are_missing_are_pending(tmp_path: Path) -> None:
    _part(tmp_path / "a.simaie", {1, 2})
    with Store(tmp_path / "a.simaie") as store:
        pending = {each.number: (each.holes, each.next) for each in store.pending() if not each.unit.exhaustive}
    assert pending == {1: ((0,), 3), 2: ((0,), 3)}
    _part(tmp_path / "b.simaie", {3})
    with Store(tmp_path / "b.simaie") as store:
        assert next(store.pending()).holes == (0, 1, 2)


def test_merged_stores_are_the_store_of_one_run(tmp_path: Path) -> None:
    _part(tmp_path / "a.simaie", {0, 3})
    _part(tmp_path / "b.simaie", {1, 2})
    assert merge_stores(tmp_path / "a.simaie", [tmp_path / "b.simaie"]) == 4
    run_here(tmp_path / "a.simaie", None)
    run_here(tmp_path / "whole.simaie")
    assert facts(tmp_path / "a.simaie") == facts(tmp_path / "whole.simaie")


def test_shards_of_both_stores_count_once(tmp_path: Path) -> None:
    _part(tmp_path / "a.simaie", {0, 1, 2})
    _part(tmp_path / "b.simaie", {1, 2, 3})
    assert merge_stores(tmp_path / "a.simaie", [tmp_path / "b.simaie"]) == 2
    merged = facts(tmp_path / "a.simaie")
    assert merge_stores(tmp_path / "a.simaie", [tmp_path / "b.simaie"]) == 0
    assert facts(tmp_path / "a.simaie") == merged
    _part(tmp_path / "c.simaie", {0, 1, 2, 3})
    whole = facts(tmp_path / "c.simaie")
    for name in ("shards", "findings", "witnesses"):
        assert merged[name] == whole[name]


def test_the_search_that_has_come_further_is_taken(tmp_path: Path) -> None:
    search = CampaignFile(explore=(Explore(targets=(RACE,), schemes=("aie-rfc",), schedulers=("dpor",), steps=10),))
    run_here(tmp_path / "whole.simaie", search)
    run_campaign(tmp_path / "a.simaie", search, here, budget=Budget(executions=1))
    run_campaign(tmp_path / "b.simaie", search, here, budget=Budget(executions=3))
    first, second = facts(tmp_path / "a.simaie"), facts(tmp_path / "b.simaie")
    assert len(first["shards"]) < len(second["shards"])
    merge_stores(tmp_path / "a.simaie", [tmp_path / "b.simaie"])
    assert facts(tmp_path / "a.simaie") == second
    assert merge_stores(tmp_path / "b.simaie", [tmp_path / "a.simaie"]) == 0
    run_here(tmp_path / "a.simaie", None)
    assert facts(tmp_path / "a.simaie") == facts(tmp_path / "whole.simaie")


def test_a_store_is_not_merged_with_itself(tmp_path: Path) -> None:
    run_here(tmp_path / "a.simaie", executions=1)
    with pytest.raises(UsageError, match="once"):
        merge_stores(tmp_path / "a.simaie", [tmp_path / "a.simaie"])
