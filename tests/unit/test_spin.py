"""When a PAUSE becomes a wait, and that nothing is lost by it."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import pytest
import trio
from scheduler_programs import X, Y, make, run
from simaie_schedulers.random_walk import RandomWalk
from simaie_schedulers.round_robin import RoundRobin
from spinners import NATIVE, explored, spins, waited

from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.engine.on_trio.driver import in_trio, run_trio
from simaie.guest.code import ins
from simaie.guest.program import Program
from simaie.host.pages import Page
from simaie.machine import Machine
from simaie.op import Kind, Op
from simaie.protocols import ExecutionInfo
from simaie.schemes.native import Native
from simaie.trace import Ending


async def spins_with_a_fence(cpu):
    while not await cpu.ldr(X):
        await cpu.dmb()
        await cpu.yield_()


async def spins_on_an_exclusive(cpu):
    while not await cpu.ldrex(X):
        await cpu.wfe()


async def spins_inside_other_loops(cpu):
    for _, _ in zip(range(2), itertools.count(), strict=False):
        for _ in enumerate("ab"):
            await spins(cpu)


class Place(NamedTuple):
    """Where a guest spins."""

    address: int


async def spins_at_a_place_in_a_named_tuple(cpu):
    place = Place(X)
    while not await cpu.ldr(place.address):
        await cpu.wfe()


spins_as_data = [ins("label", "again"), ins("ldr", X, into="seen"), ins("wfe"), ins("cbz", "seen", "again")]
SPINS = [
    spins, spins_with_a_fence, spins_on_an_exclusive, spins_inside_other_loops, spins_at_a_place_in_a_named_tuple,
    spins_as_data,
]  # fmt: skip


@pytest.mark.parametrize("thread", SPINS, ids=lambda thread: getattr(thread, "__name__", "spins_as_data"))
def test_a_loop_that_only_looks_becomes_a_wait_after_two_rounds(thread):
    trace = run(make(thread), RandomWalk())
    assert trace.ending is Ending.LIVELOCK
    looks = [event.op.kind for event in trace.events if event.op.kind is not Kind.FENCE]
    load = Kind.LOAD_LINKED if thread is spins_on_an_exclusive else Kind.LOAD
    assert looks == [load, Kind.PAUSE, load]
    assert trace.waiting["0"].address == X


def test_the_pause_gives_nothing_when_it_is_over_and_the_event_shows_what_was_read():
    async def guest(cpu):
        while not await cpu.ldr(X):
            assert await cpu.yield_() is None

    async def helper(cpu):
        for _ in range(5):
            await cpu.ldr(Y)
        await cpu.str_(X, 7)

    trace = run(make(guest, helper), RoundRobin())
    assert trace.ending is Ending.FINISHED
    assert not trace.faults
    assert [event.value for event in trace.events if event.op.kind is Kind.AWAIT] == [7]
    assert all(ins.result is None for ins, _ in trace.instructions if ins.mnemonic == "yield")


def test_it_waits_again_if_the_place_has_changed_and_changed_back():
    async def toggles(cpu):
        for value in (1, 0, 1, 0):
            await cpu.str_(Y, value)

    async def spins_on_y(cpu):
        while await cpu.ldr(Y) != 2:
            await cpu.yield_()

    traces = explored(make(spins_on_y, toggles))
    assert {trace.ending for trace in traces} == {Ending.LIVELOCK}
    assert max(sum(event.op.kind is Kind.AWAIT for event in trace.events) for trace in traces) == 4


def test_in_full_system_mode_it_waits_for_the_page_table_entry_as_well():
    async def remaps(cpu):
        await cpu.str_(Y, 1)
        await cpu.map_page(X, Page(Y))

    pages = {X: Page(X), Y: Page(Y)}
    program = Program("remaps", isa="arm", threads=[spins, remaps], init={X: 0, Y: 0}, pages=pages)
    traces = explored(program, Machine("native", full_system=True))
    assert {trace.ending for trace in traces} == {Ending.FINISHED}
    assert any(waited(trace) for trace in traces)


def test_both_drivers_wait_alike():
    async def sets(cpu):
        await cpu.str_(Y, 1)
        await cpu.str_(X, 1)

    program = make(spins, spins_inside_other_loops, sets)
    for seed in range(30):
        inline, trio = (Execution(program, NATIVE, RandomWalk(), ExecutionInfo(seed, 0, 3)) for _ in range(2))
        assert in_trio(run_trio, trio).digest == run_inline(inline).digest


def test_it_is_a_function_of_the_vcpus_own_doing():
    """What another vCPU writes elsewhere, or keeps in objects of its own, makes no difference to a spinner."""

    async def other(cpu):
        mine = []
        for _ in range(4):
            mine.append(0)
            await cpu.str_(Y, 1)

    for index in range(20):
        trace = run(make(spins, other), RandomWalk(), index)
        own = [event.op.kind for event in trace.events if event.actor == "0"]
        assert own == [Kind.LOAD, Kind.PAUSE, Kind.LOAD]


def test_a_spinner_that_looks_at_an_object_which_another_vcpu_changes_is_not_kept_waiting_for_memory():
    """To share a Python object is a mistake, but it must not become a livelock that is none."""
    inside = []

    async def spinner(cpu):
        while not await cpu.ldr(X) and len(inside) < 4:
            await cpu.wfe()

    async def other(cpu):
        for _ in range(4):
            await cpu.str_(Y, 1)
            inside.append(0)

    inside.clear()
    trace = run(make(other, spinner), RoundRobin())
    assert trace.ending is Ending.FINISHED


def test_a_helper_of_a_scheme_that_spins_on_a_cell_waits_for_the_cell():
    class Impatient(Native):
        """An exception spins on a cell of the scheme's."""

        async def exception(self, cpu, cause):
            """Spin until it is free."""
            cell = self.host.cell("busy", True)
            while await cell.load():
                await Op(Kind.PAUSE)

    async def guest(cpu):
        await cpu.exception()

    (trace,) = explored(make(guest), Machine(Impatient))
    assert trace.ending is Ending.LIVELOCK
    assert trace.waiting["0"].location == "busy"


