"""The line of a scheme that made a forbidden change, found by running the execution again line by line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

from simaie.engine.actor import Actor
from simaie.engine.execution import Execution
from simaie.engine.guard import Escaped
from simaie.engine.inline import run_inline
from simaie.engine.verified import VerifiedExecution
from simaie.errors import OWN_CODE, EscapedStateError
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.trace import Event

__all__ = ["Again", "guilty_line", "verified_again"]


class Again(Scheduler):
    """A scheduler that repeats the decisions of `events`, and then gives up the execution."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the candidate that went on at this step; None beyond the last event."""
        step = offer.step
        name = self._events[step].actor if step < len(self._events) else ""
        return next((candidate for candidate in offer.candidates if candidate.name == name), None)

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the value that the choice had."""
        step = offer.step
        value = self._events[step].value if step < len(self._events) else 0
        return value if type(value) is int and value < arity else 0


class _Found(Exception):
    """The change happened again."""


class _Traced(VerifiedExecution):
    def escape_error(self, actor: Actor, escaped: Escaped) -> BaseException:
        return _Found()


class _Tracer:
    """A trace function that finds the last line before the `escaped` change, from step `start` on."""

    def __init__(self, execution: _Traced, escaped: Escaped, start: int) -> None:
        self._execution, self._escaped, self._start = execution, escaped, start
        self._last = ""
        self.where = ""

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        file = frame.f_code.co_filename
        if self.where or file.startswith(OWN_CODE):
            return None
        if len(self._execution.events) >= self._start:
            guard = self._execution._guard
            if self._last and guard is not None and not guard.still(self._escaped):
                self.where = self._last
                return None
            if event != "call":
                self._last = f"{file}:{frame.f_lineno}"
        return self


def guilty_line(execution: Execution, escaped: Escaped) -> str:
    """Return ``FILE:LINE`` of the code that made the change `escaped` at the end of `execution`; empty if not found."""
    events = list(execution.events)
    made = _made_again(_Traced, execution, events)
    tracer = _Tracer(made, escaped, len(events))
    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        run_inline(made)
    except Exception:  # found again, or the execution cannot be repeated here
        pass
    finally:
        sys.settrace(before)
    return tracer.where


def verified_again(execution: Execution) -> None:
    """Run a finished execution again, verified; EscapedStateError at the step where its scheme's state changes."""
    try:
        run_inline(_made_again(VerifiedExecution, execution, list(execution.events)))
    except EscapedStateError:
        raise
    except Exception:  # the execution cannot be repeated here, because its guests await trio
        return


def _made_again(kind: Any, execution: Execution, events: Sequence[Event]) -> Any:
    program = execution.program
    return kind(program, execution.machine, Again(events), ExecutionInfo(0, 0, len(program.threads)))
