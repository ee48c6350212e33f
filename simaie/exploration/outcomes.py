"""The set of outcomes that a program has on a machine, by optimal DPOR: all of them, unless something cut the search.

Equivalent executions have the same outcome, so one of each class is enough. There are no checkers here; whoever
asks says which outcomes he wants a witness of, and whether the first of these is enough.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from simaie.arguments import require_at_least_one
from simaie.engine.inline import run_inline
from simaie.engine.watchdog import Watchdog
from simaie.exploration.consistency import Consistency
from simaie.exploration.scheduler_choice import make_scheduler
from simaie.exploration.subject import State, Subject
from simaie.machine import Machine
from simaie.protocols import require_positive
from simaie.replaying.run import make_execution
from simaie.trace import Ending, Outcome, Trace

__all__ = [
    "EXECUTIONS", "MAX_STATES", "PROGRESS_EVERY", "OutcomeSet", "SearchLimits", "SearchProgress", "Witness",
    "outcomes_of",
]  # fmt: skip

EXECUTIONS = 1_000_000
#: Distinct states kept; where there are more the set is not complete.
MAX_STATES = 10_000

#: Called now and then with how many executions were run.
SearchProgress: TypeAlias = Callable[[int], None]
PROGRESS_EVERY = 64


@dataclass(frozen=True)
class SearchLimits:
    """Of one search. executions: at most so many. seconds: at most so long, None for no limit.

    choices: an execution in which more than so many did not come out as usual ends the search, None for no limit.
    """

    executions: int = EXECUTIONS
    seconds: float | None = None
    choices: int | None = None

    def require(self) -> None:
        """Raise UsageError unless both are positive."""
        require_at_least_one("executions", self.executions)
        require_positive(seconds=self.seconds)


@dataclass(frozen=True)
class Witness:
    """The execution, by its number in the search, that first showed a state."""

    index: int
    trace: Trace


@dataclass(frozen=True)
class OutcomeSet:
    """What was found on `machine`.

    states: distinct and sorted. reason: why there may be others; empty if the set is complete. interrupted: by Ctrl-C.
    endless: whether the limit on choices ended it.
    witnesses: of those states that one was wanted of.
    """

    machine: Machine
    states: tuple[State, ...] = ()
    executions: int = 0
    reason: str = ""
    interrupted: bool = False
    witnesses: dict[State, Witness] = field(default_factory=dict, repr=False)
    endless: bool = False

    @property
    def complete(self) -> bool:
        """Whether there are no others."""
        return not self.reason

    def as_dict(self) -> dict[str, Any]:
        """The set as JSON values."""
        return {
            "scheme": self.machine.scheme,
            "host": self.machine.host,
            "states": [dict(state) for state in self.states],
            "complete": self.complete,
            "reason": self.reason,
            "executions": self.executions,
        }


def outcomes_of(
    subject: Subject,
    machine: Machine,
    limits: SearchLimits | None = None,
    *,
    wanted: Callable[[State], bool] | None = None,
    first: bool = False,
    progress: SearchProgress | None = None,
    found: Callable[[State, Witness], None] | None = None,
) -> OutcomeSet:
    """Explore `subject` on `machine` to the end. wanted: which states need a witness; first: stop at the first such.

    found: called with each witness as soon as there is one. Ctrl-C ends the search and keeps what it found. Raises
    UnsupportedError if the subject is a litmus test that cannot be run, and whatever its guest code raises.
    """
    limits = limits or SearchLimits()
    limits.require()
    search = _Search(subject, machine, wanted, first, found)
    with Watchdog(machine.limits.spin_seconds) as watchdog:
        try:
            search.run(limits, watchdog, progress)
        except KeyboardInterrupt:
            search.interrupted = True
    return search.result(limits)


class _Search:
    """states: by outcome, None where it is no state. cut: executions that a limit ended."""

    def __init__(
        self,
        subject: Subject,
        machine: Machine,
        wanted: Callable[[State], bool] | None,
        first: bool,
        found: Callable[[State, Witness], None] | None,
    ) -> None:
        self._subject, self._machine, self._wanted, self._first, self._found = subject, machine, wanted, first, found
        self._scheduler, _ = make_scheduler("dpor")
        self._known: set[tuple[Ending, Outcome]] = set()
        self._states: set[State] = set()
        self._witnesses: dict[State, Witness] = {}
        self._executions = self._cut = 0
        self._too_many = False
        self._choices = 0  # the most in one execution
        self.interrupted = False

    def run(self, limits: SearchLimits, watchdog: Watchdog, progress: SearchProgress | None) -> None:
        deadline = None if limits.seconds is None else time.perf_counter() + limits.seconds
        consistency = Consistency(self._subject.program, self._machine)
        while not self._done(limits, deadline):
            execution = make_execution(self._subject.program, self._machine, self._scheduler, index=self._executions)
            watchdog.watch(execution)
            trace = run_inline(execution)
            consistency.hear(execution, trace, self._executions)
            self._take(trace)
            self._executions += 1
            if progress is not None and self._executions % PROGRESS_EVERY == 0:
                progress(self._executions)
        for execution, compare in consistency.again():
            watchdog.watch(execution)
            compare(run_inline(execution))

    def _done(self, limits: SearchLimits, deadline: float | None) -> bool:
        if self._scheduler.exhausted or self._too_many or (self._first and self._witnesses):
            return True
        if limits.choices is not None and self._choices > limits.choices:
            return True
        return self._executions >= limits.executions or (deadline is not None and time.perf_counter() >= deadline)

    def _take(self, trace: Trace) -> None:
        if trace.ending is Ending.PRUNED:
            return
        self._choices = max(self._choices, len(trace.schedule.choices))
        if self._subject.is_cut(trace):
            self._cut += 1
            return
        key = (trace.ending, trace.outcome)
        if key in self._known and not trace.faults:
            return
        state = self._subject.state(trace)
        self._known.add(key)
        if state is None or state in self._states:
            return
        if len(self._states) >= MAX_STATES:
            self._too_many = True
            return
        self._states.add(state)
        if self._wanted is not None and self._wanted(state):
            self._witnesses[state] = witness = Witness(self._executions, trace)
            if self._found is not None:
                self._found(state, witness)

    def result(self, limits: SearchLimits) -> OutcomeSet:
        states = tuple(sorted(self._states, key=_order))
        reason = self._why_incomplete(limits)
        endless = limits.choices is not None and self._choices > limits.choices
        return OutcomeSet(
            self._machine, states, self._executions, reason, self.interrupted, self._witnesses, endless
        )

    def _why_incomplete(self, limits: SearchLimits) -> str:
        if self.interrupted:
            return "the search was interrupted"
        if self._too_many:
            return f"there are more than {MAX_STATES} outcomes"
        if not self._scheduler.exhausted:
            if self._first and self._witnesses:
                return "the search ended with the first that was wanted"
            if limits.choices is not None and self._choices > limits.choices:
                return f"in one execution more than {limits.choices} choices did not come out as usual"
            if self._executions >= limits.executions:
                return f"the limit of {limits.executions} executions was reached"
            return f"the time limit of {limits.seconds:g} s was reached"
        if self._cut:
            return f"{self._cut} executions were cut by a limit on steps, threads or rounds of a loop"
        return "" if self._scheduler.complete else self._scheduler.bound_note or "the search does not run everything"


def _order(state: State) -> list[tuple[str, str, Any]]:
    """By value, numbers before text."""
    return [(name, type(held).__name__, held) for name, held in state]
