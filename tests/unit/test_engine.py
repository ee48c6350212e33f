"""The engine: offers, endings, limits, threads, stop-the-world, choices, and the schedule that it writes down."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from scheme_parts import read_modify_write

from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.errors import ForeignAwaitError, GuestError, SchedulerError, SchemeError, UnknownNameError, UsageError
from simaie.guest.program import Program
from simaie.machine import Limits, Machine
from simaie.op import Kind
from simaie.prng import Random
from simaie.protocols import ExecutionInfo, Scheduler
from simaie.schemes.native import Native
from simaie.schemes.scheme import Scheme
from simaie.trace import Ending, Trace

X, Y = 0x1000, 0x2000


class Walk(Scheduler):
    """A random walk that checks the engine's promises at every offer."""

    def start(self, info):
        self.random = Random(info.seed)
        self.steps = 0

    def choose(self, offer):
        candidates = offer.candidates
        assert candidates, "never offered nothing"
        assert [c.rank for c in candidates] == sorted({c.rank for c in candidates}), "in structural order, each once"
        assert offer.can_continue == (offer.running in candidates)
        assert offer.default in candidates
        self.steps += 1
        return self.random.choice(candidates)

    def choose_value(self, offer, arity):
        return self.random.below(arity)


def run(threads: list[Any], *, scheduler: Scheduler | None = None, machine: Machine | None = None, seed: int = 0,
        **parts: Any) -> Trace:
    parts.setdefault("isa", "x86")
    program = Program("p", threads=threads, **parts)
    info = ExecutionInfo(seed, 0, len(threads))
    return run_inline(Execution(program, machine or Machine(), scheduler or Walk(), info))


async def writer(cpu):
    for value in range(5):
        await cpu.store(X, value)


def test_the_same_schedule_gives_the_same_digest_and_another_one_another():
    digests = {seed: run([writer, writer], seed=seed).digest for seed in range(20)}
    assert digests == {seed: run([writer, writer], seed=seed).digest for seed in range(20)}
    assert len(set(digests.values())) > 10


def test_the_schedule_names_only_deviations_from_continuing():
    """Round-robin switches at every step but the first; continuing switches never."""

    class Alternate(Scheduler):
        def choose(self, offer):
            return offer.candidates[offer.step % len(offer.candidates)]

    class Continue(Scheduler):
        def choose(self, offer):
            return offer.default

    assert len(run([writer, writer], scheduler=Continue()).schedule) == 0
    assert [s.step for s in run([writer, writer], scheduler=Alternate()).schedule.switches] == list(range(1, 9))


def test_a_deadlock_ends_with_who_waits_for_what():
    class TwoLocks(Scheme):
        def __init__(self, host, pages, machine):
            super().__init__(host, pages, machine)
            self.locks = {X: host.mutex("lock x"), Y: host.mutex("lock y")}

        async def load(self, cpu, address, width):
            await self.locks[address].lock()
            return 0

    async def forward(cpu):
        await cpu.load(X)
        await cpu.load(Y)

    async def backward(cpu):
        await cpu.load(Y)
        await cpu.load(X)

    machine = Machine(scheme=TwoLocks)
    endings = {}
    for seed in range(20):
        trace = run([forward, backward], machine=machine, seed=seed)
        endings[trace.ending] = trace
    assert endings.keys() == {Ending.DEADLOCK}, "the locks are never released: whatever happens, somebody is stuck"
    waiting = endings[Ending.DEADLOCK].waiting
    assert {op.kind for op in waiting.values()} == {Kind.LOCK}


def test_waiting_for_what_nobody_stores_is_a_livelock():
    async def waits(cpu):
        await cpu.wait_until(X, lambda value: value == 9)

    trace = run([waits, writer])
    assert trace.ending is Ending.LIVELOCK
    assert list(trace.waiting) == ["0"]


def test_an_await_is_woken_by_the_store_it_waits_for():
    async def waits(cpu):
        cpu.observe("seen", await cpu.wait_until(X, lambda value: value == 4))

    for seed in range(10):
        trace = run([waits, writer], seed=seed)
        assert (trace.ending, trace.outcome["0:seen"]) == (Ending.FINISHED, 4)


