"""No program of the corpus that holds is called a livelock, whatever the scheduler, with waits and with lassos."""

from __future__ import annotations

import pytest

import simaie
from simaie import Limits, Machine, corpus, plugins
from simaie.corpus.audit_case import Expect

#: Those that choose executions of their own; ``scripted`` follows a given one.
SCHEDULERS = sorted(set(plugins.names(plugins.SCHEDULERS)) - {"scripted"})
HOLDING = [
    (case, scheme)
    for case in corpus.cases()
    for scheme, expect in case.expected.items()
    if expect is Expect.MUST_NOT and case.needs.host == "sc"
]


def machine_of(case, scheme, tries):
    needs = case.needs
    return Machine(
        (scheme, needs.options), full_system=needs.full_system, host_word=needs.host_word,
        address_bits=needs.address_bits, limits=Limits(steps=min(needs.steps, 500), tries=tries),
    )  # fmt: skip


def livelocks(scheduler, executions, chosen=HOLDING):
    """Return the programs that are called a livelock, a starvation or a deadlock, and the number of executions.

    Args:
        scheduler: The scheduler.
        executions: The number of executions of each program at most, with waits, and again with lassos.
        chosen: The cases, each with its scheme.
    """
    found, run = [], 0
    for case, scheme in chosen:
        for tries in (Limits().tries, None):
            report = simaie.explore(
                case.program, machine_of(case, scheme, tries), scheduler=scheduler, executions=executions,
                checkers=["progress"],
            )  # fmt: skip
            run += report.executions
            if report.failing:
                found.append((case.name, scheme, tries, report.failures[0].summary))
    return found, run


def test_a_few_executions_of_some_programs():
    found, run = livelocks("random-walk", 2, HOLDING[::20])
    assert not found
    assert run == 4 * len(HOLDING[::20])


@pytest.mark.soak
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_soak_no_program_that_holds_is_called_a_livelock(scheduler):
    found, _ = livelocks(scheduler, 10_000)
    assert not found
