"""vCPUs as trio tasks: guests may await trio, deterministically; whatever happens, one exception and nothing left."""

from __future__ import annotations

import inspect
import signal
from collections.abc import Callable
from typing import Any

import pytest
import trio
from simaie_schedulers.random_walk import RandomWalk
from simaie_schedulers.round_robin import RoundRobin

from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.engine.on_trio.driver import in_trio, run_trio
from simaie.errors import GuestError, SchedulerError, UsageError
from simaie.guest.program import Program
from simaie.machine import Limits, Machine
from simaie.prng import derive
from simaie.protocols import ExecutionInfo, Offer, Scheduler
from simaie.schemes.scheme import Scheme
from simaie.trace import Ending, Trace

X, Y, Z = 0x1000, 0x2000, 0x3000
Guests = Callable[[], list[Any]]  # makes the guests anew, with the trio objects that they share


def make(*threads: Any, seed: int = 0, scheduler: Scheduler | None = None, scheme: Any = "native", steps: int = 2_000):
    program = Program("test", isa="arm", threads=threads, init={X: 0, Y: 0, Z: 0})
    info = ExecutionInfo(derive(seed), 0, len(threads))
    return Execution(program, Machine(scheme, limits=Limits(steps=steps)), scheduler or RandomWalk(), info)


def run(*threads: Any, **how: Any) -> Trace:
    """One execution, after which every coroutine must have been closed."""
    execution = make(*threads, **how)
    try:
        return in_trio(run_trio, execution)
    finally:
        assert all_closed(execution)


def all_closed(execution: Execution) -> bool:
    return all(inspect.getcoroutinestate(a.coroutine) == inspect.CORO_CLOSED for a in execution.actors)


def many_digests(guests: Guests, seed: int, runs: int = 15) -> set[str]:
    """The digests of many runs of one seed, half of them after each other in one trio run."""

    async def together() -> list[str]:
        return [(await run_trio(make(*guests(), seed=seed))).digest for _ in range(runs)]

    alone = [run(*guests(), seed=seed).digest for _ in range(runs)]
    return {*alone, *in_trio(together)}


async def increment(cpu: Any) -> None:
    await cpu.str_(X, await cpu.ldr(X) + 1)


async def stores_for_ever(cpu: Any) -> None:
    while True:
        await cpu.str_(X, 0)


async def waits_for_nothing(cpu: Any) -> None:
    await cpu.wait_until(Z, lambda value: value == 99)


# -- guests that await trio: one seed, one execution ----------------------------------------------------


def sleepers() -> list[Any]:
    def sleeper(*seconds: float) -> Any:
        async def guest(cpu: Any) -> None:
            for duration in seconds:
                await trio.sleep(duration)
                await increment(cpu)

        return guest

    # 0.1 + 0.2 and 0.3 are the same moment or not, depending on the clock's start: it must not depend on that.
    return [sleeper(0.1, 0.2, 0.1), sleeper(0.3, 0.1), sleeper(0.2, 0.2), sleeper(0, 0.1, 0.1, 0.1)]


def timeouts() -> list[Any]:
    def waiter(seconds: float) -> Any:
        async def guest(cpu: Any) -> None:
            with trio.move_on_after(seconds) as scope:
                await cpu.wait_until(Y, lambda value: value == 1)
            cpu.observe("late", scope.cancelled_caught)
            await increment(cpu)

        return guest

    async def waker(cpu: Any) -> None:
        await trio.sleep(2)
        await cpu.str_(Y, 1)

    return [waiter(1), waiter(1), waiter(2), waiter(3), waker]


def events() -> list[Any]:
    event = trio.Event()

    async def waiter(cpu: Any) -> None:
        await cpu.ldr(X)
        await event.wait()
        await increment(cpu)

    async def setter(cpu: Any) -> None:
        for _ in range(3):
            await increment(cpu)
        event.set()
        await increment(cpu)

    return [waiter, waiter, setter, waiter]


def channels() -> list[Any]:
    send, receive = trio.open_memory_channel[int](1)

    async def device(cpu: Any) -> None:
        for _ in range(3):
            await send.send(await cpu.ldr(X))
            await increment(cpu)

    async def driver(cpu: Any) -> None:
        for number in range(3):
            cpu.observe(f"r{number}", await receive.receive())
            await increment(cpu)

    return [device, driver, device, driver]


