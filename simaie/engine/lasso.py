"""Executions that come back to a global state, and end there because their last steps can be repeated for ever.

A *lasso* is a stem, which leads to a global state, and a cycle, which leads from this state back to it. It is an
infinite execution that a trace and one number describe (`simaie.trace.Trace.cycle`). With ``Limits(tries=None)`` no
vCPU is held back in a loop (see `simaie.engine.spin`). Instead, the execution ends where a cycle closes that is fair:

* Each actor that could step somewhere on the cycle does so (strong fairness), or each that could step everywhere on it
  (weak fairness). Otherwise a fair schedule may end it.
* It makes no local choice, such as a spurious failure. Otherwise a fair choice may end it.

Whether an execution ends so depends on its steps alone. A lasso can therefore be replayed and shrunk like any other
execution. `simaie.check.lassos` judges it.

**What is given up.** States are compared within one execution, and only if the state of each vCPU can be read. That no
execution ends in a lasso proves nothing by itself.

Reading the state of a vCPU costs much more than a step. Along a memo it is therefore read once for each history of the
vCPU, and not in each execution (`simaie.engine.memo.node_states`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from simaie.engine.global_state import GlobalState
from simaie.engine.record import Record
from simaie.protocols import Candidate, Offer

__all__ = ["LassoFinder"]

#: The number of visits of one state from which a cycle may begin.
_MOST_VISITS = 16


class LassoFinder:
    """Reads the global state before each step of one execution, and finds the shortest fair cycle that closes.

    Args:
        record: The record of the execution, which receives the beginning of the cycle.
        read: Returns the global state now; None if it cannot be read.
        choose: Chooses the actor to take the next step.
        weak: Whether an actor that cannot step somewhere on a cycle need not step on it.
    """

    def __init__(
        self,
        record: Record,
        read: Callable[[], GlobalState | None],
        choose: Callable[[Offer], Candidate | None],
        *,
        weak: bool,
    ) -> None:
        self._record, self._read, self._choose, self._weak = record, read, choose, weak
        #: By actor, the last step that it could take, and the last that was fair to it: it took it, or need not have.
        self._able: dict[Candidate, int] = {}
        self._fair: dict[Candidate, int] = {}
        self._offered = -1  # the last step that was a choice between actors
        self._local = -1  # the last step that was a local choice
        self._before: dict[Any, list[tuple[GlobalState, list[int]]]] = {}  # the states by key, with their steps

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the choice, or None if a fair cycle has closed."""
        step = offer.step
        if self._offered != step - 1:
            self._local = step - 1
        self._offered = step
        state = self._read()
        if state is not None:
            earlier = self._earlier(state)
            self._record.cycle = self._fair_start(earlier)
            if self._record.cycle is not None:
                return None
            if len(earlier) == _MOST_VISITS:
                del earlier[1]  # a cycle from the first visit is the fairest
            earlier.append(step)
        for candidate in offer.candidates:
            self._able[candidate] = step
        if self._weak:
            self._fair.update({actor: step for actor, able in self._able.items() if able < step})
        chosen = self._choose(offer)
        if chosen is not None:
            self._fair[chosen] = step
        return chosen

    def _earlier(self, state: GlobalState) -> list[int]:
        """Return the steps before which the execution was in this state, which may be extended."""
        alike = self._before.setdefault(state.key, [])
        for known, steps in alike:
            if known.same_as(state):
                return steps
        alike.append((state, []))
        return alike[-1][1]

    def _fair_start(self, starts: Sequence[int]) -> int | None:
        """Return the last of `starts` at which a fair cycle begins that ends now; None if no fair cycle does."""
        # An actor that could step at `able`, after the last step that was fair to it, is treated unfairly if a cycle
        # begins between.
        unfair = [(last, able) for actor, able in self._able.items() if (last := self._fair.get(actor, -1)) < able]
        for start in reversed(starts):
            if start <= self._local:
                return None
            for last, able in unfair:
                if last < start <= able:
                    break
            else:
                return start
        return None
