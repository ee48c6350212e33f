"""The lock-free guests of the corpus: every row of their tables is proved, or its violation found and replayed.

*Holds* is proved by exploring every Mazurkiewicz trace of the small program; *violated* needs one failure. Where the
guest does not notice what is broken, its specification is proved to hold and the usual checkers are made to fail.
"""

from __future__ import annotations

import pytest

import simaie
from simaie import Limits, Machine, corpus
from simaie.corpus.lockfree.guest import SCHEMES
from simaie.errors import UnknownNameError

GUESTS = corpus.guests()
ROWS = [(guest, row) for guest in GUESTS for row in guest.rows]
IDS = [f"{guest.name}-{row.scheme}-{row.host}" for guest, row in ROWS]
SEARCH = {"scheduler": "portfolio", "executions": 3_000}


def machine_of(guest, row):
    needs = guest.needs
    return Machine(
        (row.scheme, needs.options), host=row.host, address_bits=needs.address_bits, limits=Limits(steps=2_000)
    )


def fails_and_replays(report):
    """Whether a failure was found, and comes about again from its schedule."""
    if report.verdict != "violated":
        return False
    again = simaie.replay(report.failures[0])
    return again.trace.digest == report.failures[0].trace.digest


@pytest.mark.one_in(9)
@pytest.mark.parametrize(("guest", "row"), ROWS, ids=IDS)
def test_what_the_table_says_comes_of_the_small_program(guest, row):
    machine = machine_of(guest, row)
    if row.verdict == "violated":
        assert fails_and_replays(simaie.explore(guest.program, machine, checkers=guest.checkers, **SEARCH))
        return
    usual = {"checkers": guest.checkers} if row.unnoticed else {}
    proof = simaie.explore(guest.program, machine, scheduler="dpor", executions=100_000, **usual)
    assert (proof.verdict, proof.complete) == ("holds", True), proof.failures or proof.reason
    if row.unnoticed:
        search = simaie.explore(guest.program, machine, **SEARCH)
        assert {finding.kind for finding in search.failures[0].findings} == set(row.unnoticed)


@pytest.mark.parametrize("guest", GUESTS, ids=[guest.name for guest in GUESTS])
def test_a_first_sample_of_the_larger_program_is_as_the_table_says_of_the_guest_architecture(guest):
    row = guest.row("native")
    report = simaie.explore(guest.larger, machine_of(guest, row), scheduler="portfolio", executions=20)
    assert row.verdict == "violated" or not report.failures
    assert report.statistics.truncated == 0


@pytest.mark.soak
@pytest.mark.parametrize(("guest", "row"), ROWS, ids=IDS)
def test_what_the_table_says_is_seen_of_the_larger_program_too(guest, row):
    search = {"scheduler": "portfolio", "executions": 20_000 if row.verdict == "violated" else 1_000}
    report = simaie.explore(guest.larger, machine_of(guest, row), checkers=guest.checkers, **search)
    assert report.verdict == ("violated" if row.verdict == "violated" else "inconclusive")
    assert not report.failures or fails_and_replays(report)


def is_the_guests_own(guest):
    """Whether the architecture itself lets the guest go wrong: no fence where one is needed, or A-B-A by CMPXCHG."""
    return "-unfenced-" in guest.name or guest.name == "treiber-stack-reuse-x86"


def blamed(guest, row):
    """The verdict of holding all that the scheme can do against all that the architecture allows."""
    return simaie.compare(guest.program, machine=machine_of(guest, row)).verdict


@pytest.mark.parametrize(
    ("name", "scheme", "host"),
    [
        ("treiber-stack-reuse-arm", "cas", "sc"), ("treiber-stack-reuse-x86", "cas", "sc"),
        ("ticket-lock-x86", "global-lock", "sc"), ("ticket-lock-arm", "aie-rfc", "sc"),
        ("rwlock-x86", "global-lock", "sc"), ("rwlock-arm", "cas", "sc"), ("mcs-lock-arm", "none", "sc"),
        ("dekker-x86", "aie-rfc", "tso"), ("dekker-unfenced-x86", "aie-rfc", "tso"), ("dekker-arm", "native", "tso"),
        ("spsc-ring-arm", "aie-rfc", "pso"), ("seqlock-x86", "aie-v2", "pso"), ("clh-lock-arm", "cas", "sc"),
    ],
)  # fmt: skip
def test_the_emulator_is_blamed_for_what_the_table_calls_violated_and_the_architecture_forbids(name, scheme, host):
    guest = corpus.guest(name)
    row = guest.row(scheme, host)
    assert blamed(guest, row) == ("holds" if is_the_guests_own(guest) else row.verdict)


