"""Litmus tests explored to the end: every state that a test can reach under a scheme and a host memory.

The search is the optimal DPOR's, over executions that all end (loops are cut), so it is complete. Under sequential
consistency it visits every trace once, and a trace is what herd7 calls an execution, a choice of rf and co: the counts
of witnesses are herd7's then. Under a weaker host one such execution may come about in several ways; states and
verdict are the same, the counts need not be.

The search is a loop of its own, not `simaie.explore`: no checkers, no statistics, half the time.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from simaie.engine.execution import Execution
from simaie.errors import GuestError, Interrupted
from simaie.exploration.litmus_subject import beyond, require_inside
from simaie.exploration.search import EXECUTIONS, Search, SearchLimits, SearchProgress
from simaie.litmus import (
    Held,
    LitmusTest,
    Quantifier,
    Verdict,
    evaluate,
    judge,
    passes_filter,
    state_locations,
    widths,
)
from simaie.litmus.lowering import ROUNDS, Lowered, lower
from simaie.machine import Machine
from simaie.trace import Ending

__all__ = ["EXECUTIONS", "HERD_SCHEME", "LitmusResult", "LitmusState", "explore_litmus"]

#: The ideal architecture with the reservations of herd7's models: a store-conditional may fail without cause, and must
#: fail at another place than the load-linked's.
HERD_SCHEME = "native:reservation=exact,spurious_failures=true"

LitmusState = tuple[tuple[str, Held], ...]


class LitmusResult(msgspec.Struct, frozen=True):
    """What a litmus test can do.

    states: each location that the question names with what it holds; sorted. verdict: the answer and the observation
    as herd7 gives them; its counts are of executions. executions: how many were run, those that the filter
    drops and those that were cut among them. complete: every execution there is was run. bounded: a loop was cut in
    some execution, which is in no count. seconds: of the search, the reading left out. interrupted: by Ctrl-C.
    """

    test: LitmusTest
    scheme: str
    host: str
    states: tuple[LitmusState, ...]
    verdict: Verdict
    executions: int
    complete: bool
    bounded: bool
    seconds: float
    interrupted: bool = False

    @property
    def complete_states(self) -> bool:
        """Whether there are no other states."""
        return self.complete and not self.bounded

    @property
    def conclusive(self) -> bool:
        """Whether the answer would stay the same had more been explored: it rests on a witness, or on all there is."""
        if self.complete_states:
            return True
        match self.test.condition.quantifier:
            case Quantifier.EXISTS | Quantifier.NOT_EXISTS:
                return self.verdict.positive > 0
            case _:
                return self.verdict.negative > 0

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON values."""
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
    """Run every execution of `test` on `machine`, by default the ideal architecture on a sequentially consistent host.

    rounds: how often a thread may go back to one label. executions, seconds: limits; a result that they cut short is
    not complete.

    Raises UnsupportedError, which says where, if the test has something that cannot be run. Raises
    `simaie.Interrupted` at Ctrl-C; its ``report`` is the result as far as it came.
    """
    machine = machine or Machine(HERD_SCHEME)
    lowered = lower(test, rounds=rounds)
    search = Search(lowered.program, machine, SearchLimits(executions, seconds), progress)
    counted = _Counted(lowered, search)
    search.run(counted.take, lambda: False)
    states, positive, negative = counted.judged()
    result = LitmusResult(
        test, machine.scheme, machine.host, states, judge(test.condition.quantifier, positive, negative),
        search.executions, search.complete and not counted.truncated, counted.cut > 0, search.seconds,
        search.interrupted,
    )  # fmt: skip
    if search.interrupted:
        raise Interrupted(f"the exploration of {test.name!r}, after {search.executions} executions,", result)
    return result


class _Counted:
    """outcomes: how many executions ended in each state, filtered states among them.

    cut: how many did not end. truncated: how many a limit on steps or threads ended.
    """

    def __init__(self, lowered: Lowered, search: Search) -> None:
        self._lowered, self._search = lowered, search
        self.outcomes: Counter[Any] = Counter()
        self.cut = self.truncated = 0

    def take(self, execution: Execution, index: int) -> None:
        """Run an execution and count it."""
        try:
            trace = self._search.trace_of(execution, index)
            require_inside(self._lowered, trace)
        except GuestError as error:
            raise beyond(self._lowered, error.vcpu, str(error)) from error
        if trace.truncated:
            self.truncated += 1
        elif trace.ending is not Ending.FINISHED or self._lowered.is_cut(trace.outcome):
            self.cut += 1
        else:
            self.outcomes[trace.outcome] += 1

    def judged(self) -> tuple[tuple[LitmusState, ...], int, int]:
        """The states, how many executions satisfy the condition, and how many do not."""
        test, positive, negative = self._lowered.test, 0, 0
        width_of, shown, resolve = widths(test), state_locations(test), self._lowered.layout.resolve
        states: set[LitmusState] = set()
        for outcome, count in self.outcomes.items():
            state = self._lowered.state(outcome)
            if not passes_filter(test, state, resolve):
                continue
            if evaluate(test.condition.prop, state, width_of, resolve):
                positive += count
            else:
                negative += count
            states.add(tuple([(name, state[name]) for name in shown]))
        return tuple(sorted(states, key=_order)), positive, negative


def _order(state: LitmusState) -> list[tuple[bool, Held]]:
    """Numbers before text."""
    return [(not isinstance(held, int), held) for _, held in state]
