"""No program of the corpus that holds is called a livelock, whatever the scheduler, with waits and with lassos.

Most of these programs have few executions. If ``dpor`` has run them all, and none failed, then each scheduler chooses
among these: an execution of another scheduler differs from one of them at most in the order of independent steps, on
which the checker does not depend. With lassos the search ends only if all executions do, so that none has a cycle of
states. Only the rest is run 10,000 times by each scheduler.
"""

from __future__ import annotations

import functools

import pytest

import simaie
from simaie import Limits, Machine, corpus, plugins
from simaie.corpus.audit_case import Expect
from simaie.plugins import Spec

#: Those that choose executions of their own; ``scripted`` follows a given one.
SCHEDULERS = sorted(set(plugins.names(plugins.SCHEDULERS)) - {"scripted"})
#: The number of executions by each scheduler.
EXECUTIONS = 10_000
#: Each program that holds under a scheme: of the audit, the bugs that emulators had, and the lock-free algorithms.
HOLDING = [
    *(
        (case, scheme)
        for case in (*corpus.cases(), *corpus.regressions())
        for scheme, expect in case.expected.items()
        if expect is Expect.MUST_NOT and case.needs.host == "sc"
    ),
    *(
        (guest, row.scheme)
        for guest in corpus.guests()
        for row in guest.rows
        if (row.verdict, row.host, guest.needs.host) == ("holds", "sc", "sc")
    ),
]


def machine_of(case, scheme, tries):
    needs = case.needs
    spec = Spec.of(scheme, "a scheme")
    return Machine(
        (spec.name, {**needs.options, **spec.options}), full_system=needs.full_system, host_word=needs.host_word,
        address_bits=needs.address_bits, limits=Limits(steps=min(needs.steps, 500), tries=tries),
    )  # fmt: skip


def explored(case, scheme, tries, scheduler, executions):
    return simaie.explore(
        case.program, machine_of(case, scheme, tries), scheduler=scheduler, executions=executions,
        checkers=["progress"],
    )  # fmt: skip


def is_proved(case, scheme, tries, most):
    """Whether all executions are known, at most `most`, and none fails."""
    report = explored(case, scheme, tries, "dpor", most)
    return report.complete and report.verdict == "holds"


@functools.cache
def unproved(most=EXECUTIONS):
    """Return what no search has proved: cases, each with its scheme and the limit on tries."""
    both = (Limits().tries, None)
    return [(*each, tries) for each in HOLDING for tries in both if not is_proved(*each, tries, most)]


def livelocks(scheduler, executions, chosen):
    """Return the programs that are called a livelock, a starvation or a deadlock, and the number of executions.

    Args:
        scheduler: The scheduler.
        executions: The number of executions of each program at most.
        chosen: The cases, each with its scheme and the limit on tries.
    """
    found, run = [], 0
    for case, scheme, tries in chosen:
        report = explored(case, scheme, tries, scheduler, executions)
        run += report.executions
        if report.failing:
            found.append((case.name, scheme, tries, report.failures[0].summary))
    return found, run


def test_a_few_executions_of_some_programs():
    chosen = [(*each, tries) for each in HOLDING[::20] for tries in (Limits().tries, None)]
    found, run = livelocks("random-walk", 2, chosen)
    assert not found
    assert run == 2 * len(chosen)


def test_only_a_search_that_ended_and_found_nothing_is_a_proof():
    """The spinners have endless executions, which waits leave out and lassos are not."""
    quick = next(case for case, scheme in HOLDING if (case.name, scheme) == ("bug-read-twice", "cas"))
    assert is_proved(quick, "cas", None, 100)
    assert not is_proved(quick, "cas", None, 1)


@pytest.mark.soak
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_soak_no_program_that_holds_is_called_a_livelock(scheduler):
    found, _ = livelocks(scheduler, EXECUTIONS, unproved())
    assert not found
