"""What is wrong with the operands of an instruction that guest code has called.

Checking each operand of each access would cost more than performing it. So a wrong operand is mostly
found when a value computed from it raises. These functions then say which operand it was.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

from simaie.arguments import is_integer
from simaie.guest.operands import WIDTHS
from simaie.op import Function
from simaie.trace import AccessKind

__all__ = ["wrong_argument", "wrong_effect", "wrong_place"]

_WIDTHS = ", ".join(map(str, WIDTHS))


def wrong_place(access: AccessKind, address: Any, width: Any) -> str:
    """Return what is wrong with the address or the width of an access; empty if nothing is."""
    if not is_integer(address):
        return f"address must be an integer, not {address!r}"
    if access is AccessKind.OTHER:
        return ""  # no access at all
    if not is_integer(width) or width not in WIDTHS:
        return f"width must be one of {_WIDTHS} bytes, not {width!r}"
    return ""


def wrong_effect(access: AccessKind, effect: Any) -> str:
    """Return what is wrong with the value, or values, that an instruction is asked to store; empty if nothing is."""
    stores = access in (AccessKind.STORE, AccessKind.STORE_CONDITIONAL)
    for value in effect if isinstance(effect, tuple) else (effect,):
        if (value is not None or stores) and not isinstance(value, int | Function):
            return f"value must be an integer, not {value!r}"
    return ""


def wrong_argument(method: Any, given: dict[str, Any]) -> str:
    """Return what is wrong with the arguments `given` to a method of a vCPU, as far as its annotations tell."""
    annotations = method.__annotations__ if isinstance(method, FunctionType) else {}
    for name, value in given.items():
        kind = annotations.get(name)
        if kind in ("int", int) and not isinstance(value, int):
            return f"{name} must be an integer, not {value!r}"
        if kind in ("str", str) and not isinstance(value, str):
            return f"{name} must be a string, not {value!r}"
    return ""
