"""Whose mistake an exception is that came out of an execution: told by the traceback, when it has been raised.

So nothing has to be checked or caught around each call of a scheduler, a scheme or a host memory.
"""

from __future__ import annotations

import traceback
from types import FrameType
from typing import Any

from simaie.engine.passing import PASSING
from simaie.engine.refusal import raised_by
from simaie.errors import GuestError, HostError, SchemeError, SimaieError, UsageError, raised
from simaie.guest.cpu import Cpu
from simaie.guest.operand_errors import wrong_argument, wrong_effect, wrong_place
from simaie.op import UNTIL, Op
from simaie.plugins import is_ours
from simaie.schemes.scheme import Scheme
from simaie.trace import AccessKind, Instruction

__all__ = ["blamed", "misused_instruction"]


def misused_instruction(error: BaseException) -> str:
    """Return what is wrong with the operands of the instruction that `error` came out of; empty if nothing is."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if not isinstance(_first_argument(frame), Cpu):
            continue
        name, given = frame.f_code.co_name, _arguments(frame)
        if "mnemonic" in given:
            name = given["mnemonic"]
        access, width = given.get("access", AccessKind.LOAD), given.get("width", 4)
        problem = (
            wrong_argument(getattr(type(_first_argument(frame)), frame.f_code.co_name, None), given)
            or wrong_place(access, given.get("address", 0), width)
            or wrong_effect(access, given.get("effect"))
        )
        if problem:
            return f"{name}: {problem}"
    return ""


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
        owner = _first_argument(frame)
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
        problem = _of_instruction(cpu.instruction)
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


def _of_instruction(instruction: Instruction | None) -> str:
    if instruction is None:
        return ""
    place = wrong_place(instruction.access, instruction.address, instruction.width)
    problem = place or wrong_effect(instruction.access, instruction.effect)
    return f"{instruction.mnemonic}: {problem}" if problem else ""


def _first_argument(frame: FrameType) -> Any:
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


def _arguments(frame: FrameType) -> dict[str, Any]:
    """The arguments of a method by name, without ``self``, as far as they still are what was given."""
    code = frame.f_code
    names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    return {name: frame.f_locals[name] for name in names if name in frame.f_locals}
