"""Pass: look through *all* schedules with few deviations, fewest first.

Guarantee, if the budget lasts: no schedule with fewer deviations fails in the same way, among those that leave a vCPU
only before an operation on a place that two of them access and one writes, in any execution seen so far (to leave it
elsewhere can be put off until there without changing what anybody reads). Those with as many deviations as the best
come last, if the budget has room for all of them: one may have fewer switches. Local choices stay 0 here.

Breadth first: the default itself, then each execution's successors, which deviate once more at a later step.
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
    """The places that matter, by name: cells are made anew in every execution."""

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
        """Whether it makes a difference who comes first at `op`."""
        if op.kind > Kind.AWAIT:
            return True
        return any(place in self._written and len(self._actors.get(place, ())) > 1 for place in places(op))


class _Points(Scheduler):
    """Follows `switches`, then the default; `more` is where it could deviate once more after the last of them."""

    def __init__(self, switches: tuple[Switch, ...], shared: _Shared) -> None:
        self._by_step = {switch.step: switch.actor for switch in switches}
        self._from = switches[-1].step + 1 if switches else 0
        self._shared = shared

    def start(self, info: ExecutionInfo) -> None:
        """Nothing seen yet."""
        self.more: list[Switch] = []

    def choose(self, offer: Offer) -> Candidate:
        """Who is to go, or the default; note the alternatives to the latter."""
        default = offer.default
        step = offer.step
        wanted = self._by_step.get(step)
        if wanted is not None:
            return next((c for c in offer.candidates if c.name == wanted), default)
        if step >= self._from and (not offer.can_continue or self._shared.matters(default.op)):
            self.more += [Switch(step, c.name) for c in offer.candidates if c is not default]
        return default
