"""The pytest plug-in: a marked test returns a guest program, and the plug-in explores it.

    @pytest.mark.simaie(scheme="cas", scheduler="dpor")
    def test_stack():
        return program

Every pytest session in whose environment simaie is installed loads this module, so it imports nothing of simaie. The
rest is imported by the first test that is marked or asks for the fixture. For the same reason this is a package next to
`simaie` and not a part of it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_simaie.testing import Explore

MARK = (
    "simaie(scheme, host, scheduler, executions, seed, checkers, complete, ...): explore the program that the test "
    "returns or takes; it fails with the shortest counterexample. Without a scheme it checks 'native', the ideal "
    "architecture. scheme=[...] makes a test of each scheme; complete=True demands a proof"
)
#: The fixtures that explore; the short name is for tests in which no other plug-in uses it.
_FIXTURES = frozenset({"explore", "simaie_explore"})


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, which override those of marks."""
    group = parser.getgroup("simaie", "interleavings of guest programs")
    group.addoption("--simaie-seed", type=int, metavar="N", help="seed of every exploration")
    group.addoption("--simaie-executions", type=int, metavar="N", help="most executions of an exploration")
    group.addoption("--simaie-scheduler", metavar="NAME", help="the strategy that chooses the interleavings")
    group.addoption(
        "--simaie-replay", metavar="FILE", help="run only the execution in this file, and only the test that it is of"
    )
    group.addoption("--simaie-save", metavar="DIR", help="write each failure to this folder too")
    group.addoption(
        "--simaie-store", metavar="FILE", help="record what tests show in this store of campaigns, and mutate drawn "
        "programs that covered something new",
    )  # fmt: skip
    group.addoption("--simaie-mutants", type=int, metavar="N", help="mutants of each test with --simaie-store (50)")


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark, for --strict-markers, and open the store."""
    config.addinivalue_line("markers", MARK)
    if config.getoption("simaie_store"):
        from pytest_simaie.stored import open_store

        open_store(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close the store."""
    if config.getoption("simaie_store"):
        from pytest_simaie.stored import close_store

        close_store(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test item of each scheme that a mark lists."""
    if metafunc.definition.get_closest_marker("simaie") is not None:
        from pytest_simaie.collecting import parametrize

        parametrize(metafunc)


@pytest.hookimpl(tryfirst=True)  # so that -k and -m select among the rest
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ``--simaie-replay``, deselect all tests but the one whose failure the file holds."""
    if config.getoption("simaie_replay"):
        from pytest_simaie.collecting import deselect_others

        deselect_others(config, items, explores)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Explore outside pytest-trio's wrapper, so that ours wraps the test's coroutine function and not its runner."""
    if not isinstance(item, pytest.Function) or not explores(item):
        return (yield)
    from pytest_simaie.wrapping import exploring, wrapped

    with exploring(item), wrapped(item) if _is_marked(item) else nullcontext():
        return (yield)


@pytest.hookimpl(tryfirst=True)  # before pytest's own, which would answer
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Say with ``-v`` whether a passed test is a proof or a sample."""
    shown = dict(getattr(report, "user_properties", ())).get("simaie")
    if shown is None or report.when != "call" or not report.passed or hasattr(report, "wasxfail"):
        return None
    return "passed", ".", (f"PASSED ({shown})", {"green": True})


def explores(item: pytest.Item) -> bool:
    """Return whether a test is marked or asks for a fixture that explores."""
    return _is_marked(item) or not _FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def _is_marked(item: pytest.Item) -> bool:
    return item.get_closest_marker("simaie") is not None


@pytest.fixture
def simaie_explore(request: pytest.FixtureRequest) -> Explore:
    """Explore programs in the middle of a test: ``simaie_explore(program, machine, **options)`` returns the report.

    A violation fails the test. The options are those of `simaie.explore`, of `simaie.Machine` and of the mark.
    """
    from pytest_simaie.testing import Explore

    return Explore.of(request.node)


@pytest.fixture
def explore(simaie_explore: Explore) -> Explore:
    """Explore programs in the middle of a test, as the fixture `simaie_explore` does."""
    return simaie_explore


@pytest.fixture
def simaie_scheme(request: pytest.FixtureRequest) -> Any:
    """Return the scheme that the mark asks for; of ``scheme=[...]`` the one of this test item."""
    from pytest_simaie.options import test_options

    return request.param if hasattr(request, "param") else test_options(request.node, {}).machine.scheme
