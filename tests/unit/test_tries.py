"""Rounds of a loop that write at most what is there become a wait, and nothing that others notice is lost by it."""

from __future__ import annotations

import itertools

import pytest
from runs import X
from simaie_schedulers.dfs import DepthFirst
from simaie_schedulers.random_walk import RandomWalk
from simaie_schedulers.round_robin import RoundRobin
from spinners import explored, waited

import simaie
from simaie.check import store_conditional_within
from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.engine.on_trio.driver import in_trio, run_trio
from simaie.engine.tries import try_of
from simaie.errors import UsageError
from simaie.guest.code import ins
from simaie.guest.program import Program
from simaie.machine import Limits, Machine
from simaie.op import Function, Kind, Op
from simaie.protocols import ExecutionInfo
from simaie.trace import Ending, Event

Y = X + 0x40
NATIVE, CAS, RFC = (Machine(scheme, address_bits=12) for scheme in ("native", "cas", "aie-rfc"))


def made(*threads, isa="x86", x=1):
    return Program("tries", isa=isa, threads=threads, init={X: x, Y: 0}, watch={X: 4, Y: 4})


def run(program, machine=NATIVE, index=0, scheduler=None):
    return run_inline(
        Execution(program, machine, scheduler or RandomWalk(), ExecutionInfo(index, index, len(program.threads)))
    )


# -- what is a try --------------------------------------------------------------------------------------


async def exchanges(cpu):
    while await cpu.xchg(X, 1):
        pass


async def exchanges_and_pauses(cpu):
    while await cpu.xchg(X, 1):
        await cpu.pause()


async def sets_a_bit(cpu):
    while await cpu.lock_bts(X, 0):
        pass


async def compares(cpu):
    while await cpu.lock_cmpxchg(X, 0, 1):
        pass


exchanges_as_data = [ins("label", "again"), ins("xchg", X, 1, into=".old"), ins("cbnz", ".old", "again")]
compares_as_data = [ins("label", "again"), ins("lock_cmpxchg", X, 0, 1, into=".old"), ins("cbnz", ".old", "again")]


async def stores_always(cpu):
    while True:
        old = await cpu.ldrex(X)
        if not await cpu.strex(X, 1) and not old:
            return


async def gives_the_reservation_back(cpu):
    while await cpu.ldrex(X):
        await cpu.clrex()


async def looks_elsewhere_too(cpu):
    while await cpu.ldrex(X) and not await cpu.ldr(Y):
        pass


stores_as_data = [
    ins("label", "again"), ins("ldrex", X, into=".old"), ins("strex", X, 1, into=".failed"),
    ins("cbnz", ".failed", "again"), ins("cbnz", ".old", "again"),
]  # fmt: skip

OF_X86 = [exchanges, exchanges_and_pauses, sets_a_bit, compares, exchanges_as_data, compares_as_data]
OF_ARM = [stores_always, gives_the_reservation_back, looks_elsewhere_too, stores_as_data]
LOOPS = [*[(thread, "x86") for thread in OF_X86], *[(thread, "arm") for thread in OF_ARM]]
EACH = pytest.mark.parametrize(("thread", "isa"), LOOPS, ids=lambda part: getattr(part, "__name__", str(part)[:3]))
MACHINES = pytest.mark.parametrize("machine", [NATIVE, CAS, RFC], ids=lambda machine: machine.scheme)


@EACH
@MACHINES
def test_a_loop_that_writes_what_is_there_becomes_a_wait(thread, isa, machine):
    trace = run(made(thread, isa=isa), machine)
    assert trace.ending is Ending.LIVELOCK
    assert X in {part.address for part in trace.waiting["0"].places}
    assert len(trace) < 40
    assert trace.outcome[f"[{X:#x}]"] == 1


@pytest.mark.one_in(3)
@EACH
@MACHINES
def test_it_goes_on_when_another_vcpu_writes(thread, isa, machine):
    async def gives(cpu):
        await cpu.store(X, 0)

    traces = explored(made(thread, gives, isa=isa), machine)
    assert Ending.FINISHED in {trace.ending for trace in traces}
    assert any(waited(trace) for trace in traces)
    assert {trace.ending for trace in traces} <= {Ending.FINISHED, Ending.LIVELOCK}


@pytest.mark.one_in(6)
@EACH
@MACHINES
def test_all_engines_do_the_same(thread, isa, machine):
    async def gives(cpu):
        await cpu.store(Y, 1)
        await cpu.store(X, 0)

    program = made(thread, thread, gives, isa=isa)
    for index in range(8):
        reference = run(program, machine, index)
        execution = Execution(program, machine, RandomWalk(), ExecutionInfo(index, index, 3))
        assert in_trio(run_trio, execution).digest == reference.digest
    report = simaie.explore(program, machine, scheduler="random-walk", executions=600, checkers=())
    assert report.statistics.truncated == 0  # the reference engine has confirmed some executions of the memo


