"""Errors that name the author of a mistake: the guest, the scheme, the scheduler or the host memory.

They also say where the mistake is and what to do. The traceback of an exception shows whose code raised it. So no call
of such code needs a check or a handler around it.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any

from simaie.engine.actor import Actor
from simaie.engine.misuse import first_argument, misused_instruction, misused_operands
from simaie.engine.passing import PASSING
from simaie.errors import (
    OWN_CODE,
    TRANSLATED,
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
from simaie.guest.running import Runner
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
_NO_ASYNCIO = "a guest cannot use asyncio: await instructions of its vCPU, or trio under driver=\"trio\""


def guest_raised(actor: Actor, error: BaseException) -> SimaieError:
    """Return the error for an exception that ended a guest's coroutine; the guest or the scheme may be at fault."""
    if isinstance(error, SimaieError):
        return _placed(actor, error)
    blamed = _scheme_raised(error)
    if blamed is not None:
        return blamed
    if isinstance(error, AttributeError) and isinstance(error.obj, Cpu):
        # Found here and not by a __getattr__ of the vCPU, because that would make every attribute slow.
        return UnknownNameError(f"instruction of {error.obj.isa}", error.name or "", error.obj.instruction_names())
    if (foreign := _called(actor, error, "asyncio", _NO_ASYNCIO)) is not None:
        return foreign
    what, where = raised(error)
    if problem := misused_instruction(error):
        return UsageError(f"vCPU {actor.name}{f' at {where}' if where else ''}: {problem}")
    message = f"the guest of vCPU {actor.name} raised {what}; fix the guest program"
    return GuestError(message, vcpu=actor.name, where=where)


def _placed(actor: Actor, error: SimaieError) -> SimaieError:
    """Return `error`, which an instruction raised, with the vCPU and the guest's line that called the instruction."""
    where = raised(error)[1]
    if type(error) is not UsageError or not where:
        return error
    return UsageError(f"vCPU {actor.name} at {where}: {error}")


def _scheme_raised(error: BaseException) -> SchemeError | None:
    """Return the error for an exception in a method of a scheme that is not simaie's own; None for any other.

    If a scheme of simaie raises, the guest is at fault: it called an instruction with wrong operands.
    """
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        code = frame.f_code
        if not code.co_argcount or code.co_filename.startswith(OWN_CODE):
            continue
        scheme = frame.f_locals.get(code.co_varnames[0])
        if isinstance(scheme, Scheme):
            return SchemeError(f"{type(scheme).__name__}.{code.co_name} raised {raised(error)[0]}; fix the scheme")
    return _wrong_parameters(error)


def _wrong_parameters(error: BaseException) -> SchemeError | None:
    """Return the error for a scheme's method that cannot be called as that of `Scheme`; None for any other exception.

    No frame of the method exists then, but Python names it in the message.
    """
    if not isinstance(error, TypeError):
        return None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        made = type(getattr(first_argument(frame), "_scheme", None))
        for name in dir(Scheme) if issubclass(made, Scheme) and not is_ours(made) else ():
            if str(error).startswith(f"{getattr(getattr(made, name), '__qualname__', '')}() "):
                return SchemeError(f"{error}; {made.__name__}.{name} must take the arguments of simaie.Scheme.{name}")
    return None


def trio_outside_trio(actor: Actor, error: BaseException) -> GuestError | None:
    """Return the error for a guest that called trio on the inline driver; None if the exception is not from trio."""
    return _called(actor, error, "trio", _USE_TRIO)


def _called(actor: Actor, error: BaseException, library: str, advice: str) -> GuestError | None:
    """Return the error for a guest in whose call of `library` `error` was raised; None for any other exception."""
    where = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if _library_of(frame) == library:
            message = f"the guest of vCPU {actor.name} called {library} at {where}; {advice}"
            return ForeignAwaitError(message, vcpu=actor.name, where=where)
        where = f"{frame.f_code.co_filename}:{line}"
    return None


