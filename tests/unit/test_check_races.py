"""Plain accesses that no synchronisation orders are found as a pair, and those that something orders are not."""

import pytest
from exhaustive.programs import Hypercalls
from generated_traces import MIXED, PLACES, interleaved, threads
from handmade import Tape, X, Y, found, run
from hypothesis import given, settings
from hypothesis import strategies as st

from simaie.check.accesses import ram_accesses
from simaie.check.races import data_races
from simaie.op import Function, Kind, Op
from simaie.trace import AccessKind

LOAD, STORE, ATOMIC = AccessKind.LOAD, AccessKind.STORE, AccessKind.ATOMIC


def pair(tape):
    return [finding.steps for finding in data_races(tape.trace())]


@pytest.mark.parametrize("first", ["load", "store"])
@pytest.mark.parametrize("second", ["load", "store"])
def test_two_accesses_of_which_one_writes_are_a_race_with_both_as_evidence(first, second):
    tape = Tape()
    for vcpu, what in (("0", first), ("1", second)):
        getattr(tape.begin(vcpu, AccessKind(what)), what)(vcpu)
    findings = list(data_races(tape.trace()))
    assert bool(findings) is ("store" in (first, second))
    for finding in findings:
        assert (finding.kind, finding.steps, finding.vcpus) == ("data-race", (0, 1), ("0", "1"))
        assert finding.addresses == (X, X)


def test_accesses_of_one_vcpu_or_to_different_places_do_not_race():
    tape = Tape().plain_store("0").plain_store("0").plain_store("1", address=Y)
    assert not pair(tape)


def test_only_overlapping_bytes_race():
    assert pair(Tape().plain_store("0", address=X, width=8).plain_store("1", address=X + 6, width=2)) == [(0, 1)]
    assert not pair(Tape().plain_store("0", address=X, width=4).plain_store("1", address=X + 4, width=4))


def test_one_race_is_reported_for_a_place_and_the_earliest_partner():
    tape = Tape().plain_store("0").begin("0", LOAD).load("0").plain_store("1").plain_store("2")
    assert pair(tape) == [(0, 2)]


def message(flag_is_atomic):
    """Data, then a flag, read in the other order; the flag is written and read by atomics or plainly."""
    tape = Tape().plain_store("0", address=X)
    if flag_is_atomic:
        tape.begin("0", ATOMIC, "xchg", Y).fetch("0", address=Y)
        tape.begin("1", ATOMIC, "xchg", Y).fetch("1", address=Y)
    else:
        tape.plain_store("0", address=Y).begin("1", LOAD, address=Y).load("1", address=Y)
    return tape.begin("1", LOAD).load("1")


def test_an_atomic_flag_orders_the_data_and_a_plain_one_does_not():
    assert not pair(message(True))
    assert pair(message(False)) == [(1, 2), (0, 3)]


def test_a_plain_store_that_unlocks_an_atomic_lock_releases():
    tape = Tape().begin("0", ATOMIC, "xchg", Y).fetch("0", address=Y).plain_store("0", address=X)
    tape.plain_store("0", 0, address=Y).begin("1", ATOMIC, "xchg", Y).fetch("1", address=Y).plain_store("1", address=X)
    assert not pair(tape)


def test_who_reads_before_the_release_acquires_nothing():
    tape = Tape().begin("1", ATOMIC, "xchg", Y).fetch("1", address=Y).plain_store("0", address=X)
    tape.begin("0", ATOMIC, "xchg", Y).fetch("0", address=Y).begin("1", LOAD).load("1")
    assert pair(tape) == [(1, 3)]


def test_a_failed_compare_and_swap_acquires_and_does_not_release():
    tape = Tape().plain_store("0").begin("0", ATOMIC, "cmpxchg", Y).cas("0", 9, 1, seen=0, address=Y)
    tape.begin("1", ATOMIC, "cmpxchg", Y).cas("1", 0, 1, seen=0, address=Y).begin("1", LOAD).load("1")
    assert pair(tape) == [(0, 3)]


def test_what_is_waited_for_synchronises():
    wait = Op(Kind.AWAIT, None, Y, 4, function=Function("until", bool))
    tape = Tape().plain_store("0").plain_store("0", address=Y).begin("1", LOAD, "wait", Y).op("1", wait, 1)
    assert not pair(tape.begin("1", LOAD).load("1"))


def test_a_device_races():
    tape = Tape().plain_store("0").begin("dma0", STORE, "dma-write").store("dma0")
    assert pair(tape) == [(0, 1)]


# -- store buffers ---------------------------------------------------------------------------------------------


def test_a_buffered_store_comes_before_what_its_vcpu_learnt_only_after_issuing_it():
    """vCPU 0 stores X, then acquires from vCPU 1, which has stored X before: whether the drain is late or not."""
    for late in (False, True):
        tape = Tape().plain_store("1").begin("1", ATOMIC, "xchg", Y).fetch("1", address=Y)
        tape.begin("0", STORE).buffer("0")
        if not late:
            tape.drain("0")
        tape.begin("0", AccessKind.LOAD_LINKED, "ldrex", Y).load("0", address=Y)
        if late:
            tape.drain("0")
        assert len(pair(tape)) == 1


def test_what_a_buffered_store_releases_is_what_came_before_it_in_its_vcpu():
    """Data after the flag, in program order: the flag's late drain does not order it."""
    tape = Tape().begin("0", ATOMIC, "xchg", Y).load("0", address=Y).buffer("0", address=Y)
    tape.begin("0", LOAD).load("0").drain("0")
    tape.begin("1", ATOMIC, "xchg", Y).fetch("1", address=Y).plain_store("1")
    assert len(pair(tape)) == 1


