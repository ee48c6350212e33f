"""A wrapper of the test's function that explores the program that the function returns or takes.

Of a test with Hypothesis' `given` the inner function is wrapped, so that each example is explored. A coroutine function
stays one, for pytest-trio. A saved failure of a test whose programs are drawn is run without drawing any.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_simaie.stored import Recorder
from pytest_simaie.testing import Explore
from simaie.guest.program import Program

__all__ = ["exploring", "wrapped"]


@contextmanager
def exploring(item: pytest.Function) -> Iterator[None]:
    """Run the item; if trio wrapped the exception of its exploration in a group, raise the exception itself."""
    failed: BaseException | None = None
    try:
        yield
    except BaseException as error:
        explore = Explore.used_by(item)
        failed = _interrupt_in(error) or (error if explore is None else explore.failed_with or error)
    if failed is not None:
        raise failed
    if (explore := Explore.used_by(item)) is not None:  # else the fixture `explore` is another plug-in's
        explore.require_replayed()
        explore.warn()
        explore.record()


def _interrupt_in(error: BaseException) -> KeyboardInterrupt | None:
    """Return the interrupt that `error` is or contains, which ends the session, whatever else went wrong."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_interrupt_in, error.exceptions)), None)
    return error if isinstance(error, KeyboardInterrupt) else None


@contextmanager
def wrapped(item: pytest.Function) -> Iterator[None]:
    """Make a call of the item explore its programs."""
    explore = Explore.of(item)
    given = getattr(item.obj, "hypothesis", None)
    with _each_drawn(item, given, explore) if given is not None else _replaced(item, "obj", explore):
        yield


@contextmanager
def _each_drawn(item: pytest.Function, given: Any, explore: Explore) -> Iterator[None]:
    explore.drawn = True
    if explore.file is not None:
        explore.replay_alone()
        item.obj = _nothing(given.inner_test)
        yield
        return
    explore.retry_alone()
    try:
        with _replaced(given, "inner_test", explore), _mutated(given, explore.recorder):
            yield
    except Exception as error:
        explore.report_drawn(error)
        raise


@contextmanager
def _mutated(given: Any, recorder: Recorder | None) -> Iterator[None]:
    """Run mutants of kept programs, then the test, and record which programs the test drew.

    If a mutant fails, Hypothesis may find its example in its database and report a smaller one; else the mutant's
    failure is raised.
    """
    if recorder is None:
        yield
        return
    recorder.drawn = True
    failed = recorder.try_mutants(given)
    try:
        yield
    finally:
        recorder.finish()
    if failed is not None:
        raise failed


@contextmanager
def _replaced(owner: Any, name: str, explore: Explore) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, _wrap(before, explore))
    try:
        yield
    finally:
        setattr(owner, name, before)


def _nothing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a test that does nothing, of the same kind as `function`."""

    async def nothing_async(*args: Any, **kwargs: Any) -> None: ...

    def nothing(*args: Any, **kwargs: Any) -> None: ...

    return nothing_async if inspect.iscoroutinefunction(function) else nothing


def _wrap(function: Callable[..., Any], explore: Explore) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> None:
            _explore(await function(*args, **kwargs), (*args, *kwargs.values()), explore)

        return run_async

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        _explore(function(*args, **kwargs), (*args, *kwargs.values()), explore)

    return run


def _explore(result: object, arguments: tuple[object, ...], explore: Explore) -> None:
    taken = [value for value in arguments if isinstance(value, Program)]
    programs = [result] if isinstance(result, Program) else taken
    if not programs and not explore.used:
        explore.fail("a test marked simaie must return a simaie.Program, or take one as an argument")
    for program in programs:
        explore(program)
