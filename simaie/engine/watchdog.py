"""The watchdog, which stops a guest that spins in Python without awaiting an operation.

Such a guest (``while True: pass``) never returns to its driver, so that no code inside the engine can notice it. A
daemon thread checks from outside at regular intervals. It raises an exception in the thread that runs the guest, if two
conditions hold for the time of the limit: the watched execution has taken no step, and the thread was inside the same
call of guest code at each check. Steps pay nothing for this, because the daemon thread only reads. Machine code that
runs without a step counts its loops and ends at a limit of its own. As long as it counts it is left alone, so that what
becomes of it does not depend on the speed of the machine.

*Inside guest code* means that a driver on the stack has directly called a coroutine. A slow scheduler or checker is
called in other ways and is never disturbed, nor is a guest that is stopped in a debugger. The exception derives from
BaseException, so that ``except Exception`` in a guest does not catch it; a guest that catches everything receives it
again. A guest that hangs inside one call of C code cannot be stopped from within the process.

Check and raise happen within a few microseconds while the interpreter's lock is held. The exception therefore arrives
at the very place that was checked, because the thread cannot run in between.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Protocol, Self

from simaie.engine.actor import Actor
from simaie.engine.blame import guest_line
from simaie.engine.passing import Spinning
from simaie.errors import GuestError, GuestSpinError
from simaie.guest.running import Runner
from simaie.protocols import require_positive

__all__ = ["Watchdog", "hit_watchdog", "raise_in"]

_DRIVERS = frozenset({"simaie.engine.inline", "simaie.engine.memo.runner", "simaie.engine.on_trio.parking"})
_DEBUGGERS = frozenset({"bdb", "pdb"})
#: The number of checks, half the limit apart, after which a guest that has not moved is stopped.
_LOOKS = 2


def hit_watchdog(caught: Spinning) -> GuestError:
    """Return the error for a guest that the watchdog has stopped."""
    message = (
        f"the guest of vCPU {caught.vcpu} ran for {caught.seconds:g} s at {caught.where} without awaiting an "
        "operation, so no other vCPU could step; await an operation in its loop (a load, a pause, wait_until) "
        "or raise Limits.spin_seconds"
    )
    return GuestSpinError(message, vcpu=caught.vcpu, where=caught.where)


class Watched(Protocol):
    """What is watched: an execution, or a search that finds executions by undo."""

    @property
    def events(self) -> Sequence[Any]:
        """The steps so far."""

    @property
    def actors(self) -> Sequence[Actor]:
        """The vCPUs and devices."""


class Watchdog:
    """A context manager that watches the executions in its block, in the thread that enters it.

    At the end of the block, the exception that was raised in a guest becomes a GuestSpinError.

    Args:
        seconds: The time that a guest may run without a step, in seconds. The watchdog stops it after one to one and a
            half times as long.
    """

    def __init__(self, seconds: float) -> None:
        require_positive(seconds=seconds)
        self._seconds = seconds
        self._execution: Watched | None = None
        self._stop = threading.Event()
        self._lock = threading.Lock()  # held during check and raise
        self._thread = threading.Thread(target=self._patrol, name="simaie watchdog", daemon=True)
        self._watched = 0
        self._last: tuple[Watched, int, FrameType, int] | None = None
        self._looks = 0
        self._raised = False

    def __enter__(self) -> Self:
        self._watched = threading.get_ident()
        self._thread.start()
        return self

    def watch(self, execution: Watched) -> None:
        """Watch `execution` from now on."""
        self._execution = execution

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._execution = None
        self._stop.set()
        while self._thread.is_alive():
            with suppress(Spinning):  # the guest ended at the last moment
                self._thread.join()
        self._last = None
        if self._raised:
            # If the exception has not arrived yet, another one replaces it and arrives here. Clearing it instead (with
            # NULL) would leave CPython 3.11's evaluation loop signalled for ever, and spinning as soon as it is traced.
            with suppress(Spinning):
                raise_in(self._watched, Spinning)
        if isinstance(error, Spinning):
            raise hit_watchdog(error) from None

    # -- in the watchdog's own thread ---------------------------------------------------------------

    def _patrol(self) -> None:
        while not self._stop.wait(min(self._seconds / 2, threading.TIMEOUT_MAX)):
            self._look()

    def _look(self) -> None:
        """Check once, and raise in the guest if it has not moved for long enough."""
        execution = self._execution
        innermost = sys._current_frames().get(self._watched)
        guest = None if execution is None else _guest_on_stack(innermost)
        if execution is None or guest is None:
            self._last = None
            return
        now = (execution, len(execution.events), guest, _rounds(innermost))
        same = self._last is not None and all(a is b or a == b for a, b in zip(self._last, now, strict=True))
        self._last, self._looks = now, self._looks + 1 if same else 0
        if self._looks >= _LOOKS:
            self._last = None
            self._catch(execution, guest)

    def _catch(self, execution: Watched, guest: FrameType) -> None:
        steps = len(execution.events)
        actor = next((a for a in execution.actors if getattr(a.coroutine, "cr_frame", None) is guest), None)
        innermost = sys._current_frames().get(self._watched)
        if actor is None or _guest_on_stack(innermost) is not guest or len(execution.events) != steps:
            return
        where = guest_line(actor, innermost)
        names = {"vcpu": actor.name, "where": where, "seconds": self._seconds}
        self._raised = True
        raise_in(self._watched, type("Spinning", (Spinning,), names))


def _guest_on_stack(innermost: FrameType | None) -> FrameType | None:
    """Return the outermost frame of the guest that a driver runs; None if no guest runs, or in a debugger."""
    called: FrameType | None = None
    frame = innermost
    while frame is not None:
        module = frame.f_globals.get("__name__")
        if module in _DEBUGGERS:
            return None
        if module in _DRIVERS and called is not None and called.f_code.co_flags & inspect.CO_COROUTINE:
            return called
        called, frame = frame, frame.f_back
    return None


def _rounds(innermost: FrameType | None) -> int:
    """Return the rounds of loops that the innermost runner of guest code has counted."""
    frame = innermost
    while frame is not None:
        if frame.f_code in Runner.codes:
            runner: Runner = frame.f_locals["self"]
            return runner.rounds
        frame = frame.f_back
    return 0


def raise_in(thread: int, exception: type[BaseException]) -> None:
    """Raise `exception` in `thread` at its next bytecode; it replaces one that has not arrived yet."""
    import ctypes  # needed only when something goes wrong

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(exception))