def test_the_step_limit_ends_an_execution_honestly():
    async def forever(cpu):
        while True:
            await cpu.store(X, 1)

    trace = run([forever], machine=Machine(limits=Limits(steps=50)))
    assert (trace.ending, len(trace), trace.truncated, trace.accepted) == (Ending.STEP_LIMIT, 50, True, None)


def test_the_thread_limit_ends_an_execution_honestly():
    async def child(cpu):
        await cpu.store(X, 1)

    async def parent(cpu):
        for _ in range(10):
            await cpu.spawn(child)

    trace = run([parent], machine=Machine(limits=Limits(threads=4)))
    assert (trace.ending, trace.truncated) == (Ending.THREAD_LIMIT, True)
    assert len({event.actor for event in trace.events}) <= 4


def test_endless_choices_meet_the_step_limit_too():
    async def chooses(cpu):
        while True:
            await cpu.choose(2)

    assert run([chooses], machine=Machine(limits=Limits(steps=20))).ending is Ending.STEP_LIMIT


def test_threads_are_spawned_joined_and_named_by_their_place():
    """Two levels: names say who spawned whom, and a join comes after the last store of the child."""

    async def grandchild(cpu):
        await cpu.lock_add(X, 1)

    async def child(cpu):
        thread = await cpu.spawn(grandchild)
        await cpu.lock_add(X, 10)
        await cpu.join(thread)

    async def parent(cpu):
        threads = [await cpu.spawn(child) for _ in range(3)]
        for thread in threads:
            await cpu.join(thread)
        cpu.observe("sum", await cpu.load(X))

    for seed in range(20):
        trace = run([parent], init={X: 0}, seed=seed)
        assert (trace.ending, trace.outcome["0:sum"]) == (Ending.FINISHED, 33)
    children = {f"0.{i}" for i in range(3)}
    assert {event.actor for event in trace.events} == {"0", *children, *(f"{child}.0" for child in children)}


def test_the_identity_of_a_thread_that_ended_is_given_out_again():
    seen = []

    async def child(cpu):
        seen.append(cpu.identity)
        await cpu.load(X)

    async def parent(cpu):
        for _ in range(3):
            await cpu.join(await cpu.spawn(child))
        both = [await cpu.spawn(child), await cpu.spawn(child)]
        for thread in both:
            await cpu.join(thread)

    run([parent])
    assert seen == [1, 1, 1, 1, 2]


def test_hundreds_of_threads_run():
    async def child(cpu):
        await cpu.lock_add(X, 1)

    async def parent(cpu):
        for thread in [await cpu.spawn(child) for _ in range(300)]:
            await cpu.join(thread)

    assert run([parent], init={X: 0}).outcome[f"[{X:#x}]"] == 300


def test_a_thousand_initial_vcpus_run():
    async def one(cpu):
        await cpu.lock_add(X, 1)

    assert run([one] * 1000, init={X: 0}).outcome[f"[{X:#x}]"] == 1000


def test_a_choice_is_resolved_at_once_and_is_no_scheduling_point():
    async def chooses(cpu):
        await cpu.store(X, await cpu.choose(3, "which"))
        await cpu.store(Y, await cpu.choose(1))

    results = set()
    for seed in range(30):
        scheduler = Walk()
        trace = run([chooses], scheduler=scheduler, seed=seed, init={X: 0})
        assert scheduler.steps == 2
        assert [e.op.kind for e in trace.events] == [Kind.CHOICE, Kind.STORE, Kind.CHOICE, Kind.STORE]
        value = trace.outcome[f"[{X:#x}]"]
        assert [(c.step, c.value) for c in trace.schedule.choices] == ([(0, value)] if value else [])
        results.add(value)
    assert results == {0, 1, 2}


class StopTheWorld(Scheme):
    """Loads in two steps; a read-modify-write with the world stopped."""

    async def load(self, cpu, address, width):
        await self.host.load(address, width)
        return await self.host.load(address, width)

    async def atomic_rmw(self, cpu, address, width, function):
        await self.host.begin_exclusive()
        old = await read_modify_write(self, address, width, function)
        await self.host.end_exclusive()
        return old


