"""Functions of the user's own that decide something: what they must be, and what they must return.

In Python everything is true or false, a coroutine that never ran and an empty list too. A decision that an execution is
judged by is a bool and nothing else, so that a slip in the function is an error and not an answer.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from simaie.errors import UsageError

__all__ = ["decision", "is_async", "makes_coroutine", "require_plain", "where_defined"]


def where_defined(function: Any) -> str:
    """Return ``FILE:LINE`` of a function, method, partial or object with a ``__call__``; empty if it is not known."""
    while isinstance(function, functools.partial):
        function = function.func
    found = inspect.unwrap(function)
    code = getattr(found, "__code__", None) or getattr(_call_of(type(found)), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else ""


def require_plain(what: str, function: Any) -> None:
    """Raise UsageError unless `function` can be called and runs when it is called.

    An ``async def`` and a generator function only make an object, which is always true.
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
    """Whether `function` is an ``async def`` or a generator function by its own code: a quick `require_plain`."""
    return bool(getattr(getattr(function, "__code__", None), "co_flags", 0) & _SUSPENDS)


def decision(what: str, function: Any, result: Any) -> bool:
    """Return `result`, what `function` returned, if it is a bool; else raise UsageError."""
    if result is True or result is False:
        return result
    if inspect.iscoroutine(result):
        result.close()  # never started: Python would warn about it
    kind = type(result).__name__
    raise UsageError(f"{_named(what, function)} returned {result!r} ({kind}); it must return True or False: compare")


def _named(what: str, function: Any) -> str:
    where = where_defined(function)
    return f"{what} ({where})" if where else what
