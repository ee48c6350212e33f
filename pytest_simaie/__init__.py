"""The pytest plug-in: a test that is a guest program, explored.

    @pytest.mark.simaie(scheme="cas", scheduler="dpor")
    def test_stack():
        return program

It is loaded by every pytest session in whose environment simaie is installed, so this module imports nothing of
simaie: what is behind it comes in with the first test that is marked or asks for the fixture. For the same reason it
is a package beside `simaie` and not a part of it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_simaie.testing import Explore

MARK = (
    "simaie(scheme, host, scheduler, executions, seed, ...): explore the program that the test returns or takes; "
    "it fails with the shortest counterexample"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, which override those of marks."""
    group = parser.getgroup("simaie", "interleavings of guest programs")
    group.addoption("--simaie-seed", type=int, metavar="N", help="seed of every exploration")
    group.addoption("--simaie-executions", type=int, metavar="N", help="most executions of an exploration")
    group.addoption("--simaie-scheduler", metavar="NAME", help="who chooses the interleavings")
    group.addoption("--simaie-replay", metavar="FILE", help="run only the execution that this file holds")
    group.addoption("--simaie-save", metavar="DIR", help="write each failure to this folder too")


def pytest_configure(config: pytest.Config) -> None:
    """The mark, for --strict-markers."""
    config.addinivalue_line("markers", MARK)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Around pytest-trio's wrapper, which must see our coroutine function and not we its runner."""
    marked = item.get_closest_marker("simaie") is not None
    if not isinstance(item, pytest.Function) or not (marked or "explore" in item.fixturenames):
        return (yield)
    from pytest_simaie.wrapping import exploring, wrapped

    with exploring(item), wrapped(item) if marked else nullcontext():
        return (yield)


@pytest.fixture
def explore(request: pytest.FixtureRequest) -> Explore:
    """``explore(program, **options)``: the report; a violation fails the test. Options as for the mark."""
    from pytest_simaie.testing import Explore

    return Explore.of(request.node)
