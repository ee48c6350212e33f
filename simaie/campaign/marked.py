"""The pytest tests of a file as targets of a campaign: those with the mark ``simaie`` that return one program.

A campaign calls the function of the test for its program. It takes scheme, host and checkers from the mark where the
campaign names none, and everything else from the campaign. Tests that need pytest itself, since they take fixtures,
parameters or drawn values, run there, with ``--simaie-store`` for the same store.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from simaie.definitions import import_file
from simaie.errors import InputError

__all__ = ["MarkedTest", "is_tests", "program_of_test", "tests_of"]

_MARK = "simaie"
#: The options of a mark that a campaign replaces by its own.
_OF_CAMPAIGN = frozenset(
    {"scheduler", "seed", "executions", "seconds", "failures", "coverage", "complete", "jobs", "found"}
)
_TAKEN = frozenset({"scheme", "host", "checkers"})


class MarkedTest(NamedTuple):
    """A test as a target.

    Attributes:
        target: The program on the command line, as ``FILE.py:NAME``.
        schemes: The schemes of its mark; none if it names none.
        hosts: The host of its mark; none if it names none.
        checkers: The checkers of its mark; none if it names none.
    """

    target: str
    schemes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    checkers: tuple[str, ...] = ()


def is_tests(target: str) -> bool:
    """Whether a target is a file of tests, or a test in one, as ``FILE.py::NAME``."""
    return target.endswith(".py") or ".py::" in target


def tests_of(target: str) -> list[MarkedTest]:
    """Return the tests that a target means; of a file all marked ones that return a program.

    Raises:
        InputError: The file cannot be imported, or has no such test, or pytest itself has to run the test.
    """
    path, _, wanted = target.partition("::")
    marked = dict(_marked(import_file(Path(path))))
    if not wanted:
        found = [_test(path, name, function) for name, function in marked.items() if not _why_not(function)]
        if not found:
            raise InputError(
                f"no test in it has the mark simaie and returns a program without arguments; name a program of the "
                f"file: {path}:NAME"
            )
        return found
    if wanted not in marked:
        raise InputError(f"the file has no such test with the mark simaie (it has: {', '.join(marked) or 'none'})")
    if reason := _why_not(marked[wanted]):
        raise InputError(f"the test {reason}; run it with pytest --simaie-store STORE")
    return [_test(path, wanted, marked[wanted])]


def program_of_test(name: str) -> str | None:
    """Return the program of a test by the id of the test in pytest, as ``FILE.py:NAME``; None if only pytest has it."""
    try:
        (test,) = tests_of(name.partition("[")[0])
    except (InputError, ValueError):
        return None
    return test.target


def _marked(module: Any) -> Iterator[tuple[str, Any]]:
    for name, value in vars(module).items():
        if name.startswith("test") and callable(value) and _marks(value):
            yield name, value


def _marks(function: object) -> list[Any]:
    """Return the marks of pytest on a function that are ours, the nearest one first."""
    return [mark for mark in getattr(function, "pytestmark", ()) if getattr(mark, "name", "") == _MARK]


def _test(path: str, name: str, function: Any) -> MarkedTest:
    """Return a test as a target."""
    options: Mapping[str, Any] = {}
    for mark in reversed(_marks(function)):
        options = {**options, **mark.kwargs}
    scheme, host, checkers = (options.get(each, ()) for each in ("scheme", "host", "checkers"))
    return MarkedTest(
        f"{path}:{name}", tuple([scheme] if isinstance(scheme, str) else scheme),
        (host,) if host else (), tuple(checkers),
    )  # fmt: skip


def _why_not(function: Any) -> str:
    """Return why a campaign cannot run a test by itself; empty if it can."""
    if inspect.iscoroutinefunction(function):
        return "is asynchronous"
    if inspect.signature(function).parameters or hasattr(function, "hypothesis"):
        return "takes arguments"
    for mark in _marks(function):
        others = sorted(mark.kwargs.keys() - _OF_CAMPAIGN - _TAKEN)
        values = [mark.kwargs.get(each, ()) for each in sorted(_TAKEN)]
        if others:
            return f"has options that a campaign cannot have ({', '.join(others)})"
        if not all(isinstance(part, str) for value in values for part in ([value] if callable(value) else value)):
            return "names its scheme, host or checkers by values and not by text"
    return ""
