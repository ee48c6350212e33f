"""How each instruction set writes what lock-free code is made of: compare-and-swap, exchange, fetch-and-add, fences.

On Arm each is a loop of LDREX and STREX, as in Linux's arch/arm/include/asm/{atomic,cmpxchg}.h; where the comparison
fails there is no CLREX there either, and the reservation stays behind. On x86 each is one LOCK instruction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec

__all__ = ["ARM", "ISAS", "X86", "Idioms"]

_Guest: TypeAlias = Callable[..., Awaitable[Any]]


class Idioms(msgspec.Struct, frozen=True):
    """What an algorithm is written in; each takes the vCPU first, and addresses of 4-byte words.

    compare_and_swap(cpu, address, expected, new): whether it stored. exchange(cpu, address, new) and
    fetch_add(cpu, address, addend): the value before. update(cpu, address, function): stores ``function(value)``
    unless that is None, and returns the value before, all at once. fence(cpu): a full barrier. order(cpu): what keeps
    all but a store before a load in order, which x86 does by itself.
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
