"""Spins without a PAUSE: a loop that only looks is kept waiting for a change, however it looks, and nothing is lost."""

from __future__ import annotations

import itertools

import pytest
from scheduler_programs import X, Y, make, run
from simaie_schedulers.dfs import DepthFirst
from simaie_schedulers.dpor.search import Dpor
from simaie_schedulers.random_walk import RandomWalk
from simaie_schedulers.round_robin import RoundRobin
from spinners import NATIVE, explored, waited

from simaie.check.progress import progress
from simaie.check.races import data_races
from simaie.engine import spin
from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.engine.on_trio.driver import in_trio, run_trio
from simaie.engine.snapshot import snapshot
from simaie.guest.code import ins
from simaie.guest.program import Program
from simaie.host.pages import Page
from simaie.machine import Machine
from simaie.op import Kind
from simaie.protocols import ExecutionInfo
from simaie.schemes.cas import CompareAndSwap
from simaie.schemes.native import Native
from simaie.trace import Ending

# Its searches take seconds, and run lines that other tests run too.
pytestmark = pytest.mark.untraced

Z = 0x300


async def spins(cpu):
    while not await cpu.ldr(X):
        pass


async def spins_for_ever(cpu):
    while True:
        if await cpu.ldr(X):
            break


async def spins_with_a_fence(cpu):
    while not await cpu.ldr(X):
        await cpu.dmb()


async def spins_on_an_exclusive(cpu):
    while not await cpu.ldrex(X):
        pass


async def spins_on_two(cpu):
    while not await cpu.ldr(X) and not await cpu.ldr(Y):
        pass


async def spins_over_places(cpu):
    while not any([await cpu.ldr(place) for place in (X, Y)]):
        pass


async def spins_by_a_helper(cpu):
    async def look(place):
        return await cpu.ldr(place)

    while not await look(X) and not await look(Y):
        pass


async def spins_and_tells_two_values_apart(cpu):
    while (seen := await cpu.ldr(X)) in (0, 2):
        if seen == 2:
            await cpu.ldr(Y)


async def spins_in_a_wide_load(cpu):
    """Under `native` only where the architecture promises it whole: else the order of its parts is a decision."""
    while not await cpu.load(X, width=8):
        pass


async def alternates(cpu):
    """It comes back to the same state in every other round only."""
    place = X
    while not await cpu.ldr(place):
        place = X + Y - place


spins_as_data = [ins("label", "again"), ins("ldr", X, into="seen"), ins("cbz", "seen", "again")]
spins_by_a_jump = [
    ins("branch", "test"),
    ins("label", "again"),
    ins("dmb"),
    ins("label", "test"),
    ins("ldr", X, into=".seen"),
    ins("cbz", ".seen", "again"),
]

SPINS = [
    spins, spins_for_ever, spins_with_a_fence, spins_on_an_exclusive, spins_on_two, spins_over_places,
    spins_by_a_helper, spins_and_tells_two_values_apart, alternates, spins_as_data, spins_by_a_jump,
]  # fmt: skip
EACH = pytest.mark.parametrize("thread", SPINS, ids=lambda thread: getattr(thread, "__name__", "list"))
SEARCHES = pytest.mark.parametrize("scheduler", [DepthFirst, Dpor])


async def writes_elsewhere(cpu):
    await cpu.str_(Z, 1)


async def toggles(cpu):
    for value in (2, 0, 2, 1):
        await cpu.str_(X, value)


@EACH
def test_a_loop_that_only_looks_waits_after_two_rounds(thread):
    trace = run(make(thread), RandomWalk())
    assert trace.ending is Ending.LIVELOCK
    looks = [event for event in trace.events if event.op.kind is not Kind.FENCE]
    places = {(event.op.address, event.op.width) for event in looks}
    assert len(looks) <= 2 * len(places)
    assert {(part.address, part.width) for part in trace.waiting["0"].places} == places


def test_a_livelock_names_the_line_and_the_places():
    (finding,) = progress(run(make(spins), RandomWalk()))
    assert finding.kind == "livelock"
    assert finding.addresses == (X,)
    op = run(make(spins), RandomWalk()).waiting["0"]
    assert op.note == f"spin at test_spin_loads.py:{spins.__code__.co_firstlineno + 1}"
    assert run(make(spins_as_data), RandomWalk()).waiting["0"].note == "spin at item 1"


