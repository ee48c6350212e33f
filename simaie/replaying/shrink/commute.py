"""The pass that commutes adjacent independent operations, so that fewer turns are left.

Guarantee: the order of all conflicting operations of the best execution stays, so that every operation returns the same
value; running the candidate proves it. The pass also tries to keep only the order of the steps on which the guilty
steps depend. These come first, and the rest follows by default.

The schedule is a greedy one of the dependence graph. An actor keeps the turn while its next step depends on no step
that is still to come. Then the actor that can take the most steps gets the turn. The pass runs one execution for each
actor that may go first.
"""

from __future__ import annotations

from collections.abc import Collection

from simaie.op import Kind
from simaie.predecessors import causal_past, predecessors
from simaie.replaying.shrink.state import ShrinkState
from simaie.replaying.shrink.turns import Turn, choice_values, joined
from simaie.trace import Trace

__all__ = ["commute"]


def commute(state: ShrinkState) -> None:
    """Try orders with fewer turns of the best execution, and of the steps on which its guilty steps depend."""
    trace = state.best.trace
    before = list(predecessors(trace.events))
    guilty = [step for steps in state.guilty for step in steps[:3]]
    choices = choice_values(trace)
    needed = [causal_past(before, guilty)] if guilty else []
    for wanted in (*needed, range(len(trace))):
        planner = _Planner(trace, before, wanted)
        for first in sorted(planner.queues):
            state.try_turns(planner.plan(first), choices)


class _Planner:
    """A planner of orders of the wanted steps.

    Attributes:
        queues: The wanted steps of each actor, in order.
    """

    def __init__(self, trace: Trace, before: list[list[int]], wanted: Collection[int]) -> None:
        self._events = trace.events
        self._before = before
        self.queues: dict[str, list[int]] = {}
        for step in sorted(wanted):
            self.queues.setdefault(trace.events[step].actor, []).append(step)

    def plan(self, first: str) -> list[Turn]:
        """Return turns that cover all wanted steps; `first` begins if it can."""
        done: set[int] = set()
        at = dict.fromkeys(self.queues, 0)
        turns: list[Turn] = []
        current: str | None = first
        while True:
            run = self._run(current, at, done) if current is not None else []
            if not run:
                current = self._furthest(at, done)
                if current is None:
                    return joined(turns)
                run = self._run(current, at, done)
            assert current is not None
            done.update(run)
            at[current] += len(run)
            turns.append(Turn(current, sum(self._events[step].op.kind is not Kind.CHOICE for step in run)))
            current = None

    def _run(self, actor: str, at: dict[str, int], done: set[int]) -> list[int]:
        """Return the steps that `actor` can take in a row now."""
        mine: list[int] = []
        own: set[int] = set()
        for step in self.queues[actor][at[actor] :]:
            if any(b not in done and b not in own for b in self._before[step]):
                break
            mine.append(step)
            own.add(step)
        return mine

    def _furthest(self, at: dict[str, int], done: set[int]) -> str | None:
        lengths = {actor: len(self._run(actor, at, done)) for actor in sorted(self.queues)}
        best = max(lengths.values(), default=0)
        return next((actor for actor, length in lengths.items() if length == best), None) if best else None
