"""The switch that runs the sources of modules although compiled ones are next to them."""

from __future__ import annotations

import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, SourceFileLoader
from importlib.util import find_spec
from pathlib import Path

import pytest

import simaie.engine.memo
from simaie.compiled import COMPILED_SWITCH, obey_switch


@pytest.fixture(name="both", autouse=True)
def fixture_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that is there compiled (as far as a finder looks) and as a source."""
    (tmp_path / f"node_of_test{EXTENSION_SUFFIXES[0]}").touch()
    (tmp_path / "node_of_test.py").touch()
    monkeypatch.setattr(simaie.engine.memo, "__path__", [*simaie.engine.memo.__path__, str(tmp_path)])
    others = [each for each in sys.meta_path if getattr(each, "__module__", "") != "simaie.compiled"]
    monkeypatch.setattr(sys, "meta_path", others)
    return "simaie.engine.memo.node_of_test"


def loader_of(module: str) -> type:
    found = find_spec(module)
    assert found is not None
    return type(found.loader)


@pytest.mark.parametrize("value", ["", "1"])
def test_a_compiled_module_is_used_unless_the_switch_says_otherwise(
    both: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(COMPILED_SWITCH, value)
    obey_switch()
    assert loader_of(both) is ExtensionFileLoader


def test_the_switch_runs_the_source(both: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMPILED_SWITCH, "0")
    obey_switch()
    assert loader_of(both) is SourceFileLoader


def test_the_switch_leaves_modules_of_others_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMPILED_SWITCH, "0")
    obey_switch()
    monkeypatch.syspath_prepend(tmp_path)
    assert loader_of("node_of_test") is ExtensionFileLoader
    assert find_spec("simaie.no_such_module") is None


def test_obeying_twice_adds_one_finder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMPILED_SWITCH, "0")
    obey_switch()
    before = len(sys.meta_path)
    obey_switch()
    assert len(sys.meta_path) == before
