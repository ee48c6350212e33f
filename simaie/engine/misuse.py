"""Diagnosis of wrong operands of guest instructions, after they have caused an exception."""

from __future__ import annotations

import traceback
from types import FrameType
from typing import Any

from simaie.guest.cpu import Cpu
from simaie.guest.operand_errors import wrong_argument, wrong_effect, wrong_place
from simaie.trace import AccessKind, Instruction

__all__ = ["first_argument", "misused_instruction", "misused_operands"]


def misused_instruction(error: BaseException) -> str:
    """Return what is wrong with the operands of the instruction that raised `error`; empty if nothing is."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if not isinstance(first_argument(frame), Cpu):
            continue
        name, given = frame.f_code.co_name, _arguments(frame)
        if "mnemonic" in given:
            name = given["mnemonic"]
        access, width = given.get("access", AccessKind.LOAD), given.get("width", 4)
        problem = (
            wrong_argument(getattr(type(first_argument(frame)), frame.f_code.co_name, None), given)
            or wrong_place(access, given.get("address", 0), width)
            or wrong_effect(access, given.get("effect"))
        )
        if problem:
            return f"{name}: {problem}"
    return ""


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
