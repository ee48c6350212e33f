"""Spin loops that only look become waits: exhaustive searches of spinlocks end, and lose nothing by it."""

from __future__ import annotations

import pytest
from simaie_schedulers.dfs import DepthFirst
from simaie_schedulers.dpor.search import Dpor

import simaie
from exhaustive import spinlocks as s
from exhaustive.canonical import canonical
from exhaustive.searches import explored, run, search
from simaie.check.progress import progress
from simaie.machine import Machine
from simaie.op import Kind
from simaie.trace import Ending

NATIVE, CAS, RFC = (Machine(scheme, address_bits=12) for scheme in ("native", "cas", "aie-rfc"))
MACHINES = pytest.mark.parametrize("machine", [NATIVE, CAS, RFC], ids=lambda machine: machine.scheme)
ISAS = pytest.mark.parametrize("isa", ["x86", "arm"])
LOCKS = [s.tas, s.by_cas, s.ttas, s.ticket, s.mcs, s.dekker, s.peterson]
#: The locks of Arm that store 1 to a lock that is taken already: under AIE they overwrite a plain unlock.
STORE_ALWAYS = (s.tas, s.ttas)


def outcomes(traces):
    return {(trace.ending, trace.outcome) for trace in traces}


def excludes(traces):
    """Whether nobody got in beside somebody else; an execution that got stuck has shown nobody doing so."""
    return all(trace.accepted is not False for trace in traces)


# -- locks that work -----------------------------------------------------------------------------------


@pytest.mark.one_in(2)
@ISAS
@MACHINES
@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.__name__)
def test_a_search_of_every_trace_of_a_lock_ends_and_the_lock_excludes(lock, machine, isa):
    traces, dpor = explored(s.locked(lock, isa), machine)
    assert dpor.complete
    assert excludes(traces)
    finds_a_hole = lock in STORE_ALWAYS and machine is RFC and isa == "arm"
    assert any(trace.ending is Ending.LIVELOCK for trace in traces) == finds_a_hole
    assert {trace.ending for trace in traces} <= {Ending.FINISHED, Ending.LIVELOCK}


@MACHINES
def test_a_lock_taken_by_a_bit_excludes(machine):
    traces, dpor = explored(s.locked(s.tas_by_bit, "x86"), machine)
    assert dpor.complete
    assert excludes(traces)
    assert {trace.ending for trace in traces} == {Ending.FINISHED}


def test_under_aie_a_plain_unlock_between_the_halves_of_an_exchange_leaves_the_lock_taken():
    """LDREX sees 1, the owner stores 0, which nothing notices, STREX stores 1: now everybody spins for ever."""
    traces, _ = explored(s.locked(s.ttas, "arm"), RFC)
    stuck = [trace for trace in traces if trace.ending is Ending.LIVELOCK]
    assert stuck
    for trace in stuck:
        assert trace.outcome[f"[{s.LOCK:#x}]"] == 1
        assert {op.address for op in trace.waiting.values()} == {s.LOCK}


@ISAS
@MACHINES
@pytest.mark.parametrize("readers", [1, 2])
def test_a_spin_on_a_flag_sees_what_was_written_before_it(readers, machine, isa):
    """The flag is up at the first look, at the second, or after the spin has become a wait: 3 traces a reader."""
    traces, dpor = explored(s.message_passing(isa, readers), machine)
    assert dpor.complete
    assert len(traces) == 3**readers
    assert all(trace.ending is Ending.FINISHED and not trace.faults for trace in traces)


@pytest.mark.one_in(4)
@ISAS
@pytest.mark.parametrize("machine", [NATIVE, CAS], ids=lambda machine: machine.scheme)
def test_the_search_of_three_vcpus_on_a_ticket_lock_ends(machine, isa):
    traces, dpor = explored(s.locked(s.ticket, isa, 3), machine)
    assert dpor.complete
    assert {trace.ending for trace in traces} == {Ending.FINISHED}
    assert excludes(traces)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("lock", [s.mcs, s.ttas], ids=lambda lock: lock.__name__)
def test_the_search_of_three_vcpus_on_an_x86_lock_ends(lock):
    traces, dpor = explored(s.locked(lock, "x86", 3))
    assert dpor.complete
    assert excludes(traces)
    assert len({trace.outcome for trace in traces}) == 6  # the orders of three


#: The traces of a test-and-set lock in lists.
EXECUTIONS = {
    ("x86", 2, "native"): 6, ("x86", 2, "cas"): 6, ("x86", 2, "aie-rfc"): 28,
    ("x86", 3, "native"): 306, ("x86", 3, "cas"): 306, ("x86", 3, "aie-rfc"): 5_712,
    ("arm", 2, "native"): 14, ("arm", 2, "cas"): 14, ("arm", 2, "aie-rfc"): 76,
}  # fmt: skip


@pytest.mark.parametrize(
    ("isa", "vcpus", "scheme"),
    [pytest.param(*each, marks=pytest.mark.soak if count > 1_000 else ()) for each, count in EXECUTIONS.items()],
)
def test_a_lock_in_a_list_of_instructions_is_proved(isa, vcpus, scheme):
    machine, program = Machine(scheme, address_bits=12), s.tas_as_lists(isa, vcpus)
    lets_aba_pass = isa == "arm" and scheme == "cas"  # which harms no lock
    chosen = {"checkers": ["final-check", "progress"]} if lets_aba_pass else {}
    report = simaie.explore(program, machine, scheduler="dpor", **chosen)
    assert (report.verdict, report.complete) == ("holds", True)
    assert report.statistics.executions == EXECUTIONS[isa, vcpus, scheme]
    if report.statistics.executions < 400:
        assert len(explored(program, machine)[0]) == report.statistics.executions  # without undo


