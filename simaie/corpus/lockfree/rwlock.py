"""A reader-writer lock in one word, the number of readers or a writer's mark; as in Linux's spinlock.h of arch/arm.

A reader enters and leaves by atomic operations on the word, and a writer enters by one; the writer leaves by a plain
store. On Arm no vCPU stores conditionally to a word that it has seen write-locked, so that store is safe there. LOCK
CMPXCHG also stores if it fails, the old value. If that is a load and a store under a lock that plain stores ignore, it
writes back a lock that has just been released.
"""

from __future__ import annotations

from typing import Any

from simaie.corpus.lockfree.guest import Guest, Row, holds, table, violated
from simaie.corpus.lockfree.idioms import ARM, ISAS, Idioms
from simaie.guest.program import FinalState, Program, ThreadCode

__all__ = ["GUESTS"]

LOCK = 0x100
#: Two words that are equal outside the writer's critical section.
A, B = 0x140, 0x180
WRITES = 1 << 31


def _free(word: int) -> bool:
    return word == 0


def _no_writer(word: int) -> bool:
    return word < WRITES


def _taken(word: int) -> int | None:
    return WRITES if word == 0 else None


def _one_more(word: int) -> int | None:
    return word + 1 if word < WRITES else None


def _writer(isa: Idioms) -> ThreadCode:
    free, taken = _free, _taken

    async def writer(cpu: Any) -> None:
        while True:
            await cpu.wait_until(LOCK, free)
            if free(await isa.update(cpu, LOCK, taken)):
                break
        await isa.order(cpu)
        value = await cpu.load(A) + 1
        await cpu.store(A, value)
        await cpu.store(B, value)
        await isa.order(cpu)
        await cpu.store(LOCK, 0)

    return writer


def _reader(isa: Idioms) -> ThreadCode:
    no_writer, one_more = _no_writer, _one_more

    async def reader(cpu: Any) -> None:
        while True:
            await cpu.wait_until(LOCK, no_writer)
            if no_writer(await isa.update(cpu, LOCK, one_more)):
                break
        await isa.order(cpu)
        cpu.observe("difference", await cpu.load(A) - await cpu.load(B))
        await isa.order(cpu)
        await isa.fetch_add(cpu, LOCK, (1 << 32) - 1)

    return reader


def _program(name: str, isa: Idioms, writers: int, readers: int) -> Program:
    def final(state: FinalState) -> bool:
        return state[A] == state[B] == writers and state[LOCK] == 0 and not any(state.registers.values())

    threads = [_writer(isa)] * writers + [_reader(isa)] * readers
    return Program(name, isa=isa.isa, threads=threads, init={LOCK: 0, A: 0, B: 0}, final=final)


def _guest(isa: Idioms) -> Guest:
    rows: tuple[Row, ...]
    if isa is ARM:
        rows = (holds("cas", "free is free, regardless of holders in between", unnoticed=("llsc-atomicity",)),)
    else:
        why = "a failing LOCK CMPXCHG stores the word back over the writer's release, a plain store"
        rows = (violated("global-lock", why),)
    return Guest(
        title="a reader-writer lock in one word",
        specification="a reader never sees half of a write, and no vCPU waits forever",
        program=_program(f"rwlock-{isa.isa}", isa, 1, 1),
        larger=_program(f"rwlock-{isa.isa}-large", isa, 2, 2),
        rows=table(isa.isa, *rows),
    )


GUESTS = tuple(map(_guest, ISAS))