def test_on_trio_a_timeout_still_ends_a_spin_that_has_become_a_wait():
    async def gives_up(cpu):
        with trio.move_on_after(1):
            await spins(cpu)
        await cpu.str_(Y, 1)

    execution = Execution(make(gives_up), NATIVE, RandomWalk(), ExecutionInfo(0, 0, 1))
    trace = in_trio(run_trio, execution)
    assert trace.ending is Ending.FINISHED
    assert trace.outcome[f"[{Y:#x}]"] == 1


# -- nothing is lost: against the same loop with a bound, which is left alone --------------------------

UNTIL = {
    "the sum is two": lambda state, a, b: (state, a + b == 2),
    "they differ": lambda state, a, b: (state, a != b),
    "the first was seen to change": lambda state, a, b: (a, state is not None and a != state),
    "both were seen set, not together": lambda state, a, b: ((state or 0) | a | b << 1, (state or 0) | a | b << 1 == 3),
}
STORES = list(itertools.product([(X, 1), (X, 0), (Y, 1)], repeat=3))


def changes_each_time(stores):
    """Whether each store changes its place, which is 0 at first."""
    memory = {X: 0, Y: 0}
    for address, value in stores:
        if memory[address] == value:
            return False
        memory[address] = value
    return True


#: Sequences in which each store counts, and two that begin with a store of what is there.
TELLING = [*filter(changes_each_time, STORES), ((X, 0), (X, 1), (Y, 1)), ((X, 0), (Y, 1), (X, 1))]


@pytest.mark.untraced
@pytest.mark.one_in(3)
@pytest.mark.parametrize("until", UNTIL.values(), ids=UNTIL)
def test_every_way_out_of_a_loop_of_two_looks_is_still_there(until):
    """For sequences of three stores to two places; four rounds suffice, as each but the first needs a store."""
    assert all(ways_out(until, stores, None) == ways_out(until, stores, 4) for stores in TELLING)


@pytest.mark.soak
@pytest.mark.parametrize("until", UNTIL.values(), ids=UNTIL)
def test_every_way_out_is_still_there_for_all_sequences_of_stores(until):
    assert all(ways_out(until, stores, None) == ways_out(until, stores, 4) for stores in STORES)


def ways_out(until, stores, most_rounds):
    """Return the outcomes in which the looker leaves its loop because `until` holds."""

    def looking(limit):
        async def looker(cpu):
            state, rounds = None, 0
            while True:
                a = await cpu.ldr(X)
                b = await cpu.ldr(Y)
                state, over = until(state, a, b)
                if over:
                    break
                if limit:
                    rounds += 1
                    if rounds == limit:
                        cpu.observe("gave-up", 1)
                        return
                await cpu.yield_()
            cpu.observe("a", a)
            cpu.observe("b", b)

        return looker

    async def storer(cpu):
        for address, value in stores:
            await cpu.str_(address, value)

    traces = explored(make(looking(most_rounds), storer))
    outcomes = {trace.outcome for trace in traces if trace.ending is Ending.FINISHED}
    return {outcome for outcome in outcomes if "0:gave-up" not in outcome.as_dict()}
