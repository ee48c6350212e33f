"""The loops that run the executions of an exploration, inline or in trio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from simaie.engine.execution import Execution
from simaie.engine.memo.undone import Undone
from simaie.engine.watchdog import Watchdog
from simaie.exploration.engines import Engines, OutOfTime, StartAgain
from simaie.replaying.run import Driver
from simaie.trace import Trace

if TYPE_CHECKING:
    from simaie.exploration.in_progress import Exploration

__all__ = ["Work", "run_work"]

#: An execution to run, and the consumer of its trace.
Work: TypeAlias = tuple[Execution | Undone, Callable[[Trace], None]]


def run_work(exploration: Exploration, work: Iterator[Work], engines: Engines, driver: Driver) -> None:
    """Run all work. Between two executions, the exploration tells of the failures that it has found."""
    kept = exploration.kept
    with Watchdog(exploration.machine.limits.spin_seconds) as watchdog:
        if driver == "inline":
            while _run_inline(exploration, work, engines, watchdog):
                kept.tell()
        else:
            from simaie.engine.on_trio.driver import in_trio  # trio is loaded only if it is used

            # A trio run ends before the caller is told, because the caller may begin another one.
            while in_trio(_run_in_trio, exploration, work, watchdog):
                kept.tell()


def _run_inline(exploration: Exploration, work: Iterator[Work], engines: Engines, watchdog: Watchdog) -> bool:
    """Run work until there is something to tell; return False if no work is left."""
    run, watch, kept = engines.run, watchdog.watch, exploration.kept
    for execution, take in work:
        watch(execution)
        try:
            trace = run(execution, exploration.index)
        except StartAgain:
            exploration.start_again()
            continue
        except OutOfTime:
            return False
        take(trace)
        if kept.has_news:
            return True
    return False


async def _run_in_trio(exploration: Exploration, work: Iterator[Work], watchdog: Watchdog) -> bool:
    """Do the same in a trio run."""
    from simaie.engine.on_trio.driver import run_trio

    for execution, take in work:
        assert isinstance(execution, Execution)  # there is no memo
        watchdog.watch(execution)
        take(await run_trio(execution))
        if exploration.kept.has_news:
            return True
    return False
