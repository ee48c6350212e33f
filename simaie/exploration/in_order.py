"""Calls of one function in several processes, with the results and the errors of one process."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Generator, Iterable
from itertools import islice
from typing import Generic, TypeVar

from simaie.exploration.task import why_no_workers
from simaie.exploration.workers import Pool

__all__ = ["InOrder", "in_order"]

P = TypeVar("P")
R = TypeVar("R")

#: The number of pieces for each worker that are handed out before the first result is awaited.
_AHEAD = 16
#: The number of pieces that a worker receives at a time, at most.
_SHARE = 4


def in_order(work: Callable[[P], R], pieces: Iterable[P], jobs: int) -> Generator[R, None, None]:
    """Call `work` on each piece in `jobs` processes, and yield the results in the order of the pieces.

    Errors are raised as in one process, see `InOrder`. Ctrl-C is raised at once.

    Args:
        work: The function. It and the pieces must be picklable where workers are no forks of this process.
        pieces: The arguments of its calls. Only some are taken before the first result is yielded.
        jobs: The number of processes; 1 to call it here.
    """
    if jobs == 1:
        yield from map(work, pieces)
        return
    calls, source = InOrder(work, jobs), iter(pieces)
    try:
        while True:
            for piece in islice(source, calls.room):
                calls.put(piece)
            if not calls:
                return
            yield calls.take()
    finally:
        calls.end()


class InOrder(Generic[P, R]):
    """Calls of one function in several processes, whose results are taken in the order of the calls.

    If the function raises in a worker, if workers die at it, or if its result cannot be sent, it is called here once
    more. So errors are raised in the order of the calls, too.

    Args:
        work: The function.
        jobs: The number of processes.
    """

    def __init__(self, work: Callable[[P], R], jobs: int) -> None:
        self._work = work
        self._pool: Pool[P, bytes | None] | None = None
        if not why_no_workers(work):
            self._pool = Pool(_Sending(work), jobs, _nothing, share=_SHARE)
        self._most = _AHEAD * jobs
        self._out: deque[P] = deque()
        self._taken = 0

    def __len__(self) -> int:
        """The number of calls whose results were not taken."""
        return len(self._out)

    @property
    def room(self) -> int:
        """The number of calls to `put` before the next result is taken, so that no worker waits."""
        return max(0, self._most - len(self._out))

    @property
    def is_ready(self) -> bool:
        """Whether the result of the first call is there, so that `take` does not wait for another process."""
        if self._pool is None:
            return True
        self._pool.hear(0)
        return self._taken in self._pool.results

    def put(self, piece: P) -> None:
        """Add a call."""
        self._out.append(piece)
        if self._pool is not None:
            self._pool.hand_in(piece)

    def take(self) -> R:
        """Return the result of the first call that was not taken."""
        piece, number = self._out.popleft(), self._taken
        self._taken += 1
        if self._pool is None:
            return self._work(piece)
        while number not in self._pool.results:
            self._pool.hear()
        data = self._pool.take(number)
        if data is not None:
            try:
                received: R = pickle.loads(data)
                return received
            except Exception:  # such as a class that cannot be imported, or a failure that runs differently here
                pass
        return self._work(piece)

    def end(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.end()


class _Sending(Generic[P, R]):
    """A function that returns the pickled result of another one; None if there is none, or it cannot be pickled."""

    def __init__(self, work: Callable[[P], R]) -> None:
        self._work = work

    def __call__(self, piece: P) -> bytes | None:
        try:
            return pickle.dumps(self._work(piece))
        except BaseException:  # it is raised again where the function is called once more
            return None


def _nothing(piece: object) -> None:
    return None
