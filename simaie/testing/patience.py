"""A time limit for calls of code under test, which may hang.

As in `simaie.engine.watchdog`, another thread checks the clock and raises in the calling thread. A call that hangs
inside C code cannot be stopped from within the process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from simaie.engine.watchdog import raise_in

__all__ = ["Patience"]


class _TookTooLong(BaseException):
    """The exception that is raised inside the call; an ``except Exception`` there does not catch it."""


class Patience:
    """A time limit of `seconds` for each call; a call is the block of ``with patience.for_call(what):``."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._caller = threading.get_ident()
        self._lock = threading.Lock()  # held during check and raise
        self._stop = threading.Event()
        self._since: float | None = None  # when the current call began; None between calls
        self._thread = threading.Thread(target=self._look, name="simaie patience", daemon=True)
        self._thread.start()

    @contextmanager
    def for_call(self, what: str) -> Iterator[None]:
        """Return a context for one call of `what`; AssertionError if it takes longer than the limit."""
        self._since = time.perf_counter()
        try:
            try:
                yield
            finally:
                with self._lock:
                    self._since = None
        except _TookTooLong:
            raise AssertionError(f"{what} did not return within {self._seconds:g} s") from None

    def end(self) -> None:
        """End the thread that checks the clock, after the last call."""
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(self._seconds / 4):
            with self._lock:
                if self._since is not None and time.perf_counter() - self._since > self._seconds:
                    self._since = None
                    raise_in(self._caller, _TookTooLong)
