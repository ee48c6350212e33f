"""Memoised vCPUs do what the reference engine does: the same (program, machine, scheduler, seed, index), all of it."""

from __future__ import annotations

from typing import Any

import pytest
from exhaustive import drawn, generated, mixes
from exhaustive import programs as known
from memo_runs import agree
from test_drivers_agree import generated as threads_and_faults

from simaie import Machine, corpus
from simaie.errors import NotEmulatedError
from simaie.machine import Limits

pytestmark = pytest.mark.untraced

HOSTS = ("sc", "tso", "pso")
SCHEMES = ("native", "aie-rfc", "aie-v2", "cas", "global-lock", "none")
SCHEDULERS = ("random-walk", "pct", "pos", "surw", "urw", "portfolio", "round-robin", "dfs", "dpor", "coverage-guided")
LIMITS = Limits(steps=300)


@pytest.fixture(params=[1, pytest.param(25, marks=pytest.mark.soak)], ids=["some", "many"])
def times(request: pytest.FixtureRequest) -> int:
    """How many programs, in multiples of what is usual."""
    factor: int = request.param
    return factor


def machine(scheme: Any, host: str = "sc") -> Machine:
    return Machine(scheme, host=host, address_bits=14, limits=LIMITS)


@pytest.mark.parametrize("host", HOSTS)
def test_programs_of_threads_faults_and_choices_run_alike(host: str, times: int):
    """Under each scheduler and three schemes in turn."""
    for number in range(15 * times):
        scheme = ("native", "aie-rfc", "cas")[number % 3]
        agree(threads_and_faults(number), machine(scheme, host), SCHEDULERS[number % len(SCHEDULERS)], 4)


@pytest.mark.parametrize("isa", ["x86", "aarch64"])
def test_programs_of_overlapping_accesses_run_alike(isa: str, times: int):
    for number in range(24 * times):
        program = drawn.as_program(drawn.draw(isa, number), isa, f"{isa} {number}")
        agree(program, machine(SCHEMES[number % 2], HOSTS[number % 3]), "random-walk", 5)


def test_programs_of_locks_worlds_waits_and_devices_run_alike(times: int):
    """Each family in turn, with a scheme whose exceptions lock mutexes and stop the world."""
    for number, family in enumerate(list(generated.FAMILIES) * times):
        program = generated.program(family, number, (2, 2, 1))
        agree(program, machine(known.Hypercalls, HOSTS[number % 3]), SCHEDULERS[number % len(SCHEDULERS)], 4)


def test_mixed_programs_run_alike(times: int):
    for number, mix in enumerate(list(mixes.MIXES) * times):
        agree(mixes.mixed(mix, number), machine(SCHEMES[number % 2], HOSTS[number % 3]), "random-walk", 4)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_corpus_runs_alike(scheme: str, times: int):
    """One program in nine; the long run takes all."""
    seen = 0
    for name in corpus.names()[SCHEMES.index(scheme) :: 1 if times > 1 else 9]:
        try:
            seen += agree(corpus.program(name), Machine(scheme, limits=Limits(steps=2_000)), "random-walk", 3)
        except NotEmulatedError:
            continue
    assert seen > 20


@pytest.mark.parametrize(("scheduler", "count"), [("dfs", 90), ("dpor", 36)])
def test_exhaustive_searches_see_the_same_executions(scheduler: str, count: int):
    """90 interleavings of three threads of two steps; 36 classes of them (schedulers.md)."""
    assert agree(known.inc(3), Machine(), scheduler, 1_000) == count


def test_exhaustive_searches_on_a_weak_host_see_the_same_executions():
    assert agree(known.sb(), Machine(host="tso"), "dpor", 1_000) > 2
