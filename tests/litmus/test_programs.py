"""Litmus tests of our own, one idea each, run to the end: their states stand beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simaie import plugins
from simaie.engine.inline import run_inline
from simaie.exploration.litmus import HERD_SCHEME, explore_litmus
from simaie.exploration.scheduler_choice import make_scheduler
from simaie.litmus import load, passes_filter, state_locations
from simaie.litmus.lowering import lower
from simaie.machine import Machine
from simaie.replaying.run import make_execution

from .outcomes import comparable

FILES = sorted((Path(__file__).parent / "programs").glob("*.litmus"))
HOSTS = plugins.names(plugins.HOSTS)


def expected(file: Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(file.with_suffix(".json").read_text("utf-8"))
    return answer


@pytest.mark.parametrize(
    ("file", "host"),
    [pytest.param(file, host, id=f"{file.stem}-{host}") for file in FILES for host in expected(file) if host in HOSTS],
)
def test_the_states_are_those_that_the_architecture_has(file: Path, host: str) -> None:
    """All of them, no other, and nothing was cut."""
    result = explore_litmus(load(file), Machine(HERD_SCHEME, host=host))
    assert comparable(result.test, result.states) == comparable(result.test, expected(file)[host])
    assert result.complete
    assert not result.bounded
    assert result.conclusive


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_plain_depth_first_search_finds_the_same_states(file: Path) -> None:
    """The reduction of DPOR loses no state: a search that knows nothing of dependence has no other."""
    lowered = lower(load(file))
    scheduler, _ = make_scheduler("dfs")
    states, machine, test, shown = [], Machine(HERD_SCHEME), lowered.test, state_locations(lowered.test)
    for index in range(30_000):
        if scheduler.exhausted:
            break
        trace = run_inline(make_execution(lowered.program, machine, scheduler, index=index))
        state = lowered.state(trace.outcome)
        if passes_filter(test, state, lowered.layout.resolve):
            states.append({name: state[name] for name in shown})
    assert scheduler.exhausted
    assert comparable(test, states) == comparable(test, explore_litmus(test, machine).states)
