"""A limit on how long one call may take: code that is looked at may hang, and a test that hangs says nothing.

As in `simaie.engine.watchdog`, a thread beside looks at the clock and raises in the thread that calls. What hangs
inside one call of C cannot be stopped from within the process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from simaie.engine.watchdog import raise_in

__all__ = ["Patience"]


class _TookTooLong(BaseException):
    """Raised inside the call; an ``except Exception`` there does not swallow it."""


class Patience:
    """``with patience.for_call(what):`` around each call; AssertionError if one takes more than `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._caller = threading.get_ident()
        self._lock = threading.Lock()  # held while looking and raising
        self._stop = threading.Event()
        self._since: float | None = None  # when the call began; None while there is none
        self._thread = threading.Thread(target=self._look, name="simaie patience", daemon=True)
        self._thread.start()

    @contextmanager
    def for_call(self, what: str) -> Iterator[None]:
        """The call that begins now is of `what`."""
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
        """No more calls."""
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(self._seconds / 4):
            with self._lock:
                if self._since is not None and time.perf_counter() - self._since > self._seconds:
                    self._since = None
                    raise_in(self._caller, _TookTooLong)
