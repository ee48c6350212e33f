"""Litmus tests as subjects of a search for outcomes, with the states of herd7."""

from __future__ import annotations

from simaie.engine.memo.lazy import operations_of
from simaie.engine.memo.node import Node
from simaie.exploration.subject import FinalValues, SearchSubject
from simaie.litmus import LitmusTest, Position, passes_filter, state_locations
from simaie.litmus.lowering import Lowered, UnsupportedError, lower
from simaie.trace import STUCK, Ending, Trace

__all__ = ["LitmusSubject", "beyond", "require_inside"]


class LitmusSubject(SearchSubject):
    """A litmus test, whose states name the locations of its question, and whose filter drops some states."""

    def __init__(self, test: LitmusTest) -> None:
        self._lowered = lower(test)
        self._shown = state_locations(test)
        self._seen: set[Node] = set()
        super().__init__(self._lowered.program)

    def is_cut(self, trace: Trace) -> bool:
        """Whether a limit cut the execution, a loop was cut, or a loop would never have ended."""
        if trace.ending is Ending.FINISHED:
            return self._lowered.is_cut(trace.outcome)
        return trace.truncated or trace.ending in (Ending.LIVELOCK, Ending.LASSO)

    def state(self, trace: Trace) -> FinalValues | None:
        """Return the state as herd7 names it; None if the filter drops it.

        Raises:
            UnsupportedError: A thread faulted, or accessed memory outside the test's locations.
        """
        require_inside(self._lowered, trace, self._seen)
        if trace.ending in STUCK:
            return super().state(trace)
        state = self._lowered.state(trace.outcome)
        if not passes_filter(self._lowered.test, state, self._lowered.layout.resolve):
            return None
        return tuple([(name, state[name]) for name in self._shown])


def require_inside(lowered: Lowered, trace: Trace, seen: set[Node]) -> None:
    """Raise UnsupportedError if a thread faulted, or accessed memory outside the locations of its test.

    Args:
        lowered: The test.
        trace: The trace.
        seen: The nodes of the memo that earlier traces led to.
    """
    for fault in trace.faults:
        raise beyond(lowered, fault.vcpu, fault.message)
    first, end = lowered.layout.span
    if all(first <= op.address < end for op in operations_of(trace, seen) if op.width):
        return
    for event in trace.events:
        if event.op.width and not first <= event.op.address < end:
            raise beyond(lowered, event.actor, f"no location of the test is at {event.op.address:#x}")


def beyond(lowered: Lowered, actor: str, what: str) -> UnsupportedError:
    """Return the error for a thread that cannot be run; actor: its vCPU, or a store buffer of it."""
    test = lowered.test
    thread = test.threads[int(actor.partition("~")[0])]
    position = thread.statements[0].position if thread.statements else Position(1, 1)
    return UnsupportedError(test.file, position, f"P{thread.id} cannot be run: {what}")
