"""Detection of asserts in guest programs: ``python -O`` removes them, so such a program would hold whatever it does.

A program whose functions contain asserts is refused. The compiled code no longer shows them, but the source does, if it
is available. The search covers the program's functions, and the user's own functions and classes that they name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from types import FunctionType
from typing import Any

from simaie.callbacks import where_defined
from simaie.errors import UsageError
from simaie.guest.named import codes_of, functions_named, source_of

__all__ = ["asserting", "require_asserts"]

#: A name in code whose asserts were kept, as pytest keeps those of tests.
_KEPT = "AssertionError"


def require_asserts(program: str, functions: Iterable[Any]) -> None:
    """Raise UsageError if a function of a program contains an assert, or if its source is not available.

    Args:
        program: Name of the program, for the message.
        functions: The functions of the program.
    """
    for function in functions:
        where = asserting(function)
        if where is not None:
            raise UsageError(
                f"program {program!r} has an assert in {where}, and python -O leaves asserts out, so nothing would "
                "fail: run without -O and PYTHONOPTIMIZE, or raise AssertionError instead"
            )


def asserting(function: Any) -> str | None:
    """Return the function and place of an assert, or of missing source, reachable from `function`; None if none."""
    for found in functions_named(function):
        if _has_assert(found):
            return f"{found.__qualname__} ({where_defined(found)})"
    return None


def _has_assert(function: FunctionType) -> bool:
    """Whether the source has an assert that the code lacks; without source, only a lambda certainly has no assert."""
    code = function.__code__
    if code.co_name == "<lambda>" or any(_KEPT in one.co_names for one in codes_of(code)):
        return False
    try:
        return any(isinstance(node, ast.Assert) for node in ast.walk(source_of(function)))
    except (OSError, TypeError, SyntaxError):
        return True
