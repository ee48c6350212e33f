"""AIE for x86 guests, both revisions: locked instructions, checked stores, and the windows that the design leaves."""

from __future__ import annotations

import pytest
from runs import X, every, execute, program, scripted, small, steps

from simaie.errors import GuestFault
from simaie.host.pages import Page
from simaie.op import Kind
from simaie.protocols import Promise
from simaie.trace import Ending

BOTH = pytest.mark.parametrize("scheme", ["aie-rfc", "aie-v2"])
PLACE, WORD = f"[{X:#x}]", f"[{X:#x}]/4"
GET_LOCK = {
    "aie-rfc": ["load radix/04", "lock lock 0x40"],
    "aie-v2": ["load radix/01", "lock lock 0x40", "load bm_set 0x40"],
}
CHECK = {"aie-rfc": GET_LOCK["aie-rfc"], "aie-v2": ["load bitmap 0x0", *GET_LOCK["aie-v2"]]}


def steps_of(trace, number, vcpu="0"):
    events = [e for e in trace.events if e.actor == vcpu and e.instruction.number == number]
    return [f"{e.op.kind.name.lower()} {e.op.location}" for e in events]


async def register(cpu):
    await cpu.lock_or(X, 0)


async def increment(cpu):
    await cpu.lock_xadd(X, 1)


@BOTH
def test_a_locked_instruction_holds_the_lock_from_its_load_through_its_store(scheme):
    async def thread(cpu):
        await register(cpu)
        await increment(cpu)
        await cpu.xchg(X, 3)
        await cpu.lock_cmpxchg(X, 8, 9)

    trace = execute(program("x86", thread), small(scheme))
    locked = [*GET_LOCK[scheme], f"load {WORD}", f"store {WORD}", "unlock lock 0x40"]
    assert [steps_of(trace, number) for number in (1, 2, 3)] == [locked] * 3
    assert trace.events[-2].op.value == 3  # the failing CMPXCHG wrote the old value back


@BOTH
def test_a_plain_store_locks_a_registered_granule_and_leaves_others_alone(scheme):
    async def thread(cpu):
        await cpu.store(X, 1)
        await register(cpu)
        await cpu.store(X, 2)
        await cpu.store(0x80, 3)

    trace = execute(program("x86", thread), small(scheme))
    assert steps_of(trace, 0) == [CHECK[scheme][0], f"store {WORD}"]
    assert steps_of(trace, 2) == [*CHECK[scheme], f"store {WORD}", "unlock lock 0x40"]
    assert [step.split()[0] for step in steps_of(trace, 3)] == ["load", "store"]


@BOTH
def test_plain_loads_and_unlocked_read_modify_writes_never_lock_on_an_unregistered_granule(scheme):
    async def thread(cpu):
        await cpu.load(X)
        await cpu.xadd(X, 1)

    trace = execute(program("x86", thread), small(scheme))
    assert steps(trace) == [f"load {WORD}", f"load {WORD}", CHECK[scheme][0], f"store {WORD}"]


@BOTH
def test_a_16_byte_compare_exchange_is_two_loads_and_two_stores_under_one_lock(scheme):
    async def thread(cpu):
        await register(cpu)
        cpu.observe("old", await cpu.lock_cmpxchg16b(X, 7, 0) >> 64)
        cpu.observe("low", await cpu.lock_cmpxchg16b(X, 5 << 64 | 7, 1 << 64 | 2) & 0xFF)

    prog = program("x86", thread, init={X: (5 << 64 | 7, 16)}, watch={X: 16})
    for endian in ("little", "big"):
        trace = execute(prog, small(scheme, endian=endian))
        halves = [f"[{X + i:#x}]/8" for i in (0, 8)]
        body = [f"{kind} {half}" for kind in ("load", "store") for half in halves]
        assert steps_of(trace, 2) == [*GET_LOCK[scheme], *body, "unlock lock 0x40"]
        assert trace.outcome.as_dict() == {"0:old": 5, "0:low": 7, PLACE: 1 << 64 | 2}


@BOTH
def test_a_vector_store_is_two_separately_checked_halves(scheme):
    async def thread(cpu):
        await register(cpu)
        await cpu.movups(X, 1)

    trace = execute(program("x86", thread), small(scheme))
    halves = [[*CHECK[scheme], f"store [{X + i:#x}]/8", "unlock lock 0x40"] for i in (0, 8)]
    assert steps_of(trace, 1) == [*halves[0], *halves[1]]


