"""Copies of guest and scheme functions, frozen at the time when an operation applies them.

After an execution the search asks what an AWAIT or a FETCH would have done at another point of it. The function may be
a closure over variables that have changed since: ``for i in range(2): await cpu.wait_until(X, lambda value: value ==
i)`` leaves two predicates that both compare with 1. Therefore the search keeps a copy with the values of that time. If
a value is a mutable object, no copy is possible, and the function's result counts as unknown.

Functions of simaie itself never depend on later changes and are used as they are. Global variables count as constants:
a guest that changes them keeps state from one execution to the next.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from operator import is_
from pathlib import Path
from types import BuiltinFunctionType, CellType, FunctionType, ModuleType
from typing import Any, TypeAlias

from simaie.errors import OWN_CODE

__all__ = ["Apply", "frozen"]

Apply: TypeAlias = Callable[[Any], Any]

_CORPUS = str(Path(OWN_CODE) / "corpus")
_PLAIN = (int, str, bytes, float, type(None), Enum)
#: Maximum number of levels of functions and tuples inside the closures of functions.
_DEPTH = 4


def frozen(apply: Apply) -> Apply | None:
    """Return a copy of `apply` that later changes of its variables do not affect; None if that is not possible."""
    if isinstance(apply, FunctionType):
        file = apply.__code__.co_filename
        if file.startswith(OWN_CODE) and not file.startswith(_CORPUS):
            return apply
    try:
        copy: Apply = _frozen(apply, _DEPTH)
    except _CannotFreeze:
        return None
    return copy


class _CannotFreeze(Exception):
    """Raised if a value may change later."""


def _frozen(value: Any, depth: int) -> Any:
    if isinstance(value, _PLAIN) or _is_builtin(value):
        return value
    if depth == 0:
        raise _CannotFreeze
    if isinstance(value, tuple | frozenset):
        parts = [_frozen(part, depth - 1) for part in value]
        if all(map(is_, parts, value)) and not getattr(value, "__dict__", None):
            return value
    if type(value) is tuple:
        return tuple(parts)
    if not isinstance(value, FunctionType):
        raise _CannotFreeze
    defaults = _frozen(value.__defaults__ or (), depth)
    keywords = {name: _frozen(part, depth - 1) for name, part in (value.__kwdefaults__ or {}).items()}
    if not value.__closure__:
        return value
    cells = tuple([CellType(_frozen(_contents(cell), depth - 1)) for cell in value.__closure__])
    copy = FunctionType(value.__code__, value.__globals__, value.__name__, defaults, cells)
    copy.__kwdefaults__ = keywords
    return copy


def _is_builtin(value: Any) -> bool:
    """Whether `value` is a function or class of Python itself; a bound method is not."""
    if isinstance(value, BuiltinFunctionType):
        return isinstance(value.__self__, ModuleType)
    return isinstance(value, type) and value.__module__ == "builtins"


def _contents(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a variable without a value yet
        raise _CannotFreeze from None
