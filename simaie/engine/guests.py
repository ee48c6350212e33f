"""What to say of a guest that misbehaves as a Python program: who, where, and what to do."""

from __future__ import annotations

from types import FrameType
from typing import Any

from simaie.engine.actor import Actor
from simaie.errors import OWN_CODE, ForeignAwaitError, GuestError, SimaieError, UnknownNameError, raised
from simaie.guest.cpu import Cpu

__all__ = ["foreign_await", "guest_line", "guest_raised"]


def guest_raised(actor: Actor, error: Exception) -> SimaieError:
    """The error to raise for an exception that came out of a guest."""
    if isinstance(error, SimaieError):
        return error
    if isinstance(error, AttributeError) and isinstance(error.obj, Cpu):
        # Told here and not by a __getattr__ of the vCPU: a class that has one is slow in every attribute.
        return UnknownNameError(f"instruction of {error.obj.isa}", error.name or "", error.obj.instruction_names())
    what, where = raised(error)
    message = f"the guest of vCPU {actor.name} raised {what}; mend the guest program"
    return GuestError(message, vcpu=actor.name, where=where)


def foreign_await(actor: Actor, request: Any) -> GuestError:
    """The error for a guest that awaited something else than a simaie operation."""
    where = guest_line(actor)
    message = (
        f"the guest of vCPU {actor.name} awaited a foreign object ({type(request).__name__}) at {where}; "
        'the inline driver runs simaie operations only: use driver="trio" for guests that await trio'
    )
    return ForeignAwaitError(message, vcpu=actor.name, where=where)


def guest_line(actor: Actor, frame: FrameType | None = None) -> str:
    """``file:line`` of the innermost line of the guest's own code, from a running frame or a suspended coroutine."""
    found = ""
    if frame is not None:
        while frame is not None and not found:
            if not frame.f_code.co_filename.startswith(OWN_CODE):
                found = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            frame = frame.f_back
        return found
    awaited: Any = actor.coroutine
    while awaited is not None:
        inner = getattr(awaited, "cr_frame", None)
        if inner is not None and not inner.f_code.co_filename.startswith(OWN_CODE):
            found = f"{inner.f_code.co_filename}:{inner.f_lineno}"
        awaited = getattr(awaited, "cr_await", None)
    return found