def test_a_stopped_world_finds_everybody_between_two_instructions_and_stays_so():
    async def loads(cpu):
        await cpu.load(X)
        await cpu.load(Y)

    async def adds(cpu):
        await cpu.lock_add(X, 1)

    for seed in range(60):
        trace = run([loads, adds, adds], machine=Machine(scheme=StopTheWorld), seed=seed, init={X: 0})
        assert trace.ending is Ending.FINISHED
        inside: dict[str, int] = {}
        owner = None
        for event in trace.events:
            assert owner in (None, event.actor), "nobody else steps while the world is stopped"
            if event.op.kind is Kind.BEGIN_EXCLUSIVE:
                assert not any(n % 2 for actor, n in inside.items() if actor == "0"), "not inside a load"
                owner = event.actor
            elif event.op.kind is Kind.END_EXCLUSIVE:
                owner = None
            else:
                inside[event.actor] = inside.get(event.actor, 0) + 1
        assert trace.outcome[f"[{X:#x}]"] == 2


def test_a_device_is_not_stopped_with_the_world():
    async def adds(cpu):
        await cpu.lock_add(X, 1)

    async def device(dev):
        await dev.dma_write(X, 7)
        dev.observe("read", await dev.dma_read(X))

    seen = set()
    for seed in range(60):
        trace = run([adds], devices=[device], machine=Machine(scheme=StopTheWorld), seed=seed, init={X: 0})
        kinds = [event.op.kind for event in trace.events if event.actor == "0"]
        assert kinds == [Kind.BEGIN_EXCLUSIVE, Kind.LOAD, Kind.STORE, Kind.END_EXCLUSIVE]
        seen.add(trace.outcome[f"[{X:#x}]"])
    assert seen == {1, 7, 8}, "DMA is lost, last, or first"


def test_ending_an_exclusive_section_that_is_not_owned_is_the_schemes_mistake():
    class Wrong(Scheme):
        async def load(self, cpu, address, width):
            await self.host.end_exclusive()
            return 0

    async def loads(cpu):
        await cpu.load(X)

    with pytest.raises(SchemeError):
        run([loads], machine=Machine(scheme=Wrong))


@pytest.mark.parametrize("garbage", ["0", 3, object()])
def test_a_scheduler_that_returns_garbage_is_named(garbage):
    class Bad(Scheduler):
        def choose(self, offer):
            return garbage

    with pytest.raises(SchedulerError, match="Bad"):
        run([writer], scheduler=Bad())


def test_a_scheduler_that_picks_who_cannot_step_is_named():
    class Bad(Scheduler):
        def choose(self, offer):
            self.seen = {*getattr(self, "seen", ()), *offer.candidates}
            return next((c for c in self.seen if c not in offer.candidates), offer.candidates[0])

    with pytest.raises(SchedulerError):
        run([writer, writer], scheduler=Bad())


@pytest.mark.parametrize("value", [-1, 2, None, True])
def test_a_choice_out_of_range_is_refused(value):
    class Bad(Walk):
        def choose_value(self, offer, arity):
            return value

    async def chooses(cpu):
        await cpu.choose(2)

    with pytest.raises(SchedulerError):
        run([chooses], scheduler=Bad())


def test_a_scheduler_may_give_an_execution_up():
    class GivesUp(Scheduler):
        def choose(self, offer):
            return None if offer.step == 3 else offer.default

    trace = run([writer], scheduler=GivesUp())
    assert (trace.ending, len(trace)) == (Ending.PRUNED, 3)


def test_a_guest_that_raises_is_told_with_its_line():
    async def raises(cpu):
        await cpu.load(X)
        raise KeyError("oops")

    with pytest.raises(GuestError) as caught:
        run([writer, raises])
    assert caught.value.vcpu == "1"
    assert caught.value.where.startswith(__file__)


def test_a_failing_assertion_of_a_guest_is_recorded_and_not_raised():
    async def asserts(cpu):
        assert await cpu.load(X) == 1, "x should be 1"

    trace = run([asserts])
    assert [(f.vcpu, f.kind, f.message.splitlines()[0]) for f in trace.faults] == [("0", "assertion", "x should be 1")]


def test_a_guest_that_awaits_something_foreign_is_told_of_the_trio_driver():
    class Foreign:
        def __await__(self):
            yield "something else"

    async def awaits(cpu):
        await Foreign()

    with pytest.raises(ForeignAwaitError) as caught:
        run([awaits])
    assert caught.value.vcpu == "0"
    assert caught.value.where.startswith(__file__)


