"""Small guest programs on the native scheme, where one guest access is one step, and how to run them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.guest.program import Program
from simaie.machine import Limits, Machine
from simaie.prng import derive
from simaie.protocols import ExecutionInfo, Scheduler
from simaie.trace import Trace

X, Y, Z = 0x1000, 0x2000, 0x3000


def make(*threads: Any, name: str = "test", final: Any = None, init: dict[int, int] | None = None) -> Program:
    return Program(name, isa="arm", threads=threads, init=init or {X: 0, Y: 0, Z: 0}, final=final)


def stores(*addresses: int, value: int = 1) -> Any:
    async def thread(cpu):
        for address in addresses:
            await cpu.str_(address, value)

    return thread


def loads(*addresses: int) -> Any:
    async def thread(cpu):
        for number, address in enumerate(addresses):
            cpu.observe(f"r{number}", await cpu.ldr(address))

    return thread


async def increment(cpu):
    await cpu.str_(X, await cpu.ldr(X) + 1)


def store_buffering() -> Program:
    def side(mine: int, other: int) -> Any:
        async def thread(cpu):
            await cpu.str_(mine, 1)
            cpu.observe("r0", await cpu.ldr(other))

        return thread

    return make(side(X, Y), side(Y, X), name="SB")


def increments(count: int) -> Program:
    return make(*[increment] * count, name=f"inc({count})", final=lambda state: state[X] == count)


def iriw() -> Program:
    return make(stores(X), stores(Y), loads(X, Y), loads(Y, X), name="IRIW")


def independent(threads: int = 2, events: int = 5) -> Program:
    """`threads` x `events` stores, every one to a place of its own."""
    return make(*[stores(*[X + 256 * t + 16 * e for e in range(events)]) for t in range(threads)])


def run(
    program: Program, scheduler: Scheduler, index: int = 0, seed: int = 0, steps: int = 2_000, tries: int = 1
) -> Trace:
    info = ExecutionInfo(derive(seed, index), index, len(program.threads))
    return run_inline(Execution(program, Machine("native", limits=Limits(steps=steps, tries=tries)), scheduler, info))


def run_all(program: Program, scheduler: Scheduler, limit: int = 10_000, **how: int) -> Iterator[Trace]:
    """Every execution until the scheduler is exhausted, at most `limit`."""
    for index in range(limit):
        if scheduler.exhausted:
            return
        yield run(program, scheduler, index, **how)


def actors(trace: Trace) -> str:
    """Who ran, step by step: ``"0011"``."""
    return "".join(event.actor for event in trace.events)


def found(program: Program, make_scheduler: Callable[[], Scheduler], seeds: Sequence[int], executions: int) -> int:
    """In how many executions, over all seeds, the program's final check failed."""
    return sum(
        trace.accepted is False for seed in seeds for trace in run_all(program, make_scheduler(), executions, seed=seed)
    )
