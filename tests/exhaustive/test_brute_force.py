"""simaie's exhaustive searches against an interpreter that shares nothing with them.

For generated programs of loads, stores, exchanges, fetch-and-adds, compare-and-swaps, exclusives and fences, of several
widths and alignments, for two to five vCPUs: `dpor`, `dfs` and the litmus search find exactly the outcomes that
visiting every state finds.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from simaie_schedulers.dfs import DepthFirst
from simaie_schedulers.dpor.search import Dpor

from exhaustive.brute_force import Step, outcomes
from exhaustive.drawn import BASE, MEMORY, SIZE, as_litmus, as_outcome, as_program, draw
from exhaustive.searches import search
from simaie import Machine, Program, Scheduler
from simaie.exploration.litmus import explore_litmus
from simaie.litmus import parse

HOSTS = ("sc", "tso")
Found = set[tuple[tuple[str, int], ...]]


@pytest.mark.parametrize("seeds", [range(10), pytest.param(range(10, 30), marks=pytest.mark.soak)], ids=len)
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("isa", ["x86", "aarch64"])
def test_dpor_and_dfs_find_the_outcomes_of_every_state(isa, host, seeds):
    compared = [_compare(isa, host, seed) for seed in seeds]
    assert sum(compared) >= len(seeds) / 5  # that dfs ended within its limit, too


@pytest.mark.parametrize("host", HOSTS)
def test_the_litmus_search_finds_the_outcomes_of_every_state(host):
    for seed in range(25):
        _compare_litmus(host, seed)


@pytest.mark.soak
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("isa", ["x86", "aarch64"])
def test_dpor_and_dfs_find_the_outcomes_of_every_state_of_thousands(isa, host):
    for seed in range(1_000, 3_500):
        _compare(isa, host, seed)
        if isa == "aarch64":
            _compare_litmus(host, seed)


def test_a_failed_compare_and_swap_hides_no_outcome():
    """A store, a load, a compare-and-swap that fails in every execution, and a load."""
    threads = [
        [Step("store", BASE, 4, 1)],
        [Step("load", BASE, 4, into="r0")],
        [Step("cas", BASE, 4, 7, 2, into="r0")],
        [Step("load", BASE, 4, into="r0")],
    ]
    expected = _brute(threads, "sc")
    assert _searched(as_program(threads, "x86", "failed cas"), "sc", Dpor()) == expected
    assert _states(threads, "sc") == expected


def _compare(isa: str, host: str, seed: int) -> bool:
    """Compare one program; returns whether `dfs` was compared, which takes too long for most."""
    threads = draw(isa, seed)
    program, expected = as_program(threads, isa, f"{isa} {seed}"), _brute(threads, host)
    assert _searched(program, host, Dpor()) == expected, program.name
    interleavings = _searched(program, host, DepthFirst(), limit=300)
    assert interleavings in (expected, None), program.name
    return interleavings is not None


def _compare_litmus(host: str, seed: int) -> None:
    """A litmus test shows each register, a program only those that were written: both start at 0."""
    threads = draw("aarch64", seed)
    everything = [(f"{vcpu}:{step.into}", 0) for vcpu, steps in enumerate(threads) for step in steps if step.into]
    expected = {tuple(sorted({**dict(everything), **dict(state)}.items())) for state in _brute(threads, host)}
    assert _states(threads, host) == expected, seed


def _brute(threads: Sequence[Sequence[Step]], host: str) -> Found:
    """The outcomes as simaie names them."""
    found = set()
    for registers, memory in outcomes(threads, bytes(SIZE), BASE, host):
        items = {f"{vcpu}:{name}": value for vcpu, values in enumerate(registers) for name, value in values}
        found.add(tuple(sorted([*items.items(), (MEMORY, int.from_bytes(memory, "little"))])))
    return found


def _searched(program: Program, host: str, scheduler: Scheduler, limit: int = 20_000) -> Found | None:
    """The outcomes that `scheduler` finds; None if it takes more than `limit` executions."""
    traces = search(program, scheduler, Machine("native:barriers=guest", host=host), limit)
    return None if traces is None else {trace.outcome.items for trace in traces if trace.ending == "finished"}


def _states(threads: Sequence[Sequence[Step]], host: str) -> Found:
    """The states that the litmus search finds, as outcomes."""
    result = explore_litmus(parse(as_litmus(threads, "drawn")), Machine("native:barriers=guest", host=host))
    assert result.complete_states
    return {tuple(sorted(as_outcome(name, held) for name, held in state)) for state in result.states}
