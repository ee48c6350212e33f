"""The store of a campaign: its units, the shards that are done, what they found, and its history.

A result is added in one transaction, together with everything that follows from it (`simaie.campaign.adding`). So a
shard is in the store completely or not at all, and is never counted twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from simaie.campaign.adding import add_result, totals
from simaie.campaign.schema import explained, open_store, transaction
from simaie.campaign.unit import Ending, Known, Result, Unit

__all__ = ["FINISHED", "Pending", "Run", "Store"]

#: The states of units that need no more shards.
FINISHED: Final = ("explored", "done", "limit", "failed", "refused")
#: The ranges of missing shards of a unit, found by the database so that memory does not depend on their number.
_GAPS = (
    "SELECT before + 1, shard FROM (SELECT shard, lag(shard, 1, -1) OVER (ORDER BY shard) AS before FROM shards"
    " WHERE unit = ?) WHERE shard > before + 1"
)


class Pending(NamedTuple):
    """A unit that is not finished.

    Attributes:
        number: Its number.
        unit: The unit.
        next: The number of the first shard after all that are done.
        holes: The numbers before that of shards that are not done.
        executions: The number of executions so far.
        left: What is left of its search.
        whole: Whether the search must run as one shard.
    """

    number: int
    unit: Unit
    next: int
    holes: tuple[int, ...]
    executions: int
    left: bytes | None
    whole: bool


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a coordinator.

    Attributes:
        began: When it began, in seconds since 1970, as the clock of that machine said.
        active: How long it ran, in seconds.
        ending: How it ended; empty if it is running, or was killed.
        version: The version of simaie.
        python: The version of Python.
        revision: The commit of the folder in which it ran; empty if that is not known.
        workers: What ran the shards.
    """

    began: float
    active: float
    ending: str
    version: str
    python: str
    revision: str
    workers: str


