"""The watchdog: stops a guest that spins in Python without ever awaiting an operation.

Such a guest (``while True: pass``) never comes back to its driver, so nothing inside the engine can notice. A daemon
thread looks now and then from outside: has the watched execution taken no step since the last look, and is the thread
that runs it inside guest code, the same call of it? If so for as long as the limit says, an exception is raised
there. Steps pay nothing for it; the thread only reads what is there anyway.

*Inside guest code* means: on the stack a driver has called, directly, a coroutine. A scheduler or a checker that
takes its time is called by other means and is never disturbed, nor is a guest that stands in a debugger. The
exception derives from BaseException, so that ``except Exception`` in a guest does not swallow it; one that swallows
everything gets it again. A guest that hangs inside one call of C cannot be stopped from within the process.

The look and the raising happen in a few microseconds with the interpreter's lock held: the exception arrives at the
very place that was looked at, as the thread cannot have gone on in between.
"""

from __future__ import annotations

import inspect
import sys
import threading
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Self

from simaie.engine.blame import guest_line
from simaie.engine.execution import Execution
from simaie.engine.passing import Spinning
from simaie.errors import GuestError, GuestSpinError
from simaie.protocols import require_positive

__all__ = ["Watchdog", "hit_watchdog", "raise_in"]

_DRIVERS = frozenset({"simaie.engine.inline", "simaie.engine.memo.runner", "simaie.engine.on_trio.parking"})
_DEBUGGERS = frozenset({"bdb", "pdb"})
#: The guest is caught when as many looks, each half the limit apart, have found it where it was.
_LOOKS = 2


def hit_watchdog(caught: Spinning) -> GuestError:
    """The error to raise for it."""
    message = (
        f"the guest of vCPU {caught.vcpu} ran for {caught.seconds:g} s at {caught.where} without awaiting an "
        "operation, so no other vCPU could step; await an operation in its loop (a load, a pause, wait_until) "
        "or raise Limits.spin_seconds"
    )
    return GuestSpinError(message, vcpu=caught.vcpu, where=caught.where)


class Watchdog:
    """Watches the executions that the thread which enters it runs; ``with`` it around all of them.

    seconds: how long a guest may go without a step; it is caught after one to one and a half times that. Leaving the
    block turns the exception that was raised in the guest into GuestSpinError.
    """

    def __init__(self, seconds: float) -> None:
        require_positive(seconds=seconds)
        self._seconds = seconds
        self._execution: Execution | None = None
        self._stop = threading.Event()
        self._lock = threading.Lock()  # held while looking and raising
        self._thread = threading.Thread(target=self._patrol, name="simaie watchdog", daemon=True)
        self._watched = 0
        self._last: tuple[Execution, int, FrameType] | None = None
        self._looks = 0
        self._raised = False

    def __enter__(self) -> Self:
        self._watched = threading.get_ident()
        self._thread.start()
        return self

    def watch(self, execution: Execution) -> None:
        """From now on it is this one that runs."""
        self._execution = execution

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._execution = None
        self._stop.set()
        while self._thread.is_alive():
            with suppress(Spinning):  # the guest came to its end at the last moment
                self._thread.join()
        self._last = None
        if self._raised:
            # One that has not arrived yet is replaced by one that arrives here. To clear it instead (with NULL) would
            # leave CPython 3.11's evaluation loop signalled for ever, and spinning as soon as it is traced.
            with suppress(Spinning):
                raise_in(self._watched, Spinning)
        if isinstance(error, Spinning):
            raise hit_watchdog(error) from None

    # -- in the watchdog's own thread ---------------------------------------------------------------

    def _patrol(self) -> None:
        while not self._stop.wait(min(self._seconds / 2, threading.TIMEOUT_MAX)):
            self._look()

    def _look(self) -> None:
        """One look: raise in the guest if it has stayed where it was for long enough."""
        execution = self._execution
        guest = None if execution is None else _guest_on_stack(sys._current_frames().get(self._watched))
        if execution is None or guest is None:
            self._last = None
            return
        now = (execution, len(execution.events), guest)
        same = self._last is not None and all(a is b or a == b for a, b in zip(self._last, now, strict=True))
        self._last, self._looks = now, self._looks + 1 if same else 0
        if self._looks >= _LOOKS:
            self._last = None
            self._catch(execution, guest)

    def _catch(self, execution: Execution, guest: FrameType) -> None:
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
    """The outermost frame of the guest that a driver is stepping, if one is; None in a debugger."""
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


def raise_in(thread: int, exception: type[BaseException]) -> None:
    """Have `exception` raised in `thread` at its next bytecode, in place of one that has not been raised yet."""
    import ctypes  # needed only when something goes wrong

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(exception))
