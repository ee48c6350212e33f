"""Whole programs: `main` on the first vCPU, a vCPU for each `pthread_create`, and the library functions that they need.

A mutex is the library's own business, so it is an operation of the host and not of the scheme: 0 is free, 1 is taken.
Output is dropped. Every other function of the library, a system call for one, is a fault that names it.
"""

from __future__ import annotations

from typing import Any

from simaie.binary.hooks import HOOKS, Hook, text_at
from simaie.binary.layout import MOST_CREATED
from simaie.errors import GuestFault, UnmodelledCodeError
from simaie.op import Order
from simaie.trace import AccessKind

__all__ = ["PROCESS", "EndOfThread"]

class EndOfThread(BaseException):
    """Ends a thread from inside a function that does not return; no guest code sees it."""


async def _create(thread: Any, given: tuple[int, ...]) -> int:
    out, _, function, argument = given
    if "." in thread.cpu.name:
        raise UnmodelledCodeError(f"{thread.where}: pthread_create in a thread that main did not start is not modelled")
    number = len(thread.created)
    if number == MOST_CREATED:
        raise UnmodelledCodeError(f"{thread.where}: more than {MOST_CREATED} threads are not modelled")
    if thread.low <= argument < thread.high:
        await thread.publish()
    thread.created.append(await thread.cpu.spawn(thread.child(number, function, argument)))
    await thread.write(out, thread.word, number + 1)
    return 0


async def _join(thread: Any, given: tuple[int, ...]) -> int:
    number, result = given[:2]
    if not 1 <= number <= len(thread.created):
        raise GuestFault("join", number, f"pthread_join of {number}, which is no thread that this thread created")
    await thread.cpu.join(thread.created[number - 1])
    if result:
        await thread.write(result, thread.word, 0)
    return 0


async def _self(thread: Any, given: tuple[int, ...]) -> int:
    return int(thread.cpu.name.rpartition(".")[2]) + 1 if "." in thread.cpu.name else 0


async def _lock(thread: Any, given: tuple[int, ...]) -> int:
    while not await _try(thread, "pthread_mutex_lock", given[0]):
        await thread.cpu.wait_until(given[0], _is_free, width=4)
    return 0


async def _try_lock(thread: Any, given: tuple[int, ...]) -> int:
    return 0 if await _try(thread, "pthread_mutex_trylock", given[0]) else 16  # EBUSY


async def _try(thread: Any, name: str, mutex: int) -> bool:
    cpu = thread.cpu
    body = cpu._scheme.host.compare_and_swap(mutex, 4, 0, 1)
    return int(await cpu._access(name, AccessKind.ATOMIC, mutex, 4, body, 4, (0, 1))) == 0


def _is_free(value: int) -> bool:
    return value == 0


async def _unlock(thread: Any, given: tuple[int, ...]) -> int:
    cpu = thread.cpu
    body = cpu._scheme.host.store(given[0], 4, 0, Order.RELEASE)
    await cpu._access("pthread_mutex_unlock", AccessKind.STORE, given[0], 4, body, 4, 0)
    return 0


async def _initialise(thread: Any, given: tuple[int, ...]) -> int:
    await thread.write(given[0], 4, 0)
    return 0


async def _nothing(thread: Any, given: tuple[int, ...]) -> int:
    return 0


async def _exit(thread: Any, given: tuple[int, ...]) -> None:
    if given[0] & 0xFF:
        raise AssertionError(f"the program exits with status {given[0] & 0xFF}, at {thread.where}")
    raise EndOfThread


async def _thread_exit(thread: Any, given: tuple[int, ...]) -> None:
    raise EndOfThread


async def _number(thread: Any, given: tuple[int, ...]) -> int:
    text = text_at(thread, given[0]).strip()
    digits = text.lstrip("+-")
    length = next((at for at, letter in enumerate(digits) if not letter.isdecimal()), len(digits))
    value = int(digits[:length] or "0")
    return -value if text.startswith("-") else value


_OUTPUT = ("printf", "fprintf", "__printf_chk", "__fprintf_chk", "puts", "putchar", "fputs", "fputc", "putc", "fwrite",
           "fflush", "perror", "write")  # fmt: skip
_IGNORED = ("sched_yield", "usleep", "sleep", "nanosleep", "srand", "getenv", "pthread_mutex_destroy", "setvbuf",
            "pthread_attr_init", "pthread_attr_destroy", "pthread_setaffinity_np", "sched_setaffinity",
            "pthread_detach", "atexit")  # fmt: skip
#: All functions that a whole program runs here, whether or not its file defines them.
PROCESS: dict[str, Hook] = {
    **HOOKS,
    **dict.fromkeys((*_OUTPUT, *_IGNORED), _nothing),
    "pthread_create": _create,
    "pthread_join": _join,
    "pthread_self": _self,
    "pthread_exit": _thread_exit,
    "pthread_mutex_init": _initialise,
    "pthread_mutex_lock": _lock,
    "pthread_mutex_trylock": _try_lock,
    "pthread_mutex_unlock": _unlock,
    "exit": _exit,
    "_exit": _exit,
    "atoi": _number,
    "strtol": _number,
    "strtoul": _number,
    "__isoc23_strtol": _number,
    "__isoc23_strtoul": _number,
}
