"""A ring between one producer and one consumer: no atomic instruction, only the order of plain accesses.

The producer writes a slot and then its index; the consumer reads the index and then the slot. x86 keeps that order
without a barrier, Arm by DMB. A host that reorders stores, under an emulator that emits no barriers, breaks it.

L. Lamport, "Specifying concurrent program modules", ACM TOPLAS 5(2), 1983.
"""

from __future__ import annotations

from typing import Any

from simaie.corpus.lockfree.guest import SCHEMES, Guest, Row, holds, violated
from simaie.corpus.lockfree.idioms import ISAS, Idioms
from simaie.guest.program import FinalState, Program, ThreadCode

__all__ = ["GUESTS"]

#: The numbers of items ever written and read; the slot of an item is its index modulo the number of slots.
WRITTEN, READ = 0x100, 0x140
SLOT, SIZE = 0x200, 0x40


def _producer(isa: Idioms, slots: int, items: int, read: int, written: int, slot: int) -> ThreadCode:
    async def producer(cpu: Any) -> None:
        for item in range(items):
            await cpu.wait_until(read, lambda done, item=item: item - done < slots)
            await isa.order(cpu)
            await cpu.store(slot + SIZE * (item % slots), item + 1)
            await isa.order(cpu)
            await cpu.store(written, item + 1)

    return producer


def _consumer(isa: Idioms, slots: int, items: int, read: int, written: int, slot: int) -> ThreadCode:
    async def consumer(cpu: Any) -> None:
        for item in range(items):
            await cpu.wait_until(written, lambda done, item=item: done > item)
            await isa.order(cpu)
            cpu.observe(f"item{item}", await cpu.load(slot + SIZE * (item % slots)))
            await isa.order(cpu)
            await cpu.store(read, item + 1)

    return consumer


def _program(name: str, isa: Idioms, pairs: int, slots: int, items: int) -> Program:
    """Return a program of `pairs` rings, each with a producer and a consumer."""
    threads: list[ThreadCode] = []
    init: dict[int, int] = {}
    for pair in range(pairs):
        places = (READ + 4 * pair, WRITTEN + 4 * pair, SLOT + SIZE * slots * pair)
        threads += [_producer(isa, slots, items, *places), _consumer(isa, slots, items, *places)]
        init |= {places[0]: 0, places[1]: 0} | {places[2] + SIZE * n: 0 for n in range(slots)}

    def final(state: FinalState) -> bool:
        return all(value == int(name.partition(":item")[2]) + 1 for name, value in state.registers.items())

    return Program(name, isa=isa.isa, threads=threads, init=init, final=final)


_NO_ATOMICS = "there is no atomic instruction to emulate, and nothing is reordered"
_LATE = "the index leaves the store buffer before the item that it announces"


def _rows(isa: str) -> tuple[Row, ...]:
    rows = [holds(scheme, _NO_ATOMICS) for scheme in SCHEMES[isa]]
    for scheme in SCHEMES[isa]:
        if isa == "x86":
            rows.append(holds(scheme, "only the order of stores matters, and the host keeps it", host="tso"))
        if scheme == "aie-rfc":
            rows.append(violated(scheme, f"no barriers are emitted: {_LATE}", host="pso"))
        elif scheme == "cas" or isa == "arm":
            rows.append(holds(scheme, "a barrier of the host is between the two stores", host="pso"))
        else:
            rows.append(violated(scheme, f"x86 needs no fence, so no barrier is emitted: {_LATE}", host="pso"))
    return tuple(rows)


def _guest(isa: Idioms) -> Guest:
    return Guest(
        title="a ring of one producer and one consumer",
        specification="the consumer reads what was written, in order",
        program=_program(f"spsc-ring-{isa.isa}", isa, 1, 2, 3),
        larger=_program(f"spsc-ring-{isa.isa}-large", isa, 2, 2, 3),
        rows=_rows(isa.isa),
    )


GUESTS = tuple(map(_guest, ISAS))