def cancellers() -> list[Any]:
    scopes = [trio.CancelScope() for _ in range(3)]

    def victim(scope: trio.CancelScope) -> Any:
        async def guest(cpu: Any) -> None:
            with scope:
                for _ in range(4):
                    await increment(cpu)
            cpu.observe("cancelled", scope.cancelled_caught)
            await cpu.str_(Y, 1)

        return guest

    async def canceller(cpu: Any) -> None:
        await cpu.ldr(X)
        for scope in scopes:
            scope.cancel()
        await increment(cpu)

    return [*(victim(scope) for scope in scopes), canceller]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("guests", [sleepers, timeouts, events, channels, cancellers])
def test_guests_that_await_trio_run_alike_every_time(guests: Guests, seed: int):
    assert len(many_digests(guests, seed)) == 1


@pytest.mark.parametrize("guests", [sleepers, events, channels, cancellers])
def test_the_scheduler_still_decides_where_guests_await_trio(guests: Guests):
    assert len({run(*guests(), seed=seed).digest for seed in range(20)}) > 3


@pytest.mark.parametrize("seed", range(10))
def test_timeouts_come_in_the_order_of_virtual_time(seed: int):
    trace = run(*timeouts(), seed=seed)
    assert trace.ending is Ending.FINISHED
    outcome = trace.outcome.as_dict()
    assert [outcome["0:late"], outcome["1:late"], outcome["3:late"]] == [True, True, False]


@pytest.mark.parametrize("seed", range(10))
def test_time_stands_still_while_a_vcpu_can_step(seed: int):
    """However long the others take, a sleeper wakes after their last step."""

    async def worker(cpu: Any) -> None:
        for _ in range(20):
            await cpu.ldr(X)

    async def sleeper(cpu: Any) -> None:
        await trio.sleep(1e-6)
        await cpu.str_(Y, 1)

    trace = run(sleeper, worker, worker, seed=seed)
    assert trace.events[-1].actor == "0"


# -- cancellation inside a guest -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_a_cancelled_operation_is_never_performed(seed: int):
    """Whoever is cancelled at a wait has withdrawn it: that wait leaves no event, and the vCPU goes on."""
    scope = trio.CancelScope()

    async def victim(cpu: Any) -> None:
        with scope:
            await waits_for_nothing(cpu)
        await cpu.str_(Y, 1)

    async def other(cpu: Any) -> None:
        await cpu.ldr(X)
        scope.cancel()
        await cpu.str_(Z, 99)  # what the victim waited for comes too late
        await cpu.ldr(X)

    trace = run(victim, other, seed=seed)
    assert trace.ending is Ending.FINISHED
    assert [event.op.kind.name for event in trace.events if event.actor == "0"] == ["STORE"]


