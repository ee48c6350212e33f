"""The two sets of outcomes of a comparison, found one after the other or at the same time.

At the same time means that a worker process finds what is allowed, while this one finds what is possible: this takes
longer, as an emulator has more steps than the architecture. Both searches are those of one process. As long as it is
not known what is allowed, an execution of each possible outcome is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeAlias

from simaie.errors import SimaieError
from simaie.exploration.in_order import InOrder
from simaie.exploration.outcomes import OutcomeSet, Witness, outcomes_of
from simaie.exploration.search import SearchLimits, SearchProgress
from simaie.exploration.subject import FinalValues, SearchSubject
from simaie.exploration.task import why_no_workers
from simaie.machine import Machine

__all__ = ["NOT_BEGUN", "CompareProgress", "Emulated", "both_sets"]

#: The reason why a set of outcomes is incomplete whose search never began.
NOT_BEGUN = "the search was not begun"
_INTERRUPTED = "the search was interrupted"

#: Called from time to time with the set that is explored (``"allowed"`` or ``"possible"``) and the executions so far.
CompareProgress: TypeAlias = Callable[[str, int], None]
#: Finds the outcomes that the architecture allows.
Allow: TypeAlias = Callable[[SearchProgress | None], OutcomeSet]
#: Called with each possible state that is not allowed, an execution that shows it, and what is allowed.
Told: TypeAlias = Callable[[FinalValues, Witness, OutcomeSet], None]


class Emulated(NamedTuple):
    """What the emulator runs: the program, its machine, and the limits of the search."""

    subject: SearchSubject
    machine: Machine
    limits: SearchLimits

    def outcomes(
        self,
        wanted: Callable[[FinalValues], bool],
        progress: SearchProgress | None,
        found: Callable[[FinalValues, Witness], None],
    ) -> OutcomeSet:
        """Return the outcomes that are possible."""
        return outcomes_of(self.subject, self.machine, self.limits, wanted=wanted, progress=progress, found=found)


def both_sets(
    allow: Allow, ideal: Machine, emulated: Emulated, jobs: int, progress: CompareProgress | None, tell: Told
) -> tuple[OutcomeSet, OutcomeSet]:
    """Return the outcomes that are allowed, and those that are possible.

    Args:
        allow: Finds those that are allowed.
        ideal: The machine that stands for the architecture.
        emulated: What is possible.
        jobs: The number of processes; more than two are not used.
        progress: Called from time to time.
        tell: Called with each state that is possible and not allowed, as soon as this is known.
    """
    if jobs == 1 or why_no_workers(allow):
        return _in_turn(allow, emulated, progress, tell)
    together = _AtOnce(allow, ideal, progress, tell)
    try:
        return together.run(emulated)
    finally:
        together.end()


def _in_turn(
    allow: Allow, emulated: Emulated, progress: CompareProgress | None, tell: Told
) -> tuple[OutcomeSet, OutcomeSet]:
    allowed = allow(_named(progress, "allowed"))
    if allowed.interrupted:
        return allowed, OutcomeSet(emulated.machine, reason=NOT_BEGUN)
    may = frozenset(allowed.states)

    def found(state: FinalValues, witness: Witness) -> None:
        tell(state, witness, allowed)

    return allowed, emulated.outcomes(lambda state: state not in may, _named(progress, "possible"), found)


def _named(progress: CompareProgress | None, which: str) -> SearchProgress | None:
    return None if progress is None else partial(progress, which)


class _AtOnce:
    """Both searches at the same time."""

    def __init__(self, allow: Allow, ideal: Machine, progress: CompareProgress | None, tell: Told) -> None:
        self._ideal, self._tell = ideal, tell
        self._progress = _named(progress, "possible")
        self._calls: InOrder[None, OutcomeSet] = InOrder(allow, 1)
        self._allowed: OutcomeSet | None = None
        self._may: frozenset[FinalValues] = frozenset()
        self._waiting: list[tuple[FinalValues, Witness]] = []  # to be told when it is known whether they are allowed

    def run(self, emulated: Emulated) -> tuple[OutcomeSet, OutcomeSet]:
        """Run both searches, and return what is allowed and what is possible."""
        self._calls.put(None)
        try:
            possible = emulated.outcomes(lambda state: state not in self._may, self._go_on, self._take)
        except SimaieError:
            self._receive()  # one process would have met its error first
            raise
        if possible.interrupted:
            self._look_after()
        else:
            self._await()
        if self._allowed is None:  # so that nothing is known to be forbidden
            unknown = OutcomeSet(self._ideal, reason=_INTERRUPTED, interrupted=True)
            return unknown, replace(possible, witnesses={})
        witnesses = {state: each for state, each in possible.witnesses.items() if state not in self._may}
        return self._allowed, replace(possible, witnesses=witnesses)

    def end(self) -> None:
        """End the worker."""
        self._calls.end()

    def _look_after(self) -> None:
        """Take what is allowed, if the worker knows it."""
        if self._allowed is None and self._calls.is_ready:
            self._receive()

    def _go_on(self, executions: int) -> None:
        """Look after the worker, and show the progress of this process."""
        self._look_after()
        if self._progress is not None:
            self._progress(executions)

    def _await(self) -> None:
        """Wait for the worker, until Ctrl-C."""
        with suppress(KeyboardInterrupt):
            self._receive()

    def _receive(self) -> None:
        """Take what is allowed, and tell of the states that have waited for it."""
        if self._allowed is not None:
            return
        self._allowed = self._calls.take()
        self._may = frozenset(self._allowed.states)
        waiting, self._waiting = self._waiting, []
        for state, witness in waiting:
            self._take(state, witness)

    def _take(self, state: FinalValues, witness: Witness) -> None:
        """Tell of a state, if it is known that it is not allowed."""
        if self._allowed is None:
            self._waiting.append((state, witness))
        elif state not in self._may:
            self._tell(state, witness, self._allowed)
