"""Small, finite programs for the conformance suite of schedulers, with every situation that a scheduler can meet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simaie.guest.program import Program

__all__ = ["ON_TSO", "X", "conformance_programs", "last_store_wins"]

X, Y = 0x1000, 0x2000
#: The program that is run on a host whose store buffers are candidates too.
ON_TSO = "conformance: store buffers"


def conformance_programs() -> Iterator[Program]:
    """Yield small, finite programs that together have every situation that a scheduler can meet."""
    yield Program("conformance: increments", isa="arm", threads=[_increment] * 3, init={X: 0})
    yield Program("conformance: threads", isa="arm", threads=[_parent, _chooser], init={X: 0, Y: 0})
    yield Program("conformance: waiting", isa="arm", threads=[_waiter, _yielder, _increment], init={X: 0, Y: 0})
    yield Program(ON_TSO, isa="arm", threads=[_increment, _fenced], init={X: 0, Y: 0})
    yield Program("conformance: alone", isa="arm", threads=[_increment], init={X: 0})


def last_store_wins() -> Program:
    """Return a program of two stores to one place."""

    async def first(cpu: Any) -> None:
        await cpu.str_(X, 1)

    async def second(cpu: Any) -> None:
        await cpu.str_(X, 2)

    return Program("conformance: the last store wins", isa="arm", threads=[first, second], init={X: 0})


async def _increment(cpu: Any) -> None:
    value = await cpu.ldr(X)
    cpu.observe("read", value)
    await cpu.str_(X, value + 1)


async def _fenced(cpu: Any) -> None:
    await cpu.str_(Y, 1)
    await cpu.str_(X, 1)
    await cpu.dmb()
    cpu.observe("read", await cpu.ldr(X))


async def _parent(cpu: Any) -> None:
    child = await cpu.spawn(_increment)
    await _increment(cpu)
    await cpu.join(child)
    await cpu.ldr(X)


async def _chooser(cpu: Any) -> None:
    cpu.observe("first", await cpu.choose(3))
    await cpu.str_(Y, 1)
    cpu.observe("second", await cpu.choose(2))
    await cpu.ldr(X)


async def _waiter(cpu: Any) -> None:
    await cpu.wait_until(Y, lambda value: value == 1)
    await cpu.str_(X, 5)


async def _yielder(cpu: Any) -> None:
    await cpu.yield_()
    await cpu.str_(Y, 1)
    await cpu.yield_()
    await cpu.ldr(X)
