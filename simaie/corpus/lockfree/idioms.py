"""The primitives of lock-free code in each instruction set: compare-and-swap, exchange, fetch-and-add, fences.

On Arm each is a loop of LDREX and STREX, as in Linux's arch/arm/include/asm/{atomic,cmpxchg}.h; as there, a failed
comparison executes no CLREX, and the reservation remains. On x86 each is one LOCK instruction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec

__all__ = ["ARM", "ISAS", "X86", "Idioms"]

_Guest: TypeAlias = Callable[..., Awaitable[Any]]


class Idioms(msgspec.Struct, frozen=True):
    """The primitives of one instruction set; each takes the vCPU first, and addresses of 4-byte words.

    Attributes:
        isa: Name of the instruction set.
        compare_and_swap: (cpu, address, expected, new) -> whether it stored.
        exchange: (cpu, address, new) -> the old value.
        fetch_add: (cpu, address, addend) -> the old value.
        update: (cpu, address, function) -> the old value; stores ``function(old)`` atomically unless that is None.
        fence: (cpu): a full barrier.
        order: (cpu): keeps all orders except a store before a load, as x86 does without a barrier.
    """

    isa: str
    compare_and_swap: _Guest
    exchange: _Guest
    fetch_add: _Guest
    update: _Guest
    fence: _Guest
    order: _Guest


# -- Arm ---------------------------------------------------------------------------------------------


async def _arm_update(cpu: Any, address: int, function: Callable[[int], int | None]) -> int:
    while True:
        old: int = await cpu.ldrex(address)
        new = function(old)
        if new is None or await cpu.strex(address, new) == 0:
            return old


async def _arm_compare_and_swap(cpu: Any, address: int, expected: int, new: int) -> bool:
    while await cpu.ldrex(address) == expected:
        if await cpu.strex(address, new) == 0:
            return True
    return False


async def _arm_exchange(cpu: Any, address: int, new: int) -> int:
    while True:
        old: int = await cpu.ldrex(address)
        if await cpu.strex(address, new) == 0:
            return old


async def _arm_fetch_add(cpu: Any, address: int, addend: int) -> int:
    while True:
        old: int = await cpu.ldrex(address)
        if await cpu.strex(address, old + addend) == 0:
            return old


async def _arm_fence(cpu: Any) -> None:
    await cpu.dmb()


ARM = Idioms(
    "arm", _arm_compare_and_swap, _arm_exchange, _arm_fetch_add, _arm_update, fence=_arm_fence, order=_arm_fence
)


# -- x86 ---------------------------------------------------------------------------------------------


async def _x86_update(cpu: Any, address: int, function: Callable[[int], int | None]) -> int:
    while True:
        old: int = await cpu.load(address)
        new = function(old)
        if new is None or await cpu.lock_cmpxchg(address, old, new) == old:
            return old


async def _x86_compare_and_swap(cpu: Any, address: int, expected: int, new: int) -> bool:
    return bool(await cpu.lock_cmpxchg(address, expected, new) == expected)


async def _x86_exchange(cpu: Any, address: int, new: int) -> int:
    old: int = await cpu.xchg(address, new)
    return old


async def _x86_fetch_add(cpu: Any, address: int, addend: int) -> int:
    old: int = await cpu.lock_xadd(address, addend)
    return old


async def _x86_fence(cpu: Any) -> None:
    await cpu.mfence()


async def _x86_order(cpu: Any) -> None:
    """Nothing: x86 reorders nothing but a store with a later load."""


X86 = Idioms(
    "x86", _x86_compare_and_swap, _x86_exchange, _x86_fetch_add, _x86_update, fence=_x86_fence, order=_x86_order
)

ISAS = (ARM, X86)
