"""The effect of Ctrl-C and SIGTERM on a command.

The first Ctrl-C is a KeyboardInterrupt: the search ends, and its findings are saved and printed. From then on a second
Ctrl-C ends the process at once; failures were saved when they were found. SIGTERM does the same as Ctrl-C.

While a search runs in trio, the handler of SIGINT is Python's own: trio protects itself from interrupts under no other.
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

#: The delay after which an interrupt is raised again: by then Python's hook, which cannot raise, has returned.
_HOOK_SECONDS = 0.01
#: Whether this module installed the handlers, whether SIGTERM came, and whether an interrupt was handled. Signal
#: handlers can keep their state in globals only.
_installed = _terminated = _interrupted = False


@contextlib.contextmanager
def guarded_by_handlers() -> Iterator[None]:
    """Treat SIGTERM as an interrupt, and raise an interrupt again that Python would only print.

    Python cannot raise in code that has no caller, such as a `__del__`: it prints the exception and goes on.
    """
    global _installed, _terminated, _interrupted
    before = signal.getsignal(signal.SIGINT)
    ignored = before is signal.SIG_IGN  # as a shell starts a command with `&`
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
    """Delay Python's warnings of coroutines that were never awaited to the end, and drop them after an interrupt.

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
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # which wakes the thread if it waits
    else:
        _thread.interrupt_main()


def interrupted_status() -> Status:
    """Return the exit status of an interrupted command, which tells the signal."""
    return Status.TERMINATED if _terminated else Status.INTERRUPTED


def status_unless_interrupted(status: Status, interrupted: bool) -> Status:
    """Return the exit status of a search: a violation or an error outweighs an interrupt."""
    return interrupted_status() if interrupted and status in (Status.HOLDS, Status.INCONCLUSIVE) else status


def next_interrupt_ends_at_once() -> None:
    """Let the next interrupt end the process, if this module handles interrupts."""
    global _interrupted
    if _installed:
        _interrupted = True
        signal.signal(signal.SIGINT, _leave)


def found_until_interrupted(search: Callable[[], T]) -> tuple[T, bool]:
    """Return the result of a search and whether it was interrupted; say so on stderr if it was."""
    try:
        return search(), False
    except Interrupted as stop:
        next_interrupt_ends_at_once()
        complain(f"{stop.what} was interrupted; what was found follows (Ctrl-C again ends at once)")
        found: T = stop.report
        return found, True


def _terminate(number: int, frame: FrameType | None) -> None:
    """Hand SIGTERM to the current handler of SIGINT: Python's, trio's, or `_leave`."""
    global _terminated
    _terminated = True
    signal.raise_signal(signal.SIGINT)


def _interrupt_if_terminated(number: int, frame: FrameType | None) -> None:
    """Ignore SIGINT, as the parent process asks for, unless SIGTERM came."""
    if _terminated:
        signal.default_int_handler(number, frame)


def _leave(number: int, frame: FrameType | None) -> None:
    """End the process without a message; show the cursor again that a progress bar may have hidden."""
    with contextlib.suppress(OSError):
        os.write(2, b"\x1b[?25h\n" if os.isatty(2) else b"")
    os._exit(interrupted_status())
