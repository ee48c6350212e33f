"""The store of ``--simaie-store``: what the tests have shown, and mutants of drawn programs that covered something new.

Without the option nothing here is used. What cannot be written to the store is a warning, since the result of the test
does not depend on it.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from simaie import Machine, Program, Report
from simaie.campaign.tests import TestStore
from simaie.errors import InputError
from simaie.exploration.recording import explore_recorded
from simaie.exploration.resumable import Stretch
from simaie.prng import derive

__all__ = ["Recorder", "close_store", "open_store"]

_STORE: pytest.StashKey[TestStore] = pytest.StashKey()
#: The number of mutants that are tried of one test in one session, unless an option says otherwise.
MUTANTS = 50


def open_store(config: pytest.Config) -> None:
    """Open the store of the session; a mistake in its use ends the session with a message."""
    try:
        config.stash[_STORE] = TestStore(config.invocation_params.dir / config.getoption("simaie_store"))
    except InputError as error:
        raise pytest.UsageError(f"--simaie-store: {error}") from error


def close_store(config: pytest.Config) -> None:
    """Close the store of the session, if it is open."""
    if (store := config.stash.get(_STORE, None)) is not None:
        del config.stash[_STORE]
        store.close()


class Recorder:
    """Records the explorations of one test in the store of the session.

    Attributes:
        drawn: Whether the programs of the test are drawn; then `finish` records all of them together.
    """

    def __init__(self, item: pytest.Item, store: TestStore) -> None:
        self.drawn = False
        self._item, self._store = item, store
        self._stretches: list[Stretch] = []
        self._covered: set[int] = set()

    @classmethod
    def of(cls, item: pytest.Item) -> Recorder | None:
        """Return the recorder of a test; None if there is no store, or if a file is replayed."""
        store = item.config.stash.get(_STORE, None)
        return None if store is None or item.config.getoption("simaie_replay") else cls(item, store)

    def explore(self, program: Program, machine: Machine, **search: Any) -> Report:
        """Explore as `simaie.explore` does, and record the result."""
        stretch = explore_recorded(program, machine, **search)
        self._covered |= stretch.handoffs
        if self.drawn:
            self._stretches.append(stretch)
        else:
            with self._warned():
                self._store.add(self._item.nodeid, stretch, tuple(search.get("checkers", ())))
        return stretch.report

    def finish(self) -> None:
        """Record the explorations of all drawn programs, if there were any."""
        if self._stretches:
            with self._warned():
                self._store.add_drawn(self._item.nodeid, self._stretches)
            self._stretches = []

    def try_mutants(self, given: Any) -> Exception | None:
        """Run mutants of the programs that covered something new, and keep those that cover something new in turn.

        Args:
            given: The handle of Hypothesis on the test.

        Returns:
            The failure of the first mutant that fails; None if none does.
        """
        if inspect.iscoroutinefunction(given.inner_test) or _needs_more(self._item):
            return None
        from simaie.strategies.evolution import Evolution, Kept

        test, seed = self._item.nodeid, self._item.config.getoption("simaie_seed") or 0
        run = copy.copy(given).fuzz_one_input  # of a copy, since the handle keeps the first function that it is used on
        with self._warned():
            kept = [Kept(*each) for each in self._store.kept(test)]
            evolution = Evolution(run, self._take, kept, derive(seed, self._store.session))
            for _ in range(self._mutants):
                try:
                    found = evolution.step()
                except Exception as error:
                    return error
                if found is not None:
                    self._store.keep(test, *found)
        return None

    @property
    def _mutants(self) -> int:
        wanted = self._item.config.getoption("simaie_mutants")
        return MUTANTS if wanted is None else int(wanted)

    def _take(self) -> frozenset[int]:
        taken, self._covered = frozenset(self._covered), set()
        return taken

    @contextmanager
    def _warned(self) -> Iterator[None]:
        try:
            yield
        except InputError as error:
            self._item.warn(pytest.PytestWarning(f"not recorded: {error}"))


def _needs_more(item: pytest.Item) -> bool:
    """Return whether a test takes other arguments than those that Hypothesis draws: `self`, fixtures or parameters."""
    assert isinstance(item, pytest.Function)
    return item.cls is not None or bool(inspect.signature(item.obj).parameters)