@EACH
@SEARCHES
def test_every_search_of_one_beside_a_writer_ends(thread, scheduler):
    for other, ending in ((toggles, Ending.FINISHED), (writes_elsewhere, Ending.LIVELOCK)):
        traces = explored(make(thread, other), scheduler=scheduler())
        assert {trace.ending for trace in traces} == {ending}


@EACH
def test_both_drivers_wait_alike(thread):
    program = make(thread, toggles, spins)
    for seed in range(10):
        inline, trio = (Execution(program, NATIVE, RandomWalk(), ExecutionInfo(seed, 0, 3)) for _ in range(2))
        assert in_trio(run_trio, trio).digest == run_inline(inline).digest


def test_the_wait_is_a_step_of_its_own_and_the_load_reads_what_is_there_by_then():
    async def helper(cpu):
        for _ in range(3):
            await cpu.ldr(Y)
        await cpu.str_(X, 2)
        await cpu.str_(X, 1)

    traces = explored(make(spins_for_ever, helper))
    read = set()
    for trace in traces:
        own = [event for event in trace.events if event.actor == "0"]
        for wait, look in itertools.pairwise(own):
            if wait.op.kind is Kind.AWAIT:
                assert wait.instruction is None
                assert look.op.kind is Kind.LOAD
                read.add((wait.value, look.value))
    assert read == {(2, 2), (2, 1), (1, 1)}


# -- message passing, with exact counts ------------------------------------------------------------------


async def passes(cpu):
    await cpu.str_(Y, 7)
    await cpu.dmb()
    await cpu.str_(X, 1)


async def receives(cpu):
    while not await cpu.ldr(X):
        pass
    await cpu.dmb()
    cpu.observe("data", await cpu.ldr(Y))


receives_as_data = [
    ins("label", "again"), ins("ldr", X, into=".seen"), ins("cbz", ".seen", "again"), ins("dmb"),
    ins("ldr", Y, into="data"),
]  # fmt: skip


@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
@pytest.mark.parametrize("reader", [receives, receives_as_data], ids=["function", "list"])
def test_message_passing_holds_in_three_executions_a_reader(reader, host):
    """The flag is up at the first look, at the second, or after the spin has become a wait."""
    for readers in (1, 2):
        traces = explored(make(passes, *[reader] * readers), Machine("native", host=host), Dpor())
        assert len(traces) == 3**readers
        assert {trace.ending for trace in traces} == {Ending.FINISHED}
        assert {trace.outcome[f"{number + 1}:data"] for trace in traces for number in range(readers)} == {7}


@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
def test_all_interleavings_of_message_passing_have_the_same_outcomes(host):
    traces = explored(make(passes, receives), Machine("native", host=host))
    assert len(traces) < 200
    assert {trace.outcome["1:data"] for trace in traces} == {7}
    assert {trace.ending for trace in traces} == {Ending.FINISHED}


@pytest.mark.parametrize("host", ["tso", "pso"])
def test_message_passing_without_fences_fails_where_the_host_lets_it(host):
    async def sends(cpu):
        await cpu.str_(Y, 7)
        await cpu.str_(X, 1)

    traces = explored(make(sends, receives), Machine("native", host=host), Dpor())
    assert {trace.outcome["1:data"] for trace in traces} == ({7} if host == "tso" else {0, 7})


# -- what the schemes and the machine add ----------------------------------------------------------------


