"""Merging stores: the shards of one that the other does not have.

Units are the same if their content is. A shard of the same number in the same unit has the same result in both, so that
it counts once. Of an exhaustive search the store that has come further is taken as a whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from simaie.campaign.adding import unit_state
from simaie.campaign.schema import explained, lock, transaction, undamaged
from simaie.campaign.sketch import Sketch
from simaie.campaign.status import campaign_in
from simaie.campaign.store import Store
from simaie.campaign.unit import Result, Unit
from simaie.errors import UsageError

__all__ = ["merge_stores"]

_UNIT = (
    "number, key, spec, test, state, problem, shards, next, marked, executions, failing, unlisted, steps, seconds,"
    " flaw, left, whole, sketch, handoffs"
)


def merge_stores(path: Path, others: list[Path]) -> int:
    """Add what other stores have to the store at `path`, and return the number of shards that were added.

    The curve over time and the history of runs stay those of the store at `path`.

    Raises:
        UsageError: A coordinator works with it, or a store is named twice.
        InputError: A store cannot be used.
    """
    if len({each.resolve() for each in (path, *others)}) <= len(others):
        raise UsageError("name each store once: the first takes in all others")
    with undamaged(path), Store(path) as store, lock(path):
        campaign_in(store)
        return sum(_merged(store, each) for each in others)


def _merged(store: Store, path: Path) -> int:
    with Store(path, read_only=True) as other:
        campaign_in(other)
        rows = other.rows(f"SELECT {_UNIT} FROM units ORDER BY number")
        return sum(_merge_unit(store, other, dict(zip(_UNIT.split(", "), row, strict=True))) for row in rows)


def _merge_unit(store: Store, other: Store, theirs: dict[str, Any]) -> int:
    """Add the shards of one unit, in one transaction."""
    unit = msgspec.json.decode(theirs["spec"], type=Unit)
    added = 0
    with explained(store.path), transaction(store.connection):
        number = _number(store, theirs)
        ours = _row(store, number)
        if unit.exhaustive:
            if (theirs["whole"], theirs["shards"], theirs["state"] == "refused") <= (
                ours["whole"], ours["shards"], ours["state"] == "refused",
            ):  # fmt: skip
                return 0
            store.connection.execute("DELETE FROM shards WHERE unit = ?", (number,))
            store.connection.execute("DELETE FROM findings WHERE unit = ?", (number,))
            ours |= {"shards": 0, "sketch": b"", "handoffs": b""}
        news = []
        for result in other.shards(theirs["number"]):
            data = msgspec.msgpack.encode(msgspec.structs.replace(result, number=number))
            place = (number, result.shard, data)
            if store.connection.execute("INSERT OR IGNORE INTO shards VALUES (?, ?, ?)", place).rowcount:
                news.append(result)
        added = len(news)
        _merge_findings(store, other, number, theirs["number"], news)
        _merge_totals(store, unit, number, ours, theirs, news)
    return added


def _number(store: Store, theirs: dict[str, Any]) -> int:
    row = theirs["key"], theirs["spec"], theirs["test"]
    store.connection.execute("INSERT OR IGNORE INTO units (key, spec, test) VALUES (?, ?, ?)", row)
    number: int = store.rows("SELECT number FROM units WHERE key = ?", theirs["key"])[0][0]
    return number


def _row(store: Store, number: int) -> dict[str, Any]:
    (found,) = store.rows(f"SELECT {_UNIT} FROM units WHERE number = ?", number)
    return dict(zip(_UNIT.split(", "), found, strict=True))


def _merge_findings(store: Store, other: Store, number: int, their_number: int, news: list[Result]) -> None:
    """Count what the new shards have found; the first and the shortest of both stores are the first and the shortest.

    Each store has the witness of its own shortest execution, and the shortest of all is one of these two.
    """
    counts: dict[str, int] = {}
    for result in news:
        for seen in result.sightings:
            counts[seen.finding] = counts.get(seen.finding, 0) + seen.count
    columns = (
        "finding, signature, text, kinds, scheme, first_shard, first_index, seen, length, shard, idx, summary,"
        " command, witness"
    )
    names = columns.split(", ")
    for row in other.rows(f"SELECT {columns} FROM findings WHERE unit = ?", their_number):
        theirs = dict(zip(names, row, strict=True))
        if theirs["finding"] not in counts:
            continue
        found = store.rows(
            f"SELECT {columns} FROM findings WHERE finding = ? AND unit = ?", theirs["finding"], number
        )
        count = counts[theirs["finding"]]
        if not found:
            marks = ", ".join("?" * (len(names) + 2))
            store.connection.execute(
                f"INSERT INTO findings ({columns}, unit, count) VALUES ({marks})", (*row, number, count)
            )
            continue
        ours = dict(zip(names, found[0], strict=True))
        first = min((each["first_shard"], each["first_index"]) for each in (ours, theirs))
        shortest = min(ours, theirs, key=lambda each: (each["length"], each["shard"], each["idx"]))
        store.connection.execute(
            "UPDATE findings SET count = count + ?, first_shard = ?, first_index = ?,"
            " run = CASE WHEN ? < seen THEN 0 ELSE run END,"
            " seen = ?, length = ?, shard = ?, idx = ?, summary = ?, command = ?, witness = ?"
            " WHERE finding = ? AND unit = ?",
            (
                count, *first, theirs["seen"], min(ours["seen"], theirs["seen"]), shortest["length"], shortest["shard"],
                shortest["idx"], shortest["summary"], shortest["command"], shortest["witness"], theirs["finding"],
                number,
            ),
        )  # fmt: skip


def _merge_totals(
    store: Store, unit: Unit, number: int, ours: dict[str, Any], theirs: dict[str, Any], news: list[Result]
) -> None:
    traces = Sketch.read(ours["sketch"])
    if len(news) == theirs["shards"]:  # no shard is in both
        traces.merge(Sketch.read(theirs["sketch"]))
    elif news:
        traces.unite(Sketch.read(theirs["sketch"]))
    covered = Sketch.read(ours["handoffs"])
    covered.unite(Sketch.read(theirs["handoffs"]))
    shards = store.rows("SELECT count(*), coalesce(max(shard) + 1, 0) FROM shards WHERE unit = ?", number)[0]
    results = list(store.shards(number))
    state = theirs["state"] if unit.exhaustive or theirs["state"] == "refused" else unit_state(unit, shards[0])
    store.connection.execute(
        "UPDATE units SET state = ?, problem = ?, shards = ?, next = ?, marked = ?, executions = ?, failing = ?,"
        " unlisted = ?, steps = ?, seconds = ?, flaw = ?, left = ?, whole = ?, sketch = ?, traces = ?,"
        " handoffs = ?, covered = ? WHERE number = ?",
        (
            state, ours["problem"] or theirs["problem"], *shards, sum(each.ending != "done" for each in results),
            sum(each.executions for each in results), sum(each.failing for each in results),
            sum(each.unlisted for each in results), sum(each.steps for each in results),
            sum(each.seconds for each in results), ours["flaw"] or theirs["flaw"], theirs["left"], theirs["whole"],
            traces.encoded(), traces.traces, covered.encoded(), covered.traces, number,
        ),
    )  # fmt: skip
