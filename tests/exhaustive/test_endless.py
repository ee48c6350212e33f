"""Proofs of progress: all states of a program are visited, and no fair execution of it is endless, or one is shown."""

from __future__ import annotations

import msgspec
import pytest

import simaie
from exhaustive import spinlocks as s
from simaie.engine.memo.states import StateGraph
from simaie.errors import GuestError, GuestSpinError, NeverAwaitedInstructionError, UsageError
from simaie.guest.program import Program
from simaie.machine import Limits, Machine
from simaie.trace import Ending

X, Y = 0x40, 0x80
LASSOS = Limits(tries=None)


def made(*threads, isa="arm", **parts):
    return Program("endless", isa=isa, threads=threads, init={X: 0, Y: 0}, watch={X: 4, Y: 4}, **parts)


async def adds(cpu):
    while True:
        old = await cpu.ldrex(X)
        if not await cpu.strex(X, old + 1):
            return


# -- what is proved ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("isa", "scheme", "vcpus"), [("x86", "native", 3), ("x86", "cas", 2), ("arm", "cas", 3)])
@pytest.mark.parametrize("lock", [s.tas, s.ttas, s.by_cas, s.ticket], ids=lambda lock: lock.__name__)
def test_every_vcpu_gets_a_lock(lock, isa, scheme, vcpus):
    proof = simaie.prove_progress(s.locked(lock, isa, vcpus), Machine(scheme, address_bits=12))
    assert (proof.verdict, proof.failure) == ("holds", None)


@pytest.mark.parametrize(("lock", "isa", "states"), [(s.tas, "x86", 24), (s.mcs, "x86", 98), (s.mcs, "arm", 179)])
def test_the_states_are_counted(lock, isa, states):
    assert simaie.prove_progress(s.locked(lock, isa), Machine(address_bits=12)).states == states


@pytest.mark.parametrize("lock", [s.peterson, s.dekker], ids=lambda lock: lock.__name__)
def test_every_vcpu_gets_a_lock_of_plain_loads_and_stores(lock):
    assert simaie.prove_progress(s.locked(lock, "x86")).verdict == "holds"


@pytest.mark.parametrize("lock", [s.by_cas, s.ticket, s.mcs], ids=lambda lock: lock.__name__)
def test_locks_under_aie(lock):
    assert simaie.prove_progress(s.locked(lock, "arm"), Machine("aie-rfc", address_bits=12)).verdict == "holds"


# -- what is found -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["hst", "hst-weak", "tlib"])
def test_a_scheme_in_which_the_last_load_linked_wins_is_a_livelock(scheme):
    proof = simaie.prove_progress(made(adds, adds), Machine(scheme))
    assert proof.verdict == "violated"
    (finding,) = proof.failure.findings
    assert (finding.kind, finding.vcpus) == ("livelock", ("0", "1"))
    assert proof.failure.trace.ending is Ending.LASSO
    assert len(proof.failure.repeated(10)) > 10
    assert simaie.prove_progress(made(adds), Machine(scheme)).verdict == "holds"  # a vCPU alone succeeds


@pytest.mark.parametrize("lock", [s.tas, s.ttas], ids=lambda lock: lock.__name__)
def test_a_plain_unlock_that_a_store_conditional_does_not_notice_leaves_a_lock_taken(lock):
    proof = simaie.prove_progress(s.locked(lock, "arm"), Machine("aie-rfc", address_bits=12))
    assert proof.verdict == "violated"
    assert proof.failure.findings[0].kind == "livelock"
    assert proof.failure.trace.outcome[f"[{s.LOCK:#x}]"] == 1


async def waits(cpu):
    while await cpu.ldr(X) != 1:
        pass


async def toggles(cpu):
    while not await cpu.ldr(Y):
        await cpu.str_(X, 1)
        await cpu.str_(X, 0)


async def raises(cpu):
    await cpu.str_(Y, 1)


def test_a_vcpu_that_looks_at_the_wrong_times_starves():
    proof = simaie.prove_progress(made(waits, toggles))
    assert proof.verdict == "violated"
    assert proof.failure.findings[0].kind == "starvation"
    assert proof.failure.findings[0].vcpus == ("0", "1")


