"""What to say of a scheduler that does not keep to the protocol: which one, where, and what it was asked."""

from __future__ import annotations

import traceback
from typing import Any

from simaie.errors import SchedulerError
from simaie.protocols import Offer

__all__ = ["bad_choice", "bad_value", "raised_by"]


def bad_choice(scheduler: Any, chosen: Any, offer: Offer) -> SchedulerError:
    """The error for a choice of what was not offered."""
    offered = ", ".join(candidate.name for candidate in offer.candidates)
    who = _class_of(scheduler)
    return SchedulerError(f"{who}.choose returned {chosen!r} at step {offer.step}; it was offered: {offered}")


def bad_value(scheduler: Any, value: Any, arity: int, offer: Offer) -> SchedulerError:
    """The error for a local choice resolved as what is no alternative."""
    who = _class_of(scheduler)
    return SchedulerError(f"{who}.choose_value returned {value!r} at step {offer.step}; asked for 0 to {arity - 1}")


def raised_by(scheduler: Any, error: BaseException) -> SchedulerError | None:
    """The error for an exception that came out of a method of `scheduler`; None for one from elsewhere.

    The traceback tells, so that nothing has to be caught around each call of a scheduler.
    """
    frames = list(traceback.walk_tb(error.__traceback__))
    for frame, _ in frames:
        code = frame.f_code
        if code.co_argcount and frame.f_locals.get(code.co_varnames[0]) is scheduler:
            innermost, line = frames[-1]
            what = f"{type(error).__name__}: {error} at {innermost.f_code.co_filename}:{line}"
            return SchedulerError(f"{_class_of(scheduler)}.{code.co_name} raised {what}; fix the scheduler")
    return None


def _class_of(scheduler: Any) -> str:
    """The class of the scheduler, looked up through the wrappers around it."""
    while hasattr(scheduler, "inner"):
        scheduler = scheduler.inner
    return type(scheduler).__name__
