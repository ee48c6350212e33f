"""The corpus beside the project, if it is there, on the hosts that reorder: they include each other as they should.

What SC allows TSO allows, what TSO allows PSO allows, and on the architectures whose own model is weaker than all
three, what PSO allows is among the states that herd7 computes for that model: the guests' fences, acquires and
releases, and store-conditionals have the meaning that they need.
"""

from __future__ import annotations

from typing import Any

import pytest

from simaie.exploration.litmus import HERD_SCHEME, explore_litmus
from simaie.litmus import Arch, load
from simaie.litmus.lowering import UnsupportedError
from simaie.litmus.lowering.dialects import DIALECTS
from simaie.machine import Machine

from .outcomes import State, comparable
from .test_known_answers import FOLDER, INDEX
from .test_known_answers import pytestmark as needs_corpus

pytestmark = [needs_corpus, pytest.mark.untraced]

WEAK = [arch for arch in Arch if arch in DIALECTS and arch not in (Arch.X86, Arch.X86_64)]


#: One test in this many is run; all of them are a soak.
ONE_IN = pytest.mark.parametrize("one_in", [2, pytest.param(1, marks=pytest.mark.soak)])


def entries(arch: Arch, one_in: int) -> list[dict[str, Any]]:
    return [entry for entry in INDEX if entry["arch"] == arch][::one_in]


def states(entry: dict[str, Any], host: str) -> set[State] | None:
    """All final states on a host; None if the test is not supported."""
    assert FOLDER is not None
    test = load(FOLDER / entry["file"])
    try:
        result = explore_litmus(test, Machine(HERD_SCHEME, host=host))
    except UnsupportedError:
        return None
    assert result.complete
    return comparable(test, result.states)


@pytest.mark.one_in(2)
@ONE_IN
@pytest.mark.parametrize("arch", [arch for arch in Arch if arch in DIALECTS])
def test_each_host_allows_what_the_stronger_one_does(arch: Arch, one_in: int) -> None:
    more = {"tso": 0, "pso": 0}
    for entry in entries(arch, one_in):
        sc, tso, pso = (states(entry, host) for host in ("sc", "tso", "pso"))
        if sc is None or tso is None or pso is None:
            continue
        assert sc <= tso <= pso, entry["id"]
        more["tso"] += sc < tso
        more["pso"] += tso < pso
    assert all(more.values()), "no test tells the hosts apart"


@ONE_IN
@pytest.mark.parametrize("arch", WEAK)
def test_pso_stays_within_the_weaker_model_of_the_architecture(arch: Arch, one_in: int) -> None:
    checked = 0
    for entry in entries(arch, one_in):
        ours = states(entry, "pso")
        if ours is None:
            continue
        assert FOLDER is not None
        allowed = comparable(load(FOLDER / entry["file"]), entry["expected"][entry["native_model"]]["states"])
        assert ours <= allowed, f"{entry['id']}: {sorted(ours - allowed, key=str)[:2]}"
        checked += 1
    assert checked
