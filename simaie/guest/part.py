"""Part of a guest function: some of its instructions left out, and all from a certain one on.

A function is no list from which items could be taken. What can be told is how it runs: its instructions are counted as
it comes to them, those to be left out included. One that is left out takes no step and returns 0; at the one behind
the last, the function ends as if its vCPU had run out of code there. Like a list with items missing this is a guest
program of its own, and says of an emulator what any other would.

The vCPU's `_access`, through which all instructions go, is replaced on the vCPU itself, and only while such a function
runs: whole programs pay nothing. What replaces it is no coroutine, so that a suspended guest looks as it always does.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

__all__ = ["part_of"]


class _Ended(BaseException):
    """Ends the function from inside. Not an Exception: the guest shall not catch it."""


def part_of(function: Callable[[Any], Any], gone: frozenset[int], end: int | None) -> Callable[[Any], Any]:
    """`function` without the instructions whose numbers are in `gone`, and those from number `end` on (None: none)."""
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
    """Stands for the `_access` of one vCPU."""

    def __init__(self, cpu: Any, gone: frozenset[int], end: int | None) -> None:
        self._perform, self._gone, self._end = cpu._access, gone, end
        self._count = 0

    def __call__(self, *args: Any) -> Coroutine[Any, Any, Any]:
        number, self._count = self._count, self._count + 1
        ended = self._end is not None and number >= self._end
        if not ended and number not in self._gone:
            performed: Coroutine[Any, Any, Any] = self._perform(*args)
            return performed
        for body in args:
            if isinstance(body, Coroutine):
                body.close()  # never started: Python would warn about it
        return _end() if ended else _nothing()


async def _nothing() -> int:
    return 0


async def _end() -> None:
    raise _Ended
