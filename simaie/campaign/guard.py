"""Limits that the operating system enforces on a worker, so that a guest that hangs or eats memory ends its shard only.

Python code cannot interrupt an extension module that never returns. The kernel can: the alarm of a process whose
handler is the default one kills it. `simaie.engine.watchdog` reports guests that spin in Python, and says where.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

try:
    import resource
except ImportError:  # this system has no such limits
    resource = None  # type: ignore[assignment]

__all__ = ["guarded"]

#: The alarm of a deadline that has passed rings after this time, in seconds. A time of 0 would turn it off.
_SOON = 0.001


@contextlib.contextmanager
def guarded(seconds: float, most_bytes: int) -> Iterator[None]:
    """Return a context in which this process is killed after a time, and is refused memory beyond a limit.

    A process that runs shards in several threads, as a worker of dask may, is killed when the first of them is out of
    time. In a thread, memory is not limited here: the limit would be that of the whole worker, which dask has.

    Args:
        seconds: The time, in seconds; 0 for no limit.
        most_bytes: The address space at most, in bytes; 0 for no limit.
    """
    in_main = threading.current_thread() is threading.main_thread()
    with _ALARM.within(seconds), _memory(most_bytes if in_main else 0):
        yield


class _Alarm:
    """The one alarm of this process, which rings at the first of several deadlines and kills."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadlines: list[float] = []
        self._before: Any = None

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Return a context that must end within a number of seconds; 0 for no limit."""
        if not seconds or not hasattr(signal, "setitimer"):
            yield
            return
        deadline = time.monotonic() + seconds
        with self._lock:
            if not self._deadlines:
                self._before = self._silence()
            self._deadlines.append(deadline)
            self._set()
        try:
            yield
        finally:
            with self._lock:
                self._deadlines.remove(deadline)
                self._set()
                if not self._deadlines and self._before is not None:
                    signal.signal(signal.SIGALRM, self._before)

    def _silence(self) -> Any:
        """Let the alarm kill; return the handler to put back, or None in a thread, which cannot change handlers."""
        if threading.current_thread() is threading.main_thread():
            return signal.signal(signal.SIGALRM, signal.SIG_DFL)
        return None

    def _set(self) -> None:
        left = max(min(self._deadlines) - time.monotonic(), _SOON) if self._deadlines else 0
        signal.setitimer(signal.ITIMER_REAL, left)


_ALARM = _Alarm()


@contextlib.contextmanager
def _memory(most_bytes: int) -> Iterator[None]:
    if not most_bytes or resource is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
