"""Errors for code that is not simaie's: whose mistake an exception is (a guest's, a scheme's, a scheduler's, a host
memory's), where, and what to do.

The traceback tells, when it has been raised; so nothing has to be checked or caught around each call of such code.
"""

from __future__ import annotations

import traceback
from types import FrameType
from typing import Any

from simaie.engine.actor import Actor
from simaie.engine.misuse import first_argument, misused_instruction, misused_operands
from simaie.engine.passing import PASSING
from simaie.errors import (
    OWN_CODE,
    ForeignAwaitError,
    GuestError,
    HostError,
    SchedulerError,
    SchemeError,
    SimaieError,
    UnknownNameError,
    UsageError,
    raised,
)
from simaie.guest.cpu import Cpu
from simaie.op import UNTIL, Op
from simaie.plugins import is_ours
from simaie.protocols import Offer
from simaie.schemes.scheme import Scheme

__all__ = [
    "bad_choice",
    "bad_value",
    "blamed",
    "foreign_await",
    "guest_line",
    "guest_raised",
    "raised_by",
    "trio_outside_trio",
]

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


def bad_choice(scheduler: Any, chosen: Any, offer: Offer) -> SchedulerError:
    """The error for a choice of what was not offered."""
    offered = ", ".join(candidate.name for candidate in offer.candidates)
    who = _class_of(scheduler)
    return SchedulerError(f"{who}.choose returned {chosen!r} at step {offer.step}; it was offered: {offered}")


def bad_value(scheduler: Any, value: Any, arity: int, offer: Offer) -> SchedulerError:
    """The error for a local choice resolved as what is no alternative."""
    who = _class_of(scheduler)
    return SchedulerError(f"{who}.choose_value returned {value!r} at step {offer.step}; asked for 0 to {arity - 1}")


def blamed(error: BaseException, scheduler: Any, memory: Any = None) -> SimaieError | None:
    """Return the error to raise for one that came out of an execution, but of no guest.

    None for one of simaie's own, and for one that passes through an execution (see `simaie.engine.passing`).

    Args:
        error: What was raised.
        scheduler: The execution's.
        memory: Its host memory, if it was made already.
    """
    if isinstance(error, (SimaieError, *PASSING)):
        return None
    if (found := raised_by(scheduler, error)) is not None:
        return found
    for frame, _ in traceback.walk_tb(error.__traceback__):
        owner = first_argument(frame)
        if memory is not None and owner is memory:
            return _while_performing(error, memory, frame)
        if isinstance(owner, Scheme) and not is_ours(type(owner)):
            return SchemeError(
                f"{type(owner).__name__}.{frame.f_code.co_name} raised {raised(error)[0]}; fix the scheme"
            )
    return None


def _while_performing(error: BaseException, memory: Any, frame: FrameType) -> SimaieError | None:
    """The error for what a method of the host memory raised: the guest's, the scheme's, or the memory's mistake."""
    op, actor = frame.f_locals.get("op"), frame.f_locals.get("actor")
    what, where = raised(error)
    cpu = getattr(actor, "cpu", None)
    if isinstance(op, Op) and isinstance(cpu, Cpu):
        problem = misused_operands(cpu.instruction)
        if problem:
            return UsageError(f"vCPU {cpu.name}: {problem}")
        if op.function is not None and op.function.name == UNTIL:
            return GuestError(
                f"what vCPU {cpu.name} waits for (wait_until) raised {what}; it must take the value and return a bool",
                vcpu=cpu.name,
                where=where,
            )
    if not is_ours(type(memory)):
        return HostError(f"{type(memory).__name__}.{frame.f_code.co_name} raised {what}; fix the host memory")
    scheme = getattr(cpu, "_scheme", None)
    if isinstance(scheme, Scheme) and not is_ours(type(scheme)):
        return SchemeError(
            f"the operation {op!s} of the scheme {type(scheme).__name__} cannot be performed: {what}; fix the scheme"
        )
    return None


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
