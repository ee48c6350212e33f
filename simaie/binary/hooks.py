"""Functions that are run here and not translated: those of `simaie.h`, assertions, and a little of a C library.

A hook is found by the name of the function. The functions of `simaie.h` and those that end a program replace their
definition in the file; `malloc` and `free` too. All others replace only what the file does not define.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from simaie.binary.heap import allocate, release
from simaie.errors import UnmodelledCodeError, UsageError
from simaie.op import Function, Kind, Op
from simaie.trace import AccessKind

__all__ = ["ALWAYS", "HOOKS", "Hook"]

#: Takes the thread and the arguments of the call; returns the result, or None if there is none.
Hook: TypeAlias = Callable[[Any, tuple[int, ...]], Awaitable[int | None]]
_MOST_TEXT = 256


async def _choose(thread: Any, given: tuple[int, ...]) -> int:
    return int(await thread.cpu.choose(given[0] & 0xFFFF_FFFF, "simaie_choose"))


async def _assume(thread: Any, given: tuple[int, ...]) -> None:
    if thread.cpu._machine.host_takes_orders:
        raise UnmodelledCodeError(
            f"{thread.where}: simaie_assume is not modelled on hosts whose executions are graphs, because a graph has "
            "no vCPU that stops for good: return from the function instead, or use the host sc, tso or pso"
        )
    if not given[0] & 0xFFFF_FFFF:
        never = Function("what the program assumes is false", _is_false)
        wait = Op(Kind.AWAIT, value=(), expected=True, function=never)
        await thread.cpu._access("assume", AccessKind.OTHER, 0, 0, wait)


def _is_false(places: Any) -> bool:
    return False


async def _observe(thread: Any, given: tuple[int, ...]) -> None:
    thread.cpu.observe(text_at(thread, given[0]), given[1])


async def _sometimes(thread: Any, given: tuple[int, ...]) -> None:
    thread.cpu.sometimes(text_at(thread, given[0]), given[1] & 0xFFFF_FFFF)


async def _reachable(thread: Any, given: tuple[int, ...]) -> None:
    thread.cpu.reachable(text_at(thread, given[0]))


async def _atomic_begin(thread: Any, given: tuple[int, ...]) -> None:
    await thread.enter(thread.cpu.atomic(text_at(thread, given[0])))


async def _atomic_end(thread: Any, given: tuple[int, ...]) -> None:
    await thread.leave("simaie_atomic_end")


async def _call(thread: Any, given: tuple[int, ...]) -> None:
    await thread.enter(thread.cpu.call(text_at(thread, given[0]), given[1], ordered=True))


async def _call_without_argument(thread: Any, given: tuple[int, ...]) -> None:
    await thread.enter(thread.cpu.call(text_at(thread, given[0]), ordered=True))


async def _return(thread: Any, given: tuple[int, ...]) -> None:
    await thread.leave("simaie_return", given[0])


async def _return_nothing(thread: Any, given: tuple[int, ...]) -> None:
    await thread.leave("simaie_return_nothing", None)


async def _assert_fail(thread: Any, given: tuple[int, ...]) -> None:
    condition, file, line = text_at(thread, given[0]), text_at(thread, given[1]), given[2] & 0xFFFF_FFFF
    raise AssertionError(f"{file.rpartition('/')[2]}:{line}: assertion {condition!r} failed")


async def _abort(thread: Any, given: tuple[int, ...]) -> None:
    raise AssertionError(f"the program aborts, at {thread.where}")


async def _exit(thread: Any, given: tuple[int, ...]) -> None:
    raise AssertionError(f"the program exits with status {given[0] & 0xFF}, at {thread.where}")


async def _malloc(thread: Any, given: tuple[int, ...]) -> int:
    return await allocate(thread, given[0])


async def _calloc(thread: Any, given: tuple[int, ...]) -> int:
    return await allocate(thread, given[0] * given[1])


async def _aligned_alloc(thread: Any, given: tuple[int, ...]) -> int:
    return await allocate(thread, given[1], given[0])


async def _free(thread: Any, given: tuple[int, ...]) -> None:
    await release(thread, given[0])


async def _memset(thread: Any, given: tuple[int, ...]) -> int:
    to, value, size = given[:3]
    for address, width in _pieces(to, size, thread.word):
        await thread.write(address, width, int.from_bytes(bytes([value & 255]) * width, "little"))
    return to


async def _memcpy(thread: Any, given: tuple[int, ...]) -> int:
    to, source, size = given[:3]
    for address, width in _pieces(to, size, thread.word, aligned_with=source):
        await thread.write(address, width, await thread.read(address - to + source, width))
    return to


async def _memmove(thread: Any, given: tuple[int, ...]) -> int:
    to, source, size = given[:3]
    pieces = list(_pieces(to, size, thread.word, aligned_with=source))
    values = [await thread.read(address - to + source, width) for address, width in pieces]
    for (address, width), value in zip(pieces, values, strict=True):
        await thread.write(address, width, value)
    return to


def _pieces(start: int, size: int, word: int, aligned_with: int = 0) -> list[tuple[int, int]]:
    """Return the accesses to `size` bytes: words as far as they are aligned, else bytes."""
    pieces, address, end = [], start, start + size
    while address < end:
        aligned = address % word == 0 and (address - start + aligned_with) % word == 0 and end - address >= word
        pieces.append((address, word if aligned else 1))
        address += word if aligned else 1
    return pieces


def text_at(thread: Any, address: int) -> str:
    """Return a constant text of the program; UsageError if it is not constant."""
    content = bytearray()
    while len(content) < _MOST_TEXT:
        byte = thread.peek(address + len(content), 1)
        if byte is None:
            raise UsageError(f"{thread.where}: a text at {address:#x} is not constant")
        if byte == 0:
            break
        content.append(byte)
    return content.decode("utf-8", "replace")


#: The functions whose definition in the file is replaced.
ALWAYS: dict[str, Hook] = {
    "simaie_choose": _choose,
    "simaie_assume": _assume,
    "simaie_observe": _observe,
    "simaie_sometimes": _sometimes,
    "simaie_reachable": _reachable,
    "simaie_atomic_begin": _atomic_begin,
    "simaie_atomic_end": _atomic_end,
    "simaie_call": _call,
    "simaie_call0": _call_without_argument,
    "simaie_return": _return,
    "simaie_return_nothing": _return_nothing,
    "__assert_fail": _assert_fail,
    "abort": _abort,
    "__stack_chk_fail": _abort,
    "malloc": _malloc,
    "calloc": _calloc,
    "aligned_alloc": _aligned_alloc,
    "free": _free,
}
#: All functions that are run here if the file does not define them.
HOOKS: dict[str, Hook] = {
    **ALWAYS, "exit": _exit, "_exit": _exit, "memset": _memset, "memcpy": _memcpy, "memmove": _memmove
}  # fmt: skip
