"""The corpus of tests with known answers, where it is present."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simaie.litmus import LitmusTest, load, state_locations, verdict

from .samples import corpus

FOLDER = corpus()
INDEX: list[dict[str, Any]] = json.loads((FOLDER / "index.json").read_text("utf-8")) if FOLDER else []
QUANTIFIERS = {None: "none", "final": "exists"}

pytestmark = pytest.mark.skipif(FOLDER is None, reason="the corpus shared/litmus is not beside the project")


@pytest.fixture(scope="module")
def tests() -> list[tuple[dict[str, Any], LitmusTest]]:
    """Every entry of the index, with its file as read."""
    folder = FOLDER or Path()
    return [(entry, load(folder / entry["file"])) for entry in INDEX]


@pytest.mark.untraced
def test_every_file_is_read_as_the_index_describes_it(tests: list[tuple[dict[str, Any], LitmusTest]]) -> None:
    """Name, architecture, quantifier and number of threads agree."""
    for entry, test in tests:
        quantifier = QUANTIFIERS.get(entry["quantifier"], entry["quantifier"])
        described = (entry["name"], entry["arch"], quantifier, entry["threads"])
        assert (test.name, test.arch, test.condition.quantifier, len(test.threads)) == described, entry["id"]
    assert len(tests) == len(INDEX) > 0


def test_verdicts_follow_from_the_states(tests: list[tuple[dict[str, Any], LitmusTest]]) -> None:
    """The states that herd7 lists name the locations that we name, and give the verdict that it gives."""
    for entry, test in tests:
        for model, expected in entry["expected"].items():
            states = expected["states"]
            assert all(set(state) == set(state_locations(test)) for state in states), (entry["id"], model)
            found = verdict(test, states, filtered=True)
            assert (found.answer, found.observation) == (expected["verdict"], expected["observation"]), entry[
                "id"
            ]
