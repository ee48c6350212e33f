"""Executions that another process ran, as if they had run here."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

from simaie import plugins
from simaie.decision import Schedule
from simaie.engine.execution import Execution
from simaie.errors import NondeterminismError
from simaie.exploration.running import Work
from simaie.exploration.tally import Last, Suspect, Tally
from simaie.replaying.run import make_execution
from simaie.trace import Trace

if TYPE_CHECKING:
    from simaie.exploration.consistency import Consistency
    from simaie.exploration.in_progress import Exploration

__all__ = ["adopt", "repeat_last"]


def adopt(exploration: Exploration, tally: Tally) -> Iterator[Work]:
    """Count the executions of `tally`, which come after those so far; yield those that must run here, too."""
    first = exploration.index
    with exploration.whole:
        exploration.statistics.merge(tally.statistics, tally.covered)
        exploration.checkers.merge(tally.judgements)
        exploration.index += tally.executions
    for suspect in tally.suspects:
        yield from _suspected(exploration, suspect, first + suspect.number)
    for signature, number in tally.others.items():
        exploration.kept.signatures.count(signature, number)
    exploration.show_progress()


def _suspected(exploration: Exploration, suspect: Suspect, index: int) -> Iterator[Work]:
    """Count a failing execution; if it is kept, it runs here once more."""
    if not exploration.kept.would_keep(suspect.signature, suspect.length):
        exploration.kept.signatures.count(suspect.signature, 1)
        return

    def take(trace: Trace) -> None:
        _require_same(trace, suspect.digest)
        exploration.keep(trace, exploration.checkers.findings_in(trace), index, suspect.profile)

    yield _repeated(exploration, suspect.schedule, index), take


def repeat_last(
    exploration: Exploration, known: tuple[int, Last] | None, consistency: Consistency
) -> Generator[Work, None, None]:
    """Let `consistency` know the last execution that workers ran, if none came after it.

    Args:
        exploration: The exploration.
        known: The last tally's last execution, and the index of the first execution of the tally; None if none is.
        consistency: The consistency checks of the exploration.
    """
    if known is None:
        return
    first, last = known
    index = first + last.number
    if consistency.last is not None and consistency.last[0] > index:
        return

    def take(trace: Trace) -> None:
        _require_same(trace, last.digest)
        consistency.ran_last(index, trace)

    yield _repeated(exploration, last.schedule, index), take


def _repeated(exploration: Exploration, schedule: Schedule, index: int) -> Execution:
    """Return an execution, ready to run, that takes the decisions of `schedule`."""
    scripted = plugins.resolve(plugins.SCHEDULERS, "scripted")(schedule, strict=False)
    program, machine = exploration.program, exploration.machine
    return make_execution(program, machine, scripted, seed=exploration.seed, index=index, verify=False)


def _require_same(trace: Trace, digest: str) -> None:
    """Raise NondeterminismError unless an execution that a worker ran too has the same digest here."""
    if trace.digest != digest:
        raise NondeterminismError(
            f"program {trace.program!r} ran differently in a worker process under the same decisions; its guest code "
            "must not depend on clocks, random numbers, set order or state kept between executions"
        )
