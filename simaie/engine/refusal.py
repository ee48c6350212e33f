"""What to say of a scheduler that does not keep to the protocol: which one, where, and what it was asked."""

from __future__ import annotations

from typing import Any

from simaie.errors import SchedulerError
from simaie.protocols import Offer

__all__ = ["bad_choice", "bad_value"]


def bad_choice(scheduler: Any, chosen: Any, offer: Offer) -> SchedulerError:
    """The error for a choice of what was not offered."""
    offered = ", ".join(candidate.name for candidate in offer.candidates)
    who = _class_of(scheduler)
    return SchedulerError(f"{who}.choose returned {chosen!r} at step {offer.step}; it was offered: {offered}")


def bad_value(scheduler: Any, value: Any, arity: int, offer: Offer) -> SchedulerError:
    """The error for a local choice resolved as what is no alternative."""
    who = _class_of(scheduler)
    return SchedulerError(f"{who}.choose_value returned {value!r} at step {offer.step}; asked for 0 to {arity - 1}")


def _class_of(scheduler: Any) -> str:
    """The class of the scheduler, looked up through the wrappers around it."""
    while hasattr(scheduler, "inner"):
        scheduler = scheduler.inner
    return type(scheduler).__name__
