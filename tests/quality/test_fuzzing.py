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
from simaie.replaying.shrink import Size
from simaie.strategies import kinds_of, programs
from simaie.trace import AccessKind

#: All but threads that others spawn: no cut makes of such a one a thread that is there from the start.
X86 = tuple(kind for kind in kinds_of("x86") if kind != "spawn")
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
    """kinds: of instructions that are drawn from; vcpus: at most. least: instructions and switches."""

    isa: str
    scheme: str
    checker: Callable[[Trace], object]
    least: tuple[int, int]
    kinds: tuple[str, ...]
    vcpus: int = 3


LLSC = ("load", "load-linked", "store-conditional")
BUGS = {
    # The store looks; the atomic registers, locks and loads; the store lands; the atomic stores over it.
    "the first-registration window": Bug("x86", "aie-rfc", first_registration, (2, 3), X86),
    # The one that crosses has locked its first granule only, and the other the second.
    "the crossing of a granule": Bug("x86", "aie-rfc", crossing, (2, 2), X86),
    # LL; LL, SC, LL, SC; SC.
    "A-B-A under cas": Bug("arm", "cas", LLSC_VALUE, (6, 2), LLSC, 2),
}


def size(failure: Failure) -> tuple[int, int]:
    """Instructions and switches."""
    found = Size.of(failure.trace)
    assert found.instructions == sum(len(thread) for thread in failure.program.threads), "nothing stands there idle"
    return found.instructions, found.switches


def by_fuzzing(bug: Bug, *, examples: int, seed: int) -> tuple[int, int]:
    """What `simaie fuzz` finds, shrunk."""
    result = fuzz(bug.isa, Machine(bug.scheme), examples=examples, seed=seed, kinds=bug.kinds, checkers=[bug.checker],
                  vcpus=bug.vcpus, failures=1)  # fmt: skip
    failure = next(iter(result.found.values()))  # that one example may fail in several ways
    return size(failure.shrink().failure)


def by_hypothesis(bug: Bug, *, examples: int, seed: int) -> tuple[int, int]:
    """What Hypothesis finds and shrinks, and then the schedule too; NoSuchExample if nothing."""
    chosen = settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))

    def search(program: Program) -> list[Failure]:
        report = explore(program, Machine(bug.scheme), scheduler="dpor", executions=100, checkers=[bug.checker])
        return list(report.failures)

    strategy = programs(bug.isa, kinds=bug.kinds, vcpus=bug.vcpus)
    program = find(strategy, search, settings=chosen, random=Random(seed))
    return size(search(program)[0].shrink().failure)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", ["the first-registration window", "A-B-A under cas"])
def test_a_known_bug_is_found_and_comes_down_to_its_least_from_one_seed(name):
    assert by_hypothesis(BUGS[name], examples=2000, seed=2) == BUGS[name].least


@pytest.mark.parametrize("name", BUGS)
def test_fuzzing_finds_a_known_bug_and_cuts_it_down(name):
    """To the same number of switches; that other instructions would do with fewer cutting cannot see."""
    (instructions, switches), least = by_fuzzing(BUGS[name], examples=2000, seed=2), BUGS[name].least
    assert switches == least[1]
    assert least[0] <= instructions <= 8


@pytest.mark.soak
@pytest.mark.parametrize("name", BUGS)
def test_a_known_bug_is_found_within_2000_examples_and_comes_down_to_its_least_from_19_of_20_seeds(name):
    sizes = [by_hypothesis(BUGS[name], examples=2000, seed=seed) for seed in range(20)]
    assert sizes.count(BUGS[name].least) >= 19, sizes
