"""The pass that searches *all* schedules with few deviations, fewest first.

Guarantee, if the budget suffices: no schedule with fewer deviations fails in the same way. This holds for the schedules
that switch away from a vCPU only before an operation on a shared place, which two vCPUs access and one writes in any
execution seen so far. A switch elsewhere can be postponed until there without changing any value that is read.
Schedules with as many deviations as the best one come last, if the budget suffices for all of them, because one may
have fewer switches. Local choices stay 0 in this pass.

The search is breadth first: it runs the default, and then the successors of each execution, which deviate once more at
a later step.
"""

from __future__ import annotations

from collections.abc import Hashable

from simaie.decision import Switch
from simaie.dependence import places
from simaie.op import Kind, Op
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.replaying.shrink.state import ShrinkState
from simaie.trace import Trace

__all__ = ["search_fewest"]


def search_fewest(state: ShrinkState) -> None:
    """Find a smaller failing execution among those that deviate least."""
    shared = _Shared(state.best.trace)
    level: list[tuple[Switch, ...]] = [()]
    most = state.best.size.deviations
    for deviations in range(most + 1):
        if deviations == most and len(level) > state.left:
            return
        following: list[tuple[Switch, ...]] = []
        for switches in level:
            points = _Points(switches, shared)
            attempt = state.execute(state.best.program, points)
            if state.offer(attempt):
                return
            if attempt is not None and deviations < most:
                shared.add(attempt.trace)
                following += [(*switches, switch) for switch in points.more]
        level = following


class _Shared:
    """The places that several actors access, by name, because every execution has its own cells."""

    def __init__(self, trace: Trace) -> None:
        self._actors: dict[Hashable, set[str]] = {}
        self._written: set[Hashable] = set()
        self.add(trace)

    def add(self, trace: Trace) -> None:
        for event in trace.events:
            for place in places(event.op):
                self._actors.setdefault(place, set()).add(event.actor)
                if event.wrote:
                    self._written.add(place)

    def matters(self, op: Op) -> bool:
        """Whether the order of `op` and operations of other actors may matter."""
        if op.kind > Kind.AWAIT:
            return True
        return any(place in self._written and len(self._actors.get(place, ())) > 1 for place in places(op))


class _Points(Scheduler):
    """A scheduler that follows `switches` and then the default.

    Attributes:
        more: The further switches that are possible after the last one.
    """

    def __init__(self, switches: tuple[Switch, ...], shared: _Shared) -> None:
        self._by_step = {switch.step: switch.actor for switch in switches}
        self._from = switches[-1].step + 1 if switches else 0
        self._shared = shared

    def start(self, info: ExecutionInfo) -> None:
        """Begin to collect further switches."""
        self.more: list[Switch] = []

    def choose(self, offer: Offer) -> Candidate:
        """Return the actor of the switch at this step, or the default; collect the alternatives to the default."""
        default = offer.default
        step = offer.step
        wanted = self._by_step.get(step)
        if wanted is not None:
            return next((c for c in offer.candidates if c.name == wanted), default)
        if step >= self._from and (not offer.can_continue or self._shared.matters(default.op)):
            self.more += [Switch(step, c.name) for c in offer.candidates if c is not default]
        return default