def test_a_load_that_the_own_buffer_answers_acquires_nothing_from_others():
    """vCPU 0 reads its own flag; vCPU 1's, which it overwrites, says nothing to it."""
    for late in (False, True):
        tape = Tape().plain_store("1").begin("0", ATOMIC, "xchg", Y).buffer("0", address=Y)
        tape.begin("1", ATOMIC, "xchg", Y).fetch("1", address=Y)
        if not late:
            tape.drain("0")
        tape.begin("0", LOAD, address=Y).load("0", address=Y)
        if late:
            tape.drain("0")
        assert len(pair(tape.begin("0", LOAD).load("0"))) == 1


# -- against the definition -----------------------------------------------------------------------------------


def racy_bytes(trace):
    """By definition: bytes with two conflicting plain accesses between which there is no path of order."""
    accesses = ram_accesses(trace)
    atomic = {AccessKind.ATOMIC, AccessKind.LOAD_LINKED, AccessKind.STORE_CONDITIONAL}
    size = range(len(accesses))
    spans = [set(range(a.address, a.address + a.width)) for a in accesses]
    synchronising = {b for i in size if accesses[i].event.instruction.access in atomic for b in spans[i]}
    reach = [set() for _ in size]
    for i in reversed(size):
        later = [j for j in size if j > i and _ordered(accesses, spans, synchronising, i, j)]
        reach[i] = set(later).union(*(reach[j] for j in later)) if later else set()
    racy = set()
    for i in size:
        for j in range(i + 1, len(accesses)):
            if accesses[i].event.actor != accesses[j].event.actor and j not in reach[i]:
                racy |= {b for b in spans[i] & spans[j] if accesses[i].writes or accesses[j].writes} - synchronising
    return racy


def _ordered(accesses, spans, synchronising, i, j):
    a, b = accesses[i], accesses[j]
    if a.event.actor == b.event.actor:
        return True
    if not (a.writes and b.reads):
        return False
    return any(
        not any(accesses[k].writes and byte in spans[k] for k in range(i + 1, j))
        for byte in spans[i] & spans[j] & synchronising
    )


@pytest.mark.untraced
@pytest.mark.parametrize("places", [PLACES, MIXED])
@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.data())
def test_the_racy_places_are_those_of_the_definition(places, data):
    trace = interleaved(data.draw(threads(places, 4)), data.draw(st.lists(st.integers(0, 5), max_size=40)))
    claimed = list(data_races(trace))
    racy = racy_bytes(trace)
    assert bool(claimed) is bool(racy)
    for finding in claimed:
        first, second = (trace.events[step].op for step in finding.steps)
        shared = set(range(first.address, first.address + first.width))
        assert shared & set(range(second.address, second.address + second.width)) & racy


# -- guests under schemes -------------------------------------------------------------------------------------


async def spins(cpu):
    while await cpu.xchg(X, 1):
        await cpu.pause()
    await cpu.store(Y, 1 + await cpu.load(Y))
    await cpu.store(X, 0)


async def takes_the_lock_by_exclusives(cpu):
    while True:
        if await cpu.ldrex(X):
            await cpu.yield_()
        elif not await cpu.strex(X, 1):
            break
    await cpu.str_(Y, 1 + await cpu.ldr(Y))
    await cpu.str_(X, 0)


async def careless(cpu):
    await cpu.store(Y, 1 + await cpu.load(Y))


async def parent(cpu):
    await cpu.store(Y, 1)
    child = await cpu.spawn(careless)
    await cpu.join(child)
    await cpu.load(Y)


async def impatient(cpu):
    child = await cpu.spawn(careless)
    await cpu.load(Y)
    await cpu.join(child)


async def hypercalls(cpu):
    await cpu.exception("lock m")
    await careless(cpu)
    await cpu.exception("unlock m")


@pytest.mark.parametrize("scheme", ["native", "aie-v2", "cas"])
def test_a_spinlock_orders_what_it_guards_under_every_scheme(scheme):
    assert found(data_races, [spins, spins], scheme, isa="x86", executions=60) == 0
    assert found(data_races, [spins, careless], scheme, isa="x86", executions=60) == 60


@pytest.mark.parametrize("scheme", ["native", "aie-rfc"])
def test_a_lock_of_exclusives_does_too(scheme):
    assert found(data_races, [takes_the_lock_by_exclusives] * 2, scheme, executions=60) == 0


async def looks(cpu):
    while not await cpu.load(X):
        await cpu.pause()


async def raises_a_plain_flag(cpu):
    await cpu.store(X, 1)


async def waits(cpu):
    await cpu.wait_until(X, bool)


def test_a_spin_on_a_plain_flag_races_whether_or_not_it_became_a_wait():
    assert found(data_races, [looks, raises_a_plain_flag], "native", isa="x86", executions=60) == 60
    assert found(data_races, [waits, raises_a_plain_flag], "native", isa="x86", executions=60) == 0


def test_spawn_and_join_order():
    assert found(data_races, [parent], "native", executions=30) == 0
    assert found(data_races, [impatient], "native", executions=30) == 30


def test_the_locks_of_the_scheme_are_not_the_guests_but_those_it_asks_for_are():
    assert found(data_races, [hypercalls, hypercalls], Hypercalls, executions=30) == 0
    assert found(data_races, [hypercalls, careless], Hypercalls, executions=30) == 30


def test_a_clean_execution_has_no_findings():
    assert not list(data_races(run([spins], "native", isa="x86")))
