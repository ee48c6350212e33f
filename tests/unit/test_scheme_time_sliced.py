"""Several guest threads on one vCPU: which one has it, what a switch does to a reservation, and when none gets on."""

from __future__ import annotations

from math import comb

import pytest
from exhaustive.test_sections import assert_each_trace_once
from simaie_schedulers.round_robin import RoundRobin
from simaie_schedulers.scripted import Scripted

import simaie
from simaie import Limits, Machine, Program, Scheme, ins, plugins
from simaie.errors import NotEmulatedError, NotModelledError, UsageError
from simaie.op import Kind, Role
from simaie.replaying.run import run
from simaie.show.trace_end import ending_fields

X, Y = 0x100, 0x200
KEPT = "clears=false,scheme=cas:on_exception=leave"


async def add(cpu):
    while True:
        value = await cpu.ldxr(X)
        if not await cpu.stxr(X, value + 1):
            return


def program(*threads, isa="aarch64", **rest):
    return Program("threads", isa=isa, threads=list(threads), init={X: 0, Y: 0}, **rest)


def machine(options="", **rest):
    return Machine(f"time-sliced:{options}" if options else "time-sliced", address_bits=12, **rest)


def explored(prog, options="", **rest):
    return simaie.explore(prog, machine(options), **{"scheduler": "dpor", "failures": None, **rest})


def kinds(report):
    return {finding.kind for failure in report.kept for finding in failure.findings}


ADDS = program(add, add, final=lambda state: state[X] == 2)
LINK, STORE = ins("ldxr", X, into="seen"), ins("stxr", X, 1, into="failed")
#: The second thread leaves a reservation behind, and the first may come back to its own store-conditional.
PAIRS = program([LINK, STORE], [LINK, STORE, ins("ldxr", X, into="last")])
LOADS = [ins("ldr", X)]