def test_a_starvation_is_found_beside_work_without_an_end():
    """Once vCPU 0 sees a 0, only the work of vCPU 1 is left, which violates nothing."""

    async def takes(cpu):
        while await cpu.ldr(Y):
            pass

    assert simaie.prove_progress(made(takes, toggles_for_ever)).verdict == "violated"


def test_a_fair_schedule_ends_a_loop_that_an_unfair_one_does_not():
    assert simaie.prove_progress(made(toggles, raises)).verdict == "holds"
    assert simaie.prove_progress(made(toggles)).verdict == "inconclusive"  # work without an end


async def exchanges(cpu):
    while await cpu.swp(X, 1):
        pass


async def frees(cpu):
    await cpu.swp(X, 0)


@pytest.mark.parametrize(
    ("scheme", "weakly"), [("native", "holds"), ("cas", "holds"), ("global-lock", "violated"), ("aie-rfc", "violated")]
)
def test_a_mutex_of_the_scheme_may_go_to_others_for_ever_under_weak_fairness(scheme, weakly):
    program = Program("freed", isa="arm", threads=[exchanges, frees], init={X: 1})
    machines = [Machine(scheme, limits=Limits(fairness=fairness)) for fairness in ("strong", "weak")]
    assert [simaie.prove_progress(program, machine).verdict for machine in machines] == ["holds", weakly]


# -- what a program states -----------------------------------------------------------------------------


async def serves(cpu):
    while True:
        if await cpu.ldr(X) == 1:
            await cpu.str_(X, 2)


async def asks(cpu):
    await cpu.str_(X, 1)
    while await cpu.ldr(X) != 2:
        pass


async def in_a_block(cpu):
    await cpu.str_(X, 1)
    async with cpu.eventually("is served"):
        while await cpu.ldr(X) != 2:
            pass


async def toggles_for_ever(cpu):
    while True:
        await cpu.str_(Y, 1)
        await cpu.str_(Y, 0)


def test_a_server_may_run_for_ever_if_the_program_states_that_its_clients_end():
    assert simaie.prove_progress(made(serves, asks)).verdict == "violated"
    proof = simaie.prove_progress(made(serves, asks, eventually={"1": "is served"}))
    assert (proof.verdict, proof.failure) == ("holds", None)
    assert "vCPU 1 ends" in proof.reason


@pytest.mark.parametrize(
    ("server", "client", "stated"),
    [(toggles_for_ever, asks, {"1": "is served"}), (toggles_for_ever, in_a_block, {}), (serves, asks, {"0": "ends"})],
)
def test_a_thread_or_a_block_that_is_to_end_and_need_not_is_violated(server, client, stated):
    proof = simaie.prove_progress(made(server, client, eventually=stated))
    assert proof.verdict == "violated"
    assert "eventually" in {finding.kind for finding in proof.failure.findings}


def test_a_block_that_stays_open_is_found_where_all_change_memory():
    """On the cycle both threads write, so that without the block it may be work without an end."""

    async def tries(cpu):
        async with cpu.eventually("wins"):
            while True:
                await cpu.str_(X, 1)
                await cpu.str_(X, 0)

    proof = simaie.prove_progress(made(toggles_for_ever, tries))
    assert proof.verdict == "violated"
    assert [finding.kind for finding in proof.failure.findings if finding.verdict == "violated"] == ["eventually"]


def test_a_block_that_ends_and_begins_again_violates_nothing():
    async def again(cpu):
        while True:
            async with cpu.eventually("round"):
                await cpu.str_(X, 1)
                await cpu.str_(X, 0)

    assert simaie.prove_progress(made(again)).verdict == "inconclusive"


def test_a_deadlock_is_found():
    async def first(cpu):
        await cpu.join(await cpu.spawn(second))

    async def second(cpu):
        await waits(cpu)

    proof = simaie.prove_progress(made(first))
    assert proof.failure.findings[0].vcpus == ("0", "0.0")


