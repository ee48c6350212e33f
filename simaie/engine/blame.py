"""Errors for code that is not simaie's: whose it is (a guest's, a scheme's, a scheduler's), where, and what to do."""

from __future__ import annotations

import traceback
from types import FrameType
from typing import Any

from simaie.engine.actor import Actor
from simaie.errors import (
    OWN_CODE,
    ForeignAwaitError,
    GuestError,
    SchedulerError,
    SchemeError,
    SimaieError,
    UnknownNameError,
    raised,
)
from simaie.guest.cpu import Cpu
from simaie.protocols import Offer
from simaie.schemes.scheme import Scheme

__all__ = ["bad_choice", "bad_value", "foreign_await", "guest_line", "guest_raised", "raised_by", "trio_outside_trio"]

_USE_TRIO = 'the inline driver runs simaie operations only: use driver="trio" for guests that await trio'


def guest_raised(actor: Actor, error: Exception) -> SimaieError:
    """The error to raise for an exception that a guest's coroutine ended with: the guest's fault, or the scheme's."""
    if isinstance(error, SimaieError):
        return error
    blamed = _scheme_raised(error)
    if blamed is not None:
        return blamed
    if isinstance(error, AttributeError) and isinstance(error.obj, Cpu):
        # Told here and not by a __getattr__ of the vCPU: a class that has one is slow in every attribute.
        return UnknownNameError(f"instruction of {error.obj.isa}", error.name or "", error.obj.instruction_names())
    what, where = raised(error)
    message = f"the guest of vCPU {actor.name} raised {what}; fix the guest program"
    return GuestError(message, vcpu=actor.name, where=where)


def _scheme_raised(error: Exception) -> SchemeError | None:
    """The error for an exception that came out of a method of a scheme that is not simaie's own; else None.

    What a scheme of simaie's raises is left to the guest: it called an instruction with operands that make no sense.
    """
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        code = frame.f_code
        if not code.co_argcount or code.co_filename.startswith(OWN_CODE):
            continue
        scheme = frame.f_locals.get(code.co_varnames[0])
        if isinstance(scheme, Scheme):
            return SchemeError(f"{type(scheme).__name__}.{code.co_name} raised {raised(error)[0]}; fix the scheme")
    return None


def trio_outside_trio(actor: Actor, error: Exception) -> GuestError | None:
    """The error for a guest that called trio where trio does not run; None for an exception from elsewhere."""
    where = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if _is_trio(frame):
            message = f"the guest of vCPU {actor.name} called trio at {where}; {_USE_TRIO}"
            return ForeignAwaitError(message, vcpu=actor.name, where=where)
        where = f"{frame.f_code.co_filename}:{line}"
    return None


def foreign_await(actor: Actor, request: Any) -> GuestError:
    """The error for a guest that awaited something else than a simaie operation."""
    where = guest_line(actor)
    message = (
        f"the guest of vCPU {actor.name} awaited a foreign object ({type(request).__name__}) at {where}; {_USE_TRIO}"
    )
    return ForeignAwaitError(message, vcpu=actor.name, where=where)


def guest_line(actor: Actor, frame: FrameType | None = None) -> str:
    """``file:line`` of the innermost line of the guest's own code, from a running frame or a suspended coroutine."""
    found = ""
    if frame is not None:
        while frame is not None and not found:
            if _is_guests(frame):
                found = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            frame = frame.f_back
        return found
    awaited: Any = actor.coroutine
    while awaited is not None:
        inner = getattr(awaited, "cr_frame", None)
        if inner is not None and _is_guests(inner):
            found = f"{inner.f_code.co_filename}:{inner.f_lineno}"
        awaited = getattr(awaited, "cr_await", None)
    return found


def _is_guests(frame: FrameType) -> bool:
    """Whether the code of `frame` is neither simaie's nor trio's."""
    return not frame.f_code.co_filename.startswith(OWN_CODE) and not _is_trio(frame)


def _is_trio(frame: FrameType) -> bool:
    return bool(frame.f_globals.get("__name__", "").partition(".")[0] == "trio")


def bad_choice(scheduler: Any, chosen: Any, offer: Offer) -> SchedulerError:
    """The error for a choice of what was not offered."""
    offered = ", ".join(candidate.name for candidate in offer.candidates)
    who = _class_of(scheduler)
    return SchedulerError(f"{who}.choose returned {chosen!r} at step {offer.step}; it was offered: {offered}")


def bad_value(scheduler: Any, value: Any, arity: int, offer: Offer) -> SchedulerError:
    """The error for a local choice resolved as what is no alternative."""
    who = _class_of(scheduler)
    return SchedulerError(f"{who}.choose_value returned {value!r} at step {offer.step}; asked for 0 to {arity - 1}")


def raised_by(scheduler: Any, error: Exception) -> SchedulerError | None:
    """The error for an exception that came out of a method of `scheduler`; None for one from elsewhere.

    The traceback tells, so that nothing has to be caught around each call of a scheduler.
    """
    frames = list(traceback.walk_tb(error.__traceback__))
    for frame, _ in frames:
        code = frame.f_code
        if code.co_argcount and frame.f_locals.get(code.co_varnames[0]) is scheduler:
            innermost, line = frames[-1]
            what = f"{type(error).__name__}: {error} at {innermost.f_code.co_filename}:{line}"
            return SchedulerError(f"{_class_of(scheduler)}.{code.co_name} raised {what}; mend the scheduler")
    return None


def _class_of(scheduler: Any) -> str:
    """The class of the scheduler, looked up through the wrappers around it."""
    while hasattr(scheduler, "inner"):
        scheduler = scheduler.inner
    return type(scheduler).__name__