class TwoSteps(Scheme):
    """Stores in two steps under a lock: what must not be torn."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.lock = self.host.mutex("lock")

    async def store(self, cpu: Any, address: int, width: int, value: int) -> None:
        await self.lock.lock()
        await self.host.store(address, width, value)
        await self.lock.unlock()


@pytest.mark.parametrize("seed", range(40))
def test_an_instruction_that_has_begun_is_finished_before_cancellation(seed: int):
    scope = trio.CancelScope()

    async def victim(cpu: Any) -> None:
        with scope:
            while True:
                await cpu.str_(X, 1)

    async def other(cpu: Any) -> None:
        await cpu.str_(X, 2)
        scope.cancel()
        await cpu.str_(X, 3)

    trace = run(victim, other, seed=seed, scheme=TwoSteps)
    assert trace.ending is Ending.FINISHED
    assert all(instruction.completed for instruction, _ in trace.instructions)


@pytest.mark.parametrize("seed", range(10))
def test_a_join_can_time_out(seed: int):
    async def child(cpu: Any) -> None:
        await trio.sleep(10)
        await cpu.str_(Y, 1)

    async def parent(cpu: Any) -> None:
        thread = await cpu.spawn(child)
        with trio.move_on_after(1) as scope:
            await cpu.join(thread)
        cpu.observe("late", scope.cancelled_caught)
        await cpu.join(thread)
        cpu.observe("stored", await cpu.ldr(Y))

    trace = run(parent, seed=seed)
    assert trace.ending is Ending.FINISHED
    assert (trace.outcome["0:late"], trace.outcome["0:stored"]) == (1, 1)


def test_a_guest_may_cancel_itself_and_go_on():
    async def guest(cpu: Any) -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await trio.lowlevel.checkpoint()
            await cpu.str_(Y, 1)
        await cpu.str_(Z, 1)

    outcome = run(guest, increment).outcome
    assert (outcome["[0x2000]"], outcome["[0x3000]"]) == (0, 1)


# -- guests that wait without end -----------------------------------------------------------------------


def test_a_guest_that_polls_by_sleeping_zero_does_not_starve_the_others():
    done = []

    async def poller(cpu: Any) -> None:
        while not done:
            await trio.sleep(0)

    async def worker(cpu: Any) -> None:
        for _ in range(10):
            await increment(cpu)
        done.append(True)

    assert run(poller, worker, poller).ending is Ending.FINISHED


@pytest.mark.parametrize("seconds", [0, 1])
def test_waiting_again_and_again_without_a_step_is_limited_like_steps(seconds: float):
    async def poller(cpu: Any) -> None:
        while True:
            await trio.sleep(seconds)

    assert run(poller, poller, steps=50).ending is Ending.STEP_LIMIT


def test_waiting_in_trio_for_what_nobody_does_is_a_deadlock():
    async def guest(cpu: Any) -> None:
        await cpu.ldr(X)
        await trio.sleep_forever()

    trace = run(increment, guest)
    assert trace.ending is Ending.DEADLOCK
    assert set(trace.waiting) == {"1"}


def test_a_timeout_around_the_whole_run_does_not_hide_a_livelock():
    async def main() -> Ending | None:
        with trio.fail_after(60):
            return (await run_trio(make(waits_for_nothing, increment))).ending

    assert in_trio(main) is Ending.LIVELOCK


def test_a_timeout_around_the_whole_run_comes_before_later_ones_of_guests():
    """The guest's is yet to come, so this is no deadlock; the outer one is due first and decides."""

    async def guest(cpu: Any) -> None:
        with trio.move_on_after(100):
            await waits_for_nothing(cpu)

    async def main() -> None:
        with trio.fail_after(60):
            await run_trio(make(guest, increment))

    with pytest.raises(trio.TooSlowError):
        in_trio(main)


def test_a_stuck_execution_waits_for_timeouts_of_its_guests():
    """Nobody can step, yet it is no deadlock: both time out, one after the other."""

    def patient(seconds: float) -> Any:
        async def guest(cpu: Any) -> None:
            with trio.move_on_after(seconds):
                await waits_for_nothing(cpu)
            await increment(cpu)

        return guest

    trace = run(patient(1), patient(2))
    assert trace.ending is Ending.FINISHED
    assert [event.actor for event in trace.events] == ["0", "0", "1", "1"]


def test_under_the_clock_of_the_wall_the_world_outside_may_end_a_wait():
    async def main() -> Ending | None:
        event = trio.Event()

        async def guest(cpu: Any) -> None:
            await event.wait()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, lambda: trio.from_thread.run_sync(event.set))
            return (await run_trio(make(guest, increment))).ending

    assert trio.run(main) is Ending.FINISHED


# -- exceptions ----------------------------------------------------------------------------------------


class Ours(Exception):
    """What a guest raises here."""


async def raises(cpu: Any) -> None:
    await cpu.ldr(X)
    raise Ours("on purpose")


async def raises_in_nursery(cpu: Any) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        await raises(cpu)


async def child_raises(cpu: Any) -> None:
    async def child() -> None:
        raise Ours

    async with trio.open_nursery() as nursery:
        nursery.start_soon(child)
        await trio.sleep_forever()


async def sleeps_for_ever(cpu: Any) -> None:
    await trio.sleep_forever()