# -- time slices -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("counts", "quantum"), [((2, 3), 1), ((2, 2, 1), 1), ((4, 2), 2), ((5, 3), 2), ((3, 3), 3)])
def test_a_search_runs_each_sequence_of_time_slices_once(counts, quantum):
    """Loads commute, but the slices do not: a thread of n loads has n/quantum of them, and their orders count."""
    report = explored(program(*(LOADS * n for n in counts)), f"quantum={quantum}")
    slices = [-(-n // quantum) for n in counts]
    expected, placed = 1, 0
    for number in slices:
        placed += number
        expected *= comb(placed, number)
    assert report.complete
    assert report.statistics.executions == expected


def test_only_the_threads_that_match_share_a_vcpu():
    """Two vCPUs with two threads each: 2 * 2 orders. Without sharing, loads commute: 1."""
    four = program(*[LOADS] * 4)
    for threads, orders in (("[01];[23]", 4), ("[012]", 6), ("*", 24), ("3", 1), ("9*", 1)):
        assert explored(four, f"threads={threads}").statistics.executions == orders


def test_a_switch_never_comes_inside_a_guest_instruction():
    """The helper of a locked instruction is several steps, and no other thread of the vCPU steps in between."""
    prog = program([ins("lock_xadd", X, 1)], [ins("lock_xadd", X, 1)], isa="x86", final=lambda state: state[X] == 2)
    for scheme, verdict in (("none", "holds"), ("aie-rfc", "holds")):
        report = explored(prog, f"scheme={scheme}")
        assert (report.verdict, report.statistics.executions) == (verdict, 2)
    assert explored(prog, "scheme=none,threads=0").verdict == "violated"


@pytest.mark.parametrize("scheme", ["cas", "aie-rfc", "native", "hst"])
def test_each_trace_is_run_once(scheme):
    pair = [LINK, STORE]
    assert_each_trace_once(program(pair, pair), machine(f"scheme={scheme}"))
    if scheme == "cas":
        assert_each_trace_once(program(pair, LOADS, [ins("str_", X, 5)]), machine(f"scheme={scheme},threads=[01]"))


async def waits(cpu):
    await cpu.ldr(Y)
    await cpu.wait_until(X, bool)


async def joins(cpu):
    thread = await cpu.spawn(tells)
    await cpu.ldr(Y)
    await cpu.join(thread)
    await cpu.wait_until(Y, bool)


async def tells(cpu):
    await cpu.str_(X, 1)


async def parks(cpu):
    await cpu.ldr(Y)
    await cpu.park()


async def unparks(cpu):
    await cpu.unpark("0")


async def spins(cpu):
    while not await cpu.ldr(X):
        await cpu.wfe()


async def answers(cpu):
    await cpu.wait_until(X, bool)
    await cpu.str_(Y, 1)


@pytest.mark.parametrize(
    "threads", [(waits, tells), (joins, answers), (parks, unparks), (spins, tells)], ids=["wait", "join", "park", "wfe"]
)
def test_a_thread_that_waits_gives_the_vcpu_up(threads):
    """Its slice is long, and what it waits for comes from another thread of the same vCPU."""
    report = explored(program(*threads), "quantum=9")
    assert (report.verdict, report.complete) == ("holds", True)


def test_a_fault_ends_no_time_slice_and_the_end_of_a_thread_does():
    """The first thread dies in its second instruction, with its slice not over."""
    bad = [ins("ldr", X), ins("ldr", 0x4000)]
    report = explored(program(bad, LOADS), "quantum=9")
    assert kinds(report) == {"guest-fault"}
    assert report.complete


# -- reservations ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["cas", "aie-rfc", "hst", "stop-world-value"])
def test_a_reservation_that_a_switch_keeps_is_found(scheme):
    report = explored(PAIRS, f"scheme={scheme}:on_exception=leave,clears=false")
    assert (report.verdict, kinds(report)) == ("violated", {"llsc-atomicity"})
    assert report.complete
    steps = [finding.steps for failure in report.failures for finding in failure.findings]
    assert all(len(set(each)) == len(each) for each in steps)


@pytest.mark.parametrize("options", [
    "scheme=cas", "scheme=cas,clears=false", "scheme=cas:on_exception=leave", "scheme=aie-rfc", "scheme=hst",
    "scheme=native", "scheme=ldstex2cas", "scheme=stop-world-value",
])  # fmt: skip
def test_a_reservation_that_the_emulator_or_the_operating_system_drops_is_none(options):
    report = explored(PAIRS, options)
    assert (report.verdict, report.complete) == ("holds", True)
    assert report.statistics.executions == comb(5, 2)


def test_each_scheme_of_the_family_hands_its_state_over_or_says_that_it_cannot():
    """All writers share the vCPU, so nothing is left of the holes that a foreign store makes.

    `htm` keeps a point in the guest's code from LL to SC, to which another guest thread cannot go back.
    """
    refused = set()
    for scheme in plugins.names(plugins.SCHEMES):
        if not plugins.resolve(plugins.SCHEMES, scheme).variants or scheme in ("aie-rfc", "pico-cas"):
            continue
        try:
            report = explored(program([LINK, STORE], [LINK, STORE]), f"scheme={scheme}")
        except NotModelledError:
            refused.add(scheme)
        except NotEmulatedError:
            continue  # it has no reservations
        else:
            assert (report.verdict, report.complete) == ("holds", True), scheme
    assert refused == {"htm"}


def test_threads_share_the_identity_of_their_vcpu():
    """Under aie-rfc the set of a granule has one member for a vCPU, whichever thread has reserved."""
    trace = run(program([LINK], [LINK], [LINK]), machine("scheme=aie-rfc,threads=[02]"), RoundRobin())
    updates = [event.op for event in trace.events if event.op.kind is Kind.UPDATE]
    assert {op.cell.role for op in updates} == {Role.RESERVATIONS}
    assert {op.function.name for op in updates} == {"insert 0", "insert 1", "remove 0"}


class Keeps(Scheme):
    """Keeps a list for each vCPU."""

    def enter(self, cpu):
        cpu.local = {}

    async def load(self, cpu, address, width):
        cpu.local = [0]
        return await super().load(cpu, address, width)


def test_a_state_that_cannot_be_handed_over_is_an_error():
    with pytest.raises(NotModelledError, match=r"keeps list \[0\] in cpu.local"):
        simaie.explore(program(LOADS, LOADS), Machine(("time-sliced", {"scheme": Keeps})))


# -- progress --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["cas", "native", "aie-rfc", "hst"])
@pytest.mark.parametrize(("quantum", "verdict"), [(1, "violated"), (2, "holds")])
def test_slices_of_one_instruction_let_no_store_conditional_succeed(scheme, quantum, verdict):
    """LL, switch, SC fails, for ever; with two instructions in a slice, LL and SC are in one."""
    proof = simaie.prove_progress(ADDS, machine(f"scheme={scheme},quantum={quantum}"))
    assert proof.verdict == verdict
    if quantum == 1:
        assert {finding.kind for finding in proof.failure.findings} == {"livelock"}


def test_an_emulator_that_keeps_reservations_has_no_such_livelock():
    assert simaie.prove_progress(ADDS, machine(KEPT)).verdict == "holds"


def test_the_livelock_is_found_by_dfs_and_replays():
    lassos = Machine("time-sliced", address_bits=12, limits=Limits(tries=None))
    report = simaie.explore(ADDS, lassos, scheduler="dfs", executions=4)
    assert kinds(report) == {"livelock"}
    assert simaie.replay(report.kept[0]).trace.digest == report.kept[0].trace.digest


# -- which thread runs --------------------------------------------------------------------------------------------


def test_trio_and_several_processes_find_the_same(tmp_path):
    found = [explored(PAIRS, KEPT, **rest) for rest in ({}, {"driver": "trio"}, {"jobs": 2})]
    digests = {tuple(failure.trace.digest for failure in report.kept) for report in found}
    assert len(digests) == 1
    path = found[0].kept[0].save(tmp_path / "kept.json")
    assert simaie.replay(path, program=PAIRS).trace.digest == found[0].kept[0].trace.digest


def test_the_end_of_a_trace_says_which_threads_share_a_vcpu_and_where_it_passed():
    trace = run(program(LOADS, LOADS), machine(), Scripted(schedule="1@0"))
    assert [event.actor for event in trace.events][::5] == ["1", "0"]
    (words,) = [words for label, words in ending_fields(trace) if label == "switches"]
    assert words == "vcpu * is one vCPU, which the guest threads 0, 1 share: it passed to 0 at step 5"
    alone = run(program(LOADS), Machine(), RoundRobin())
    assert "switches" not in dict(ending_fields(alone))


@pytest.mark.parametrize("whole", [
    {"*": "time-sliced"}, ("time-sliced", {"scheme": "mixed:paths=*=cas"}), ("interrupted", {"scheme": "time-sliced"}),
    ("time-sliced", {"scheme": "interrupted"}),
])  # fmt: skip
def test_it_mixes_with_other_schemes(whole):
    """An interrupt at each vCPU, once, leaves nothing held and adds no success."""
    pair = [ins("lock_xadd", X, 1)]
    prog = program(pair, pair, isa="x86", final=lambda state: state[X] == 2)
    trace = run(prog, Machine(whole), RoundRobin())
    assert {event.op.cell.role for event in trace.events if event.op.kind is Kind.LOCK} == {Role.VCPU}
    assert simaie.explore(prog, Machine(whole), scheduler="dpor").verdict == "holds"


# -- bad input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "message"), [
    ({"quantum": 0}, "quantum"), ({"quantum": 1001}, "quantum"), ({"clears": 2}, "clears"),
    ({"threads": ";"}, "threads"),
    ({"scheme": "native", "clears": False}, "native is no emulator"), ({"threads": "7"}, "'7'"),
    ({"scheme": "mixed:paths=*=native", "clears": False}, "native is no emulator"),
])  # fmt: skip
def test_options_that_mean_nothing_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        simaie.explore(ADDS, Machine(("time-sliced", options)), executions=1)


