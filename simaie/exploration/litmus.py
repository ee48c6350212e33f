"""Complete explorations of litmus tests: every state that a test can reach under a scheme and a host memory.

The search is optimal DPOR over executions that all end, because loops are cut; it is therefore complete. Under
sequential consistency it visits every trace once. Such a trace is what herd7 calls an execution, a choice of rf and co,
so that the counts of witnesses are those of herd7. Under a weaker host memory several traces may be the same execution
of herd7. States and verdict are then still the same, but the counts may differ.

The search does not use `simaie.explore`: without checkers and statistics it takes half the time.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from simaie.engine.execution import Execution
from simaie.engine.memo.node import Node
from simaie.engine.memo.undone import Undone
from simaie.errors import GuestError, Interrupted
from simaie.exploration.litmus_subject import beyond, require_inside
from simaie.exploration.search import EXECUTIONS, ExhaustiveSearch, SearchLimits, SearchProgress
from simaie.litmus import (
    Held,
    LitmusTest,
    LitmusVerdict,
    Quantifier,
    predicate,
    state_locations,
    verdict_of_counts,
    widths,
)
from simaie.litmus.lowering import ROUNDS, Lowered, lower
from simaie.machine import Machine
from simaie.trace import Ending

__all__ = ["EXECUTIONS", "HERD_SCHEME", "LitmusResult", "LitmusState", "explore_litmus"]

#: The ideal architecture with the reservations of herd7's models: a store-conditional may fail spuriously, and must
#: fail if its place is not that of the load-linked.
HERD_SCHEME = "native:reservation=exact,spurious_failures=true"

LitmusState = tuple[tuple[str, Held], ...]


class LitmusResult(msgspec.Struct, frozen=True):
    """The result of the exploration of a litmus test.

    Attributes:
        test: The test.
        scheme: The scheme.
        host: The host memory.
        states: The reachable states, sorted: the locations in the test's question with their values.
        verdict: The answer and the observation as herd7 prints them; its counts are numbers of executions.
        executions: The number of executions that were run, with those that the filter drops and those that were cut.
        complete: Whether all executions were run.
        bounded: Whether a loop was cut in an execution, which is then in no count.
        seconds: The time of the search, in seconds, without reading the test.
        interrupted: Whether Ctrl-C ended the search.
    """

    test: LitmusTest
    scheme: str
    host: str
    states: tuple[LitmusState, ...]
    verdict: LitmusVerdict
    executions: int
    complete: bool
    bounded: bool
    seconds: float
    interrupted: bool = False

    @property
    def complete_states(self) -> bool:
        """Whether `states` has all reachable states."""
        return self.complete and not self.bounded

    @property
    def conclusive(self) -> bool:
        """Whether more executions could not change the answer: it has a witness, or all states are known."""
        if self.complete_states:
            return True
        match self.test.condition.quantifier:
            case Quantifier.EXISTS | Quantifier.NOT_EXISTS:
                return self.verdict.positive > 0
            case _:
                return self.verdict.negative > 0

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "name": self.test.name,
            "arch": self.test.arch.value,
            "file": self.test.file,
            "scheme": self.scheme,
            "host": self.host,
            "states": [dict(state) for state in self.states],
            "verdict": self.verdict.answer,
            "conclusive": self.conclusive,
            "observation": self.verdict.observation,
            "positive": self.verdict.positive,
            "negative": self.verdict.negative,
            "executions": self.executions,
            "complete": self.complete,
            "bounded": self.bounded,
            "interrupted": self.interrupted,
            "seconds": round(self.seconds, 6),
        }


def explore_litmus(
    test: LitmusTest,
    machine: Machine | None = None,
    *,
    rounds: int = ROUNDS,
    executions: int = EXECUTIONS,
    seconds: float | None = None,
    progress: SearchProgress | None = None,
) -> LitmusResult:
    """Run every execution of a litmus test, and return its states and its verdict.

    Args:
        test: The litmus test.
        machine: The machine; None for the ideal architecture on a sequentially consistent host.
        rounds: How often a thread may go back to one label.
        executions: The number of executions to run at most.
        seconds: The time to run at most, in seconds; None for no limit.
        progress: Called from time to time with the number of executions so far.

    Raises:
        UnsupportedError: The test contains something that cannot be run; the message says where.
        Interrupted: Ctrl-C ended the search. The attribute ``report`` of the exception is the incomplete result.
    """
    lowered = lower(test, rounds=rounds)
    machine = (machine or Machine(HERD_SCHEME)).for_search(lowered.program)
    search = ExhaustiveSearch(lowered.program, machine, SearchLimits(executions, seconds), progress)
    counted = _Counted(lowered, search)
    search.run(counted.take, lambda: False, counted.forget)
    states, positive, negative = counted.judged()
    result = LitmusResult(
        test, machine.scheme, machine.host, states, verdict_of_counts(test.condition.quantifier, positive, negative),
        search.executions, search.complete and not counted.truncated, counted.cut > 0, search.seconds,
        search.interrupted,
    )  # fmt: skip
    if search.interrupted:
        raise Interrupted(f"the exploration of {test.name!r}, after {search.executions} executions,", result)
    return result


class _Counted:
    """The counts of the executions of a litmus test.

    Attributes:
        outcomes: The number of executions for each final state, before the filter.
        cut: The number of executions in which a loop was cut.
        truncated: The number of executions that a limit on steps or threads ended.
    """

    def __init__(self, lowered: Lowered, search: ExhaustiveSearch) -> None:
        self._lowered, self._search = lowered, search
        self.outcomes: Counter[Any] = Counter()
        self._seen: set[Node] = set()  # of which it is known that they access locations of the test
        self.cut = self.truncated = 0

    def forget(self) -> None:
        """Forget all executions so far, since they come again."""
        self.outcomes.clear()
        self.cut = self.truncated = 0

    def take(self, execution: Execution | Undone, index: int) -> None:
        """Run an execution and count it."""
        try:
            trace = self._search.trace_of(execution, index)
            require_inside(self._lowered, trace, self._seen)
        except GuestError as error:
            raise beyond(self._lowered, error.vcpu, str(error)) from error
        if trace.truncated:
            self.truncated += 1
        elif trace.ending is not Ending.FINISHED or self._lowered.is_cut(trace.outcome):
            self.cut += 1
        else:
            self.outcomes[trace.outcome] += 1

    def judged(self) -> tuple[tuple[LitmusState, ...], int, int]:
        """Return the states, and the numbers of executions that satisfy the condition and that do not."""
        test, positive, negative = self._lowered.test, 0, 0
        shown, resolve = state_locations(test), self._lowered.layout.resolve
        width_of = widths(test)
        holds = predicate(test.condition.prop, width_of, resolve)
        counts = None if test.filter is None else predicate(test.filter, width_of, resolve)
        states: set[LitmusState] = set()
        for outcome, count in self.outcomes.items():
            state = self._lowered.state(outcome)
            if counts is not None and not counts(state):
                continue
            if holds(state):
                positive += count
            else:
                negative += count
            states.add(tuple([(name, state[name]) for name in shown]))
        return tuple(sorted(states, key=_order)), positive, negative


def _order(state: LitmusState) -> list[tuple[bool, Held]]:
    """Return a key that sorts numbers before text."""
    return [(not isinstance(held, int), held) for _, held in state]
