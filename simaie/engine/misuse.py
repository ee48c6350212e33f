"""Diagnosis of wrong operands of guest instructions, after they have caused an exception."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from types import FrameType
from typing import Any

from simaie.guest.cpu import Cpu
from simaie.guest.operand_errors import wrong_argument, wrong_effect, wrong_place
from simaie.trace import AccessKind, Instruction

__all__ = ["first_argument", "misused_instruction", "misused_operands"]


def misused_instruction(error: BaseException) -> str:
    """Return what is wrong with the operands of the instruction that raised `error`; empty if nothing is."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if isinstance(first_argument(frame), Cpu)]
    for number, frame in enumerate(frames):
        given = _arguments(frame)
        access, width = given.get("access", AccessKind.LOAD), given.get("width", 4)
        problem = (
            wrong_argument(getattr(type(first_argument(frame)), frame.f_code.co_name, None), given)
            or wrong_place(access, given.get("address", 0), width)
            or wrong_effect(access, given.get("effect"))
        )
        if problem:
            return f"{_instruction_of(frames[number:])}: {problem}"
    return ""


def _instruction_of(frames: Sequence[FrameType]) -> str:
    """Return the instruction that methods of a vCPU perform, the outermost first.

    A method that is not an ``async def`` has returned its coroutine already, so that no frame of it is left. The
    helpers that it called have its name in `mnemonic`, with a space for each underscore.
    """
    named = (frame.f_locals["mnemonic"] for frame in frames if "mnemonic" in frame.f_locals)
    return str(next(named, frames[0].f_code.co_name)).replace(" ", "_")


def misused_operands(instruction: Instruction | None) -> str:
    """Return what is wrong with the place and the effect of `instruction`; empty if nothing is."""
    if instruction is None:
        return ""
    place = wrong_place(instruction.access, instruction.address, instruction.width)
    problem = place or wrong_effect(instruction.access, instruction.effect)
    return f"{instruction.mnemonic}: {problem}" if problem else ""


def first_argument(frame: FrameType) -> Any:
    """Return the first argument of the function of `frame`, such as ``self``; None if it has no arguments."""
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


def _arguments(frame: FrameType) -> dict[str, Any]:
    """Return the arguments of a method by name, without ``self`` and without those that were deleted."""
    code = frame.f_code
    names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    return {name: frame.f_locals[name] for name in names if name in frame.f_locals}
