"""The pytest tests of a store: what their explorations have shown, and the drawn programs that covered something new.

pytest runs a test, and no campaign does. A test that explores one program is a unit with one shard. What it finds does
not depend on when it runs, so that it counts once. A test whose programs are drawn is a unit with one shard for each
session, since each session may draw others.
"""

from __future__ import annotations

import platform
import shlex
import time
from pathlib import Path

import msgspec

import simaie
from simaie.campaign.campaign_file import CampaignFile
from simaie.campaign.revision import revision
from simaie.campaign.schema import explained, transaction
from simaie.campaign.store import Store
from simaie.campaign.unit import Piece, Result, Unit
from simaie.campaign.work import Gathered
from simaie.check import CheckerChoice
from simaie.exploration.report import Report
from simaie.exploration.resumable import Stretch

__all__ = ["TestStore"]

#: The number of drawn programs that are kept of one test; what covers something new beyond it is dropped.
MOST_KEPT = 1024


class TestStore:
    """A store that is open for the tests of one pytest session.

    Args:
        path: The file; it is made if it does not exist.

    Raises:
        InputError: It cannot be opened, or is no store.

    Attributes:
        session: The number of the session, which is that of its run in the store.
    """

    __test__ = False  # pytest would take it for tests where it is imported

    def __init__(self, path: Path) -> None:
        self._store = Store(path, create=True)
        if self._store.description is None:
            self._store.plan(msgspec.json.encode(CampaignFile()), (), b"{}")
        self._began = time.perf_counter()
        self.session = self._store.begin_run(simaie.__version__, platform.python_version(), revision(), "pytest")
        self._current: set[str] = set()

    def close(self) -> None:
        """Note how long the session took, and close the file."""
        self._store.note_run(self.session, time.perf_counter() - self._began, "finished")
        self._store.close()

    def add(self, test: str, stretch: Stretch, checkers: tuple[CheckerChoice, ...] = ()) -> None:
        """Add the exploration of a program.

        Args:
            test: The id of the test.
            stretch: The exploration.
            checkers: The checkers that judged it; empty for the default ones.
        """
        report = stretch.report
        unit = _unit(test, report, digest=report.program.digest, checkers=_names(checkers))
        flaw = stretch.flaw or ("" if report.complete else report.reason)
        self._add(unit, 0, [stretch], flaw, complete=report.complete)

    def add_drawn(self, test: str, stretches: list[Stretch]) -> None:
        """Add the explorations of the programs that a session has drawn for a test; there is at least one."""
        unit = _unit(test, stretches[0].report)
        done = self._store.rows("SELECT shards FROM units WHERE key = ?", unit.key)
        self._add(unit, done[0][0] if done else 0, stretches, "")

    def kept(self, test: str) -> list[tuple[bytes, frozenset[int]]]:
        """Return the choices of the drawn programs that covered something new, with all that each has covered."""
        rows = self._store.rows("SELECT choices, handoffs FROM drawn WHERE test = ? ORDER BY choices", test)
        return [(choices, frozenset(msgspec.msgpack.decode(data, type=list[int]))) for choices, data in rows]

    def keep(self, test: str, choices: bytes, handoffs: frozenset[int]) -> None:
        """Keep a drawn program that has covered something new, unless enough are kept."""
        data = msgspec.msgpack.encode(sorted(handoffs))
        with explained(self._store.path), transaction(self._store.connection):
            query = "INSERT OR IGNORE INTO drawn SELECT ?, ?, ? WHERE (SELECT count(*) FROM drawn WHERE test = ?) < ?"
            self._store.connection.execute(query, (test, choices, data, test, MOST_KEPT))

    def _add(self, unit: Unit, shard: int, stretches: list[Stretch], flaw: str, *, complete: bool = False) -> None:
        number = self._store.plan_test(unit, alone=unit.target not in self._current)
        self._current.add(unit.target)
        folder = str(self._store.path.resolve().parent)
        piece = Piece(number=number, unit=unit, shard=shard, known=self._store.known(number), folder=folder)
        gathered = Gathered(piece)
        for stretch in stretches:
            gathered.add(stretch)
        self._store.add(_of_test(gathered.result(), unit.target, flaw, complete=complete), unit)


def _unit(test: str, report: Report, digest: str = "", checkers: tuple[str, ...] = ()) -> Unit:
    return Unit(
        kind="test", target=test, digest=digest, scheme=str(report.machine.scheme), host=str(report.machine.host),
        scheduler=report.scheduler, exhaustive=bool(digest) and report.complete, seed=report.seed if digest else 0,
        executions=report.executions if digest else 0, steps=0, checkers=checkers,
    )  # fmt: skip


def _names(checkers: tuple[CheckerChoice, ...]) -> tuple[str, ...]:
    """Return the names of checkers; none if one of them is no name."""
    names = tuple(each for each in checkers if isinstance(each, str))
    return names if len(names) == len(checkers) else ()


def _of_test(result: Result, test: str, flaw: str, *, complete: bool) -> Result:
    """Return a result whose findings are reproduced by running the test."""
    command = shlex.join(["pytest", test])
    seen = tuple(msgspec.structs.replace(each, command=command) for each in result.sightings)
    return msgspec.structs.replace(result, flaw=flaw, complete=complete, sightings=seen)
