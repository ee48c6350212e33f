"""The coordinator of a campaign: it hands shards to workers, and puts each result into the store.

At any moment the store holds exactly the shards whose results were added. If the coordinator is killed, the next run
repeats the shards that were under way; their results are the same, since a shard depends on nothing but its piece.
"""

from __future__ import annotations

import contextlib
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec

import simaie
from simaie.campaign.agenda import Agenda
from simaie.campaign.campaign_file import CampaignFile
from simaie.campaign.crew import Crew
from simaie.campaign.planning import Plan, plan
from simaie.campaign.revision import revision
from simaie.campaign.schema import lock, undamaged
from simaie.campaign.status import campaign_in, counted, status_of
from simaie.campaign.store import Store
from simaie.campaign.summary import Status
from simaie.campaign.unit import Ending, Piece, Result
from simaie.errors import InputError, Interrupted

__all__ = ["Budget", "Progress", "run_campaign"]

#: The time between two looks at the clock, in seconds.
_LOOK_SECONDS = 0.5
#: The time between two notes of how long the run has been going on, in seconds.
_NOTE_SECONDS = 1.0


class Budget(msgspec.Struct, frozen=True):
    """What one run may spend; shards that were begun are finished.

    Attributes:
        seconds: The time, in seconds; None for no limit.
        executions: The number of executions; None for no limit.
    """

    seconds: float | None = None
    executions: int | None = None


#: Called from time to time with the store, the executions and the seconds of this run, and the number of busy shards.
Progress: TypeAlias = Callable[[Store, int, float, int], None]


def run_campaign(
    path: Path,
    campaign: CampaignFile | None,
    crew: Callable[[], Crew],
    *,
    budget: Budget | None = None,
    progress: Progress | None = None,
    again: bool = False,
) -> Status:
    """Run a campaign until it is finished, or the budget is spent.

    Args:
        path: The store; it is made if it does not exist and `campaign` is not None.
        campaign: What to explore; None to go on with what the store says.
        crew: Makes the workers.
        budget: What to spend; without a time, that of the campaign itself.
        progress: Called from time to time.
        again: Whether shards at which workers died are run again.

    Returns:
        The state at the end.

    Raises:
        UsageError: Another coordinator works with the store, or a name in the campaign is wrong.
        InputError: The store cannot be used, or a worker cannot: it has another version, or not the same program.
        Interrupted: Ctrl-C; its report is the state then. Everything that was finished is in the store.
    """
    planned = None if campaign is None else plan(campaign)
    if campaign is None and not path.exists():
        raise InputError(f"{path}: there is no such store; make one with: simaie campaign run ... --store {path}")
    with lock(path), undamaged(path), Store(path, create=campaign is not None) as store:
        if campaign is not None and planned is not None:
            _plan(store, campaign, planned)
        campaign = campaign_in(store)
        if again:
            store.try_again()
        limits = budget or Budget()
        if limits.seconds is None:
            limits = Budget(campaign.seconds, limits.executions)
        interrupted = _Run(store, campaign, limits, progress).run(crew())
        status = status_of(store)
    status = msgspec.structs.replace(status, running=False)
    if interrupted:
        done = f"{counted(status.executions, 'execution')} in {counted(status.shards, 'shard')}"
        raise Interrupted(f"the campaign, after {done},", status)
    return status


def _plan(store: Store, campaign: CampaignFile, planned: Plan) -> None:
    store.plan(msgspec.json.encode(campaign), planned.units, msgspec.json.encode(planned.problems))


class _Run:
    """One run of a coordinator."""

    def __init__(self, store: Store, campaign: CampaignFile, budget: Budget, progress: Progress | None) -> None:
        self._store, self._budget, self._progress = store, budget, progress
        common = Piece(
            number=0, unit=next(iter(store.units().values())), shard=0, version=simaie.__version__,
            folder=str(store.path.resolve().parent), most_seconds=campaign.shard_seconds,
            most_bytes=campaign.shard_megabytes << 20,
        ) if store.units() else None  # fmt: skip
        self._agenda = None if common is None else Agenda(store.pending(), store.known, common)
        self._before = sum(run.active for run in store.runs())
        self._began = self._noted = time.perf_counter()
        self._executions = 0

    @property
    def _seconds(self) -> float:
        return time.perf_counter() - self._began

    def run(self, crew: Crew) -> bool:
        """Run shards, and return whether Ctrl-C ended it."""
        number = self._store.begin_run(simaie.__version__, platform.python_version(), revision(), crew.name)
        ending = "error"
        try:
            self._loop(crew, number)
            ending = "budget" if self._is_spent else "finished"
            return False
        except KeyboardInterrupt:
            ending = "interrupted"
            return True
        finally:
            late = crew.end()
            with contextlib.suppress(InputError):  # of a full disk the first error has told
                if ending == "interrupted":
                    for result in late:
                        self._add(result)
                self._store.note_run(number, self._seconds, ending)

    def _loop(self, crew: Crew, number: int) -> None:
        if self._agenda is None:
            return
        while True:
            while crew.room and not self._is_spent and (piece := self._agenda.take()) is not None:
                crew.hand_in(piece)
            if not crew.busy:
                return
            for result in crew.hear(_LOOK_SECONDS):
                self._add(result)
            self._look(crew, number)

    @property
    def _is_spent(self) -> bool:
        seconds, executions = self._budget.seconds, self._budget.executions
        return (seconds is not None and self._seconds >= seconds) or (
            executions is not None and self._executions >= executions
        )

    def _add(self, result: Result) -> None:
        if result.ending is Ending.UNFIT:
            raise InputError(
                f"{result.problem}; give the workers what the campaign was planned with, or plan it again with: simaie "
                "campaign run"
            )
        assert self._agenda is not None
        self._store.add(result, self._agenda.unit(result.number), self._before + self._seconds)
        self._agenda.hear(result)
        self._executions += result.executions

    def _look(self, crew: Crew, number: int) -> None:
        if self._progress is not None:
            self._progress(self._store, self._executions, self._seconds, crew.busy)
        if time.perf_counter() - self._noted > _NOTE_SECONDS:
            self._noted = time.perf_counter()
            self._store.note_run(number, self._seconds)
