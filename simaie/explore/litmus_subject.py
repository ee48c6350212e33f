"""A litmus test as what is explored for its outcomes: its states are herd7's."""

from __future__ import annotations

from simaie.explore.subject import BLOCKED, State, Subject
from simaie.guest.litmus import LitmusTest, Position, passes_filter, state_locations
from simaie.guest.litmus.lowering import UnsupportedError, lower
from simaie.trace import Ending, Trace

__all__ = ["LitmusSubject"]


class LitmusSubject(Subject):
    """A litmus test: states name the locations of its question, and its filter drops some."""

    def __init__(self, test: LitmusTest) -> None:
        self._lowered = lower(test)
        self._first, self._end = self._lowered.layout.span
        self._shown = state_locations(test)
        super().__init__(self._lowered.program)

    def is_cut(self, trace: Trace) -> bool:
        """Also where a loop was cut, or would have gone round for ever."""
        if trace.ending is Ending.FINISHED:
            return self._lowered.is_cut(trace.outcome)
        return trace.truncated or trace.ending is Ending.LIVELOCK

    def state(self, trace: Trace) -> State | None:
        """As herd7 names it. Raises UnsupportedError for a test that leaves its own locations."""
        self._check(trace)
        if trace.ending in BLOCKED:
            return super().state(trace)
        state = self._lowered.state(trace.outcome)
        if not passes_filter(self._lowered.test, state, self._lowered.layout.resolve):
            return None
        return tuple([(name, state[name]) for name in self._shown])

    def _check(self, trace: Trace) -> None:
        for fault in trace.faults:
            raise self._beyond(fault.vcpu, fault.message)
        for event in trace.events:
            if event.op.width and not self._first <= event.op.address < self._end:
                raise self._beyond(event.actor, f"no location of the test is at {event.op.address:#x}")

    def _beyond(self, actor: str, what: str) -> UnsupportedError:
        test = self._lowered.test
        thread = test.threads[int(actor.partition("~")[0])]
        position = thread.statements[0].position if thread.statements else Position(1, 1)
        return UnsupportedError(test.file, position, f"P{thread.id} cannot be run: {what}")
