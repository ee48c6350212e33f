"""Executions that come back to a global state, and end there because their last steps can be repeated for ever.

A *lasso* is a stem, which leads to a global state, and a cycle, which leads from this state back to it. It is an
infinite execution that a trace and one number describe (`simaie.trace.Trace.cycle`). With ``Limits(tries=None)`` no
vCPU is held back in a loop (see `simaie.engine.spin`). Instead, the execution ends where a cycle closes that is fair:

* Each actor that could step somewhere on the cycle does so (strong fairness). Otherwise a fair schedule may end it.
* It makes no local choice, such as a spurious failure. Otherwise a fair choice may end it.

Whether an execution ends so depends on its steps alone. A lasso can therefore be replayed and shrunk like any other
execution. `simaie.check.lassos` judges it.

**What is given up.** Reading the state costs much more than a step. States are compared within one execution, and only
if the state of each vCPU can be read. That no execution ends in a lasso proves nothing by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from simaie.engine.actors import ActorTable
from simaie.engine.global_state import GlobalState, StateReader
from simaie.engine.record import Record
from simaie.engine.waiting import Waiting
from simaie.op import Kind
from simaie.protocols import Candidate, HostMemory, Offer

__all__ = ["LassoFinder"]

#: The number of visits of one state from which a cycle may begin.
_MOST_VISITS = 16


class LassoFinder:
    """Reads the global state before each step of one execution, and finds the shortest fair cycle that closes.

    Args:
        record: The record of the execution, which receives the beginning of the cycle.
        cast: Its actors.
        waiting: Those of them that wait.
        memory: Its memory.
        choose: Chooses the actor to take the next step.
    """

    def __init__(
        self,
        record: Record,
        cast: ActorTable,
        waiting: Waiting,
        memory: HostMemory,
        choose: Callable[[Offer], Candidate | None],
    ) -> None:
        self._record, self._choose = record, choose
        self._reader = StateReader(record.events, cast, waiting, memory)
        self._enabled: dict[int, frozenset[str]] = {}  # by step; a local choice is a step without an offer
        self._before: dict[Any, list[tuple[GlobalState, list[int]]]] = {}  # the states by key, with their steps

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the choice, or None if a fair cycle has closed."""
        step = offer.step
        state = self._reader.read()
        if state is not None:
            earlier = self._earlier(state)
            self._record.cycle = next((start for start in reversed(earlier) if self._is_fair(start, step)), None)
            if self._record.cycle is not None:
                return None
            if len(earlier) == _MOST_VISITS:
                del earlier[1]  # a cycle from the first visit is the fairest
            earlier.append(step)
        self._enabled[step] = frozenset([candidate.name for candidate in offer.candidates])
        return self._choose(offer)

    def _earlier(self, state: GlobalState) -> list[int]:
        """Return the steps before which the execution was in this state, which may be extended."""
        alike = self._before.setdefault(state.key, [])
        for known, steps in alike:
            if known.same_as(state):
                return steps
        alike.append((state, []))
        return alike[-1][1]

    def _is_fair(self, start: int, end: int) -> bool:
        """Whether the steps from `start` to `end` make no local choice, and each actor that can step there does so."""
        events: Sequence[Any] = self._record.events[start:end]
        if any(event.op.kind is Kind.CHOICE for event in events):
            return False
        moving = {event.actor for event in events}
        return all(self._enabled[step] <= moving for step in range(start, end))
