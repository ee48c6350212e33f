"""Known bugs are found from nothing, by programs that nobody wrote, and come down to the least that they take.

What is the least is known: of each bug how many instructions it takes, and how often another vCPU must go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, find, settings

from simaie import Failure, Finding, Machine, Program, Trace, explore
from simaie.check.llsc import LLSC_VALUE
from simaie.check.rmw import rmw_atomicity
from simaie.cli.fuzz import fuzz
from simaie.replay.shrink import Size
from simaie.strategies import programs
from simaie.trace import AccessKind

GRANULE = 16  # of aie-rfc


def first_registration(trace: Trace) -> Iterator[Finding]:
    """A plain store fell into an atomic instruction, and nothing crosses a granule."""
    for finding in rmw_atomicity(trace):
        guilty = [trace.events[step].instruction for step in finding.steps]
        plain = any(i.access is AccessKind.STORE for i in guilty)
        if plain and all(i.address // GRANULE == (i.address + i.width - 1) // GRANULE for i in guilty):
            yield finding


def crossing(trace: Trace) -> Iterator[Finding]:
    """An atomic instruction fell into an atomic instruction: both hold locks, of different granules."""
    for finding in rmw_atomicity(trace):
        guilty = [trace.events[step].instruction for step in finding.steps]
        if all(i.access is AccessKind.ATOMIC for i in guilty):
            yield finding


class Bug(NamedTuple):
    """kinds: of instructions that are drawn from, None for all. least: instructions and switches."""

    isa: str
    scheme: str
    checker: Callable[[Trace], object]
    least: tuple[int, int]
    kinds: tuple[str, ...] | None = None


LLSC = ("load", "load-linked", "store-conditional")
BUGS = {
    # The store looks; the atomic registers, locks and loads; the store lands; the atomic stores over it.
    "the first-registration window": Bug("x86", "aie-rfc", first_registration, (2, 3)),
    # The one that crosses has locked its first granule only, and the other the second.
    "the crossing of a granule": Bug("x86", "aie-rfc", crossing, (2, 2)),
    # LL; LL, SC, LL, SC; SC.
    "A-B-A under cas": Bug("arm", "cas", LLSC_VALUE, (6, 2), LLSC),
}


def size(failure: Failure) -> tuple[int, int]:
    """Instructions and switches."""
    found = Size.of(failure.trace)
    assert found.instructions == sum(len(thread) for thread in failure.program.threads), "nothing stands there idle"
    return found.instructions, found.switches


def by_fuzzing(bug: Bug, *, examples: int, seed: int) -> tuple[int, int] | None:
    """What `simaie fuzz` finds, shrunk; None if nothing."""
    result = fuzz(bug.isa, Machine(bug.scheme), examples=examples, seed=seed, kinds=bug.kinds, checkers=[bug.checker],
                  failures=1)  # fmt: skip
    return next((size(failure.shrink().failure) for failure in result.found.values()), None)


def by_hypothesis(bug: Bug, *, examples: int, seed: int) -> tuple[int, int]:
    """What Hypothesis finds and shrinks, and then the schedule too; NoSuchExample if nothing."""
    chosen = settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))

    def search(program: Program) -> list[Failure]:
        report = explore(program, Machine(bug.scheme), scheduler="dpor", executions=100, checkers=[bug.checker])
        return list(report.failures)

    strategy = programs(bug.isa, kinds=bug.kinds)
    program = find(strategy, search, settings=chosen, random=Random(seed))
    return size(search(program)[0].shrink().failure)


@pytest.mark.parametrize("name", BUGS)
def test_a_known_bug_is_found_and_comes_down_to_its_least_from_one_seed(name):
    assert by_fuzzing(BUGS[name], examples=600, seed=1) == BUGS[name].least


@pytest.mark.soak
@pytest.mark.parametrize("search", [by_fuzzing, by_hypothesis])
@pytest.mark.parametrize("name", BUGS)
def test_a_known_bug_is_found_within_2000_examples_and_comes_down_to_its_least_from_19_of_20_seeds(name, search):
    sizes = [search(BUGS[name], examples=2000, seed=seed) for seed in range(20)]
    assert sizes.count(BUGS[name].least) >= 19, sizes
