"""A reusable barrier: the last vCPU to arrive resets the count and flips the sense; the others wait for the flip.

D. Hensgen, R. Finkel, U. Manber, "Two algorithms for barrier synchronization", IJPP 17(1), 1988: sense reversal.
"""

from __future__ import annotations

from typing import Any

from simaie.corpus.lockfree.guest import Guest, table
from simaie.corpus.lockfree.idioms import ISAS, Idioms
from simaie.guest.program import FinalState, Program, ThreadCode

__all__ = ["GUESTS"]

COUNT, SENSE = 0x100, 0x140
SLOT, SIZE = 0x200, 0x40


def _thread(isa: Idioms, me: int, vcpus: int, rounds: int) -> ThreadCode:
    async def thread(cpu: Any) -> None:
        behind = 0
        for turn in range(1, rounds + 1):
            await cpu.store(SLOT + SIZE * me, turn)
            await isa.order(cpu)
            if await isa.fetch_add(cpu, COUNT, 1) == vcpus - 1:
                await cpu.store(COUNT, 0)
                await isa.order(cpu)
                await cpu.store(SENSE, turn)
            else:
                await cpu.wait_until(SENSE, lambda sense, turn=turn: sense == turn)
            await isa.order(cpu)
            behind += int(await cpu.load(SLOT + SIZE * ((me + 1) % vcpus)) < turn)
        cpu.observe("behind", behind)

    return thread


def _program(name: str, isa: Idioms, vcpus: int, rounds: int) -> Program:
    def final(state: FinalState) -> bool:
        return not any(state.registers.values())

    init = {COUNT: 0, SENSE: 0, **{SLOT + SIZE * vcpu: 0 for vcpu in range(vcpus)}}
    threads = [_thread(isa, me, vcpus, rounds) for me in range(vcpus)]
    return Program(name, isa=isa.isa, threads=threads, init=init, final=final)


def _guest(isa: Idioms) -> Guest:
    return Guest(
        title="a barrier that turns its sense",
        specification="after the barrier every vCPU sees what was stored before it, and all pass the barrier",
        program=_program(f"barrier-{isa.isa}", isa, 2, 2),
        larger=_program(f"barrier-{isa.isa}-large", isa, 3, 2),
        rows=table(isa.isa),
    )


GUESTS = tuple(map(_guest, ISAS))