def foreign_await(actor: Actor, request: Any) -> GuestError:
    """Return the error for a guest that awaited something that is not a simaie operation."""
    where = guest_line(actor)
    if "asyncio" in map(_library_of, _suspended(actor)):
        message = f"the guest of vCPU {actor.name} awaited asyncio at {where}; {_NO_ASYNCIO}"
        return ForeignAwaitError(message, vcpu=actor.name, where=where)
    message = (
        f"the guest of vCPU {actor.name} awaited a foreign object ({type(request).__name__}) at {where}; {_USE_TRIO}"
    )
    return ForeignAwaitError(message, vcpu=actor.name, where=where)


def guest_line(actor: Actor, frame: FrameType | None = None) -> str:
    """Return ``FILE:LINE`` of the innermost line of the guest's code, of a running frame or a suspended coroutine."""
    found = ""
    if frame is not None:
        while frame is not None and not found:
            if frame.f_code in Runner.codes:
                runner: Runner = frame.f_locals["self"]
                return runner.running(frame.f_locals)
            if _is_guests(frame) and not frame.f_code.co_filename.startswith(TRANSLATED):
                found = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            frame = frame.f_back
        return found
    for inner in _suspended(actor):
        if _is_guests(inner):
            found = f"{inner.f_code.co_filename}:{inner.f_lineno}"
    return found


def _suspended(actor: Actor) -> Iterator[FrameType]:
    """Yield the frames of the coroutines that `actor` awaits, the outermost first."""
    awaited: Any = actor.coroutine
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None)
        if frame is not None:
            yield frame
        awaited = getattr(awaited, "cr_await", None)


def _is_guests(frame: FrameType) -> bool:
    """Whether the code of `frame` belongs neither to simaie nor to trio or asyncio."""
    return not frame.f_code.co_filename.startswith(OWN_CODE) and _library_of(frame) not in ("trio", "asyncio")


def _library_of(frame: FrameType) -> str:
    """Return the name of the top-level package to which the code of `frame` belongs."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def bad_choice(scheduler: Any, chosen: Any, offer: Offer) -> SchedulerError:
    """Return the error for a choice that was not offered."""
    offered = ", ".join(candidate.name for candidate in offer.candidates)
    who = _class_of(scheduler)
    return SchedulerError(f"{who}.choose returned {chosen!r} at step {offer.step}; it was offered: {offered}")


def bad_value(scheduler: Any, value: Any, arity: int, offer: Offer) -> SchedulerError:
    """Return the error for a local choice whose value is no alternative."""
    who = _class_of(scheduler)
    return SchedulerError(f"{who}.choose_value returned {value!r} at step {offer.step}; it must be 0 to {arity - 1}")


def blamed(error: BaseException, scheduler: Any, memory: Any = None) -> SimaieError | None:
    """Return the error for an exception that an execution raised, but no guest.

    Returns None for an exception of simaie's own, and for one that passes through an execution (see
    `simaie.engine.passing`).

    Args:
        error: The exception.
        scheduler: The scheduler of the execution.
        memory: The host memory of the execution, if it was made already.
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
    """Return the error for an exception in the host memory: a mistake of the guest, the scheme or the memory."""
    op, actor = frame.f_locals.get("op"), frame.f_locals.get("actor")
    what, where = raised(error)
    cpu = getattr(actor, "cpu", None)
    if isinstance(op, Op) and isinstance(cpu, Cpu):
        problem = misused_operands(cpu.instruction)
        if problem:
            return UsageError(f"vCPU {cpu.name}: {problem}")
        if op.function is not None and op.function.name == UNTIL:
            return GuestError(
                f"the condition of wait_until of vCPU {cpu.name} raised {what}; it must take the value and return a "
                "bool",
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
    """Return the error for an exception in a method of `scheduler`; None for any other.

    The traceback shows it, so that no call of a scheduler needs a handler around it.
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
    """Return the name of the scheduler's class, without the wrappers around the scheduler."""
    while hasattr(scheduler, "inner"):
        scheduler = scheduler.inner
    return type(scheduler).__name__
