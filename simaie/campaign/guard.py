"""Limits that the operating system enforces on a worker, so that a guest that hangs or eats memory ends its shard only.

Python code cannot interrupt an extension module that never returns. The kernel can: the alarm of a process whose
handler is the default one kills it. `simaie.engine.watchdog` reports guests that spin in Python, and says where.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

try:
    import resource
except ImportError:  # this system has no such limits
    resource = None  # type: ignore[assignment]

__all__ = ["guarded"]


@contextlib.contextmanager
def guarded(seconds: float, most_bytes: int) -> Iterator[None]:
    """Return a context in which this process is killed after a time, and is refused memory beyond a limit.

    It does nothing outside the main thread: the limits would be those of whatever else the process does.

    Args:
        seconds: The time, in seconds; 0 for no limit.
        most_bytes: The address space at most, in bytes; 0 for no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _alarm(seconds), _memory(most_bytes):
        yield


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    if not seconds or not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


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
