"""Detection of asserts in guest programs: ``python -O`` removes them, so such a program would hold whatever it does.

A program whose functions contain asserts is refused. The compiled code no longer shows them, but the source does, if it
is available. The search covers the program's functions, and the user's own functions and classes that they name.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sysconfig
import textwrap
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from simaie.callbacks import where_defined
from simaie.errors import OWN_CODE, UsageError

__all__ = ["asserting", "require_asserts"]

_CORPUS = f"{OWN_CODE}/corpus"
#: Directories of code that belongs neither to the user nor to a guest of simaie.
_FOREIGN = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
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
    seen: set[int] = set()
    pending: list[Any] = [function]
    while pending:
        found = pending.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        pending += _inside(found)
        if isinstance(found, FunctionType) and _is_of_interest(found.__code__) and _has_assert(found):
            return f"{found.__qualname__} ({where_defined(found)})"
    return None


def _inside(found: Any) -> Iterator[Any]:
    """Yield the functions that `found` consists of or names."""
    if isinstance(found, functools.partial):
        yield from (found.func, *found.args, *found.keywords.values())
    elif isinstance(found, MethodType):
        yield from (found.__func__, found.__self__)
    elif isinstance(found, FunctionType):
        if _is_of_interest(found.__code__):
            yield from _named(found)
    elif isinstance(found, type):
        if found.__module__ != "builtins":
            yield from (getattr(value, "__func__", value) for value in vars(found).values())
    elif isinstance(found, property):
        yield from (found.fget, found.fset)
    elif not isinstance(found, ModuleType | CodeType | int | str | bytes | float | None):
        yield type(found)


def _named(function: FunctionType) -> Iterator[Any]:
    """Yield the objects that `function` names: globals, attributes of modules, closed-over values and defaults."""
    names = {name for code in _codes(function.__code__) for name in code.co_names}
    for name in sorted(names & function.__globals__.keys()):
        value = function.__globals__[name]
        yield value
        if isinstance(value, ModuleType):
            yield from (vars(value)[attribute] for attribute in sorted(names & vars(value).keys()))
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a name that is not bound yet
            continue
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    if hasattr(function, "__wrapped__"):
        yield function.__wrapped__


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _is_of_interest(code: CodeType) -> bool:
    file = code.co_filename
    if file.startswith(OWN_CODE):
        return file.startswith(_CORPUS)
    return not file.startswith(_FOREIGN)


def _has_assert(function: FunctionType) -> bool:
    """Whether the source has an assert that the code lacks; without source, only a lambda certainly has no assert."""
    code = function.__code__
    if code.co_name == "<lambda>" or any(_KEPT in one.co_names for one in _codes(code)):
        return False
    try:
        source = textwrap.dedent(inspect.getsource(function))
        return any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(source)))
    except (OSError, TypeError, SyntaxError):
        return True
