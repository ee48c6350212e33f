"""A sequence lock: writers count up before and after; readers retry if the count was odd or has changed.

Writers exclude each other by an atomic change of the count to odd, and release by a plain store. As Linux's seqlock_t.
"""

from __future__ import annotations

from typing import Any

from simaie.corpus.lockfree.guest import Guest, Row, holds, table, violated
from simaie.corpus.lockfree.idioms import ISAS, Idioms
from simaie.guest.program import FinalState, Program, ThreadCode

__all__ = ["GUESTS"]

COUNT = 0x100
#: Two words in different granules that a reader must always see equal.
A, B = 0x140, 0x180


def _even(count: int) -> bool:
    return count % 2 == 0


def _odd_next(count: int) -> int | None:
    return count + 1 if count % 2 == 0 else None


def _writer(isa: Idioms) -> ThreadCode:
    even, odd_next = _even, _odd_next

    async def writer(cpu: Any) -> None:
        while True:
            await cpu.wait_until(COUNT, even)
            count: int = await isa.update(cpu, COUNT, odd_next)
            if even(count):
                break
        await isa.order(cpu)
        value = await cpu.load(A) + 1
        await cpu.store(A, value)
        await cpu.store(B, value)
        await isa.order(cpu)
        await cpu.store(COUNT, count + 2)

    return writer


def _reader(isa: Idioms) -> ThreadCode:
    even = _even

    async def reader(cpu: Any) -> None:
        while True:
            count = await cpu.wait_until(COUNT, even)
            await isa.order(cpu)
            a, b = await cpu.load(A), await cpu.load(B)
            await isa.order(cpu)
            if await cpu.load(COUNT) == count:
                break
        cpu.observe("difference", a - b)

    return reader


def _program(name: str, isa: Idioms, writers: int, readers: int) -> Program:
    def final(state: FinalState) -> bool:
        return state[A] == state[B] == writers and not any(state.registers.values())

    threads = [_writer(isa)] * writers + [_reader(isa)] * readers
    return Program(name, isa=isa.isa, threads=threads, init={COUNT: 0, A: 0, B: 0}, final=final)


_LATE = "the count leaves the store buffer before the data that it guards"
_CHECKED = "the release is a checked store, whose mutex carries the barrier that the emulator does not emit"


def _rows(isa: str, writers: int) -> tuple[Row, ...]:
    rows = [holds("cas", "a barrier of the host is between the stores", host="pso")]
    if writers == 1:
        rows.append(holds("none", "there is only one writer, and its count is never overwritten"))
    if isa == "arm":
        why = f"no barriers are emitted, and plain stores are not checked: {_LATE}"
        return (*rows, violated("aie-rfc", why, host="pso"))
    if writers > 1:
        why = "a failing LOCK CMPXCHG stores the count back over the writer's release, a plain store"
        rows.append(violated("global-lock", why))
    return (*rows, *[holds(scheme, _CHECKED, host="pso") for scheme in ("aie-rfc", "aie-v2")])


def _guests(isa: Idioms) -> tuple[Guest, ...]:
    return (
        Guest(
            title="a sequence lock, written and read",
            specification="a reader sees both words of one write",
            program=_program(f"seqlock-{isa.isa}", isa, 1, 1),
            larger=_program(f"seqlock-{isa.isa}-large", isa, 1, 2),
            rows=table(isa.isa, *_rows(isa.isa, 1)),
        ),
        Guest(
            title="a sequence lock with two writers",
            specification="writers exclude each other, and a reader sees both words of one write",
            program=_program(f"seqlock-writers-{isa.isa}", isa, 2, 0),
            larger=_program(f"seqlock-writers-{isa.isa}-large", isa, 2, 2),
            rows=table(isa.isa, *_rows(isa.isa, 2)),
        ),
    )


GUESTS = tuple(guest for isa in ISAS for guest in _guests(isa))
