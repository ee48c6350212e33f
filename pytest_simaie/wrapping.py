"""The test's function, wrapped so that the program that it returns or takes is explored.

For Hypothesis' `given` the function inside is what is wrapped, so that each example is explored; a coroutine function
stays one, for pytest-trio.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_simaie.testing import Explore
from simaie.guest.program import Program

__all__ = ["wrapped"]


@contextmanager
def wrapped(item: pytest.Function) -> Iterator[None]:
    """While this lasts, calling the item explores its programs."""
    explore = Explore(item)
    given = getattr(item.obj, "hypothesis", None)
    owner, name = (item, "obj") if given is None else (given, "inner_test")
    before = getattr(owner, name)
    setattr(owner, name, _wrap(before, explore))
    try:
        yield
        explore.require_replayed()
    finally:
        setattr(owner, name, before)


def _wrap(function: Callable[..., Any], explore: Explore) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> None:
            _explore(await function(*args, **kwargs), kwargs, explore)

        return run_async

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        _explore(function(*args, **kwargs), kwargs, explore)

    return run


def _explore(result: object, arguments: Mapping[str, object], explore: Explore) -> None:
    taken = [value for value in arguments.values() if isinstance(value, Program)]
    programs = [result] if isinstance(result, Program) else taken
    if not programs and not any(isinstance(value, Explore) and value.used for value in arguments.values()):
        pytest.fail("a test marked simaie must return a simaie.Program, or take one as an argument", pytrace=False)
    for program in programs:
        explore(program)
