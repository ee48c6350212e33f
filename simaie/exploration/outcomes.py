"""The set of outcomes that a program has on a machine, by optimal DPOR: all of them, unless something cut the search.

Equivalent executions have the same outcome, so one of each class is enough. There are no checkers here; whoever
asks says which outcomes he wants a witness of, and whether the first of these is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.engine.watchdog import Watchdog
from simaie.exploration.consistency import Consistency
from simaie.exploration.search import Search, SearchLimits, SearchProgress
from simaie.exploration.subject import State, Subject
from simaie.machine import Machine
from simaie.trace import Ending, Outcome, Trace

__all__ = ["MAX_STATES", "OutcomeSet", "Witness", "outcomes_of"]

#: Distinct states kept; where there are more the set is not complete.
MAX_STATES = 10_000


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
    search = Search(subject.program, machine, limits, progress)
    collected = _Collected(subject, machine, wanted, first, found, limits.choices)
    with Watchdog(machine.limits.spin_seconds) as watchdog:
        collected.run(search, watchdog)
    return collected.result(search)


class _Collected:
    """What a search came to: the states by outcome, with their witnesses."""

    def __init__(
        self,
        subject: Subject,
        machine: Machine,
        wanted: Callable[[State], bool] | None,
        first: bool,
        found: Callable[[State, Witness], None] | None,
        most_choices: int | None,
    ) -> None:
        self._subject, self._machine, self._wanted, self._first, self._found = subject, machine, wanted, first, found
        self._known: set[tuple[Ending, Outcome]] = set()
        self._states: set[State] = set()
        self._witnesses: dict[State, Witness] = {}
        self._cut = 0  # executions that a limit ended
        self._too_many = self._endless = False
        self._most_choices = most_choices

    def run(self, search: Search, watchdog: Watchdog) -> None:
        consistency = Consistency(self._subject.program, self._machine)

        def take(execution: Execution, index: int) -> None:
            watchdog.watch(execution)
            trace = search.trace_of(execution, index)
            consistency.observe(execution, trace, index)
            self._take(trace, index)

        search.run(take, self._enough)
        if not search.interrupted:
            with search.interruptible():
                for execution, compare in consistency.second_runs():
                    watchdog.watch(execution)
                    compare(run_inline(execution))

    def _enough(self) -> bool:
        return self._too_many or self._endless or (self._first and bool(self._witnesses))

    def _take(self, trace: Trace, index: int) -> None:
        if trace.ending is Ending.PRUNED:
            return
        if self._most_choices is not None and len(trace.schedule.choices) > self._most_choices:
            self._endless = True
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
            self._witnesses[state] = witness = Witness(index, trace)
            if self._found is not None:
                self._found(state, witness)

    def result(self, search: Search) -> OutcomeSet:
        states = tuple(sorted(self._states, key=_order))
        reason = self._why_incomplete(search)
        return OutcomeSet(
            self._machine, states, search.executions, reason, search.interrupted, self._witnesses, self._endless
        )

    def _why_incomplete(self, search: Search) -> str:
        if search.interrupted:
            return search.why_incomplete()
        if self._too_many:
            return f"there are more than {MAX_STATES} outcomes"
        if search.exhausted and self._cut:
            return f"{self._cut} executions were cut by a limit on steps, threads or rounds of a loop"
        if not search.exhausted and self._first and self._witnesses:
            return "the search ended with the first that was wanted"
        if not search.exhausted and self._endless:
            return f"in one execution more than {self._most_choices} choices did not come out as usual"
        return search.why_incomplete()


def _order(state: State) -> list[tuple[str, str, Any]]:
    """By value, numbers before text."""
    return [(name, type(held).__name__, held) for name, held in state]