def test_a_flag_that_no_vcpu_raises_is_a_livelock_also_where_others_end():
    proof = simaie.prove_progress(s.alone_in_the_dark("x86"))
    assert proof.verdict == "violated"
    assert proof.failure.findings[0].vcpus == ("0",)
    assert simaie.prove_progress(s.message_passing("x86", 2)).verdict == "holds"


# -- what is not known -------------------------------------------------------------------------------


async def counts_rounds(cpu):
    rounds = 0
    while not await cpu.ldr(X):
        rounds += 1


async def chooses(cpu):
    while await cpu.choose(2):
        await cpu.ldr(X)


@pytest.mark.parametrize(
    ("thread", "reason"), [(counts_rounds, "limit of 50 states"), (chooses, "local choice")], ids=["counts", "chooses"]
)
def test_what_cannot_be_visited_is_inconclusive(thread, reason):
    proof = simaie.prove_progress(made(thread), states=50)
    assert proof.verdict == "inconclusive"
    assert reason in proof.reason


def test_devices_are_not_followed():
    async def device(dev):
        await dev.store(X, 1)

    proof = simaie.prove_progress(made(adds, devices=(device,)))
    assert (proof.verdict, proof.states) == ("inconclusive", 0)


def test_a_host_with_store_buffers_is_refused():
    with pytest.raises(UsageError, match="on the host 'sc' only"):
        simaie.prove_progress(made(adds), Machine(host="tso"))


def test_a_guest_that_performs_no_operation_is_stopped():
    async def spins(cpu):
        await cpu.ldr(X)
        while True:
            pass

    with pytest.raises(GuestSpinError):
        simaie.prove_progress(made(spins), Machine(limits=Limits(spin_seconds=0.2)))


async def raises_late(cpu):
    await cpu.ldr(X)
    raise ValueError("wrong")


async def forgets_to_await(cpu):
    cpu.str_(X, 1)
    await cpu.ldr(X)


async def forgets_for_ever(cpu):
    while True:
        cpu.ldr(Y)
        await cpu.ldr(X)


@pytest.mark.parametrize(
    ("thread", "error"),
    [
        (raises_late, GuestError),
        (forgets_to_await, NeverAwaitedInstructionError),
        (forgets_for_ever, NeverAwaitedInstructionError),
    ],
)
@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_a_mistake_in_a_guest_is_an_error(thread, error):
    with pytest.raises(error):
        simaie.prove_progress(made(thread, adds))


# -- the graph has the outcomes of the other searches ----------------------------------------------------


@pytest.mark.parametrize("scheme", ["native", "cas"])
@pytest.mark.parametrize(
    "program",
    [
        s.locked(s.broken_ttas, "arm"), s.locked(s.ttas, "arm"), s.tas_as_lists("arm"), made(adds, adds),
    ],
    ids=lambda program: program.name,
)  # fmt: skip
def test_final_states_are_those_of_all_executions(program, scheme):
    machine = Machine(scheme, address_bits=12)
    graph = StateGraph(program, Machine(scheme, address_bits=12, limits=LASSOS).for_search(program), 50_000)
    graph.explore()
    assert not graph.why_incomplete
    ends = {
        frozenset(_watched(program, graph.ram[state])) for state, enabled in enumerate(graph.enabled)
        if not enabled and state not in graph.stuck
    }  # fmt: skip
    report = simaie.explore(program, machine, scheduler="dpor", failures=None, checkers=["progress"], executions=1_000)
    found = {frozenset(item for item in outcome.items if item[0].startswith("[")) for outcome in report.outcomes}
    assert found <= ends
    assert report.complete
    assert found == ends


def _watched(program, ram):
    found = dict(ram)
    for address, width in program.watch.items():
        yield f"[{address:#x}]", found.get((address, width), 0)


def test_the_limits_of_the_machine_are_kept():
    proof = simaie.prove_progress(made(adds), Machine(limits=Limits(steps=7)))
    assert msgspec.structs.replace(proof.machine.limits, tries=1) == Limits(steps=7)
