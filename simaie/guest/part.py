"""Part of a guest function: some of its instructions left out, and all from a certain one on.

Items cannot be removed from a function as from a list, but its execution can be controlled: its instructions are
numbered as the function reaches them, including those to be left out. An instruction that is left out takes no step and
returns 0. At the end of the part the function ends as if its vCPU had run out of code. Like a list with items removed,
the part is a guest program in its own right, and it tests an emulator as any other program does.

All instructions go through the vCPU's `_access`. It is replaced on the vCPU itself, and only while such a function
runs, so complete programs pay nothing. The replacement is no coroutine, so a suspended guest looks as usual.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

__all__ = ["part_of"]


class _Ended(BaseException):
    """Ends the function from inside; not an Exception, so that the guest does not catch it."""


def part_of(function: Callable[[Any], Any], gone: frozenset[int], end: int | None) -> Callable[[Any], Any]:
    """Return `function` without some of its instructions.

    Args:
        function: The guest function.
        gone: Numbers of the instructions to leave out.
        end: Every instruction from this number on is left out; None for no such end.
    """
    return partial(_run, function, tuple(sorted(gone)), end)  # of plain values: a program's digest sees them


async def _run(function: Callable[[Any], Any], gone: tuple[int, ...], end: int | None, cpu: Any) -> None:
    cpu.__dict__["_access"] = _Counting(cpu, frozenset(gone), end)
    try:
        await function(cpu)
    except* _Ended:  # in a group where the guest ran in a nursery
        pass
    finally:
        del cpu.__dict__["_access"]  # the end of the thread is an instruction too


class _Counting:
    """Replaces the `_access` of one vCPU."""

    def __init__(self, cpu: Any, gone: frozenset[int], end: int | None) -> None:
        self._perform, self._gone, self._end = cpu._access, gone, end
        self._count = 0

    def __call__(self, *args: Any, **options: Any) -> Coroutine[Any, Any, Any]:
        number, self._count = self._count, self._count + 1
        ended = self._end is not None and number >= self._end
        if not ended and number not in self._gone:
            performed: Coroutine[Any, Any, Any] = self._perform(*args, **options)
            return performed
        for body in args:
            if isinstance(body, Coroutine):
                body.close()  # never started: Python would warn about it
        return _end() if ended else _nothing()


async def _nothing() -> int:
    return 0


async def _end() -> None:
    raise _Ended