@BOTH
@pytest.mark.parametrize("widths", [(4, 4), (4, 2), (1, 8)])
def test_locked_instructions_of_any_sizes_lose_no_update_in_any_interleaving(scheme, widths):
    def adder(width):
        async def thread(cpu):
            await cpu.lock_xadd(X, 1, width=width)

        return thread

    prog = program("x86", *map(adder, widths), final=lambda end: end[X] == 2)
    assert all(trace.accepted for trace in every(prog, small(scheme)))


@BOTH
def test_the_first_registration_leaves_a_window_in_which_a_store_is_lost(scheme):
    async def store(cpu):
        await cpu.store(X, 10)

    outcomes = {trace.outcome[PLACE] for trace in every(program("x86", increment, store), small(scheme))}
    assert outcomes == {1, 10, 11}


@BOTH
def test_a_failing_compare_exchange_writes_over_a_store_within_that_window(scheme):
    async def compare(cpu):
        await cpu.lock_cmpxchg(X, 5, 6)

    async def store(cpu):
        await cpu.store(X, 10)

    outcomes = {trace.outcome[PLACE] for trace in every(program("x86", compare, store), small(scheme))}
    assert outcomes == {0, 10}


@BOTH
def test_only_the_first_granule_of_a_crossing_access_is_locked(scheme):
    boundary = 0x80

    async def crossing(cpu):
        await cpu.lock_xadd(boundary - 2, 1 << 16)

    async def behind(cpu):
        await cpu.lock_xadd(boundary, 1, width=2)

    prog = program("x86", crossing, behind, watch={boundary: 2})
    traces = list(every(prog, small(scheme), preemptions=2))
    assert {trace.outcome[f"[{boundary:#x}]"] for trace in traces} == {1, 2}
    assert all(e.op.location != f"lock {boundary:#x}" for t in traces for e in t.events if e.actor == "0")


@pytest.mark.untraced
@BOTH
def test_a_fault_between_load_and_store_releases_the_lock_and_ends_the_locked_instruction(scheme):
    async def faulting(cpu):
        with pytest.raises(GuestFault):
            await cpu.lock_xadd(X, 1)
        assert cpu.local.held is None
        assert not cpu.local.lock_enabled

    prog = program("x86", faulting, faulting, pages={0: Page(0, writable=False)})
    for trace in every(prog, small(scheme, full_system=True)):
        assert trace.ending is Ending.FINISHED
        assert not trace.faults
        assert steps(trace)[-3:] == [f"load {WORD}", "load pte 0x0", "unlock lock 0x40"]


@BOTH
def test_a_translation_that_faults_first_locks_nothing(scheme):
    async def faulting(cpu):
        with pytest.raises(GuestFault):
            await cpu.store(X, 1)
        with pytest.raises(GuestFault):
            await cpu.lock_xadd(X, 1)

    prog = program("x86", faulting, pages={0: Page(0, present=False)})
    assert steps(execute(prog, small(scheme, full_system=True))) == ["load pte 0x0"] * 2


@BOTH
def test_the_store_of_a_locked_instruction_translates_again_and_checks_nothing(scheme):
    async def thread(cpu):
        await register(cpu)
        await increment(cpu)

    trace = execute(program("x86", thread), small(scheme, full_system=True))
    pte = "load pte 0x0"
    body = [pte, *GET_LOCK[scheme], f"load {WORD}", pte, f"store {WORD}", "unlock lock 0x40"]
    assert steps_of(trace, 1) == body


@pytest.mark.untraced
@BOTH
@pytest.mark.parametrize(("full_system", "locks"), [(True, {"lock 0x1000"}), (False, {"lock 0x2000", "lock 0x3000"})])
def test_virtual_aliases_share_a_lock_only_in_full_system_mode(scheme, full_system, locks):
    def adder(address):
        async def thread(cpu):
            await cpu.lock_xadd(address, 1)

        return thread

    pages = {0x2000: Page(0x1000), 0x3000: Page(0x1000)}
    prog = program("x86", adder(0x2000), adder(0x3000), pages=pages, watch={0x1000: 4})
    machine = small(f"{scheme}:granule=256", full_system=full_system)
    machine.address_bits = 16
    traces = list(every(prog, machine, preemptions=None if full_system else 2))
    assert {e.op.location for t in traces for e in t.events if e.op.kind is Kind.LOCK} == locks
    assert {t.outcome["[0x1000]"] for t in traces} == ({2} if full_system else {1, 2})