def test_a_guest_may_await_in_a_finally_without_hurting_the_end():
    async def stubborn(cpu):
        try:
            while True:
                await cpu.store(X, 2)
        finally:
            await cpu.store(X, 1)

    assert run([stubborn], machine=Machine(limits=Limits(steps=5))).ending is Ending.STEP_LIMIT


def test_outcomes_hold_observations_and_watched_memory():
    async def observes(cpu):
        cpu.observe("r", 3)
        await cpu.store(X, 5)

    trace = run([observes], init={X: 0, Y: (1, 8)})
    assert str(trace.outcome) == f"0:r=3 [{X:#x}]=5 [{Y:#x}]=1"


def test_the_final_check_may_return_or_assert_and_sees_memory_and_registers():
    async def observes(cpu):
        cpu.observe("r", 3)
        await cpu.store(X, 0x105)

    def wrong(memory):
        assert memory[X] == 6

    for final, accepted in [(lambda m: m[X] == 0x105 and m.registers["0:r"] == 3, True),
                            (lambda m: m.read(X, width=1) == 6, False), (wrong, False)]:
        assert run([observes], final=final).accepted is accepted


def test_instructions_are_grouped_with_their_events():
    async def adds(cpu):
        await cpu.add(X, 1)
        await cpu.load(X)

    groups = [(str(i), [int(e) for e in events]) for i, events in run([adds]).instructions]
    assert groups == [(f"add [{X:#x}]", [0, 1]), (f"load [{X:#x}]", [2])]


@pytest.mark.parametrize(
    "arguments",
    [{"host_word": 16}, {"endian": "middle"}, {"address_bits": 0}, {"scheme": "nope"}, {"host": "nope"}, {"scheme": 3}],
)
def test_a_machine_that_cannot_be_is_refused(arguments):
    with pytest.raises(UsageError):
        Machine(**arguments)


def test_unknown_scheme_options_and_foreign_scheme_classes_are_refused():
    for scheme in ("native:colour=red", lambda *a: object()):
        with pytest.raises(UsageError):
            run([writer], machine=Machine(scheme=scheme))
    with pytest.raises(UnknownNameError):
        Machine("cass")


def test_a_spurious_failure_of_a_store_conditional_is_a_choice_of_native():
    async def llsc(cpu):
        await cpu.ldrex(X)
        cpu.observe("failed", await cpu.strex(X, 1))

    seen = {run([llsc], isa="arm", machine=Machine("native:spurious_failures=true"), seed=seed).outcome["0:failed"]
            for seed in range(20)}
    assert seen == {0, 1}
    assert run([llsc], isa="arm").outcome["0:failed"] == 0


def test_a_scheme_without_llsc_says_so():
    async def llsc(cpu):
        await cpu.ldrex(X)

    with pytest.raises(UsageError, match="scheme"):
        run([llsc], isa="arm", machine=Machine(scheme=Scheme))


def test_interleavings_of_one_operation_each_are_all_reached_by_scripting():
    """The engine does what the scheduler says: 3! orders of three stores give every last writer."""

    async def store(cpu):
        await cpu.store(X, int(cpu.name))

    for order in itertools.permutations(range(3)):

        class Fixed(Scheduler):
            def choose(self, offer, order=order):
                return next(c for c in offer.candidates if c.name == str(order[offer.step]))

        trace = run([store] * 3, scheduler=Fixed(), init={X: 9})
        assert trace.outcome[f"[{X:#x}]"] == order[-1]
        assert [event.actor for event in trace.events] == [str(i) for i in order]


def test_full_system_native_translates_and_then_performs_one_operation():
    async def every(cpu):
        await cpu.store(X, 1)
        await cpu.ldrex(X)
        await cpu.strex(X, 2)
        await cpu.swp(X, 3)
        await cpu.exception("interrupt")

    trace = run([every], isa="arm", machine=Machine(Native, full_system=True), init={X: 0})
    accesses = [Kind.STORE, Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL, Kind.FETCH]
    translated = [kind for access in accesses for kind in (Kind.LOAD, access)]
    assert [event.op.kind for event in trace.events] == [*translated, Kind.CLEAR_RESERVATION]
