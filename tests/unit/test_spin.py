"""When a PAUSE becomes a wait, when it does not, and who is said to yield."""

from __future__ import annotations

import itertools

import pytest
from scheduler_programs import X, Y, make, run, run_all

from schedulers.dfs import DepthFirst
from schedulers.fair import Fair
from schedulers.random_walk import RandomWalk
from schedulers.round_robin import RoundRobin
from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.engine.machine import Machine
from simaie.engine.trio_driver import in_trio, run_trio
from simaie.guest.code import ins
from simaie.guest.program import Program
from simaie.host.pages import Page
from simaie.op import Kind
from simaie.protocols import ExecutionInfo, Scheduler
from simaie.trace import Ending

NATIVE = Machine("native")

def explored(program, machine=NATIVE):
    """Every interleaving."""
    scheduler, traces = DepthFirst(), []
    while not scheduler.exhausted:
        assert len(traces) < 10_000
        traces.append(run_inline(Execution(program, machine, scheduler, ExecutionInfo(0, 0, len(program.threads)))))
    assert scheduler.complete
    return traces


def waited(trace):
    """Whether any spin has become a wait."""
    return Kind.AWAIT in {op.kind for op in trace.waiting.values()} | trace.kinds


# -- what is left alone: each of these gives up after a few rounds, and the flag is never set ----------


async def counts(cpu):
    rounds = 0
    while not await cpu.ldr(X) and rounds < 4:
        rounds += 1
        await cpu.yield_()


async def draws_from_a_range(cpu):
    for _ in range(4):
        if await cpu.ldr(X):
            return
        await cpu.yield_()


async def draws_equal_values(cpu):
    for _ in [0] * 4:
        await cpu.ldr(X)
        await cpu.yield_()


async def draws_from_what_does_not_tell(cpu):
    for _ in itertools.islice(itertools.repeat(0), 4):
        await cpu.ldr(X)
        await cpu.yield_()


async def draws_from_a_zip(cpu):
    for _ in zip("aaaa", [0] * 4, strict=True):
        await cpu.ldr(X)
        await cpu.yield_()


async def counts_in_a_list(cpu):
    rounds = []
    while not await cpu.ldr(X) and len(rounds) < 4:
        rounds.append(0)
        await cpu.yield_()


class Backoff:
    """It counts how often it was asked to wait."""

    def __init__(self):
        self.rounds = 0

    async def wait(self, cpu):
        self.rounds += 1
        await cpu.yield_()


async def counts_in_an_object(cpu):
    backoff = Backoff()
    while not await cpu.ldr(X) and backoff.rounds < 4:
        await backoff.wait(cpu)


async def counts_for_an_inner_function(cpu):
    rounds = 0

    async def again():
        nonlocal rounds
        rounds += 1
        await cpu.yield_()
        return rounds < 4

    while not await cpu.ldr(X) and await again():
        pass


async def counts_in_the_outcome(cpu):
    while not await cpu.ldr(X) and cpu.observations.get("rounds", 0) < 4:
        cpu.observe("rounds", cpu.observations.get("rounds", 0) + 1)
        await cpu.yield_()


counts_in_a_register = [
    ins("label", "again"),
    ins("ldr", X, into="seen"),
    ins("yield_"),
    ins("reg_add", "rounds", 1, into="rounds"),
    ins("reg_lt", "rounds", 4, into="more"),
    ins("cbnz", "more", "again"),
]


async def pauses_and_looks_at_nothing(cpu):
    for _ in range(4):
        await cpu.yield_()


async def writes(cpu):
    for _ in range(4):
        await cpu.ldr(X)
        await cpu.str_(Y, 1)
        await cpu.yield_()


BOUNDED = [
    counts, draws_from_a_range, draws_equal_values, draws_from_what_does_not_tell, draws_from_a_zip, counts_in_a_list,
    counts_in_an_object, counts_for_an_inner_function, counts_in_the_outcome, counts_in_a_register,
    pauses_and_looks_at_nothing, writes,
]  # fmt: skip


@pytest.mark.parametrize("thread", BOUNDED, ids=lambda thread: getattr(thread, "__name__", "counts_in_a_register"))
def test_a_loop_that_will_end_by_itself_is_no_wait(thread):
    trace = run(make(thread), RandomWalk())
    assert trace.ending is Ending.FINISHED
    assert not waited(trace)
    assert sum(event.op.kind is Kind.PAUSE for event in trace.events) == 4


def test_a_loop_with_a_choice_or_an_atomic_in_it_is_no_wait():
    async def chooses(cpu):
        while await cpu.choose(2) < 2:
            await cpu.ldr(X)
            await cpu.yield_()

    async def swaps(cpu):
        while await cpu.swp(X, 1) < 2:
            await cpu.yield_()

    for thread in (chooses, swaps):
        trace = run(make(thread), RandomWalk(), steps=100)
        assert trace.ending is Ending.STEP_LIMIT
        assert not waited(trace)


# -- what becomes a wait -------------------------------------------------------------------------------


