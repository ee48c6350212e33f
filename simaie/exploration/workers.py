"""Worker processes that end when their parent ends, and whose death costs only the piece that they worked on.

The parent sends shares of the work to its workers over pipes, and takes each result as soon as it arrives. If a worker
dies, another worker receives the rest of its share. A piece at which workers died `_MOST_DEATHS` times is given up.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from simaie.errors import InternalError

__all__ = ["Pool", "end_with", "in_workers", "without_interrupts"]

P = TypeVar("P")
R = TypeVar("R")

#: The number of pieces that a worker receives at a time, at most. Sending a small piece alone costs a tenth of the work
#: on it, but in a large share the pieces wait for a long one before them.
_SHARE = 16
_MOST_DEATHS = 2
_TO_DIE_WHEN_PARENT_DIES = 1  # PR_SET_PDEATHSIG

_Numbered: TypeAlias = tuple[int, P]


def in_workers(work: Callable[[P], R], pieces: Sequence[P], jobs: int, lost: Callable[[P], R]) -> Iterator[R]:
    """Call `work` on each piece in `jobs` processes, and yield the results in the order of the pieces.

    At Ctrl-C, the workers end, the finished results are yielded, and KeyboardInterrupt is raised.

    Args:
        work: The function. It, the pieces and the results must be picklable.
        pieces: The arguments of its calls.
        jobs: The number of processes.
        lost: Returns the result of a piece that was given up because workers died at it.

    Raises:
        InternalError: `work` raised.
    """
    pool = Pool(work, jobs, lost, share=max(1, min(_SHARE, len(pieces) // (16 * jobs))))
    for piece in pieces:
        pool.hand_in(piece)
    try:
        for number in range(len(pieces)):
            while number not in pool.results:
                pool.hear()
            yield pool.take(number)
    except KeyboardInterrupt:
        pool.end()
        for number in sorted(pool.results):
            yield pool.take(number)
        raise
    finally:
        pool.end()


class _Raised(NamedTuple):
    """An exception of the work, by name, because not every exception is picklable."""

    kind: str
    message: str


class _Worker(Generic[P]):
    """A worker process, the pipe to it, and the pieces that it has received and not answered, in order."""

    def __init__(self, process: BaseProcess, pipe: Connection) -> None:
        self.process, self.pipe = process, pipe
        self.share: deque[_Numbered[P]] = deque()


class Pool(Generic[P, R]):
    """Worker processes, the pieces that were not sent yet, and the results that have arrived.

    Args:
        work: The function. It, the pieces and the results must be picklable.
        jobs: The number of processes.
        lost: Returns the result of a piece that was given up because workers died at it.
        share: The number of pieces that a worker receives at a time, at most.

    Attributes:
        results: The results that have arrived and were not taken, by the number of the piece.
        death: How the worker ended that died last, as `multiprocessing.Process.exitcode`; None before the first death.
    """

    def __init__(self, work: Callable[[P], R], jobs: int, lost: Callable[[P], R], *, share: int = 1) -> None:
        self._work, self._jobs, self._lost = work, jobs, lost
        self._waiting: deque[_Numbered[P]] = deque()
        self._size, self._count = share, 0
        self.results: dict[int, R | _Raised] = {}
        self._deaths: Counter[int] = Counter()
        self.death: int | None = None
        self._dropped: set[int] = set()  # the numbers of results to drop when they arrive
        self._workers: list[_Worker[P]] = []

    def hand_in(self, piece: P) -> int:
        """Add a piece, and return its number; numbers count from 0."""
        number = self._count
        self._waiting.append((number, piece))
        self._count += 1
        return number

    def drop(self, number: int) -> None:
        """Forget a piece: it is not sent any more, or its result is dropped."""
        self._waiting = deque(each for each in self._waiting if each[0] != number)
        if self.results.pop(number, None) is None:
            self._dropped.add(number)

    @property
    def free(self) -> int:
        """The number of workers without a piece to do, also those that are not started yet."""
        return max(0, self._jobs - sum(bool(worker.share) for worker in self._workers) - len(self._waiting))

    def hear(self, seconds: float | None = None) -> None:
        """Send pieces to the workers, and wait for results.

        Args:
            seconds: The time to wait at most, in seconds; None to wait until something arrives.
        """
        self._employ()
        ready = wait([worker.pipe for worker in self._workers], seconds)
        for worker in [each for each in self._workers if each.pipe in ready]:
            try:
                self._answered(worker)
            except (EOFError, OSError):
                self._bury(worker)
        if ready:
            self._employ()

    def take(self, number: int) -> R:
        """Return a result that has arrived, and forget it; InternalError if the work raised."""
        result = self.results.pop(number)
        if isinstance(result, _Raised):
            raise InternalError(f"a worker process raised {result.kind}: {result.message}")
        return result

    def end(self) -> None:
        """Take the results from the pipes, and end the workers."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.process.kill()  # its current piece is not needed, and may take long
        for worker in workers:
            worker.process.join()
            with contextlib.suppress(Exception):  # the last part of what it sent may be missing
                while worker.pipe.poll():
                    self._answered(worker)
            worker.pipe.close()

    def _employ(self) -> None:
        """Start missing workers, and send a share to each idle one."""
        while len(self._workers) < min(self._jobs, len(self._workers) + len(self._waiting)):
            self._workers.append(self._hired())
        for worker in self._workers:
            if self._waiting and not worker.share:
                self._hand_out(worker)

    def _hired(self) -> _Worker[P]:
        here, there = multiprocessing.Pipe()
        forked = multiprocessing.get_start_method() == "fork"
        others = [here, *(worker.pipe for worker in self._workers)] if forked else []
        process = multiprocessing.Process(
            target=_serve, args=(self._work, there, os.getpid(), others), name="simaie worker", daemon=True
        )
        with without_interrupts(), warnings.catch_warnings():  # interrupts until the worker ignores them by itself
            warnings.simplefilter("ignore", DeprecationWarning)  # the watchdog's thread holds no lock that a fork needs
            process.start()
        there.close()
        return _Worker(process, here)

    def _hand_out(self, worker: _Worker[P]) -> None:
        for _ in range(min(self._size, len(self._waiting))):
            worker.share.append(self._waiting.popleft())
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it is dead, which `hear` will notice
            worker.pipe.send(list(worker.share))

    def _answered(self, worker: _Worker[P]) -> None:
        number, result = worker.pipe.recv()
        if worker.share and worker.share[0][0] == number:
            worker.share.popleft()
        if number in self._dropped:
            self._dropped.remove(number)
        else:
            self.results[number] = result

    def _bury(self, worker: _Worker[P]) -> None:
        """Put the share of a dead worker back; it died at the first piece of the share."""
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join()
        self.death = worker.process.exitcode
        if worker.share:
            number, piece = worker.share[0]
            self._deaths[number] += 1
            if self._deaths[number] >= _MOST_DEATHS:
                worker.share.popleft()
                self.results[number] = self._lost(piece)
        self._waiting.extendleft(reversed(worker.share))