class Store:
    """A store that is open.

    Args:
        path: The file.
        create: Whether to make it if it does not exist.
        read_only: Whether nothing will be written.

    Raises:
        InputError: It cannot be opened, is no store, or is one of another version.

    Attributes:
        connection: The open file.
    """

    def __init__(self, path: Path, *, create: bool = False, read_only: bool = False) -> None:
        self.path = path
        self.connection = self._db = open_store(path, create=create, read_only=read_only)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query; InputError if the store cannot be read."""
        with explained(self.path):
            return self._db.execute(query, values).fetchall()

    # -- what is planned ------------------------------------------------------------------------------

    @property
    def description(self) -> bytes | None:
        """The campaign as JSON; None if nothing was planned yet."""
        found = self.rows("SELECT value FROM meta WHERE key = 'campaign'")
        return found[0][0] if found else None

    def meta(self, key: str, default: Any = None) -> Any:
        """Return a value that was set by `set_meta`."""
        found = self.rows("SELECT value FROM meta WHERE key = ?", key)
        return found[0][0] if found else default

    def plan(self, description: bytes, units: Iterable[Unit], problems: bytes) -> None:
        """Store what the campaign consists of.

        Units that are there already keep their shards. Those that are no longer planned, because the campaign or a
        program has changed, stay as history and get no more shards. Those of tests stay planned.
        """
        keys = [(unit.key, msgspec.json.encode(unit)) for unit in units]
        with explained(self.path), transaction(self._db):
            for key, value in (("campaign", description), ("problems", problems)):
                self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
            self._db.execute("UPDATE units SET planned = 0 WHERE test = ''")
            self._db.executemany("INSERT OR IGNORE INTO units (key, spec) VALUES (?, ?)", keys)
            self._db.executemany("UPDATE units SET planned = 1 WHERE key = ?", ((key,) for key, _ in keys))

    def plan_test(self, unit: Unit, *, alone: bool) -> int:
        """Store that a test explores something, and return the number of the unit.

        Args:
            unit: A unit of a test.
            alone: Whether all former units of the test are no longer planned.
        """
        with explained(self.path), transaction(self._db):
            if alone:
                self._db.execute("UPDATE units SET planned = 0 WHERE test = ?", (unit.target,))
            row = unit.key, msgspec.json.encode(unit), unit.target
            self._db.execute("INSERT OR IGNORE INTO units (key, spec, test) VALUES (?, ?, ?)", row)
            self._db.execute("UPDATE units SET planned = 1 WHERE key = ?", (unit.key,))
        return self.number(unit)

    def number(self, unit: Unit) -> int:
        """Return the number of a unit; 0 if it is not in the store."""
        rows = self.rows("SELECT number FROM units WHERE key = ?", unit.key)
        return rows[0][0] if rows else 0

    def pending(self) -> Iterator[Pending]:
        """Yield the units that are not finished, in their order."""
        columns = "number, spec, next, shards, executions, left, whole"
        for number, spec, following, shards, executions, left, whole in self.rows(
            f"SELECT {columns} FROM units WHERE state = 'open' AND planned AND test = '' ORDER BY number"
        ):
            holes: tuple[int, ...] = ()
            if shards < following:
                gaps = self.rows(_GAPS, number)
                holes = tuple(shard for first, after in gaps for shard in range(first, after))
            unit = msgspec.json.decode(spec, type=Unit)
            yield Pending(number, unit, following, holes, executions, left, bool(whole))

    def units(self) -> dict[int, Unit]:
        """Return all units by number."""
        rows = self.rows("SELECT number, spec FROM units ORDER BY number")
        return {number: msgspec.json.decode(spec, type=Unit) for number, spec in rows}

    def known(self, number: int) -> dict[str, Known]:
        """Return the shortest witness of each finding of a unit, by its id."""
        rows = self.rows("SELECT finding, length, shard, idx FROM findings WHERE unit = ?", number)
        return {finding: (length, shard, index) for finding, length, shard, index in rows}

    def finished(self) -> tuple[int, int]:
        """Return the number of units that are finished, and of those that are planned."""
        ((done, planned),) = self.rows("SELECT total(state != 'open'), count(*) FROM units WHERE planned")
        return int(done), planned

    def totals(self) -> tuple[int, int, int, int]:
        """Return the number of executions, of distinct traces, of findings, and of distinct hand-offs of all units."""
        with explained(self.path):
            return totals(self._db)

    # -- what is done ---------------------------------------------------------------------------------

    def add(self, result: Result, unit: Unit, active: float | None = None) -> bool:
        """Add a result with everything that follows from it; return False if the shard is there already.

        Args:
            result: The result.
            unit: Its unit.
            active: The time for which the campaign has been running, in seconds; None if no time passes.

        Raises:
            InputError: It cannot be written; the store is as before.
        """
        with explained(self.path), transaction(self._db):
            return add_result(self._db, result, unit, active)

    def try_again(self) -> int:
        """Forget the shards at which workers died, so that they are run again; return their number."""
        with explained(self.path), transaction(self._db):
            marked = self._db.execute("SELECT number, problem FROM units WHERE planned AND marked").fetchall()
            return sum(self._forget_lost(number, problem) for number, problem in marked)

    def _forget_lost(self, number: int, problem: str) -> int:
        gone = [result for result in self.shards(number) if result.ending is Ending.LOST]
        for result in gone:
            problem = "" if problem == result.problem else problem
            self._db.execute("DELETE FROM shards WHERE unit = ? AND shard = ?", (number, result.shard))
        if gone:
            self._db.execute(
                "UPDATE units SET shards = shards - ?, marked = marked - ?, problem = ?, state = 'open', next ="
                " (SELECT coalesce(max(shard) + 1, 0) FROM shards WHERE unit = number) WHERE number = ?",
                (len(gone), len(gone), problem, number),
            )
        return len(gone)

    # -- history --------------------------------------------------------------------------------------

    def begin_run(self, version: str, python: str, revision: str, workers: str) -> int:
        """Note that a run begins, and return its number."""
        with explained(self.path), transaction(self._db):
            values = (time.time(), version, python, revision, workers)
            added = self._db.execute(
                "INSERT INTO runs (began, version, python, revision, workers) VALUES (?, ?, ?, ?, ?)", values
            )
            return added.lastrowid or 0

    def note_run(self, number: int, active: float, ending: str = "") -> None:
        """Note for how long a run has been going on, in seconds, and how it ended if it did."""
        with explained(self.path), transaction(self._db):
            self._db.execute("UPDATE runs SET active = ?, ending = ? WHERE number = ?", (active, ending, number))

    def runs(self) -> list[Run]:
        """Return all runs, the first one first."""
        columns = "began, active, ending, version, python, revision, workers"
        names = columns.split(", ")
        return [Run(**dict(zip(names, row, strict=True))) for row in self.rows(f"SELECT {columns} FROM runs")]

    def shards(self, number: int) -> Iterator[Result]:
        """Yield the results of the shards of a unit, in their order, without sketches and witnesses."""
        for (data,) in self.rows("SELECT result FROM shards WHERE unit = ? ORDER BY shard", number):
            yield msgspec.msgpack.decode(data, type=Result)