@pytest.mark.parametrize("tries", [1, 2, 5])
@pytest.mark.parametrize("thread", [exchanges, exchanges_and_pauses, exchanges_as_data])
def test_the_number_of_tries_before_the_wait_can_be_set(thread, tries):
    machine = Machine(limits=Limits(tries=tries))
    trace = run(made(thread), machine)
    assert sum(event.op.kind is Kind.FETCH for event in trace.events) == 1 + tries  # the first shows that it is a loop
    report = simaie.explore(made(thread, exchanges), machine, scheduler="dpor", checkers=())
    assert report.complete


def test_the_number_of_tries_is_at_least_one():
    with pytest.raises(UsageError):
        Limits(tries=0)


@pytest.mark.parametrize(
    ("events", "is_try"),
    [
        ([(Op(Kind.CAS, None, X, 4, 1, expected=0), 1)], True),  # it failed
        ([(Op(Kind.CAS, None, X, 4, 1, expected=0), 0)], False),
        ([(Op(Kind.CAS, None, X, 4, 1, expected=1), 1)], True),
        ([(Op(Kind.EXCHANGE, None, X, 4, 1), 1)], True),
        ([(Op(Kind.EXCHANGE, None, X, 4, 1), 0)], False),
        ([(Op(Kind.EXCHANGE, None, X, 1, 0x101), 1)], True),  # cut to its width
        ([(Op(Kind.FETCH, None, X, 4, function=Function("or 1", lambda old: old | 1)), 3)], True),
        ([(Op(Kind.FETCH, None, X, 4, function=Function("or 1", lambda old: old | 1, "or")), 3)], False),
        ([(Op(Kind.LOAD, None, X, 4), 1), (Op(Kind.STORE, None, X, 4, 1), None)], True),
        ([(Op(Kind.LOAD, None, X, 4), 1), (Op(Kind.STORE, None, Y, 4, 1), None)], False),
        ([(Op(Kind.LOAD, None, X, 4), 1), (Op(Kind.STORE, None, X, 4, 2), None)], False),
        ([(Op(Kind.LOAD, None, X, 4), 1), (Op(Kind.LOAD, None, X, 4), 2)], False),
        ([(Op(Kind.LOAD_LINKED, None, X, 4), 1), (Op(Kind.STORE_CONDITIONAL, None, X, 4, 5), 0)], True),
        ([(Op(Kind.LOAD_LINKED, None, X, 4), 1), (Op(Kind.STORE_CONDITIONAL, None, X, 4, 5), 1)], False),
        ([(Op(Kind.LOAD, None, X, 4), 1), (Op(Kind.STORE_CONDITIONAL, None, X, 4, 1), 0)], False),  # of an older round
        ([(Op(Kind.LOAD, None, Y, 4), 1), (Op(Kind.LOAD_LINKED, None, X, 4), 1)], False),  # it is not renewed first
        ([(Op(Kind.LOAD_LINKED, None, X, 4), 1), (Op(Kind.LOAD, None, Y, 4), 1)], True),
        ([(Op(Kind.LOAD, None, X, 4), 1), (Op(Kind.AWAIT, None, X, 4), 1)], False),
        ([(Op(Kind.FENCE), None)], False),
    ],
)
def test_what_is_a_try(events, is_try):
    found = try_of([Event("0", op, value, None) for op, value in events])
    assert (found is not None) is is_try


# -- what others notice -----------------------------------------------------------------------------------


NAMES = ("first", "second", "third")


def results_of(outcome):
    """Return what vCPU 1 has seen."""
    return tuple(outcome.as_dict().get(f"1:{name}") for name in NAMES)


def endings(program, machine=NATIVE):
    return {(trace.ending, trace.outcome) for trace in explored(program, machine)}


def test_a_write_of_what_is_there_can_end_each_of_several_reservations():
    async def swaps(cpu):
        while await cpu.swp(X, 1):
            pass

    async def reserves_each_time(cpu):
        for name in NAMES:
            await cpu.ldrex(X)
            cpu.observe(name, await cpu.strex(X, 1))
        await cpu.str_(X, 0)

    found = {
        results_of(outcome)
        for ending, outcome in endings(made(swaps, reserves_each_time, isa="arm"))
        if ending is Ending.FINISHED
    }
    assert found == set(itertools.product((0, 1), repeat=3))


@pytest.mark.untraced
def test_a_store_can_take_back_each_of_several_writes():
    async def writes(cpu):
        for name in NAMES:
            await cpu.store(X, 0)
            cpu.observe(name, await cpu.load(X))

    found = endings(made(exchanges, writes), Machine("none"))
    assert {ending for ending, _ in found} == {Ending.FINISHED, Ending.LIVELOCK}
    assert (1, 1, 1) in {results_of(outcome) for ending, outcome in found if ending is Ending.LIVELOCK}


