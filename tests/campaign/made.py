"""Small campaigns, and what of their stores must not depend on who ran them, in which order, and after which faults."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from simaie.campaign import CampaignFile, Explore, Fuzz, OnExecutor, Status, Store, run_campaign, status_of
from simaie.campaign.coordinator import Budget
from simaie.campaign.unit import Piece, Result

RACE = "first-registration-window"
#: A random unit and a search that fail, and a random unit and a search that do not.
SMALL = CampaignFile(
    explore=(
        Explore(targets=(RACE,), schemes=("aie-rfc", "cas"), seeds=4, executions=15),
        Explore(targets=(RACE,), schemes=("aie-rfc", "cas"), schedulers=("dpor",), steps=30),
    )
)
#: Generated programs.
DRAWN = CampaignFile(
    fuzz=(Fuzz(isas=("arm",), schemes=("cas",), seeds=2, examples=4, executions=3, vcpus=2, instructions=2),)
)


class Here(Executor):
    """An executor that calls at once, so that tests need no processes."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call the function, and return its result as a future."""
        future: Future[Any] = Future()
        try:
            future.set_result(call(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


def here(call: Callable[[Piece], Result] | None = None, workers: int = 1) -> OnExecutor:
    """Return workers in this process, which call `call` if it is not None."""
    return OnExecutor(Here(), workers, "here") if call is None else OnExecutor(Here(), workers, "here", call)


def run_here(path: Path, campaign: CampaignFile | None = SMALL, executions: int | None = None) -> Status:
    """Run a campaign in this process."""
    return run_campaign(path, campaign, here, budget=Budget(executions=executions))


def facts(path: Path) -> dict[str, Any]:
    """Return all that a store says, without times, and without what depends on the runs."""
    with Store(path, read_only=True) as store:
        status = status_of(store)
        witnesses = {row[:2]: row[2] for row in store.rows("SELECT finding, unit, witness FROM findings")}
        shards = {
            (number, result.shard): (result.ending, result.executions, result.failing, result.steps, result.sightings)
            for number in store.units()
            for result in store.shards(number)
        }
        sketches = store.rows("SELECT number, sketch, left FROM units")
    return {
        "units": [_untimed(unit) for unit in status.units],
        "findings": [_untimed(finding) for finding in status.findings],
        "verdict": status.verdict,
        "witnesses": witnesses,
        "shards": shards,
        "sketches": sketches,
    }


def _untimed(value: Any) -> dict[str, Any]:
    of_runs = ("seconds", "seen", "version", "revision")
    return {name: getattr(value, name) for name in value.__struct_fields__ if name not in of_runs}
