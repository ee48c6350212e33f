"""The functions of users and of the corpus that the functions of a guest program name, directly or through others."""

from __future__ import annotations

import ast
import functools
import inspect
import sysconfig
import textwrap
from collections.abc import Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from simaie.errors import OWN_CODE

__all__ = ["codes_of", "functions_named", "source_of"]

_CORPUS = f"{OWN_CODE}/corpus"
#: Directories of code that belongs neither to the user nor to a guest of simaie.
_FOREIGN = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def functions_named(function: Any) -> Iterator[FunctionType]:
    """Yield the functions that `function` consists of or names, itself among them, each once."""
    seen: set[int] = set()
    pending: list[Any] = [function]
    while pending:
        found = pending.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        pending += _inside(found)
        if isinstance(found, FunctionType) and _is_of_interest(found.__code__):
            yield found


def codes_of(code: CodeType) -> Iterator[CodeType]:
    """Yield `code` and the code of the functions inside."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_of(constant)


def source_of(function: FunctionType) -> ast.Module:
    """Return the source of a function; raise OSError, TypeError or SyntaxError if it is not available."""
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


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
    names = {name for code in codes_of(function.__code__) for name in code.co_names}
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


def _is_of_interest(code: CodeType) -> bool:
    file = code.co_filename
    if file.startswith(OWN_CODE):
        return file.startswith(_CORPUS)
    return not file.startswith(_FOREIGN)
