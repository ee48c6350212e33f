"""What Ctrl-C and SIGTERM do to a command.

The first is a KeyboardInterrupt: a search ends and what it found is saved and printed. Once that has begun, the second
ends the process at once; failures were saved when they were found. SIGTERM does what Ctrl-C does.

While a search runs the handler of SIGINT is Python's own, since trio protects itself from interrupts under no other.
"""

from __future__ import annotations

import _thread
import contextlib
import gc
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any, TypeVar

from simaie.cli.status import Status, complain
from simaie.errors import Interrupted

__all__ = [
    "found_until_interrupted", "guarded_by_handlers", "interrupted_status", "next_interrupt_ends_at_once",
    "status_unless_interrupted",
]  # fmt: skip

T = TypeVar("T")

#: A hook of Python's cannot raise either: it is over by then.
_HOOK_SECONDS = 0.01
#: Whether the handlers are this module's, and whether SIGTERM came. Handlers have no other place for what they know.
_installed = _terminated = _interrupted = False


@contextlib.contextmanager
def guarded_by_handlers() -> Iterator[None]:
    """While this lasts, SIGTERM is an interrupt, and an interrupt that Python would only print is raised again.

    Python cannot raise in what is called from nowhere, a `__del__` for example: it prints the exception and goes on.
    """
    global _installed, _terminated, _interrupted
    before = signal.getsignal(signal.SIGINT)
    ignored = before is signal.SIG_IGN  # a shell starts a command with `&` so
    if threading.current_thread() is not threading.main_thread() or not (
        ignored or before is signal.default_int_handler
    ):
        yield  # the caller handles interrupts
        return
    _installed, _terminated, _interrupted = True, False, False
    terminable, unraisable = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, sys.unraisablehook

    def raise_again(found: sys.UnraisableHookArgs) -> None:
        if isinstance(found.exc_value, KeyboardInterrupt):
            _thread.start_new_thread(_interrupt_soon, ())
        else:
            unraisable(found)

    sys.unraisablehook = raise_again
    if ignored:
        signal.signal(signal.SIGINT, _interrupt_if_terminated)
    if terminable:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        with _quiet_if_interrupted():
            yield
    finally:
        _installed = False
        signal.signal(signal.SIGINT, before)
        if terminable:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sys.unraisablehook = unraisable


@contextlib.contextmanager
def _quiet_if_interrupted() -> Iterator[None]:
    """Show Python's warnings of coroutines that were never awaited at the end, and not at all after an interrupt.

    An interrupt may come between the call of a guest's function and the first step of the guest.
    """
    kept: list[Callable[[], None]] = []
    show = warnings.showwarning

    def keep(message: Warning | str, *where: Any, **rest: Any) -> None:
        if "was never awaited" in str(message):
            kept.append(partial(show, message, *where, **rest))
        else:
            show(message, *where, **rest)

    warnings.showwarning = keep
    try:
        yield
    finally:
        if _interrupted:
            gc.collect()  # Python would warn of what is left of the execution later
        warnings.showwarning = show
    if not _interrupted:
        for each in kept:
            each()


def _interrupt_soon() -> None:
    time.sleep(_HOOK_SECONDS)
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # which wakes it, if it waits
    else:
        _thread.interrupt_main()


def interrupted_status() -> Status:
    """The exit status of an interrupted command, which says by which signal."""
    return Status.TERMINATED if _terminated else Status.INTERRUPTED


def status_unless_interrupted(status: Status, interrupted: bool) -> Status:
    """The exit status of a search: what it found, or an error, weighs more than that it was interrupted."""
    return interrupted_status() if interrupted and status in (Status.HOLDS, Status.INCONCLUSIVE) else status


def next_interrupt_ends_at_once() -> None:
    """From now on an interrupt ends the process, if it is this module that handles interrupts."""
    global _interrupted
    if _installed:
        _interrupted = True
        signal.signal(signal.SIGINT, _leave)


def found_until_interrupted(search: Callable[[], T]) -> tuple[T, bool]:
    """Return what a search found, and whether it was interrupted, which is said then."""
    try:
        return search(), False
    except Interrupted as stop:
        next_interrupt_ends_at_once()
        complain(f"{stop.what} was interrupted; what was found follows (Ctrl-C again ends at once)")
        found: T = stop.report
        return found, True


def _terminate(number: int, frame: FrameType | None) -> None:
    """Hand SIGTERM to whatever handles SIGINT now: Python, trio, or `_leave`."""
    global _terminated
    _terminated = True
    signal.raise_signal(signal.SIGINT)


def _interrupt_if_terminated(number: int, frame: FrameType | None) -> None:
    """Ignore SIGINT, as the process that started this one wants it, unless SIGTERM came."""
    if _terminated:
        signal.default_int_handler(number, frame)


def _leave(number: int, frame: FrameType | None) -> None:
    """End the process without a word, but with the cursor that a progress bar may have hidden."""
    with contextlib.suppress(OSError):
        os.write(2, b"\x1b[?25h\n" if os.isatty(2) else b"")
    os._exit(interrupted_status())