async def spins(cpu):
    while not await cpu.ldr(X):
        await cpu.wfe()


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


spins_as_data = [ins("label", "again"), ins("ldr", X, into="seen"), ins("wfe"), ins("cbz", "seen", "again")]
SPINS = [spins, spins_with_a_fence, spins_on_an_exclusive, spins_inside_other_loops, spins_as_data]


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


# -- nothing is lost: against the same loop with a bound, which is left alone --------------------------

UNTIL = {
    "the sum is two": lambda state, a, b: (state, a + b == 2),
    "they differ": lambda state, a, b: (state, a != b),
    "the first was seen to change": lambda state, a, b: (a, state is not None and a != state),
    "both were seen set, not together": lambda state, a, b: ((state or 0) | a | b << 1, (state or 0) | a | b << 1 == 3),
}
STORES = list(itertools.product([(X, 1), (X, 0), (Y, 1)], repeat=3))


@pytest.mark.parametrize("until", UNTIL.values(), ids=UNTIL)
def test_every_way_out_of_a_loop_of_two_looks_is_still_there(until):
    """For all sequences of three stores to two places; four rounds suffice, as each but the first needs a store."""

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

    def ways_out(stores, limit):
        async def storer(cpu):
            for address, value in stores:
                await cpu.str_(address, value)

        traces = explored(make(looking(limit), storer))
        outcomes = {trace.outcome for trace in traces if trace.ending is Ending.FINISHED}
        return {outcome for outcome in outcomes if "0:gave-up" not in outcome.as_dict()}

    for stores in STORES:
        assert ways_out(stores, None) == ways_out(stores, 4)


# -- who yields ----------------------------------------------------------------------------------------


class Watching(Scheduler):
    """Takes whom it was told, and notes who is about to do what and whether that yields."""

    def __init__(self, order):
        self.order = order
        self.seen = []

    def choose(self, offer):
        wanted = self.order[offer.step] if offer.step < len(self.order) else "0"
        chosen = next((c for c in offer.candidates if c.name == wanted), offer.candidates[0])
        self.seen.append((chosen.name, chosen.op.kind, chosen.yielding))
        return chosen


def test_the_step_after_a_failed_store_conditional_yields_and_the_one_after_that_does_not():
    async def fails_once(cpu):
        while True:
            value = await cpu.ldrex(X)
            if not await cpu.strex(X, value + 1):
                break
        await cpu.str_(Y, 1)

    async def intrudes(cpu):
        await cpu.str_(X, 5)

    watching = Watching(["0", "1"])
    run(make(fails_once, intrudes), watching)
    assert watching.seen == [
        ("0", Kind.LOAD_LINKED, False),
        ("1", Kind.STORE, False),
        ("0", Kind.STORE_CONDITIONAL, False),
        ("0", Kind.LOAD_LINKED, True),
        ("0", Kind.STORE_CONDITIONAL, False),
        ("0", Kind.STORE, False),
    ]


def test_a_pause_yields_also_when_it_has_become_a_wait():
    async def sets(cpu):
        await cpu.str_(X, 1)

    watching = Watching(["0", "0", "0", "1", "0", "0"])
    run(make(spins, sets), watching)
    assert [(kind, yields) for name, kind, yields in watching.seen if name == "0"] == [
        (Kind.LOAD, False),
        (Kind.PAUSE, True),
        (Kind.LOAD, False),
        (Kind.AWAIT, True),
        (Kind.LOAD, False),
    ]


@pytest.mark.parametrize("make_scheduler", [RandomWalk, lambda: Fair(RandomWalk()), lambda: Fair(Watching([]))])
def test_spinners_that_write_do_not_starve_who_could_help_them(make_scheduler):
    """Test-and-set: every look is a write, so the engine does not wait in their stead."""

    async def test_and_set(cpu):
        while await cpu.swp(X, 1):
            await cpu.yield_()
        await cpu.str_(X, 0)

    async def holder(cpu):
        while await cpu.swp(X, 1):
            await cpu.yield_()
        for _ in range(5):
            await cpu.str_(Y, 1)
        await cpu.str_(X, 0)

    program = make(test_and_set, test_and_set, holder)
    traces = list(run_all(program, make_scheduler(), 100, steps=1_000))
    assert {trace.ending for trace in traces} == {Ending.FINISHED}
    assert not any(waited(trace) for trace in traces)


def test_it_is_a_function_of_the_vcpus_own_doing():
    """Another vCPU that changes what the spinner's enclosing scope holds makes no difference to it."""
    inside = []

    async def spinner(cpu):
        assert inside is not None
        await spins(cpu)

    async def other(cpu):
        for _ in range(4):
            inside.append(0)
            await cpu.str_(Y, 1)

    for index in range(20):
        inside.clear()
        trace = run(make(spinner, other), RandomWalk(), index)
        own = [event.op.kind for event in trace.events if event.actor == "0"]
        assert own == [Kind.LOAD, Kind.PAUSE, Kind.LOAD]