@pytest.mark.untraced
def test_emptying_a_set_of_reservations_can_remove_another_vcpu_more_than_once():
    async def reserves_each_time(cpu):
        for name in NAMES:
            await cpu.ldrex(Y)
            cpu.observe(name, await cpu.strex(Y, 0))

    async def tries(cpu):
        while True:
            await cpu.ldrex(Y)
            if not await cpu.strex(Y, 0) and await cpu.ldr(X) != 1:
                return

    machine = Machine("aie-rfc", address_bits=12)
    program = made(tries, reserves_each_time, isa="arm")
    results = set()
    for index in range(150):
        results.add(results_of(run(program, machine, index).outcome))
    assert (1, 1, 1) in results


# -- a try that may succeed ---------------------------------------------------------------------------------


async def adds(cpu):
    while True:
        old = await cpu.ldrex(X)
        if not await cpu.strex(X, old + 1):
            return


async def swaps_for_a_while(cpu):
    for _ in range(3):
        await cpu.swp(X, 1)


def test_an_execution_that_would_only_repeat_failed_tries_is_given_up():
    """The vCPU fails three times in the same state, the third time after a wait that nothing ends."""
    traces = explored(made(adds, swaps_for_a_while, isa="arm"))
    pruned = [trace for trace in traces if trace.ending is Ending.PRUNED]
    assert pruned
    assert all(trace.waiting["0"].leaves_out_tries for trace in pruned)
    assert {trace.ending for trace in traces} == {Ending.PRUNED, Ending.FINISHED}


@pytest.mark.parametrize("scheduler", ["dfs", "dpor"])
def test_such_executions_do_not_keep_a_search_from_a_proof(scheduler):
    async def owner(cpu):
        assert await cpu.swp(X, 0) == 1

    report = simaie.explore(made(stores_always, owner, isa="arm"), scheduler=scheduler)
    assert (report.verdict, report.complete) == ("holds", True)
    report = simaie.explore(made(adds, swaps_for_a_while, isa="arm"), scheduler=scheduler)
    assert (report.verdict, report.complete) == ("holds", True)
    assert report.statistics.pruned


@pytest.mark.parametrize("machine", [NATIVE, CAS, RFC], ids=lambda machine: machine.scheme)
def test_a_store_conditional_that_fails_by_itself_for_ever_is_a_livelock(machine):
    async def forgets_its_reservation(cpu):
        while True:
            await cpu.ldrex(X)
            await cpu.clrex()
            if not await cpu.strex(X, 2):
                return

    async def writes_elsewhere(cpu):
        await cpu.str_(Y, 1)

    traces = explored(made(forgets_its_reservation, writes_elsewhere, isa="arm"), machine)
    assert {trace.ending for trace in traces} == {Ending.LIVELOCK}
    for trace in traces:
        assert not trace.waiting["0"].leaves_out_tries


def test_no_outcome_is_lost_by_it():
    """Without the limit on tries there are as many outcomes as with it."""
    program = made(adds, swaps_for_a_while, isa="arm")
    many = Machine(limits=Limits(tries=8))
    assert {o for e, o in endings(program) if e is Ending.FINISHED} == {
        o for e, o in endings(program, many) if e is Ending.FINISHED
    }


def test_a_bound_on_failures_is_not_proved_by_tries_that_were_left_out():
    program = made(adds, swaps_for_a_while, isa="arm")  # three failures in a row are possible
    for attempts, tries, verdict in [(1, 1, "violated"), (2, 1, "inconclusive"), (2, 3, "violated"), (3, 4, "holds")]:
        machine, checkers = Machine(limits=Limits(tries=tries)), [store_conditional_within(attempts)]
        report = simaie.explore(program, machine, scheduler="dpor", checkers=checkers)
        assert report.verdict == verdict, (attempts, tries)


def test_a_fair_schedule_needs_no_more_than_a_few_tries():
    async def owner(cpu):
        for _ in range(20):
            await cpu.ldr(Y)
        await cpu.str_(X, 0)

    trace = run(made(stores_always, owner, isa="arm"), scheduler=RoundRobin())
    assert trace.ending is Ending.FINISHED
    assert sum(event.op.kind is Kind.STORE_CONDITIONAL for event in trace.events) <= 4


def test_dfs_and_dpor_agree_about_classes_with_pruned_executions():
    program = made(adds, adds, isa="arm", x=0)
    everything = {(t.ending, t.outcome) for t in explored(program, scheduler=DepthFirst())}
    report = simaie.explore(program, scheduler="dpor")
    assert report.complete
    assert set(report.outcomes) == {outcome for ending, outcome in everything if ending is Ending.FINISHED}
