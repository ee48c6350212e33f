"""Checks of the user's functions that decide something, and of what they return.

In Python every value is true or false, even a coroutine that never ran and an empty list. A function that judges an
execution must return a bool, so that a mistake in it is an error and not an answer.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from simaie.errors import UsageError

__all__ = ["decision", "is_async", "makes_coroutine", "require_plain", "where_defined"]


def where_defined(function: Any) -> str:
    """Return ``FILE:LINE`` of a function, method, partial or object with ``__call__``; empty if it is not known."""
    while isinstance(function, functools.partial):
        function = function.func
    found = inspect.unwrap(function)
    code = getattr(found, "__code__", None) or getattr(_call_of(type(found)), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else ""


def require_plain(what: str, function: Any) -> None:
    """Raise UsageError unless `function` can be called and runs when it is called.

    A call of an ``async def`` or of a generator function only makes an object, which is always true.
    """
    if not callable(function):
        raise UsageError(f"{what} must be a function, not {function!r}")
    for called in (function, _call_of(function)):
        for test, kind in _SUSPENDING:
            if test(called):
                raise UsageError(f"{_named(what, function)} is {kind}; it must be a plain function")


_SUSPENDS = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


def _call_of(found: Any) -> Any:
    return getattr(found, "__call__", None)  # noqa: B004 - how it is called, not whether it can be


_SUSPENDING: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (inspect.iscoroutinefunction, "an `async def`"),
    (inspect.isasyncgenfunction, "an asynchronous generator"),
    (inspect.isgeneratorfunction, "a generator (it has a `yield`)"),
)


def is_async(function: Any) -> bool:
    """Whether calling `function` only makes a coroutine or an asynchronous generator."""
    return any(test(called) for called in (function, _call_of(function)) for test, _ in _SUSPENDING[:2])


def makes_coroutine(function: Any) -> bool:
    """Whether `function` itself is an ``async def`` or a generator function; quicker than `require_plain`."""
    return bool(getattr(getattr(function, "__code__", None), "co_flags", 0) & _SUSPENDS)


def decision(what: str, function: Any, result: Any) -> bool:
    """Return `result`, which `function` returned, if it is a bool; else raise UsageError."""
    if result is True or result is False:
        return result
    if inspect.iscoroutine(result):
        result.close()  # never started: Python would warn about it
    kind = type(result).__name__
    raise UsageError(f"{_named(what, function)} returned {result!r} ({kind}); it must return True or False: compare")


def _named(what: str, function: Any) -> str:
    where = where_defined(function)
    return f"{what} ({where})" if where else what
