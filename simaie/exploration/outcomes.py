"""The set of outcomes of a program on a machine, found by optimal DPOR; it is complete unless a limit cut the search.

Equivalent executions have the same outcome, so that one of each class is enough. No checkers judge the executions. The
caller says which outcomes need a witness, and whether the search ends at the first of these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.engine.memo.undone import Undone
from simaie.engine.watchdog import Watchdog
from simaie.exploration.consistency import Consistency
from simaie.exploration.search import ExhaustiveSearch, SearchLimits, SearchProgress
from simaie.exploration.subject import FinalValues, SearchSubject
from simaie.machine import Machine
from simaie.trace import Ending, Outcome, Trace

__all__ = ["MAX_STATES", "OutcomeSet", "Witness", "outcomes_of"]

#: The number of distinct states that are kept at most; with more the set is incomplete.
MAX_STATES = 10_000


@dataclass(frozen=True)
class Witness:
    """The first execution that showed a state.

    Attributes:
        index: Its index in the search.
        trace: The execution.
        by_index: Whether an exploration by the scheduler of the search has the same execution at this index.
    """

    index: int
    trace: Trace
    by_index: bool = True


@dataclass(frozen=True)
class OutcomeSet:
    """The set of outcomes of a program on a machine.

    Attributes:
        machine: The machine.
        states: The distinct states, sorted.
        executions: The number of executions that were run.
        reason: Why the set may be incomplete; empty if it is complete.
        interrupted: Whether Ctrl-C ended the search.
        witnesses: An execution for each state that needs a witness.
        endless: Whether the limit on choices ended the search.
        limited: Whether a limit on executions or seconds ended the search.
    """

    machine: Machine
    states: tuple[FinalValues, ...] = ()
    executions: int = 0
    reason: str = ""
    interrupted: bool = False
    witnesses: dict[FinalValues, Witness] = field(default_factory=dict, repr=False)
    endless: bool = False
    limited: bool = field(default=False, repr=False)

    @property
    def complete(self) -> bool:
        """Whether the set has all outcomes."""
        return not self.reason

    def __str__(self) -> str:
        where = f"{len(self.states):,} outcomes under {self.machine.scheme} on {self.machine.host}"
        return f"{where} ({'complete' if self.complete else self.reason})"

    def as_dict(self) -> dict[str, Any]:
        """Return the set as JSON values."""
        return {
            "scheme": self.machine.scheme,
            "host": self.machine.host,
            "states": [dict(state) for state in self.states],
            "complete": self.complete,
            "reason": self.reason,
            "executions": self.executions,
            "limited": self.limited,
        }


def outcomes_of(
    subject: SearchSubject,
    machine: Machine,
    limits: SearchLimits | None = None,
    *,
    wanted: Callable[[FinalValues], bool] | None = None,
    first: bool = False,
    progress: SearchProgress | None = None,
    found: Callable[[FinalValues, Witness], None] | None = None,
) -> OutcomeSet:
    """Explore `subject` on `machine` completely, and return its outcomes; Ctrl-C ends the search early.

    Args:
        subject: The program or litmus test.
        machine: The machine.
        limits: The limits of the search; None for the defaults.
        wanted: Whether a state needs a witness.
        first: Whether to stop at the first state that needs a witness.
        progress: Called from time to time with the number of executions so far.
        found: Called with each state that needs a witness, and the witness, as soon as it is found.

    Raises:
        UnsupportedError: The subject is a litmus test that cannot be run.
        GuestError: The guest code raised.
    """
    limits = limits or SearchLimits()
    consistency = Consistency(subject.program, machine)
    search = ExhaustiveSearch(subject.program, machine, limits, progress, consistency.rehearsed)
    collected = _Collected(subject, machine, wanted, first, found, limits.choices)
    with Watchdog(machine.limits.spin_seconds) as watchdog:
        collected.run(search, consistency, watchdog)
    return collected.result(search)


class _Collected:
    """The states and witnesses that a search has found so far."""

    def __init__(
        self,
        subject: SearchSubject,
        machine: Machine,
        wanted: Callable[[FinalValues], bool] | None,
        first: bool,
        found: Callable[[FinalValues, Witness], None] | None,
        most_choices: int | None,
    ) -> None:
        self._subject, self._machine, self._wanted, self._first, self._found = subject, machine, wanted, first, found
        self._known: set[tuple[Ending, Outcome]] = set()
        self._states: set[FinalValues] = set()
        self._witnesses: dict[FinalValues, Witness] = {}
        self._cut = 0  # executions that a limit ended
        self._too_many = self._endless = False
        self._most_choices = most_choices

    def run(self, search: ExhaustiveSearch, consistency: Consistency, watchdog: Watchdog) -> None:
        def take(execution: Execution | Undone, index: int) -> None:
            watchdog.watch(execution)
            trace = search.trace_of(execution, index)
            consistency.observe(execution, trace, index)
            self._take(trace, index, lambda: search.replayable(execution, trace), by_index=search.by_index)

        search.run(take, self._enough, self._forget)
        if not search.interrupted:
            with search.interruptible():
                for execution, compare in consistency.second_runs():
                    watchdog.watch(execution)
                    compare(run_inline(execution))

    def _enough(self) -> bool:
        return self._too_many or self._endless or (self._first and bool(self._witnesses))

    def _forget(self) -> None:
        """Forget how many executions were cut, since all come again; the states that were found remain."""
        self._cut = 0
        self._witnesses = {state: replace(each, by_index=False) for state, each in self._witnesses.items()}

    def _take(self, trace: Trace, index: int, replayable: Callable[[], Trace], *, by_index: bool) -> None:
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
            self._witnesses[state] = witness = Witness(index, replayable(), by_index)
            if self._found is not None:
                self._found(state, witness)

    def result(self, search: ExhaustiveSearch) -> OutcomeSet:
        states = tuple(sorted(self._states, key=_order))
        reason = self._why_incomplete(search)
        return OutcomeSet(
            self._machine, states, search.executions, reason, search.interrupted, self._witnesses, self._endless,
            limited=search.limited and reason == search.why_incomplete(),
        )  # fmt: skip

    def _why_incomplete(self, search: ExhaustiveSearch) -> str:
        if search.interrupted:
            return search.why_incomplete()
        if self._too_many:
            return f"there are more than {MAX_STATES} outcomes"
        if search.exhausted and self._cut:
            return f"{self._cut} executions were cut by a limit on steps, threads or rounds of a loop"
        if not search.exhausted and self._first and self._witnesses:
            return "the search ended at the first outcome that was wanted"
        if not search.exhausted and self._endless:
            return f"in one execution more than {self._most_choices} local choices were not 0"
        return search.why_incomplete()


def _order(state: FinalValues) -> list[tuple[str, str, Any]]:
    """Return a key that sorts states by value, numbers before text."""
    return [(name, type(held).__name__, held) for name, held in state]