# -- in a worker ---------------------------------------------------------------------------------------


def _serve(work: Callable[[P], R], pipe: Connection, parent: int, others: Sequence[Connection]) -> None:
    """Do the work that arrives over the pipe until it is closed; an exception of `work` is sent as its result.

    Args:
        work: The function to call.
        pipe: The pipe to the parent.
        parent: The process id of the parent.
        others: The parent's ends of pipes that this process inherited by a fork, to close them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the parent handles it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with(parent)
    for other in others:
        other.close()
    with contextlib.suppress(EOFError, OSError):
        while True:
            for number, piece in pipe.recv():
                try:
                    result: R | _Raised = work(piece)
                except Exception as error:
                    result = _Raised(type(error).__name__, str(error))
                pipe.send((number, result))


def end_with(parent: int) -> None:
    """Make this process end when its parent ends, in whatever way that happens."""
    if sys.platform == "linux" and os.getppid() == parent:  # the parent itself has started this process
        import ctypes  # only workers need it

        ctypes.CDLL(None).prctl(_TO_DIE_WHEN_PARENT_DIES, signal.SIGKILL)
    process = multiprocessing.parent_process()
    if process is not None:
        threading.Thread(target=_watch, args=(process.sentinel,), name="simaie parent watch", daemon=True).start()


def _watch(sentinel: Any) -> None:
    wait([sentinel])
    os._exit(1)


@contextlib.contextmanager
def without_interrupts() -> Iterator[None]:
    """Return a context that blocks SIGINT, also in processes started in it, which must unblock it themselves."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
