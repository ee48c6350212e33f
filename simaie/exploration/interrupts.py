"""Ctrl-C while an execution is counted: it waits, so that a report has all of the execution or nothing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

__all__ = ["LateInterrupts"]


class LateInterrupts:
    """A context in which an interrupt waits until its end. A second interrupt does not wait.

    Outside of `handled`, and in threads other than the main one, it changes nothing.
    """

    def __init__(self) -> None:
        self._handler: Callable[[int, FrameType | None], Any] | None = None  # the one that is delayed
        self._is_inside = False
        self._number = 0  # of the signal that waits; 0 if none does

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Return a context in which the handler of SIGINT can be delayed, if it is a Python function."""
        handler = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or not callable(handler):
            yield
            return
        self._handler = handler
        signal.signal(signal.SIGINT, self._take)
        try:
            yield
        finally:
            if signal.getsignal(signal.SIGINT) == self._take:
                signal.signal(signal.SIGINT, handler)

    def __enter__(self) -> None:
        self._is_inside = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_inside = False
        if self._number:
            number, self._number = self._number, 0
            self._handle(number, None)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self._is_inside and not self._number:
            self._number = number
        else:
            self._number = 0
            self._handle(number, frame)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._handler is not None:
            self._handler(number, frame)