@BOTH
def test_a_wide_access_on_a_narrow_host_is_split_under_the_lock(scheme):
    async def thread(cpu):
        await register(cpu)
        await cpu.lock_xadd(X, 1 << 32, width=8)

    trace = execute(program("x86", thread, watch={X: 8}), small(scheme, host_word=32))
    parts = [f"[{X + i:#x}]/4" for i in (0, 4)]
    body = [f"{kind} {part}" for kind in ("load", "store") for part in parts]
    assert steps_of(trace, 1) == [*GET_LOCK[scheme], *body, "unlock lock 0x40"]
    assert trace.outcome[PLACE] == 1 << 32


@BOTH
def test_the_granule_is_an_option_and_names_the_lock(scheme):
    async def thread(cpu):
        await cpu.lock_inc(0x7C)

    for granule, lock in ((4, 0x7C), (16, 0x70), (256, 0)):
        trace = execute(program("x86", thread), small((scheme, {"granule": granule})))
        assert f"lock lock {lock:#x}" in steps(trace)


@BOTH
def test_the_promises_are_kept_in_every_interleaving(scheme):
    async def store(cpu):
        await cpu.store(X, 10)
        await cpu.store(0x80, 1)

    kinds = {Kind.LOAD, Kind.STORE}
    for trace in every(program("x86", increment, store), small(scheme)):
        assert trace.promises == {Promise.MUTEXES_ONLY, Promise.ONE_LOCK, Promise.REGISTERED_BY_ATOMICS}
        assert {event.op.kind for event in trace.events if event.op.width} <= kinds
        inserting = {event.instruction.mnemonic for event in trace.events if event.op.kind is Kind.CAS}
        assert inserting == {"lock xadd"}
        held = 0
        for actor in ("0", "1"):
            for event in trace.events:
                if event.actor == actor:
                    held += {Kind.LOCK: 1, Kind.UNLOCK: -1}.get(event.op.kind, 0)
                    assert held in (0, 1)
            assert held == 0


def test_an_alias_in_a_small_bitmap_costs_a_lock_and_an_entry_and_the_trace_says_why():
    async def thread(cpu):
        await register(cpu)  # granule 1
        await cpu.store(X + 64 * 4, 1)  # granule 5: the same of 4 bits
        await cpu.store(X + 64, 1)  # granule 2: another bit

    trace = execute(program("x86", thread), small("aie-v2:bitmap_bits=2"))
    alias = [
        "load bitmap 0x0", "load radix/05", "cas radix/05", "lock lock 0x140", "load bm_set 0x140",
        "fetch bitmap 0x0", "store bm_set 0x140", "store [0x140]/4", "unlock lock 0x140",
    ]  # fmt: skip
    assert steps_of(trace, 1) == alias
    assert steps_of(trace, 2) == ["load bitmap 0x0", "store [0x80]/4"]
    tested = next(e for e in trace.events if e.instruction.number == 1)
    assert tested.op.bit == 1
    assert tested.value >> 1 & 1


def test_with_aliases_everywhere_nothing_is_lost_after_registration():
    async def twice(cpu):
        await increment(cpu)
        await increment(cpu)

    async def store(cpu):
        await cpu.wait_until(X, lambda value: value > 0)
        await cpu.store(X, 10)

    prog = program("x86", twice, store, final=lambda end: end[X] in (10, 11))
    assert all(trace.accepted for trace in every(prog, small("aie-v2:bitmap_bits=0")))


def test_a_store_that_waits_for_the_lock_lands_after_the_locked_instruction():
    async def store(cpu):
        await cpu.store(X, 10)

    trace = scripted(program("x86", increment, store), small("aie-rfc"), ["0"] * 4 + ["1"] + ["0"] * 2 + ["1"] * 3)
    assert trace.outcome[PLACE] == 10