@pytest.mark.parametrize("guest", [raises, raises_in_nursery, child_raises])
def test_a_guest_that_raises_gives_one_guest_error(guest: Any):
    with pytest.raises(GuestError) as caught:
        run(waits_for_nothing, guest, sleeps_for_ever, increment, scheduler=RoundRobin())
    assert caught.value.vcpu == "1"
    assert isinstance(caught.value.__cause__, Ours)


def test_both_drivers_say_the_same_of_a_guest_that_raises():
    with pytest.raises(GuestError) as on_trio:
        run(increment, raises)
    with pytest.raises(GuestError) as inline:
        run_inline(make(increment, raises))
    assert (on_trio.value.where, str(on_trio.value)) == (inline.value.where, str(inline.value))


@pytest.mark.parametrize("nested", [False, True])
def test_a_failed_assertion_ends_its_vcpu_only(nested: bool):
    async def asserts(cpu: Any) -> None:
        await cpu.ldr(X)
        if nested:
            async with trio.open_nursery():
                raise AssertionError
        raise AssertionError

    trace = run(asserts, increment)
    assert trace.ending is Ending.FINISHED
    assert [(fault.vcpu, fault.kind) for fault in trace.faults] == [("0", "assertion")]


async def interrupts(cpu: Any) -> None:
    await cpu.ldr(X)
    raise KeyboardInterrupt


async def interrupts_in_nursery(cpu: Any) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        await interrupts(cpu)


async def presses_control_c(cpu: Any) -> None:
    await cpu.ldr(X)
    signal.raise_signal(signal.SIGINT)
    await stores_for_ever(cpu)


@pytest.mark.parametrize("guest", [interrupts, interrupts_in_nursery, presses_control_c])
def test_a_keyboard_interrupt_comes_out_as_itself(guest: Any):
    with pytest.raises(KeyboardInterrupt):
        run(waits_for_nothing, guest, sleeps_for_ever, stores_for_ever, scheduler=RoundRobin())


def test_control_c_while_every_task_waits_comes_out_as_itself():
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(interrupt)
            await run_trio(make(sleeps_for_ever, waits_for_nothing, shielded_wait))

    async def interrupt() -> None:
        await trio.testing.wait_all_tasks_blocked(0.01)
        trio.lowlevel.current_trio_token().run_sync_soon(signal.raise_signal, signal.SIGINT)

    with pytest.raises(BaseExceptionGroup) as caught:  # of the nursery above, which is the test's own
        trio.run(main)
    assert caught.group_contains(KeyboardInterrupt, depth=1)


class Broken(RandomWalk):
    """Chooses nothing that was offered."""

    def choose(self, offer: Offer) -> Any:
        return "nobody" if offer.step == 3 else super().choose(offer)


def test_an_error_of_the_scheduler_comes_out_unchanged():
    with pytest.raises(SchedulerError):
        run(stores_for_ever, stores_for_ever, sleeps_for_ever, scheduler=Broken())


def test_an_error_of_the_scheduler_at_the_end_is_the_schedulers():
    class Finishing(RandomWalk):
        def finish(self, trace: Trace) -> None:
            raise Ours

    with pytest.raises(SchedulerError, match=r"Finishing\.finish raised Ours"):
        run(increment, waits_for_nothing, scheduler=Finishing())


def test_a_guest_that_awaits_what_trio_does_not_know_is_a_guest_error():
    class Foreign:
        def __await__(self) -> Any:
            return (yield "something")

    async def guest(cpu: Any) -> None:
        await Foreign()

    with pytest.raises(GuestError):
        run(increment, guest)


# -- the end -------------------------------------------------------------------------------------------


async def shielded_wait(cpu: Any) -> None:
    with trio.CancelScope(shield=True):
        await waits_for_nothing(cpu)


async def awaits_at_the_end(cpu: Any) -> None:
    try:
        await waits_for_nothing(cpu)
    finally:
        await trio.sleep(1)
        await cpu.ldr(X)


async def does_not_give_in(cpu: Any) -> None:
    for _ in range(10):
        try:
            await waits_for_nothing(cpu)
        except trio.Cancelled:
            continue


async def leaves_nursery_open(cpu: Any) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        await waits_for_nothing(cpu)


async def shields_a_nursery(cpu: Any) -> None:
    with trio.CancelScope(shield=True):
        await leaves_nursery_open(cpu)


