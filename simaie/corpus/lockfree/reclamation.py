"""Safe memory reclamation, by hazard pointers and by epochs: a node is freed once no reader can access it.

A writer replaces the node behind a pointer, and poisons the old node as soon as no reader can be reading it. A reader
announces what it reads (hazard pointer) or since when (epoch). It must do so *before* it reads: a store before a load,
the one order that even x86 does not keep. So without the fence, or under an emulator that drops it, a reader finds
poison.

M. M. Michael, "Hazard pointers: safe memory reclamation for lock-free objects", IEEE TPDS 15(6), 2004; K. Fraser,
"Practical lock-freedom", Cambridge UCAM-CL-TR-579, 2004, section 5.2.3 (epochs).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from simaie.corpus.lockfree.guest import SCHEMES, Guest, Row, holds, violated
from simaie.corpus.lockfree.idioms import ISAS, Idioms
from simaie.guest.program import FinalState, Program, ThreadCode

__all__ = ["GUESTS"]

POINTER, EPOCH = 0x100, 0x140
NODE, SIZE = 0x200, 0x40
#: By reader, a granule each: the node that it protects, or the epoch in which it entered plus one; 0 if nothing.
HAZARD = 0x400
POISON = 0xDEAD

_Fence: TypeAlias = Callable[[Any], Awaitable[None]]


def _node(number: int) -> int:
    return NODE + SIZE * number


def _hazard(reader: int) -> int:
    return HAZARD + SIZE * reader


async def _nothing(cpu: Any) -> None:
    """No fence."""


# -- hazard pointers -----------------------------------------------------------------------------------


def _hazard_reader(isa: Idioms, me: int, fence: _Fence) -> ThreadCode:
    async def reader(cpu: Any) -> None:
        while True:
            node = await cpu.load(POINTER)
            await cpu.store(_hazard(me), node)
            await fence(cpu)
            if await cpu.load(POINTER) == node:
                break
        cpu.observe("seen", await cpu.load(_node(node)))
        await isa.order(cpu)
        await cpu.store(_hazard(me), 0)

    return reader


def _hazard_writer(isa: Idioms, fresh: int, readers: int, fence: _Fence) -> ThreadCode:
    async def writer(cpu: Any) -> None:
        old = await isa.exchange(cpu, POINTER, fresh)
        await isa.fence(cpu)
        for reader in range(readers):
            await cpu.wait_until(_hazard(reader), lambda protected: protected != old)
        await cpu.store(_node(old), POISON)

    return writer


# -- epochs --------------------------------------------------------------------------------------------


def _epoch_reader(isa: Idioms, me: int, fence: _Fence) -> ThreadCode:
    async def reader(cpu: Any) -> None:
        await cpu.store(_hazard(me), await cpu.load(EPOCH) + 1)
        await fence(cpu)
        cpu.observe("seen", await cpu.load(_node(await cpu.load(POINTER))))
        await isa.order(cpu)
        await cpu.store(_hazard(me), 0)

    return reader


def _epoch_writer(isa: Idioms, fresh: int, readers: int, fence: _Fence) -> ThreadCode:
    """Return a writer that frees the old node after two epochs, each begun when all readers inside were current."""

    async def writer(cpu: Any) -> None:
        old = await isa.exchange(cpu, POINTER, fresh)
        await isa.fence(cpu)
        for _ in range(2):
            epoch = await cpu.load(EPOCH)
            for reader in range(readers):
                await cpu.wait_until(_hazard(reader), lambda entered, now=epoch: entered in (0, now + 1))
            await isa.compare_and_swap(cpu, EPOCH, epoch, epoch + 1)
            await isa.fence(cpu)
        await cpu.store(_node(old), POISON)

    return writer


# -- the guests ----------------------------------------------------------------------------------------

_Reader: TypeAlias = Callable[[Idioms, int, _Fence], ThreadCode]
_Writer: TypeAlias = Callable[[Idioms, int, int, _Fence], ThreadCode]
_WEAK = "the reader's announcement waits in the store buffer while it reads"


def _program(
    name: str, isa: Idioms, make: tuple[_Reader, _Writer], readers: int, writers: int, fence: _Fence
) -> Program:
    reader, writer = make

    def final(state: FinalState) -> bool:
        return POISON not in state.registers.values()

    threads = [reader(isa, me, fence) for me in range(readers)]
    threads += [writer(isa, 2 + n, readers, fence) for n in range(writers)]
    init = {POINTER: 1, EPOCH: 0} | {_node(n): n for n in range(1, writers + 2)}
    init |= {_hazard(me): 0 for me in range(readers)}
    return Program(name, isa=isa.isa, threads=threads, init=init, final=final)


def _rows(isa: str, fenced: bool) -> tuple[Row, ...]:
    rows = [holds(scheme, "one writer, and nothing is reordered") for scheme in SCHEMES[isa]]
    for scheme in SCHEMES[isa]:
        if not fenced:
            rows.append(violated(scheme, _WEAK, host="tso"))
        elif scheme == "aie-rfc":
            rows.append(violated(scheme, f"the guest's fence becomes nothing: {_WEAK}", host="tso"))
        else:
            rows.append(holds(scheme, "the guest's fence becomes the host's", host="tso"))
    return tuple(rows)


def _guest(name: str, title: str, isa: Idioms, make: tuple[_Reader, _Writer], fenced: bool) -> Guest:
    fence = isa.fence if fenced else _nothing
    full = f"{name}{'' if fenced else '-unfenced'}-{isa.isa}"
    return Guest(
        title=f"{title}, with{'' if fenced else 'out'} the reader's fence",
        specification="no reader sees a node that has been freed",
        program=_program(full, isa, make, 1, 1, fence),
        larger=_program(f"{full}-large", isa, make, 2, 1, fence),
        rows=_rows(isa.isa, fenced),
    )


_HAZARDS, _EPOCHS = (_hazard_reader, _hazard_writer), (_epoch_reader, _epoch_writer)
GUESTS = tuple(
    _guest(name, title, isa, make, fenced)
    for name, title, make in (("hazard-pointers", "hazard pointers", _HAZARDS), ("epochs", "epochs", _EPOCHS))
    for isa in ISAS
    for fenced in (True, False)
)
