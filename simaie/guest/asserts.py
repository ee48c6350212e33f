"""Under ``python -O`` there are no asserts: a guest that relies on them would hold, whatever it does.

So a program whose functions have asserts is refused. The compiled code no longer shows them; the source does, if it can
be had. Searched are the program's functions, and the functions and classes of the user's own that they name.
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

_CORPUS = f"{OWN_CODE}/guest/corpus"
#: Where code is that is neither the user's nor a guest of simaie's.
_FOREIGN = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
#: A name that stands in code whose asserts were kept, as pytest keeps those of tests.
_KEPT = "AssertionError"


def require_asserts(program: str, functions: Iterable[Any]) -> None:
    """Raise UsageError if one of the `functions` of a program has asserts, or if its source cannot be had to tell."""
    for function in functions:
        where = asserting(function)
        if where is not None:
            raise UsageError(
                f"program {program!r} has an assert in {where}, and python -O leaves asserts out, so nothing would "
                "fail: run without -O and PYTHONOPTIMIZE, or raise AssertionError instead"
            )


def asserting(function: Any) -> str | None:
    """The function and place where `function`, or what it names, has an assert or has no source; None if nowhere."""
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
    """The functions that `found` is made of or names."""
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
    """What the code of `function` names: globals, what it takes from modules, closed-over values and defaults."""
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
    """Whether the source has an assert that the code lacks; without a source only a lambda surely has none."""
    code = function.__code__
    if code.co_name == "<lambda>" or any(_KEPT in one.co_names for one in _codes(code)):
        return False
    try:
        source = textwrap.dedent(inspect.getsource(function))
        return any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(source)))
    except (OSError, TypeError, SyntaxError):
        return True
