"""Explorations in stretches: one stretch stops after some steps, and another one goes on, perhaps in another process.

A stretch of a random scheduler ends, and nothing is left. A stretch of ``dpor``, where it goes back by undo, says what
is left of the search as plain values; the next stretch begins with the execution at which this one stopped. Together
they run the executions of one exploration in its order. Any other exhaustive search is one stretch.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from simaie.check import CheckerChoice
from simaie.engine.memo.undone import Left
from simaie.errors import UsageError
from simaie.exploration.coverage import CoverageRecorder
from simaie.exploration.engines import StartAgain
from simaie.exploration.handoffs import HandoffCounter
from simaie.exploration.in_progress import Exploration
from simaie.exploration.report import Report
from simaie.exploration.scheduler_choice import SchedulerChoice
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.trace import Trace

__all__ = ["CannotGoOn", "Resumable", "Stretch", "explore_stretch", "flaw_of"]


class CannotGoOn(Exception):
    """A search cannot go on where the stretch before it stopped; it has to run as one stretch, from the start."""


class Stretch(NamedTuple):
    """The result of one stretch.

    Attributes:
        report: The report on its executions; `Report.complete` means that nothing is left.
        left: What is left of the search; None if nothing is left, or if it cannot be continued.
        digests: The digest of the trace of each execution that was not cut, in order.
        flaw: Why these executions support no proof, whatever follows; empty if they do.
        handoffs: The digests of the hand-offs in the first executions, see `simaie.exploration.handoffs`.
    """

    report: Report
    left: bytes | None
    digests: array[int]
    flaw: str
    handoffs: frozenset[int]


class _Saved(msgspec.Struct, frozen=True, array_like=True):
    """The fields of a `Left`, with the types that their values must have."""

    search: list[list[object]]
    names: tuple[str, ...]
    ranges: tuple[tuple[int, int, bool], ...]
    mixed_sizes: bool
    commuting: bool


def explore_stretch(
    program: Program,
    machine: Machine,
    scheduler: SchedulerChoice,
    *,
    seed: int,
    executions: int,
    steps: int | None,
    checkers: Sequence[CheckerChoice],
    first_index: int = 0,
    left: bytes | None = None,
) -> Stretch:
    """Explore one stretch.

    Args:
        program: The program.
        machine: The machine.
        scheduler: The scheduler, as for `simaie.explore`.
        seed: The seed.
        executions: The number of executions at most.
        steps: The number of steps after which to stop, after an execution; None for no such limit. A search that cannot
            be continued does not stop there.
        checkers: The checkers, as for `simaie.explore`.
        first_index: The number of executions of the stretches before it.
        left: What the stretch before it has left; None to begin.

    Raises:
        CannotGoOn: The search has to begin anew, with no limit of steps.
        SimaieError: As for `simaie.explore`; the error has a report.
    """
    exploration = Resumable(program, machine, scheduler, seed, executions, steps, checkers, first_index, left)
    try:
        report = exploration.run()
    except StartAgain as error:
        raise CannotGoOn(exploration.why_not_undone) from error
    return exploration.stretch(report)


class _Recorder(CoverageRecorder):
    """Records the digests of traces, and the hand-offs of the first of them."""

    def forget(self) -> None:
        """Forget the executions so far."""
        super().forget()
        self.handoffs = HandoffCounter()

    def add(self, trace: Trace) -> None:
        """Record one execution."""
        super().add(trace)
        self.handoffs.look_at(trace)


class Resumable(Exploration):
    """An exploration that stops after some steps where another one can go on."""

    def __init__(
        self,
        program: Program,
        machine: Machine,
        scheduler: SchedulerChoice,
        seed: int,
        executions: int,
        steps: int | None,
        checkers: Sequence[CheckerChoice],
        first_index: int,
        left: bytes | None,
    ) -> None:
        super().__init__(
            program, machine, scheduler, seed=seed, executions=executions, seconds=None, failures=None,
            checkers=checkers, driver="inline", progress=None, coverage=True, first_index=first_index,
        )  # fmt: skip
        self._steps = steps
        self._before = None if left is None else _read(left)
        self._left: bytes | None = None

    def is_done(self) -> bool:
        """Whether no execution is left to run, or a limit was reached where another exploration can go on."""
        return super().is_done() or (self._has_steps and self._can_stop)

    @property
    def _can_stop(self) -> bool:
        """Whether another exploration can go on from here, or no other has to."""
        undone = self.undoing
        return not self.scheduler.exhaustive or (undone is not None and undone.can_be_left)

    @property
    def _has_steps(self) -> bool:
        return self._steps is not None and self.statistics.steps >= self._steps

    def start_again(self) -> None:
        """Begin anew, unless executions of other stretches came before: then raise `StartAgain`."""
        if self._before is not None:
            raise StartAgain
        super().start_again()

    def stretch(self, report: Report) -> Stretch:
        """Return the result, after `run` has returned its report."""
        assert isinstance(self._coverage, _Recorder)
        digests, handoffs = self._coverage.take().digests, frozenset(self._coverage.handoffs.found)
        return Stretch(report, self._left, digests, flaw_of(self, report), handoffs)

    def _collector(self) -> _Recorder:
        return _Recorder(self.scheduler)

    def _search(self) -> None:
        if self._before is not None:
            undone = self.begin_undoing()
            undone.go_on_from(self._before)
            if undone.why_not:
                raise StartAgain
        super()._search()

    def _end(self) -> None:
        undone = self.undoing
        if self._left is None and undone is not None and undone.can_be_left:
            left = undone.left()
            self._left = None if left is None else msgspec.msgpack.encode(left)
        super()._end()


def flaw_of(exploration: Exploration, report: Report) -> str:
    """Return why the executions of an exploration support no proof, whatever follows; empty if they do."""
    if report.statistics.truncated:
        return f"{report.statistics.truncated:,} executions were cut by a limit on steps or threads"
    return exploration.checkers.why_not_proof


def _read(left: bytes) -> Left:
    try:
        return Left(*msgspec.structs.astuple(msgspec.msgpack.decode(left, type=_Saved)))
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise UsageError(f"not the state of a search: {error}") from error
