"""Mutual exclusion by plain loads and stores, which a store buffer breaks and a fence repairs.

Each vCPU announces that it wants to enter and then looks whether another does. A store that waits in a buffer while a
later load is performed admits two vCPUs at once. Each algorithm exists with fences and without. On a sequentially
consistent host both are correct under every scheme, since a scheme only has to emit the fences.

* *Dekker*, as in E. W. Dijkstra, "Cooperating sequential processes", 1965;
* *Peterson*, "Myths about the mutual exclusion problem", Information Processing Letters 12(3), 1981;
* *Szymanski*, "A simple solution to Lamport's concurrent programming problem with linear wait", ICS 1988; for any
  number of vCPUs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeAlias

from simaie.corpus.lockfree.guest import SCHEMES, Guest, Row, holds, violated
from simaie.corpus.lockfree.idioms import ISAS, Idioms
from simaie.guest.program import FinalState, Program

__all__ = ["GUESTS"]

COUNTER, TURN = 0x100, 0x140
FLAG, SIZE = 0x200, 0x40

GuestFunction: TypeAlias = Callable[[Any], Coroutine[Any, Any, Any]]
_Fence: TypeAlias = Callable[[Any], Awaitable[None]]
_Make: TypeAlias = Callable[[int, int, _Fence, _Fence], GuestFunction]


def _flag(vcpu: int) -> int:
    return FLAG + SIZE * vcpu


async def _nothing(cpu: Any) -> None:
    """No fence."""


async def _critical(cpu: Any) -> None:
    await cpu.store(COUNTER, await cpu.load(COUNTER) + 1)


def _others(me: int, vcpus: int) -> list[int]:
    return [vcpu for vcpu in range(vcpus) if vcpu != me]


def _dekker(me: int, vcpus: int, fence: _Fence, order: _Fence) -> GuestFunction:
    other, critical = 1 - me, _critical

    async def thread(cpu: Any) -> None:
        await cpu.store(_flag(me), 1)
        await fence(cpu)
        while await cpu.load(_flag(other)):
            if await cpu.load(TURN) != me:
                await cpu.store(_flag(me), 0)
                await cpu.wait_until(TURN, lambda turn: turn == me)
                await cpu.store(_flag(me), 1)
                await fence(cpu)
            else:
                await cpu.wait_until(_flag(other), lambda wants: not wants)
        await critical(cpu)
        await order(cpu)
        await cpu.store(TURN, other)
        await order(cpu)
        await cpu.store(_flag(me), 0)

    return thread


def _peterson(me: int, vcpus: int, fence: _Fence, order: _Fence) -> GuestFunction:
    """For more than two vCPUs: the filter, with a stage for each vCPU that has to wait; level 0 means not wanting."""
    others, critical = _others(me, vcpus), _critical

    async def thread(cpu: Any) -> None:
        for level in range(1, vcpus):
            await cpu.store(_flag(me), level)
            await order(cpu)
            await cpu.store(TURN + 4 * level, me)
            await fence(cpu)
            for other in others:
                while await cpu.load(_flag(other)) >= level and await cpu.load(TURN + 4 * level) == me:
                    await _pause(cpu)
        await critical(cpu)
        await order(cpu)
        await cpu.store(_flag(me), 0)

    return thread


async def _pause(cpu: Any) -> None:
    """Hint that the vCPU spins, by the instruction of its instruction set."""
    await (cpu.pause() if cpu.isa == "x86" else cpu.yield_())


def _szymanski(me: int, vcpus: int, fence: _Fence, order: _Fence) -> GuestFunction:
    """Flags: 1 wants to enter, 2 waits for others in the waiting room, 3 is in the doorway, 4 has closed the door."""
    others, critical = _others(me, vcpus), _critical

    async def some(cpu: Any, *values: int) -> bool:
        for other in others:
            if await cpu.load(_flag(other)) in values:
                return True
        return False

    async def thread(cpu: Any) -> None:
        await cpu.store(_flag(me), 1)
        await fence(cpu)
        for other in others:
            await cpu.wait_until(_flag(other), lambda flag: flag < 3)
        await cpu.store(_flag(me), 3)
        await fence(cpu)
        if await some(cpu, 1):
            await cpu.store(_flag(me), 2)
            await fence(cpu)
            while not await some(cpu, 4):
                await _pause(cpu)
        await cpu.store(_flag(me), 4)
        await fence(cpu)
        for other in others[:me]:
            await cpu.wait_until(_flag(other), lambda flag: flag < 2)
        await critical(cpu)
        for other in others[me:]:
            await cpu.wait_until(_flag(other), lambda flag: flag < 2 or flag > 3)
        await order(cpu)
        await cpu.store(_flag(me), 0)

    return thread


# -- the guests ----------------------------------------------------------------------------------------

_WEAK = "a store waits in the buffer while a later load reads the other's flag"
#: Schemes under which the guest's fences become nothing.
_FENCELESS = "aie-rfc"


def _repeated(thread: GuestFunction, rounds: int) -> GuestFunction:
    async def repeated(cpu: Any) -> None:
        for _ in range(rounds):
            await thread(cpu)

    return repeated


def _rows(isa: str, fenced: bool) -> Sequence[Row]:
    rows = [holds(scheme, "nothing is reordered, and plain accesses are single operations") for scheme in SCHEMES[isa]]
    for scheme in SCHEMES[isa]:
        if not fenced:
            rows.append(violated(scheme, _WEAK, host="tso"))
        elif scheme == _FENCELESS:
            rows.append(violated(scheme, f"the guest's fences become nothing: {_WEAK}", host="tso"))
        else:
            rows.append(holds(scheme, "the guest's fences become the host's", host="tso"))
    return rows


def _guest(name: str, title: str, isa: Idioms, make: _Make, more: int, fenced: bool) -> Guest:
    fence, order = (isa.fence, isa.order) if fenced else (_nothing, _nothing)

    def program(suffix: str, vcpus: int, rounds: int) -> Program:
        def final(state: FinalState) -> bool:
            return state[COUNTER] == vcpus * rounds

        return Program(
            f"{name}{'' if fenced else '-unfenced'}-{isa.isa}{suffix}",
            isa=isa.isa,
            threads=[_repeated(make(me, vcpus, fence, order), rounds) for me in range(vcpus)],
            init={COUNTER: 0, TURN: 0, **{_flag(vcpu): 0 for vcpu in range(vcpus)}},
            final=final,
        )

    return Guest(
        title=f"{title}, with{'' if fenced else 'out'} fences",
        specification="mutual exclusion: no addition to the counter is lost, and no vCPU waits forever",
        program=program("", 2, 1),
        larger=program("-large", more, 2),
        rows=tuple(_rows(isa.isa, fenced)),
    )


_ALGORITHMS: tuple[tuple[str, str, _Make, int], ...] = (
    ("dekker", "Dekker's algorithm", _dekker, 2),
    ("peterson", "Peterson's algorithm", _peterson, 3),
    ("szymanski", "Szymanski's algorithm", _szymanski, 3),
)
GUESTS = tuple(
    _guest(name, title, isa, make, more, fenced)
    for name, title, make, more in _ALGORITHMS
    for isa in ISAS
    for fenced in (True, False)
)
