"""What runs the shards of a campaign: processes on this machine, or any executor of `concurrent.futures`.

Processes here are those of `simaie.exploration.workers`: if one dies, only its shard is run again, and a shard at which
several die is marked. A `ProcessPoolExecutor` would lose all of its work. Any other executor, such as the one of a dask
client, is used through its futures.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Protocol

from simaie.campaign.unit import Piece, Result
from simaie.campaign.work import lost, run_piece
from simaie.exploration.workers import Pool

__all__ = ["Crew", "OnExecutor", "Processes"]

#: The number of shards for each worker that are handed out: the one that it works on, and the next.
_AHEAD = 2
#: The number of times that a shard is handed to an executor whose workers die at it.
_MOST_DEATHS = 2


class Crew(Protocol):
    """The workers of a campaign.

    Attributes:
        name: What they are, in words.
    """

    name: str

    @property
    def room(self) -> int:
        """The number of shards that may be handed in now."""
        ...

    @property
    def busy(self) -> int:
        """The number of shards whose results were not heard."""
        ...

    def hand_in(self, piece: Piece) -> None:
        """Let a worker run a shard."""
        ...

    def hear(self, seconds: float) -> list[Result]:
        """Return the results that have arrived, after at most as many seconds if none has."""
        ...

    def end(self) -> list[Result]:
        """End the workers, and return the results that have arrived."""
        ...


class Processes:
    """Processes on this machine.

    Args:
        jobs: The number of processes.
    """

    def __init__(self, jobs: int) -> None:
        self.name = f"{jobs} process{'' if jobs == 1 else 'es'}"
        self._most = _AHEAD * jobs
        self._pool: Pool[Piece, Result] = Pool(run_piece, jobs, self._lost)
        self.busy = 0

    @property
    def room(self) -> int:
        """The number of shards that may be handed in now."""
        return self._most - self.busy

    def hand_in(self, piece: Piece) -> None:
        """Let a process run a shard."""
        self._pool.hand_in(piece)
        self.busy += 1

    def hear(self, seconds: float) -> list[Result]:
        """Return the results that have arrived."""
        self._pool.hear(seconds)
        return self._taken()

    def end(self) -> list[Result]:
        """Kill the processes, and return the results that have arrived."""
        self._pool.end()
        return self._taken()

    def _lost(self, piece: Piece) -> Result:
        return lost(piece, self._pool.death)

    def _taken(self) -> list[Result]:
        found = [self._pool.take(number) for number in sorted(self._pool.results)]
        self.busy -= len(found)
        return found


class OnExecutor:
    """Workers behind an executor.

    Args:
        executor: The executor; `end` does not shut it down.
        workers: The number of its workers.
        name: What they are, in words.
        call: The function that they call, see `simaie.campaign.work.run_piece`.
    """

    def __init__(
        self, executor: Executor, workers: int, name: str, call: Callable[[Piece], Result] = run_piece
    ) -> None:
        self.name = name
        self._executor, self._call = executor, call
        self._most = _AHEAD * workers
        self._running: dict[Future[Result], tuple[Piece, int]] = {}

    @property
    def room(self) -> int:
        """The number of shards that may be handed in now."""
        return self._most - self.busy

    @property
    def busy(self) -> int:
        """The number of shards whose results were not heard."""
        return len(self._running)

    def hand_in(self, piece: Piece) -> None:
        """Let a worker run a shard."""
        self._submit(piece, 1)

    def hear(self, seconds: float) -> list[Result]:
        """Return the results that have arrived; a shard whose worker died is run again."""
        done, _ = wait(self._running, seconds, FIRST_COMPLETED)
        return [result for future in sorted(done, key=self._order) if (result := self._heard(future)) is not None]

    def end(self) -> list[Result]:
        """Take back the shards that have not begun, and return the results that have arrived."""
        for future in self._running:
            future.cancel()
        done = [future for future in self._running if future.done() and not future.cancelled()]
        found = [future.result() for future in done if future.exception() is None]
        self._running.clear()
        return found

    def _order(self, future: Future[Result]) -> tuple[int, int]:
        piece, _ = self._running[future]
        return piece.number, piece.shard

    def _submit(self, piece: Piece, attempt: int) -> None:
        self._running[self._executor.submit(self._call, piece)] = piece, attempt

    def _heard(self, future: Future[Result]) -> Result | None:
        piece, attempt = self._running.pop(future)
        if not future.cancelled() and future.exception() is None:
            return future.result()
        if attempt < _MOST_DEATHS:
            self._submit(piece, attempt + 1)
            return None
        return lost(piece)