@pytest.mark.soak
@pytest.mark.parametrize(("guest", "row"), ROWS, ids=IDS)
def test_of_every_row_the_emulator_is_blamed_for_what_the_architecture_forbids(guest, row):
    """Two ways to the same verdict: the guest's own specification, and the outcomes that its architecture allows."""
    assert blamed(guest, row) == ("holds" if is_the_guests_own(guest) else row.verdict)


def test_every_guest_says_what_comes_of_it_under_every_scheme_of_its_instruction_set():
    for guest in GUESTS:
        assert {row.scheme for row in guest.rows if row.host == "sc"} == set(SCHEMES[guest.program.isa])
        keys = [(row.scheme, row.host) for row in guest.rows]
        assert len(keys) == len(set(keys)), guest.name
        assert all(row.why for row in guest.rows)
        assert all(guest.row(row.scheme, row.host) is row for row in guest.rows)
        assert guest.row("native", "no such host") is None


def test_every_algorithm_is_there_for_both_instruction_sets_and_in_two_sizes():
    names = {isa: {g.name.removesuffix(f"-{isa}") for g in GUESTS if g.program.isa == isa} for isa in ("arm", "x86")}
    assert names["arm"] == names["x86"]
    for guest in GUESTS:
        assert len(guest.program.threads) == 2
        assert len(guest.larger.threads) in ((2,) if guest.name.startswith("dekker") else (3, 4))  # Dekker's is for two
        assert guest.larger.name == f"{guest.name}-large"


@pytest.mark.parametrize("isa", ["arm", "x86"])
@pytest.mark.parametrize("name", ["dekker", "peterson", "szymanski"])
def test_without_fences_a_store_buffer_lets_two_vcpus_in_at_once(name, isa):
    """Not just somebody who waits for ever: an addition made under mutual exclusion is lost."""
    program = corpus.guest(f"{name}-unfenced-{isa}").program
    machine = Machine("native", host="tso", address_bits=12)
    assert simaie.explore(program, machine, scheduler="dpor", checkers=["final-check"]).verdict == "violated"


@pytest.mark.parametrize("guest", GUESTS, ids=[guest.name for guest in GUESTS])
def test_both_drivers_run_the_same_executions(guest):
    digests = {}
    for driver in ("inline", "trio"):
        seen = digests[driver] = []
        machine = Machine("cas", host="tso", address_bits=12)
        options = {"driver": driver, "executions": 3, "failures": None, "seed": 5}
        keep = [lambda trace, to=seen: to.append(trace.digest) or ()]
        simaie.explore(guest.program, machine, checkers=keep, **options)
    assert digests["inline"] == digests["trio"]


def test_a_failure_of_an_object_shrinks_and_replays_as_one():
    machine = Machine("none", address_bits=12)
    report = simaie.explore(corpus.program("treiber-stack-arm"), machine, checkers=["linearizable-stack"])
    small, _ = report.failures[0].shrink()
    assert {finding.kind for finding in simaie.replay(small).findings} == {"linearizability"}


def test_a_program_of_the_corpus_is_judged_by_its_own_specification_too():
    program = corpus.program("treiber-stack-arm")
    report = simaie.explore(program, Machine("none", address_bits=12), scheduler="dpor", failures=None)
    assert any(finding.kind == "linearizability" for failure in report.failures for finding in failure.findings)


def test_an_unknown_guest_is_refused_with_the_nearest_known_one():
    with pytest.raises(UnknownNameError, match="treiber-stack-arm"):
        corpus.guest("treiber-stack-army")
