"""Collection: one test item for each listed scheme, and only one test for a replay."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_simaie.kept import test_of
from pytest_simaie.options import SCHEME, schemes_of
from simaie.errors import ReplayError, UsageError

__all__ = ["deselect_others", "parametrize"]


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Parametrize a test with the schemes that its marks list, if they list any."""
    try:
        listed = schemes_of(metafunc.definition)
    except UsageError:
        return  # the test itself fails with this error
    if listed is None:
        return
    if SCHEME not in metafunc.fixturenames:
        metafunc.fixturenames.append(SCHEME)
    names, schemes = zip(*listed, strict=True)
    metafunc.parametrize(SCHEME, schemes, indirect=True, ids=names)


def deselect_others(config: pytest.Config, items: list[pytest.Item], explores: Callable[[pytest.Item], bool]) -> None:
    """Keep the test whose failure is in the file to replay, and deselect all other tests.

    If the file names no test, since a command or a script wrote it, all tests that explore are kept. They are kept too
    if the file cannot be read or its test was not collected: then they fail and say so.

    Args:
        config: Of the session, which says which file to replay.
        items: The collected tests; changed in place.
        explores: Whether a test explores programs.
    """
    candidates = [item for item in items if explores(item)]
    try:
        test = test_of(config.invocation_params.dir / config.getoption("simaie_replay"))
    except ReplayError:
        test = None
    kept = [item for item in candidates if item.nodeid == test] or candidates
    chosen = set(kept)
    others = [item for item in items if item not in chosen]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = kept
