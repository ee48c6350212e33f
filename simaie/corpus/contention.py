"""Many vCPUs on one granule: the tiny set must grow without bound and never drop a member."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from simaie.corpus.audit_case import Case, Expect, Needs
from simaie.corpus.common import ARM, X, Y, Z
from simaie.corpus.dialects import ARM32, LLSC, Dialect
from simaie.guest.program import FinalState, Program

__all__ = ["CASES"]

LOCK, COUNTER, TURN = X, Y, Z
GuestThread = Callable[[Any], Coroutine[Any, Any, None]]


def _together(dialect: Dialect, name: str, vcpus: int) -> Program:
    """All vCPUs reserve, one after the other, and then all store: the first SC must succeed, and no other.

    TURN is the number of reservations so far. Each vCPU waits for its own number, so before the first SC the set has
    `vcpus` members.
    """
    threads = [_reserve_then_store(dialect, number, vcpus) for number in range(vcpus)]

    def final(state: FinalState) -> bool:
        result = {n: state.registers.get(f"{n}:{dialect.result}") for n in range(vcpus)}
        winners = [n for n in range(vcpus) if result[n] == dialect.success]
        return len(winners) == 1 and state[X] == winners[0] + 1

    return Program(name, isa=dialect.isa, threads=threads, init={X: 0, TURN: 0}, final=final)


def _reserve_then_store(dialect: Dialect, number: int, vcpus: int) -> GuestThread:
    async def thread(cpu: Any) -> None:
        await cpu.wait_until(TURN, lambda value: value == number)
        await getattr(cpu, dialect.linked)(X)
        await getattr(cpu, dialect.store)(TURN, number + 1)
        await cpu.wait_until(TURN, lambda value: value == vcpus)
        cpu.observe(dialect.result, await getattr(cpu, dialect.conditional)(X, number + 1))

    return thread


def _chain(dialect: Dialect, name: str, vcpus: int) -> Program:
    """Each vCPU reserves, starts the next one and waits for its end; the last one's SC succeeds, and no other.

    All of them are alive and members before the first SC. One of them can take a step at a time, so that a program of
    a thousand is quick.
    """

    def member(number: int) -> GuestThread:
        async def thread(cpu: Any) -> None:
            await getattr(cpu, dialect.linked)(X)
            if number < vcpus:
                await cpu.join(await cpu.spawn(member(number + 1)))
            cpu.observe(dialect.result, await getattr(cpu, dialect.conditional)(X, number))

        return thread

    def final(state: FinalState) -> bool:
        results = [value for name, value in state.registers.items() if name.endswith(dialect.result)]
        return results.count(dialect.success) == 1 and len(results) == state[X] == vcpus

    return Program(name, isa=dialect.isa, threads=[member(1)], init={X: 0}, final=final)


def _contended_lock(name: str, vcpus: int, *, barriers: bool) -> Program:
    """A lock that is taken by LL/SC and released by a plain store, around a counter that is not atomic.

    The release never falls between another vCPU's LL and SC: a vCPU that saw the lock free leaves the set once another
    one takes it.
    """

    async def thread(cpu: Any) -> None:
        while True:
            await cpu.wait_until(LOCK, lambda value: value == 0)
            if await cpu.ldrex(LOCK) == 0 and await cpu.strex(LOCK, 1) == 0:
                break
        if barriers:
            await cpu.dmb()
        await cpu.str_(COUNTER, 1 + await cpu.ldr(COUNTER))
        if barriers:
            await cpu.dmb()
        await cpu.str_(LOCK, 0)

    def final(state: FinalState) -> bool:
        return state[COUNTER] == vcpus and state[LOCK] == 0

    init = {LOCK: 0, COUNTER: 0}
    return Program(name, isa="arm", threads=[thread] * vcpus, init=init, final=final)


def _tiny_sets() -> Iterator[Case]:
    for dialect in LLSC:
        small, large = (4, 80) if dialect is ARM32 else (3, 20)
        yield Case(
            row=19,
            title="more threads than any fixed bound: no reservation lost",
            why="The tiny set grows without bound: when all vCPUs are members, the first SC of any of them succeeds.",
            program=_together(dialect, f"tiny-set-{small}{dialect.suffix}", small),
            larger=_together(dialect, f"tiny-set-{large}{dialect.suffix}", large),
            samples=15 if dialect is ARM32 else 5,
            expected=ARM(Expect.MUST_NOT),
        )


CASES = (
    *_tiny_sets(),
    Case(
        row=19,
        title="a thousand threads in one tiny set: no reservation lost",
        why="The tiny set grows without bound: with all threads as members, the last one's SC succeeds and empties it.",
        program=_chain(ARM32, "chain-of-reservations-3", 3),
        larger=_chain(ARM32, "chain-of-reservations-1000", 1000),
        started=(2, 999),
        samples=1,
        needs=Needs(steps=200_000),
        expected=ARM(Expect.MUST_NOT),
    ),
    Case(
        row=19,
        title="a heavily contended LL/SC lock: exclusion and progress",
        why="Of the vCPUs that saw the lock free, exactly the first SC stores: one holder, and it makes progress.",
        program=_contended_lock("contended-lock-2", 2, barriers=False),
        larger=_contended_lock("contended-lock-64", 64, barriers=True),
        samples=8,
        needs=Needs(steps=200_000),
        expected=ARM(Expect.MUST_NOT),
    ),
)
