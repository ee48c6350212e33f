"""Running a shard in a process of its own, for workers whose own process does more than that.

A worker of dask runs shards in threads. There the shard shares Python's interpreter lock with the threads of dask, and
the limits of a shard, which are those of a process, would be those of the whole worker. So each thread of such a worker
has a child process, which keeps the programs that it has loaded. `multiprocessing` cannot start it, since a worker of
dask is a daemon, which must not have children there.
"""

from __future__ import annotations

import atexit
import os
import pickle
import signal
import subprocess
import sys
import threading
from queue import SimpleQueue
from typing import Any

from simaie.campaign.unit import Piece, Result
from simaie.campaign.work import lost, run_piece
from simaie.exploration.workers import without_interrupts

__all__ = ["run_apart", "serve"]

#: The number of children that may die at a shard before it is given up.
_MOST_DEATHS = 2
_PROGRAM = "from simaie.campaign.apart import serve; serve()"


def run_apart(piece: Piece) -> Result:
    """Run a shard in a child process; a shard at which two of them died is lost."""
    death: int | None = None
    for _ in range(_MOST_DEATHS):
        child = _IDLE.pop() if _IDLE else _Child()
        try:
            result = child.run(piece)
        except (EOFError, OSError, pickle.UnpicklingError):  # it died, perhaps while it sent its result
            death = child.end()
        except BaseException:
            child.end()
            raise
        else:
            _IDLE.append(child)
            return result
    return lost(piece, death)


class _Child:
    """A process that runs shards until this process ends."""

    def __init__(self) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        with without_interrupts():  # until it ignores them by itself: Ctrl-C reaches all processes of a terminal
            self._process: Any = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths},
            )  # fmt: skip

    def run(self, piece: Piece) -> Result:
        """Run a shard, unless the process dies."""
        pickle.dump(piece, self._process.stdin)
        self._process.stdin.flush()
        result: Result = pickle.load(self._process.stdout)
        return result

    def end(self) -> int:
        """Kill the process, which may be dead, and return its exit status, negative for the signal that ended it."""
        self._process.kill()
        self._process.communicate()
        status: int = self._process.returncode
        return status


#: The children that run no shard now. Threads share it: appending and popping are atomic.
_IDLE: list[_Child] = []


@atexit.register
def _end() -> None:
    while _IDLE:
        _IDLE.pop().end()


# -- in a child ----------------------------------------------------------------------------------------


def serve() -> None:
    """Run the shards that arrive at the standard input, until it is closed; results go to the standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a guest prints
    pieces: SimpleQueue[Piece] = SimpleQueue()
    threading.Thread(target=_receive, args=(pieces,), name="simaie shards", daemon=True).start()
    while True:
        pickle.dump(run_piece(pieces.get()), results)
        results.flush()


def _receive(pieces: SimpleQueue[Piece]) -> None:
    """Take shards from the parent, and end this process with it, also while a shard runs."""
    try:
        while True:
            pieces.put(pickle.load(sys.stdin.buffer))
    except (EOFError, OSError, pickle.UnpicklingError):
        os._exit(1)