async def raises_when_let_go(cpu: Any) -> None:
    try:
        await waits_for_nothing(cpu)
    except trio.Cancelled:
        raise Ours from None


CLINGING = [
    waits_for_nothing,
    shielded_wait,
    awaits_at_the_end,
    does_not_give_in,
    leaves_nursery_open,
    shields_a_nursery,
    sleeps_for_ever,
]


@pytest.mark.parametrize("guest", CLINGING)
def test_every_guest_is_let_go_when_the_execution_ends(guest: Any):
    assert run(guest, increment, guest).ending in (Ending.LIVELOCK, Ending.DEADLOCK)


@pytest.mark.parametrize("guest", CLINGING)
def test_every_guest_is_let_go_when_another_raises(guest: Any):
    with pytest.raises(GuestError):
        run(guest, raises, guest)


@pytest.mark.parametrize("guest", CLINGING)
def test_every_guest_is_let_go_when_the_limit_is_reached(guest: Any):
    assert run(guest, stores_for_ever, guest, steps=20).ending is Ending.STEP_LIMIT


def test_a_guest_that_raises_when_let_go_is_a_guest_error():
    with pytest.raises(GuestError):
        run(raises_when_let_go)


def test_an_error_before_counts_more_than_one_when_let_go():
    with pytest.raises(GuestError) as caught:
        run(raises_when_let_go, raises)
    assert caught.value.vcpu == "1"


@pytest.mark.parametrize("guest", CLINGING)
@pytest.mark.parametrize("seconds", [0, 1])
def test_cancelled_from_outside_it_leaves_nothing(guest: Any, seconds: float):
    async def main() -> None:
        async def napper(cpu: Any) -> None:
            for _ in range(5):
                await trio.sleep(0.3)
                await increment(cpu)
            await sleeps_for_ever(cpu)

        before = trio.lowlevel.current_statistics().tasks_living
        execution = make(guest, napper, napper, guest)
        with trio.move_on_after(seconds) as scope:
            await run_trio(execution)
        assert scope.cancelled_caught
        assert trio.lowlevel.current_statistics().tasks_living == before
        assert all_closed(execution)

    in_trio(main)


def test_another_task_may_cancel_it_in_the_midst_of_steps():
    """The steps go on between the cancellation and its delivery; still nobody is woken twice."""

    async def main() -> None:
        for delay in range(1, 30):
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(cancel, scope, delay)
                    await run_trio(make(stores_for_ever, stores_for_ever, naps, steps=10**6))
            assert scope.cancelled_caught

    async def naps(cpu: Any) -> None:
        while True:
            await trio.sleep(0)
            await cpu.ldr(X)

    async def cancel(scope: trio.CancelScope, delay: int) -> None:
        for _ in range(delay):
            await trio.lowlevel.checkpoint()
        scope.cancel()

    in_trio(main)


# -- size, nesting, context ----------------------------------------------------------------------------


@pytest.mark.untraced
def test_a_thousand_vcpus():
    async def guest(cpu: Any) -> None:
        await trio.sleep(1)
        await increment(cpu)

    assert run(*[increment] * 1_000, steps=10_000).digest == run_inline(make(*[increment] * 1_000, steps=10_000)).digest
    assert run(*[guest] * 1_000, steps=10_000).ending is Ending.FINISHED


def test_a_spawned_vcpu_may_await_trio_while_its_parent_does():
    async def child(cpu: Any) -> None:
        await trio.sleep(1)
        await increment(cpu)

    async def parent(cpu: Any) -> None:
        threads = [await cpu.spawn(child) for _ in range(3)]
        await trio.sleep(1)
        for thread in threads:
            await cpu.join(thread)
        await trio.sleep(1)
        cpu.observe("x", await cpu.ldr(X))

    assert {run(parent, child, seed=seed).ending for seed in range(10)} == {Ending.FINISHED}


def test_in_trio_refuses_to_run_inside_trio():
    async def main() -> None:
        with pytest.raises(UsageError):
            in_trio(main)

    in_trio(main)


def test_in_trio_returns_what_the_function_returns():
    async def add(a: int, b: int) -> int:
        return a + b

    assert in_trio(add, 1, 2) == 3
