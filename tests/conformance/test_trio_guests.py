"""Generated guests that mix operations with trio: deterministic, and nothing is left of them, however they end."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import trio
from simaie_schedulers.random_walk import RandomWalk

from simaie.engine.execution import Execution
from simaie.engine.on_trio.driver import in_trio, run_trio
from simaie.errors import GuestError
from simaie.guest.program import Program
from simaie.machine import Limits, Machine
from simaie.prng import Random
from simaie.protocols import ExecutionInfo

X, Y, Z = 0x1000, 0x2000, 0x3000


class Shared:
    """What the guests of one program have in common outside guest memory."""

    def __init__(self) -> None:
        self.event = trio.Event()
        self.send, self.receive = trio.open_memory_channel[int](1)
        self.scopes: list[trio.CancelScope] = []


async def increment(cpu: Any, shared: Shared, n: int) -> None:
    await cpu.str_(X, await cpu.ldr(X) + 1)


async def sleep(cpu: Any, shared: Shared, n: int) -> None:
    await trio.sleep(n * 0.1)


async def await_event(cpu: Any, shared: Shared, n: int) -> None:
    with trio.move_on_after(n * 0.1 + 0.05):
        await shared.event.wait()


async def set_event(cpu: Any, shared: Shared, n: int) -> None:
    shared.event.set()
    await cpu.str_(Y, n)


async def await_value(cpu: Any, shared: Shared, n: int) -> None:
    with trio.move_on_after(n * 0.1) as scope:
        shared.scopes.append(scope)
        await cpu.wait_until(Y, lambda value: value == n)
    cpu.observe("late", scope.cancelled_caught)


async def use_channel(cpu: Any, shared: Shared, n: int) -> None:
    with trio.move_on_after(0.3) as scope:
        shared.scopes.append(scope)
        await (shared.send.send(n) if n % 2 else shared.receive.receive())


async def cancel_all(cpu: Any, shared: Shared, n: int) -> None:
    for scope in shared.scopes:
        scope.cancel()


async def open_nursery(cpu: Any, shared: Shared, n: int) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, n * 0.1)
        await cpu.ldr(Z)


async def shield(cpu: Any, shared: Shared, n: int) -> None:
    with trio.CancelScope(shield=True):
        await cpu.str_(Z, n)


async def start_another(cpu: Any, shared: Shared, n: int) -> None:
    async def child(cpu: Any) -> None:
        await sleep(cpu, shared, n)
        await increment(cpu, shared, n)

    thread = await cpu.spawn(child)
    with trio.move_on_after(0.2):
        await cpu.join(thread)


async def fail(cpu: Any, shared: Shared, n: int) -> None:
    if n == 0:
        raise ZeroDivisionError


ACTIONS = [increment, increment, increment, sleep, await_event, set_event, await_value, use_channel, cancel_all]
ACTIONS += [open_nursery, shield, start_another, fail]


def make(seed: int) -> Execution:
    """The execution that `seed` stands for: two to four guests of up to eight actions each."""
    random, shared = Random(seed), Shared()

    def guest() -> Any:
        plan = [(random.choice(ACTIONS), random.below(4)) for _ in range(1 + random.below(8))]

        async def code(cpu: Any) -> None:
            for action, n in plan:
                await action(cpu, shared, n)

        return code

    threads = [guest() for _ in range(2 + random.below(3))]
    program = Program("mixed", isa="arm", threads=threads, init={X: 0, Y: 0, Z: 0})
    machine = Machine("native", limits=Limits(steps=500))
    return Execution(program, machine, RandomWalk(), ExecutionInfo(seed, 0, len(threads)))


async def ending_of(seed: int) -> str:
    """The digest of the execution, or whose guest raised; nothing is left of it in either case."""
    execution = make(seed)
    before = trio.lowlevel.current_statistics().tasks_living
    try:
        return (await run_trio(execution)).digest
    except GuestError as error:
        return f"{error.vcpu}: {error.__cause__!r}"
    finally:
        assert trio.lowlevel.current_statistics().tasks_living <= before
        assert all(inspect.getcoroutinestate(a.coroutine) == inspect.CORO_CLOSED for a in execution.actors)


async def repeatedly(seed: int) -> list[str]:
    return [await ending_of(seed) for _ in range(3)]


@pytest.mark.parametrize("first", range(0, 80, 20))
def test_one_seed_is_one_execution(first: int):
    for seed in range(first, first + 20):
        assert len({*in_trio(repeatedly, seed), in_trio(ending_of, seed)}) == 1, seed


async def cancelled_at(seed: int, moment: int) -> None:
    """Run it, and cancel it from another task after so many of that task's turns."""

    async def cancel() -> None:
        for _ in range(moment):
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel)
            await ending_of(seed)
            nursery.cancel_scope.cancel()
    except* GuestError:
        pass


@pytest.mark.parametrize("run", [in_trio, trio.run])
@pytest.mark.parametrize("moment", range(0, 30, 3))
def test_it_can_be_cancelled_at_any_moment(run: Any, moment: int):
    async def main() -> None:
        for seed in range(25):
            await cancelled_at(seed, moment)

    run(main)
