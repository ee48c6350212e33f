"""Errors for guest or scheme code that fails as a Python program: whose code, where, and what to do."""

from __future__ import annotations

import traceback
from types import FrameType
from typing import Any

from simaie.engine.actor import Actor
from simaie.engine.misuse import misused_instruction
from simaie.errors import (
    OWN_CODE,
    ForeignAwaitError,
    GuestError,
    SchemeError,
    SimaieError,
    UnknownNameError,
    UsageError,
    raised,
)
from simaie.guest.cpu import Cpu
from simaie.schemes.scheme import Scheme

__all__ = ["foreign_await", "guest_line", "guest_raised", "trio_outside_trio"]

_USE_TRIO = 'the inline driver runs simaie operations only: use driver="trio" for guests that await trio'


def guest_raised(actor: Actor, error: BaseException) -> SimaieError:
    """The error to raise for an exception that a guest's coroutine ended with: the guest's fault, or the scheme's."""
    if isinstance(error, SimaieError):
        return _placed(actor, error)
    blamed = _scheme_raised(error)
    if blamed is not None:
        return blamed
    if isinstance(error, AttributeError) and isinstance(error.obj, Cpu):
        # Told here and not by a __getattr__ of the vCPU: a class that has one is slow in every attribute.
        return UnknownNameError(f"instruction of {error.obj.isa}", error.name or "", error.obj.instruction_names())
    what, where = raised(error)
    if problem := misused_instruction(error):
        return UsageError(f"vCPU {actor.name}{f' at {where}' if where else ''}: {problem}")
    message = f"the guest of vCPU {actor.name} raised {what}; fix the guest program"
    return GuestError(message, vcpu=actor.name, where=where)


def _placed(actor: Actor, error: SimaieError) -> SimaieError:
    """`error`, which an instruction raised that a guest called, with the vCPU and the line that called it."""
    where = raised(error)[1]
    if type(error) is not UsageError or not where:
        return error
    return UsageError(f"vCPU {actor.name} at {where}: {error}")


def _scheme_raised(error: BaseException) -> SchemeError | None:
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


def trio_outside_trio(actor: Actor, error: BaseException) -> GuestError | None:
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