def test_it_is_refused_on_hosts_of_graphs():
    with pytest.raises(NotModelledError, match="execution graphs"):
        simaie.explore(ADDS, machine(host="armv8"), executions=1)


@pytest.mark.parametrize(
    "scheme", ["interrupted:scheme=time-sliced,times=0,signals=1", "time-sliced:scheme=interrupted:times=0&signals=1"]
)
def test_signals_at_threads_that_share_a_vcpu_are_refused(scheme):
    handled = program([ins("ldxr", X)], [ins("ldxr", X)], handler=[ins("str_", X, 7)])
    with pytest.raises(NotModelledError, match="thread 0, which shares a vCPU"):
        simaie.explore(handled, Machine(scheme), executions=1)


def test_on_a_host_with_store_buffers_a_switch_waits_for_the_stores():
    """On one vCPU, each thread sees what the other has stored: not both read 0."""
    both = [[ins("store", a, 1), ins("load", b, into="r")] for a, b in ((X, Y), (Y, X))]
    report = explored_on_tso(program(*both, isa="x86"))
    assert {(o["0:r"], o["1:r"]) for o in report} == {(0, 1), (1, 0), (1, 1)}


def explored_on_tso(prog):
    report = simaie.explore(prog, machine(host="tso"), scheduler="dpor", checkers=[])
    assert report.complete
    return [outcome.as_dict() for outcome in report.outcomes]
