"""Small random programs, for comparing an exhaustive search with the enumeration of all interleavings.

A thread is a list of steps, each a tuple: what it does, then its operands. Values that are stored depend on what the
thread has read, and some steps are taken only if that is odd, so that what comes later depends on the order of what
came before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exhaustive.programs import GuestThread
from simaie.guest.program import Program
from simaie.prng import Random

Step = tuple[Any, ...]
BASE = 0x100

#: Kinds of step by family; a family is a mix that is small enough to enumerate and rich enough to go wrong.
FAMILIES: dict[str, tuple[str, list[str]]] = {
    "plain": ("x86", ["load", "store", "store", "if odd store"]),
    "widths": ("x86", ["load2", "store1", "store2", "add1"]),
    "atomics": ("x86", ["load", "store", "add", "cas", "cas", "if odd store"]),
    "exchanges": ("x86", ["xchg", "cas", "load", "add", "fence"]),
    "exclusives": ("arm", ["ldrex", "strex", "store", "ldrex", "strex"]),
    "choices": ("x86", ["choose", "load", "store", "if odd store"]),
    "many choices": ("x86", ["choose", "choose", "if odd choose", "spawn any", "store"]),
    "waits": ("x86", ["wait", "store", "store", "add"]),
    "waits and choices": ("x86", ["wait", "store", "choose", "if odd store", "load"]),
    "waits of several widths": ("x86", ["wait", "wait1", "store1", "store"]),
    "locks": ("x86", ["locked", "locked", "load", "store"]),
    "nested locks": ("x86", ["nested", "locked", "store"]),
    "threads": ("x86", ["spawn", "join", "load", "store"]),
    "locks, atomics, choices": ("x86", ["locked", "cas", "choose", "if odd store", "wait"]),
    "threads that choose and lock": ("x86", ["spawn any", "join", "locked", "choose"]),
    "exclusives of two widths": ("arm", ["ldrex", "strex", "ldrex1", "strex1", "store1"]),
    "reservation sets": ("riscv", ["lr", "sc", "lr8", "sc8", "store1"]),
    "undefined exclusives": ("ppc", ["lwarx", "stwcx", "ldarx", "stdcx", "store1"]),
    "fences": ("x86", ["store", "release", "store fence", "load", "fence"]),
    "stores of several widths": ("x86", ["store1", "store2", "store", "load2", "store fence"]),
    "devices": ("x86", ["stopped", "plain add", "store"]),
    "world": ("x86", ["stopped", "plain add", "store", "load"]),
    "world and locks": ("x86", ["stopped", "locked", "plain add", "stop inside"]),
    "world and waits": ("x86", ["stopped", "wait", "store", "plain add"]),
    "exclusives and world": ("arm", ["ldrex", "strex", "stop", "store", "ldrex", "strex"]),
    "atomics beside a stopped world": ("x86", ["cas", "cas", "stop locked", "load", "store", "locked"]),
}


def program(family: str, seed: int, sizes: Sequence[int]) -> Program:
    """Program number `seed` of a family, with a thread of so many steps for each of `sizes`."""
    isa, kinds = FAMILIES[family]
    random = Random(seed)
    threads = [_thread([_step(random, kinds) for _ in range(size)]) for size in sizes]
    devices = [_device] if family == "devices" else []
    return Program(f"{family} {seed}", isa=isa, threads=threads, devices=devices, init={BASE: 0, BASE + 4: 0})


async def _device(device: Any) -> None:
    await device.dma_write(BASE, await device.dma_read(BASE + 4) + 1)


def _step(random: Random, kinds: Sequence[str]) -> Step:
    kind = random.choice(kinds)
    if kind == "spawn":
        return (kind, _thread([_step(random, ["load", "store"]) for _ in range(1 + random.below(2))]))
    if kind == "spawn any":
        return ("spawn", _thread([_step(random, ["choose", "locked", "store", "wait"]) for _ in range(2)]))
    return (kind, BASE + 4 * random.below(2), random.below(3), random.below(2))


def _thread(steps: Sequence[Step]) -> GuestThread:
    async def thread(cpu: Any) -> None:
        seen, children = 1, []
        for step in steps:
            if step[0] == "spawn":
                children.append(await cpu.spawn(step[1]))
            elif step[0] == "join":
                if children:
                    await cpu.join(children.pop())
            else:
                seen = (seen * 3 + await _perform(cpu, seen, *step)) & 0xFF
        cpu.observe("seen", seen)

    return thread


async def _perform(cpu: Any, seen: int, kind: str, address: int, value: int, which: int) -> int:
    """One step; returns what it read, 0 if nothing."""
    match kind:
        case "load":
            return await cpu.load(address)
        case "store":
            await cpu.store(address, value)
        case "if odd store":
            if seen & 1:
                await cpu.store(address, value)
        case "load2":
            return await cpu.load(BASE + which, width=2)
        case "store1":
            await cpu.store(BASE + value, seen, width=1)
        case "store2":
            await cpu.store(BASE + which, seen, width=2)
        case "add1":
            return await cpu.lock_xadd(BASE + value, 1, width=1)
        case "add":
            return await cpu.lock_xadd(address, value)
        case "plain add":
            return await cpu.add(address, 1)
        case "cas":
            return await cpu.lock_cmpxchg(address, value & 1, value)
        case "xchg":
            return await cpu.xchg(address, value)
        case "fence":
            await cpu.mfence()
        case "release":
            await cpu.exception(f"release {address}")
        case "store fence":
            await cpu.sfence()
        case "ldrex":
            return await cpu.ldrex(address)
        case "strex":
            return await cpu.strex(address, value)
        case "ldrex1":
            return await cpu.ldrex(BASE + value, width=1)
        case "strex1":
            return await cpu.strex(BASE + value, seen, width=1)
        case "lr" | "lwarx":
            return await getattr(cpu, kind)(address)
        case "sc" | "stwcx":
            return await getattr(cpu, kind)(address, value)
        case "lr8":
            return await cpu.lr(BASE, width=8)
        case "sc8":
            return await cpu.sc(BASE, seen, width=8)
        case "ldarx":
            return await cpu.ldarx(BASE)
        case "stdcx":
            return await cpu.stdcx(BASE, seen)
        case "if odd choose":
            return await cpu.choose(3) if seen & 1 else 0
        case "choose":
            return await cpu.choose(1 + value)
        case "wait":
            return await cpu.wait_until(address, lambda now: now & 1 == which)
        case "wait1":
            return await cpu.wait_until(BASE + value, lambda now: now & 1 == which, width=1)
        case _:
            return await _critical(cpu, kind, address, value, which)
    return 0


async def _critical(cpu: Any, kind: str, address: int, value: int, which: int) -> int:
    """A step inside a critical section, or a stopped world."""
    read = 0
    if kind == "stopped":
        await cpu.exception("stop")
        read = await cpu.load(address)
        await cpu.store(address, read + 1)
        await cpu.exception("go")
    elif kind == "locked":
        await cpu.exception(f"lock {which}")
        if value:
            read = await cpu.load(address)
        await cpu.exception(f"unlock {which}")
    elif kind == "nested":
        await cpu.exception(f"lock {which}")
        await cpu.exception(f"lock {1 - which}")
        await cpu.exception(f"unlock {which}")
        await cpu.exception(f"unlock {1 - which}")
    elif kind == "stop":
        await cpu.exception("stop")
        await cpu.exception("go")
    elif kind == "stop locked":
        await cpu.exception("stop")
        await cpu.exception(f"lock {which}")
        await cpu.exception("go")
        await cpu.exception(f"unlock {which}")
    elif kind == "stop inside":
        await cpu.exception("lock 0")
        await cpu.exception("stop")
        await cpu.exception("go")
        await cpu.exception("unlock 0")
    return read


# -- guest instructions only, for the real schemes ---------------------------------------------------

_INSTRUCTIONS = {
    "x86": ["lock_add", "store", "lock_cmpxchg", "xchg", "load", "add"],
    "arm": ["ldrex", "strex", "swp", "str_", "ldr", "ldrex", "strex"],
}


def under_scheme(isa: str, seed: int, sizes: Sequence[int]) -> Program:
    """A program of so many instructions for each of `sizes`, on two granules of the lowest 4 KiB."""
    random = Random(seed)
    threads = [_instructions(isa, random, size) for size in sizes]
    return Program(f"{isa} {seed}", isa=isa, threads=threads, init={BASE: 0, BASE + 64: 0})


def _instructions(isa: str, random: Random, size: int) -> GuestThread:
    steps = [
        (random.choice(_INSTRUCTIONS[isa]), BASE + 64 * (random.below(3) == 0), random.below(3)) for _ in range(size)
    ]

    async def thread(cpu: Any) -> None:
        for number, (name, address, value) in enumerate(steps):
            operands = [] if name in ("load", "ldr", "ldrex") else [value]
            if name == "lock_cmpxchg":
                operands = [value & 1, value]
            result = await getattr(cpu, name)(address, *operands)
            if result is not None:
                cpu.observe(f"r{number}", result)

    return thread
