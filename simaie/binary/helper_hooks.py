"""Functions that are run in place of machine code when a file has the helpers of a scheme (`simaie.binary.helper`).

No other vCPU knows an allocated block before its address is published, so that allocation is no step. A mutex is one of
the host, as in every scheme.
"""

from __future__ import annotations

from typing import Any

from simaie.binary.hooks import HOOKS, Hook
from simaie.errors import UnmodelledCodeError

__all__ = ["HELPER_HOOKS"]

_UNIT, _MOST_BYTES = 16, 64 << 10


async def _malloc(thread: Any, given: tuple[int, ...]) -> int:
    return _allocated(thread, given[0])


async def _calloc(thread: Any, given: tuple[int, ...]) -> int:
    return _allocated(thread, given[0] * given[1])


async def _free(thread: Any, given: tuple[int, ...]) -> None:
    """Do nothing: no place is used twice."""


async def _nothing(thread: Any, given: tuple[int, ...]) -> int:
    return 0


async def _lock(thread: Any, given: tuple[int, ...]) -> int:
    await thread.mutex(given[0]).lock()
    return 0


async def _unlock(thread: Any, given: tuple[int, ...]) -> int:
    await thread.mutex(given[0]).unlock()
    return 0


async def _begin_exclusive(thread: Any, given: tuple[int, ...]) -> None:
    await thread.cpu._scheme.host.begin_exclusive()


async def _end_exclusive(thread: Any, given: tuple[int, ...]) -> None:
    await thread.cpu._scheme.host.end_exclusive()


def _allocated(thread: Any, size: int) -> int:
    room = (max(size, 1) + _UNIT - 1) // _UNIT * _UNIT
    if room > _MOST_BYTES:
        raise UnmodelledCodeError(f"{thread.where}: a helper that allocates more than {_MOST_BYTES:,} bytes at once")
    block: int = thread.allocate(room)
    return block


_LIBRARY = ("__assert_fail", "abort", "__stack_chk_fail", "memset", "memcpy", "memmove")
#: The functions that a scheme's helpers can call, whether or not their file defines them.
HELPER_HOOKS: dict[str, Hook] = {
    **{name: HOOKS[name] for name in _LIBRARY},
    "malloc": _malloc,
    "calloc": _calloc,
    "free": _free,
    "pthread_mutex_init": _nothing,
    "pthread_mutex_destroy": _nothing,
    "pthread_mutex_lock": _lock,
    "pthread_mutex_unlock": _unlock,
    "start_exclusive": _begin_exclusive,  # as QEMU calls them
    "end_exclusive": _end_exclusive,
}