@pytest.mark.parametrize(
    "machine",
    [Machine("native:single_copy=lpae", full_system=True), Machine("cas:barriers=full"),
     Machine("cas:barriers=full", host="tso"), Machine("aie-rfc"),
     Machine("aie-v2"), Machine("native:single_copy=lpae", host_word=32)],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("thread", [spins, spins_over_places, spins_in_a_wide_load, spins_as_data])
def test_a_wait_stands_before_a_whole_instruction_whatever_that_consists_of(thread, machine):
    pages = {X - X % 4096: Page(X - X % 4096)}
    for other, ending in ((toggles, Ending.FINISHED), (writes_elsewhere, Ending.LIVELOCK)):
        program = Program("spin", isa="arm", threads=[thread, other], init={X: 0, X + 4: 0, Y: 0, Z: 0}, pages=pages)
        traces = explored(program, machine, Dpor())
        assert {trace.ending for trace in traces} == {ending}
        for trace in traces:
            for event in trace.events:
                assert event.op.kind is not Kind.AWAIT or event.instruction is None


def test_a_spinner_that_is_held_back_does_not_keep_the_world_from_being_stopped():
    async def stops(cpu):
        await cpu.ldrexd(Y)
        assert not await cpu.strexd(Y, 1)
        await cpu.str_(X, 1)

    traces = explored(make(spins, stops), Machine("cas", host_word=32), Dpor())
    assert {trace.ending for trace in traces} == {Ending.FINISHED}
    assert all(Kind.BEGIN_EXCLUSIVE in trace.kinds and not trace.faults for trace in traces)


def test_a_helper_that_spins_inside_an_instruction_waits_there():
    class Impatient(Native):
        """An exception spins on a cell of the scheme's."""

        async def exception(self, cpu, cause):
            """Spin until it is free."""
            cell = self.host.cell("busy", True)
            while await cell.load():
                pass

    async def guest(cpu):
        await cpu.exception()

    (trace,) = explored(make(guest), Machine(Impatient))
    assert trace.ending is Ending.LIVELOCK
    assert trace.waiting["0"].location == "busy"


def test_an_instruction_that_is_begun_is_not_held_back_for_a_loop_of_several():
    """It would keep another vCPU from stopping the world, which then never gets to what ends the loop."""

    class Marked(CompareAndSwap):
        """A load looks at a mark first, another one each time."""

        async def load(self, cpu, address, width):
            """Two steps."""
            await self.host.cell("mark", 0).load()
            return await super().load(cpu, address, width)

    async def stops(cpu):
        await cpu.ldrexd(Y)
        assert not await cpu.strexd(Y, 1)
        await cpu.str_(X, 1)

    for index in range(20):
        execution = Execution(
            make(spins, stops), Machine(Marked, host_word=32), RandomWalk(), ExecutionInfo(index, index, 2)
        )  # fmt: skip
        trace = run_inline(execution)
        assert trace.ending is Ending.FINISHED
        assert not trace.faults


# -- locks -----------------------------------------------------------------------------------------------


def locked(take, give):
    async def thread(cpu):
        await take(cpu)
        found = await cpu.ldr(Z)
        await cpu.str_(Z, found + 1)
        await give(cpu)

    return thread


async def take_by_test_and_set(cpu):
    while True:
        while await cpu.ldr(X):
            pass
        if not await cpu.swp(X, 1):
            return


async def give_up_the_flag(cpu):
    await cpu.str_(X, 0)


async def take_a_ticket(cpu):
    while True:
        mine = await cpu.ldrex(X)
        if not await cpu.strex(X, mine + 1):
            break
    while await cpu.ldr(Y) != mine:
        pass


async def call_the_next(cpu):
    await cpu.str_(Y, await cpu.ldr(Y) + 1)


@pytest.mark.parametrize(
    ("take", "give"), [(take_by_test_and_set, give_up_the_flag), (take_a_ticket, call_the_next)], ids=["ttas", "ticket"]
)
def test_the_search_of_a_lock_whose_waiters_only_look_ends_and_the_lock_excludes(take, give):
    vcpus = 2
    program = Program(
        "lock", isa="arm", threads=[locked(take, give)] * vcpus, init={X: 0, Y: 0, Z: 0}, watch={Z: 4}
    )  # fmt: skip
    traces = explored(program, scheduler=Dpor())
    assert {trace.ending for trace in traces} == {Ending.FINISHED}
    assert {trace.outcome[f"[{Z:#x}]"] for trace in traces} == {vcpus}


# -- what is no wait -------------------------------------------------------------------------------------


async def counts(cpu):
    for _ in range(40):
        if await cpu.ldr(X):
            return


async def writes(cpu):
    for _ in range(4):
        await cpu.ldr(X)
        await cpu.str_(Y, 1)


async def alternates_and_counts(cpu):
    """It looks at one place, and at another in the next round."""
    place = X
    for _ in itertools.islice(itertools.repeat(0), 8):
        await cpu.ldr(place)
        place = X + Y - place


async def never_comes_back(cpu):
    await cpu.ldr(X)
    await cpu.ldr(X)
    await cpu.ldr(X)
    await cpu.ldr(X)


async def takes_back_what_it_wrote(cpu):
    for _ in range(4):
        await cpu.ldrex(X)
        await cpu.strex(X, 0)


constant = [
    ins("mov", 300, into=".left"), ins("label", "again"), ins("reg_sub", ".left", 1, into=".left"),
    ins("cbnz", ".left", "again"), ins("ldr", X, into="seen"),
]  # fmt: skip


ENDING = [counts, writes, alternates_and_counts, never_comes_back, takes_back_what_it_wrote, constant]


@pytest.mark.parametrize("thread", ENDING, ids=lambda thread: getattr(thread, "__name__", "constant"))
def test_a_loop_that_ends_by_itself_or_writes_is_no_wait(thread):
    trace = run(make(thread), RandomWalk())
    assert trace.ending is Ending.FINISHED
    assert not waited(trace)


def test_a_write_in_every_round_is_no_wait_even_of_the_value_that_is_there():
    async def guest(cpu):
        while not await cpu.ldr(X):
            await cpu.str_(Y, 0)

    trace = run(make(guest), RandomWalk(), steps=100)
    assert trace.ending is Ending.STEP_LIMIT
    assert not waited(trace)


def test_a_loop_that_counts_first_and_then_only_looks_waits_in_the_end():
    async def guest(cpu):
        rounds = 0
        while not await cpu.ldr(X):
            rounds = min(rounds + 1, 50)

    trace = run(make(guest), RandomWalk())
    assert trace.ending is Ending.LIVELOCK
    assert len(trace) < 200


@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
def test_no_snapshot_is_taken_of_a_vcpu_that_does_not_look_at_a_place_again_in_a_loop(host, monkeypatch):
    """It costs more than all the rest of a step."""

    async def straight(cpu):
        for value in range(5):
            await cpu.ldr(X)
            await cpu.dmb()
            await cpu.ldr(Y)
            await cpu.str_(X, value)
        for place in (X, Y, Z):
            await cpu.ldr(place)
        await never_comes_back(cpu)

    def refused(*_):
        raise AssertionError

    monkeypatch.setattr(spin, "snapshot", refused)
    trace = run_inline(Execution(make(straight), Machine(host=host), RandomWalk(), ExecutionInfo(0, 0, 1)))
    assert trace.ending is Ending.FINISHED


def test_a_loop_that_looks_for_long_in_ever_new_states_is_compared_ever_more_seldom(monkeypatch):
    async def counts_for_long(cpu):
        for _ in range(500):
            await cpu.ldr(X)

    taken = []
    monkeypatch.setattr(spin, "snapshot", lambda *args: taken.append(args) or snapshot(*args))
    assert run(make(counts_for_long), RandomWalk()).ending is Ending.FINISHED
    assert len(taken) < 40


def test_a_wait_adds_no_race():
    """A program without races stays one where a spin has become a wait."""

    async def waits(cpu):
        while not await cpu.ldrex(X):
            pass
        await cpu.ldr(Y)

    async def sets(cpu):
        await cpu.str_(Y, 1)
        await cpu.ldrex(X)
        await cpu.strex(X, 1)

    traces = explored(make(waits, sets))
    assert any(waited(trace) for trace in traces)
    assert not any(tuple(data_races(trace)) for trace in traces)


def test_a_fair_run_leaves_a_spinner_alone_until_there_is_something_to_see():
    async def slow(cpu):
        for _ in range(30):
            await cpu.str_(Y, 1)
        await cpu.str_(X, 1)

    trace = run(make(spins, slow), RoundRobin())
    assert trace.ending is Ending.FINISHED
    assert sum(event.actor == "0" for event in trace.events) == 4


# -- nothing is lost: against the same loop with a bound, which is left alone --------------------------

UNTIL = {
    "the sum is two": lambda state, a, b: (state, a + b == 2),
    "the first was seen to change": lambda state, a, b: (a, state is not None and a != state),
    "both were seen set, not together": lambda state, a, b: ((state or 0) | a | b << 1, (state or 0) | a | b << 1 == 3),
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("until", UNTIL.values(), ids=UNTIL)
def test_every_way_out_of_a_loop_of_two_looks_is_still_there(until):
    """For sequences of three stores to two places; four rounds suffice, as each but the first needs a store."""

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
            cpu.observe("a", a)
            cpu.observe("b", b)

        return looker

    def ways_out(stores, limit, scheduler):
        async def storer(cpu):
            for address, value in stores:
                await cpu.str_(address, value)

        traces = explored(make(looking(limit), storer), scheduler=scheduler)
        outcomes = {trace.outcome for trace in traces if trace.ending is Ending.FINISHED}
        return {outcome for outcome in outcomes if "0:gave-up" not in outcome.as_dict()}

    for stores in itertools.islice(itertools.product([(X, 1), (X, 0), (Y, 1)], repeat=3), 0, None, 2):
        everything = ways_out(stores, 4, Dpor())
        assert ways_out(stores, None, Dpor()) == everything
        if stores[0] == stores[1]:
            assert ways_out(stores, None, DepthFirst()) == everything
