"""Adding a result to a store: totals of the unit, findings, the state of the unit, and the curve over time.

All of it happens in the transaction of the caller. The totals are kept with the units, so that they are known without
looking at the shards, however many these are.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Final

import msgspec

from simaie.campaign.sketch import Sketch
from simaie.campaign.unit import Ending, Result, Sighting, Unit

__all__ = ["add_result", "totals", "unit_state"]

#: The number of points of the curve over time, beyond which every other one is dropped.
_MOST_POINTS: Final = 512
#: The time between two points of the curve, in seconds.
POINT_SECONDS: Final = 1.0


def add_result(db: sqlite3.Connection, result: Result, unit: Unit, active: float | None) -> bool:
    """Add a result with everything that follows from it; return False if the shard is there already.

    Args:
        db: The store, in a transaction.
        result: The result.
        unit: Its unit.
        active: The time for which the campaign has been running, in seconds; None if no time passes.
    """
    if db.execute("SELECT state = 'refused' FROM units WHERE number = ?", (result.number,)).fetchone()[0]:
        return False
    if result.ending is Ending.AGAIN:
        _begin_again(db, result.number, whole=True)
        return True
    if result.ending is Ending.REFUSED and not result.shard:  # whatever other shards were done before
        _begin_again(db, result.number)
        refused = result.problem, result.number
        db.execute("UPDATE units SET state = 'refused', problem = ? WHERE number = ?", refused)
        return True
    seen = tuple(_without_witness(each) for each in result.sightings)
    stored = msgspec.structs.replace(result, left=None, sketch=b"", handoffs=b"", sightings=seen)
    place = (result.number, result.shard, msgspec.msgpack.encode(stored))
    if not db.execute("INSERT OR IGNORE INTO shards VALUES (?, ?, ?)", place).rowcount:
        return False
    _count(db, result, unit)
    for sighting in result.sightings:
        _see(db, result, sighting)
    if active is not None:
        _grow(db, active)
    return True


def totals(db: sqlite3.Connection) -> tuple[int, int, int, int]:
    """Return the number of executions, of distinct traces, of findings, and of distinct hand-offs of all units.

    Traces and hand-offs are distinct within each unit.
    """
    executions, traces, handoffs = db.execute(
        "SELECT total(executions), total(traces), total(covered) FROM units"
    ).fetchone()
    (findings,) = db.execute("SELECT count(DISTINCT finding) FROM findings").fetchone()
    return int(executions), int(traces), findings, int(handoffs)


def _begin_again(db: sqlite3.Connection, number: int, *, whole: bool = False) -> None:
    """Forget the shards of a unit.

    Args:
        db: The store.
        number: The unit.
        whole: Whether it is a search that cannot be continued, and runs as one shard from now on.
    """
    db.execute("DELETE FROM shards WHERE unit = ?", (number,))
    db.execute("DELETE FROM findings WHERE unit = ?", (number,))
    db.execute(
        "UPDATE units SET shards = 0, next = 0, marked = 0, executions = 0, failing = 0, unlisted = 0, steps = 0,"
        " seconds = 0, flaw = '', left = NULL, whole = ?, sketch = x'', handoffs = x'', covered = 0, traces = 0,"
        " problem = '' WHERE number = ?",
        (whole, number),
    )


def _count(db: sqlite3.Connection, result: Result, unit: Unit) -> None:
    columns = "shards, next, executions, sketch, handoffs, flaw, problem, left"
    row = db.execute(f"SELECT {columns} FROM units WHERE number = ?", (result.number,)).fetchone()
    shards, following, executions, sketch, handoffs, flaw, problem, left = row
    if result.ending is not Ending.LOST:  # after a lost shard `try_again` may go on from here
        left = result.left
    shards, executions, flaw = shards + 1, executions + result.executions, flaw or result.flaw
    traces, covered = Sketch.read(sketch), Sketch.read(handoffs)
    traces.merge(Sketch.read(result.sketch))
    covered.merge(Sketch.read(result.handoffs))
    db.execute(
        "UPDATE units SET shards = ?, next = ?, marked = marked + ?, executions = ?, failing = failing + ?,"
        " unlisted = unlisted + ?, steps = steps + ?, seconds = seconds + ?, flaw = ?, problem = ?, left = ?,"
        " sketch = ?, handoffs = ?, covered = ?, traces = ?, state = ? WHERE number = ?",
        (
            shards, max(following, result.shard + 1), result.ending is not Ending.DONE, executions, result.failing,
            result.unlisted, result.steps, result.seconds, flaw, problem or result.problem, left,
            traces.encoded(), covered.encoded(), covered.traces, traces.traces,
            _state(result, unit, shards, executions, flaw), result.number,
        ),
    )  # fmt: skip


def _see(db: sqlite3.Connection, result: Result, seen: Sighting) -> None:
    """Count a finding of a unit; its first and its shortest execution do not depend on the order of results."""
    key = (seen.finding, result.number)
    where = "WHERE finding = ? AND unit = ?"
    columns = "first_shard, first_index, length, shard, idx"
    row = db.execute(f"SELECT {columns} FROM findings {where}", key).fetchone()
    first, here = (result.shard, seen.first), (seen.length, result.shard, seen.index)
    if row is None:
        db.execute(
            f"INSERT INTO findings VALUES ({', '.join('?' * 16)}, (SELECT coalesce(max(number), 0) FROM runs))",
            (
                *key, seen.signature, seen.text, ", ".join(seen.kinds), seen.scheme, seen.count, *first,
                time.time(), *here, seen.summary, seen.command, seen.witness,
            ),
        )  # fmt: skip
        return
    db.execute(
        f"UPDATE findings SET count = count + ?, first_shard = ?, first_index = ? {where}",
        (seen.count, *min(first, tuple(row[:2])), *key),
    )
    if here < tuple(row[2:]):
        db.execute(
            "UPDATE findings SET length = ?, shard = ?, idx = ?, summary = ?, command = ?, witness = ? " + where,
            (*here, seen.summary, seen.command, seen.witness, *key),
        )


def _grow(db: sqlite3.Connection, active: float) -> None:
    """Add a point to the curve over time, at most one a second, and thin the curve when it is long."""
    (last,) = db.execute("SELECT max(active) FROM growth").fetchone()
    if last is not None and active - last < POINT_SECONDS:
        return
    db.execute("INSERT INTO growth VALUES (?, ?, ?, ?, ?)", (active, *totals(db)))
    points = db.execute("SELECT * FROM growth ORDER BY active").fetchall()
    if len(points) > _MOST_POINTS:
        db.execute("DELETE FROM growth")
        db.executemany("INSERT INTO growth VALUES (?, ?, ?, ?, ?)", points[1::2])


def _without_witness(sighting: Sighting) -> Sighting:
    return msgspec.structs.replace(sighting, witness=None, text="", summary="", command="")


def unit_state(unit: Unit, shards: int) -> str:
    """Return the state of a unit with a random scheduler that has a number of shards."""
    return "done" if shards >= unit.seeds else "open"


def _state(result: Result, unit: Unit, shards: int, executions: int, flaw: str) -> str:
    """Return the state of a unit after a shard."""
    if not unit.exhaustive:
        return unit_state(unit, shards)
    if result.ending is not Ending.DONE:
        return "failed"
    if result.left is not None:
        return "open" if executions < unit.executions else "limit"
    return "explored" if result.complete and not flaw else "limit"