@pytest.mark.parametrize(("scheme", "least_pruned"), [("native", 1), ("cas", 0)])
def test_three_vcpus_on_a_lock_by_ll_sc_are_proved(scheme, least_pruned):
    machine = Machine(scheme, address_bits=12)
    report = simaie.explore(s.tas_as_lists("arm", 3), machine, scheduler="dpor", checkers=["final-check", "progress"])
    assert (report.verdict, report.complete) == ("holds", True)
    assert report.statistics.pruned >= least_pruned


# -- the two searches agree ----------------------------------------------------------------------------


@pytest.mark.one_in(6)
@pytest.mark.parametrize(
    ("program", "machine"),
    [
        *[(s.message_passing(isa), machine) for isa in ("x86", "arm") for machine in (NATIVE, RFC)],
        *[(s.locked(s.ttas, isa), machine) for isa in ("x86", "arm") for machine in (NATIVE, CAS)],
        *[(s.locked(s.ticket, isa), machine) for isa in ("x86", "arm") for machine in (NATIVE, CAS)],
        *[(s.locked(lock, "x86"), NATIVE) for lock in (s.mcs, s.broken_ttas)],
        *[(s.locked(lock, isa), machine) for lock in (s.tas, s.by_cas) for isa in ("x86", "arm")
          for machine in (NATIVE, CAS)],
        *[(s.tas_as_lists(isa), machine) for isa in ("x86", "arm") for machine in (NATIVE, CAS)],
    ],
    ids=lambda part: f"{part.name}-{part.isa}" if hasattr(part, "isa") else part.scheme,
)  # fmt: skip
def test_all_interleavings_have_the_outcomes_and_the_traces_that_the_reduced_search_has(program, machine):
    everything = search(program, DepthFirst(), machine)
    traces, dpor = explored(program, machine)
    assert everything is not None
    everything = [trace for trace in everything if trace.ending is not Ending.PRUNED]
    assert dpor.complete
    assert outcomes(everything) == outcomes(traces)
    assert len({canonical(trace) for trace in everything}) == len(traces)


async def no_pause(cpu):
    """In the place of the hint: nothing."""


@pytest.mark.parametrize(
    ("program", "machine"),
    [
        *[(s.message_passing(isa, readers), NATIVE) for isa in ("x86", "arm") for readers in (1, 2)],
        *[(s.message_passing("arm"), machine) for machine in (RFC, Machine("native", full_system=True))],
        *[(s.locked(lock, "x86"), NATIVE) for lock in (s.ttas, s.ticket, s.mcs, s.broken_ttas)],
        pytest.param(s.locked(s.ttas, "arm"), CAS, marks=pytest.mark.soak),
        (s.either("arm", s.FLAGS[1]), NATIVE),
    ],
    ids=str,
)
def test_the_searches_agree_where_no_pause_says_that_it_is_a_spin(program, machine, monkeypatch):
    monkeypatch.setattr(s, "pause", no_pause)
    everything = search(program, DepthFirst(), machine)
    traces, dpor = explored(program, machine)
    assert everything is not None
    assert dpor.complete
    assert Kind.PAUSE not in {event.op.kind for trace in traces for event in trace.events}
    assert outcomes(everything) == outcomes(traces)
    assert len({canonical(trace) for trace in everything}) == len(traces)


@pytest.mark.soak
def test_they_agree_on_a_spin_that_looks_at_two_places():
    everything = search(s.locked(s.peterson, "x86"), DepthFirst())
    traces, _ = explored(s.locked(s.peterson, "x86"))
    assert everything is not None
    assert outcomes(everything) == outcomes(traces)
    assert len({canonical(trace) for trace in everything}) == len(traces)


# -- what goes wrong is found --------------------------------------------------------------------------


@ISAS
@MACHINES
def test_a_lock_with_test_and_set_apart_is_found_broken(machine, isa):
    traces, dpor = explored(s.locked(s.broken_ttas, isa), machine)
    assert dpor.complete
    assert not excludes(traces)


@ISAS
@pytest.mark.parametrize("scheduler", [DepthFirst, Dpor])
def test_a_spin_that_nobody_ends_is_a_livelock_that_names_the_place(scheduler, isa):
    program = s.alone_in_the_dark(isa)
    traces = search(program, scheduler())
    assert traces is not None
    for trace in traces:
        assert trace.ending is Ending.LIVELOCK
        op = trace.waiting["0"]
        assert (op.kind, op.address, op.width) == (Kind.AWAIT, s.LOCK, 4)
        assert op.note.startswith("spin at spinlocks.py:")
        (finding,) = progress(trace)
        assert finding.kind == "livelock"
        assert finding.vcpus == ("0",)
        assert finding.addresses == (s.LOCK,)


@ISAS
def test_a_spin_on_two_places_waits_for_either(isa):
    endings = {}
    for helper in (None, s.FLAGS[0], s.FLAGS[1]):
        traces, dpor = explored(s.either(isa, helper))
        assert dpor.complete
        endings[helper] = {trace.ending for trace in traces}
        if helper is None:
            (finding,) = progress(traces[0])
            assert finding.addresses == s.FLAGS
    assert endings == {None: {Ending.LIVELOCK}, **{flag: {Ending.FINISHED} for flag in s.FLAGS}}


def test_the_search_resumes_alone_from_its_profile_where_a_spin_waits_for_two_places():
    program, scheduler = s.locked(s.peterson, "x86"), Dpor()
    for index in range(24):
        alone = Dpor()
        alone.restore(scheduler.profile())
        assert run(program, alone, index=index).digest == run(program, scheduler, index=index).digest
    assert scheduler.exhausted
